//! The SFUs as their answers show them.

use jiff::{SignedDuration, Timestamp};

use super::{State, over};
use crate::input::{Pod, Source};
use crate::signal::{Flow, Signal};
use crate::slot::{Role, Slot};
use crate::time::{after, before};
use crate::view::{View, active_sfu};

/// An answer may be so much earlier than the one a whole number of intervals ago would have it.
const JITTER: SignedDuration = SignedDuration::from_secs(1);

/// Presenters who were on air so shortly before the event have begun it.
const ON_AIR_BEFORE: SignedDuration = SignedDuration::from_secs(60);

/// What the active SFU shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// There is no such pod any more, or its node doesn't answer.
    Gone,
    /// It doesn't answer, or can't be believed.
    Silent,
    /// It receives media.
    Flowing,
    /// It receives none, and not for long.
    Still,
    /// It has received none for as long as counts as a stall.
    Stalled,
}

/// A Ready SFU that is not active.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standby<'a> {
    pub(super) pod: &'a Pod,
    /// Since when it has received media. Absent: it receives none, as far as anyone knows.
    pub(super) since: Option<Timestamp>,
}

/// The active SFU and those beside it.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) active: u32,
    /// The pod in the active slot, whatever its state.
    pub(super) pod: Option<&'a Pod>,
    pub(super) look: Look,
    /// Some SFU has received media in this event.
    pub(super) begun: bool,
    /// When a byte was last seen at an active SFU.
    pub(super) last_byte: Option<Timestamp>,
    pub(super) standbys: Vec<Standby<'a>>,
    pub(super) wakes: Vec<Timestamp>,
    signal: Option<&'a Signal>,
}

impl<'a> Stage<'a> {
    pub(super) fn new(view: &View<'a>, state: &mut State) -> Self {
        let active = active_sfu(view.input);
        let pod = view.fleet.occupant(Slot::new(Role::Sfu, active));
        let signal = pod.and_then(|pod| signal(view, pod));
        let sfus = view.fleet.occupants().filter(|p| p.slot.role == Role::Sfu);
        let standbys = sfus.filter(|p| p.slot.index != active && p.ready && !p.cut_off);
        let standbys: Vec<Standby<'_>> = standbys
            .map(|pod| Standby {
                pod,
                since: receives_since(view, pod),
            })
            .collect();
        state.begun |= begun(view);
        let seen = signal.and_then(|s| s.inbound.last_byte);
        state.last_byte = state.last_byte.max(seen);
        let look = match pod {
            None => Look::Gone,
            Some(pod) if pod.cut_off => Look::Gone,
            Some(_) => signal.map_or(Look::Silent, |signal| look(view, signal)),
        };
        let mut wakes = Vec::new();
        if let Some(signal) = signal {
            wakes.push(after(signal.answered, silent_after(view)));
            wakes.extend(
                signal
                    .inbound
                    .still_since
                    .map(|_| stalls_at(view, &signal.inbound)),
            );
        }
        let sfus = view.fleet.occupants().filter(|p| p.slot.role == Role::Sfu);
        wakes.extend(sfus.filter_map(|p| Some(after(signal_of(view, p)?.answered, fresh_for(view)))));
        let waiting = standbys.iter().filter_map(|s| s.since);
        wakes.extend(waiting.map(|t| after(t, view.class.stall.standby_after)));
        Self {
            active,
            pod,
            look,
            begun: state.begun,
            last_byte: state.last_byte,
            standbys,
            wakes,
            signal,
        }
    }

    /// Media arrives, and has in two answers at least.
    pub(super) fn flows_firmly(&self) -> bool {
        let twice = |s: &&Signal| s.inbound.flowing_since.is_some_and(|since| since < s.answered);
        self.look == Look::Flowing && self.signal.is_some_and(|s| twice(&s))
    }

    /// Since when the active SFU has received media.
    pub(super) fn flowing_since(&self) -> Option<Timestamp> {
        self.flow().and_then(|flow| flow.flowing_since)
    }

    /// Since when it has received none.
    pub(super) fn still_since(&self) -> Option<Timestamp> {
        self.flow().and_then(|flow| flow.still_since)
    }

    /// What it receives now, bits per second.
    pub(super) fn inbound(&self) -> Option<u64> {
        let speaks = self.look != Look::Silent && self.look != Look::Gone;
        let flow = self.flow().filter(|_| speaks)?;
        flow.rates.first().copied()
    }

    /// What was measured of what it receives.
    pub(super) fn flow(&self) -> Option<&'a Flow> {
        self.signal.map(|s| &s.inbound)
    }

    /// The instant from which on nothing more arrived, as well as it is known.
    pub(super) fn stopped_at(&self, now: Timestamp) -> Timestamp {
        self.last_byte.or(self.still_since()).unwrap_or(now)
    }
}

/// How long the source of all figures may take to notice anything.
pub(super) fn interval(view: &View<'_>) -> SignedDuration {
    match view.class.attendance {
        Some(Source::Prometheus { interval }) => interval,
        Some(Source::Pods) | None => SignedDuration::ZERO,
    }
}

/// How old an answer may be that still says what a pod receives now.
fn fresh_for(view: &View<'_>) -> SignedDuration {
    view.class.stall.after.saturating_add(interval(view))
}

/// How old an answer may be before nobody can say.
fn silent_after(view: &View<'_>) -> SignedDuration {
    view.class.stall.no_signal_after.saturating_add(interval(view))
}

/// What `pod` said last, if anything is read at all.
pub(super) fn signal_of<'a>(view: &View<'a>, pod: &Pod) -> Option<&'a Signal> {
    view.class.attendance?;
    view.input.signals.get(&pod.uid)
}

/// What `pod` said last, unless that is too long ago to say anything.
fn signal<'a>(view: &View<'a>, pod: &Pod) -> Option<&'a Signal> {
    let silent = |s: &&Signal| over(view, s.answered, silent_after(view));
    signal_of(view, pod).filter(|s| !silent(s))
}

fn receives_since(view: &View<'_>, pod: &Pod) -> Option<Timestamp> {
    let fresh = |s: &&Signal| !over(view, s.answered, fresh_for(view));
    signal_of(view, pod).filter(fresh)?.inbound.flowing_since
}

/// `pod` receives media, as its last answer shows, and that is not long ago.
pub(super) fn receives(view: &View<'_>, pod: &Pod) -> bool {
    receives_since(view, pod).is_some()
}

fn look(view: &View<'_>, signal: &Signal) -> Look {
    let flow = &signal.inbound;
    let Some(since) = flow.still_since else {
        return match flow.flowing_since {
            Some(_) => Look::Flowing,
            None => Look::Silent,
        };
    };
    // An answer that is on its way when time is up is waited for, one that is not due is not.
    let seen = after(signal.answered, JITTER.max(interval(view))) >= after(since, view.class.stall.after);
    if seen && stalls_at(view, flow) <= view.input.now {
        Look::Stalled
    } else {
        Look::Still
    }
}

/// When stillness becomes a stall. Figures of a Prometheus server are as old as its interval: until then the last
/// answer with media may only have been repeated.
fn stalls_at(view: &View<'_>, flow: &Flow) -> Timestamp {
    let enough = view.class.stall.after;
    let still = flow.still_since.map_or(Timestamp::MAX, |t| after(t, enough));
    let told = flow
        .last_byte
        .map(|t| after(t, enough.saturating_add(interval(view))));
    still.max(told.unwrap_or(Timestamp::MIN))
}

/// Some SFU has received media since the event is on air, or shortly before. What was tried out long before the start
/// is not the event.
fn begun(view: &View<'_>) -> bool {
    let Some(live) = view.memory.live_since else {
        return false;
    };
    let from = before(live, ON_AIR_BEFORE);
    let mut sfus = view.fleet.occupants().filter(|p| p.slot.role == Role::Sfu);
    let seen = |pod: &Pod| signal_of(view, pod)?.inbound.last_byte;
    view.memory.incidents.total > 0 || sfus.any(|pod| seen(pod).is_some_and(|t| t >= from))
}
