//! Whether anybody is left on a pod that was taken out of its entry point.

use jiff::{SignedDuration, Timestamp};

use crate::audience::pace;
use crate::input::{Class, Input, Pod};
use crate::signal::Reading;
use crate::time::after;
use crate::view::View;

/// Who was on the way to a pod when it left its entry point has arrived after this time.
const ARRIVED: SignedDuration = SignedDuration::from_secs(10);

/// Viewers on `pod`, if it has told of them lately.
pub(crate) fn watching(input: &Input, class: &Class, pod: &Pod) -> Option<u64> {
    let (bound, _) = pace(class.attendance?);
    let signal = input.signals.get(&pod.uid)?;
    match signal.viewers {
        Reading::Value(viewers) if after(signal.answered, bound) > input.now => Some(viewers),
        _ => None,
    }
}

/// `pod` has told after its cordon that nobody is on it, and sends nothing, as far as that is known: a wrong zero alone
/// must not cut anybody off.
pub(crate) fn empty(input: &Input, class: &Class, pod: &Pod) -> bool {
    let told = asked_from(pod)
        .zip(input.signals.get(&pod.uid))
        .is_some_and(|(from, signal)| signal.answered >= from);
    let sends = input
        .signals
        .get(&pod.uid)
        .and_then(|signal| signal.outbound.rates.first())
        .is_some_and(|rate| *rate >= class.stall.floor);
    told && !sends && watching(input, class, pod) == Some(0)
}

/// Everybody has left `pod` while the event goes on.
pub(crate) fn left(view: &View<'_>, pod: &Pod) -> bool {
    empty(view.input, view.class, pod) && (fed(view, pod) || over(view))
}

/// Media reaches it, as far as it tells. Without any it sends nothing to those who wait for a picture either: then only its
/// own count would speak for its being empty.
fn fed(view: &View<'_>, pod: &Pod) -> bool {
    let signal = view.input.signals.get(&pod.uid);
    let rate = signal.and_then(|signal| signal.inbound.rates.first());
    rate.is_none_or(|rate| *rate >= view.class.stall.floor)
}

/// The planned end has passed: nobody waits for a picture any more.
pub(crate) fn over(view: &View<'_>) -> bool {
    view.input.surely() >= view.schedule.end
}

/// From when on its answers may say that nobody is left.
fn asked_from(pod: &Pod) -> Option<Timestamp> {
    pod.drain_started.map(|t| after(t, ARRIVED))
}

/// When a pod that answers may be found empty, if that is still to come.
pub(crate) fn looked_at(input: &Input, pod: &Pod) -> Option<Timestamp> {
    asked_from(pod).filter(|t| *t > input.now && input.signals.contains_key(&pod.uid))
}
