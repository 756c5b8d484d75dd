//! What becomes of a fleet whose start moves away, and of one that is given back when the event goes on.

use jiff::{SignedDuration, Timestamp};

use crate::audience::Attendance;
use crate::input::{Class, Input, Memory};
use crate::time::{after, before};
use crate::timeline::Schedule;

/// A fleet is kept for a ramp that is no further away than this, or than twice its lead.
const NEAR: SignedDuration = SignedDuration::from_mins(30);

/// From when on a fleet that exists is kept for the run's start.
pub(crate) fn kept_from(schedule: &Schedule) -> Timestamp {
    before(schedule.ramp, NEAR.max(schedule.lead.saturating_mul(2)))
}

/// Takes note of a start that is too far away to keep the fleet for it, or is no longer.
pub(crate) fn note(memory: &mut Memory, schedule: &Schedule, now: Timestamp) {
    if memory.live_since.is_some() || now >= kept_from(schedule) {
        memory.postponed_at = None;
    } else {
        memory.postponed_at.get_or_insert(now);
    }
}

/// When a fleet whose start is far away is given back: when those who watch have gone, at most after the overrun.
pub(crate) fn released_at(memory: &Memory, class: &Class, attendance: &Attendance) -> Option<Timestamp> {
    let overrun = memory.accepted.spec.overrun.unwrap_or(class.live.overrun);
    let since = memory.postponed_at?;
    let latest = after(since, overrun);
    Some(
        attendance
            .gone_at()
            .map_or(latest, |gone| gone.max(since).min(latest)),
    )
}

/// While capacity is given back, the event was extended beyond now, or its start has come near again.
/// `edited` is the memory with today's spec, `schedule` its boundaries as written.
pub(crate) fn goes_on(memory: &Memory, edited: &Memory, schedule: &Schedule, input: &Input) -> bool {
    let open = schedule.release > input.surely();
    edited.accepted.spec != memory.accepted.spec
        && if memory.live_since.is_some() {
            open
        } else {
            input.now >= kept_from(schedule) && open
        }
}
