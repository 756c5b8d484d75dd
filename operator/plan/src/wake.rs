//! When to look again.

use jiff::{SignedDuration, Timestamp};

use crate::alarm;
use crate::conditions;
use crate::extra::{floor, late_at};
use crate::fleet::Creation;
use crate::input::{Alarm, Release};
use crate::lost;
use crate::media::unwell_at;
use crate::postpone::{kept_from, released_at};
use crate::time::{after, before};
use crate::view::{PATIENCE, View};
use crate::warning::warned_from;

/// While anything can change by itself, the world is looked at again at least this often.
pub(crate) const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// The earliest instant at which this plan could come out differently by itself.
pub(crate) fn wake(
    view: &View<'_>,
    creation: &Creation,
    alarm: Option<&Alarm>,
    shrinks: Option<Timestamp>,
) -> Timestamp {
    let now = view.input.now;
    let schedule = view.schedule;
    let unready = || view.fleet.occupants().filter(|p| !p.ready);
    let slow = unready().map(|p| after(view.expected_at(p), PATIENCE));
    let troubled = unready()
        .filter_map(|p| p.trouble.as_ref())
        .map(|t| view.patience_ends(t));
    let substitutes = unready().filter_map(|p| late_at(view, p));
    let unwell = view.fleet.occupants().filter_map(|p| unwell_at(view, p));
    let patience = slow.chain(troubled).chain(substitutes).chain(unwell);
    let retry = view.input.recent.setbacks.iter().map(|s| s.retry_at);
    let refused = view.input.webinar.refused_since;
    // What is created later than this can't be expected by the start.
    let too_late = after(
        before(schedule.start, view.settle()),
        SignedDuration::from_secs(1),
    );
    let too_late = view.input.orders.suspend.then_some(too_late);
    let after_peak = view.input.orders.release == Release::AfterPeak;
    [schedule.start, schedule.end, schedule.release]
        .into_iter()
        .chain(view.waves.next_after(now))
        .chain(creation.coming.iter().map(|(slot, _)| view.waves.due(*slot)))
        .chain(floor(view.input).map(|floor| floor.until))
        .chain(after_peak.then_some(view.schedule.floor_until))
        .chain(released_at(view.memory, view.class, view.attendance))
        .chain(view.attendance.gone_at())
        .chain(view.attendance.next)
        .chain(view.size.next)
        .chain(shrinks)
        .chain([kept_from(schedule), warned_from(schedule)])
        .chain(alarm.and_then(alarm::ends))
        .chain(too_late)
        .chain(patience)
        .chain(lost::wakes(view))
        .chain(retry)
        .chain(refused.and_then(|since| conditions::refused_wake(Some(since), now)))
        .filter(|t| *t > now)
        .fold(after(now, LOOK_AGAIN), Timestamp::min)
}
