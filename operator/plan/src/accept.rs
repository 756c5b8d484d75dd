//! Which spec is in force: checks, the first acceptance of a run, and edits during it.

use jiff::Timestamp;

use crate::input::{Accepted, Class, Incidents, Memory, Spec};
use crate::ramp::Waves;
use crate::slot::Role;
use crate::tier::{Capacity, Counts, Shape, Unservable};
use crate::time::after;
use crate::timeline::Schedule;

/// What a pod carries and what the fleet looks like for `spec`, or why `class` can't serve it.
pub fn servable(spec: &Spec, class: &Class) -> Result<(Capacity, Shape), Unservable> {
    if spec.max_tier > class.max_tier {
        return Err(Unservable::AboveClass { max: class.max_tier });
    }
    let capacity = class.capacity(spec.panelists);
    let shape = capacity.shape(spec.max_tier)?;
    Ok((capacity, shape))
}

/// The memory that opens run `run` at `now`.
pub fn next_run(run: u32, spec: &Spec, schedule: &Schedule, shape: Shape, now: Timestamp) -> Memory {
    Memory {
        run,
        accepted: Accepted {
            spec: spec.clone(),
            start: schedule.start,
            since: now,
            base: Counts::default(),
        },
        shape,
        ready_at: None,
        live_since: None,
        draining_since: None,
        finished_at: None,
        postponed_at: None,
        suspended_since: None,
        resumed_at: None,
        most_relays: 0,
        peak: None,
        incidents: Incidents::default(),
        failover: None,
    }
}

/// Takes today's spec into a run that is under way, at `now`.
///
/// Its tier may fall; the shape of the fleet never does. What would restart media (`panelists`) waits for the next run. An edit that the pinned class can't serve changes nothing and is returned with its
/// reason.
pub(crate) fn edit(
    memory: &Memory,
    spec: &Spec,
    class: &Class,
    waves: &Waves,
    schedule: &Schedule,
    now: Timestamp,
) -> (Memory, Option<Unservable>) {
    let current = &memory.accepted.spec;
    let on_air = memory.live_since.is_some();
    let wanted = Spec {
        tier: spec.tier,
        max_tier: current.max_tier.max(spec.max_tier).max(spec.tier),
        start: start(memory, spec, class),
        duration: spec.duration,
        panelists: current.panelists,
        ready_before: spec.ready_before,
        overrun: spec.overrun,
    };
    if wanted == *current {
        return (memory.clone(), None);
    }
    let (capacity, wider) = match servable(&wanted, class) {
        Ok(found) => found,
        Err(why) => return (memory.clone(), Some(why)),
    };
    let moves_ramp = wanted.tier != current.tier
        || wanted.max_tier != current.max_tier
        || wanted.start != current.start
        || wanted.ready_before != current.ready_before;
    let moves_end = wanted.start != current.start
        || wanted.duration != current.duration
        || wanted.overrun != current.overrun;
    // A raise after the planned end must not move that end, and another length must not hurry the waves.
    let begins_anew = if on_air {
        moves_end || now < schedule.end
    } else {
        moves_ramp
    };

    let mut edited = memory.clone();
    let accepted = &mut edited.accepted;
    if moves_ramp || begins_anew {
        accepted.base = due_counts(waves, now);
    }
    if begins_anew {
        accepted.since = now;
    }
    accepted.start = wanted.start.unwrap_or(accepted.start);
    edited.shape = memory.shape.widened(&wider, accepted.base.relay);
    let before = capacity.counts(current.tier, &memory.shape);
    let now_wanted = capacity.counts(wanted.tier, &edited.shape);
    if !on_air && Role::ALL.iter().any(|r| now_wanted.of(*r) > before.of(*r)) {
        edited.ready_at = None;
    }
    if wanted.tier < current.tier {
        // Growth counts from the size that a person has chosen.
        edited.most_relays = 0;
    }
    edited.accepted.spec = wanted;
    (edited, None)
}

/// The start that a run has after an edit.
///
/// A start can't be taken back while the run lasts. On air it moves the end, as far as the run may
/// overrun; a start beyond that is the next run's.
fn start(memory: &Memory, spec: &Spec, class: &Class) -> Option<Timestamp> {
    let accepted = &memory.accepted;
    let overrun = accepted.spec.overrun.unwrap_or(class.live.overrun);
    let on_air = memory.live_since.is_some();
    spec.start
        .filter(|start| !on_air || *start <= after(accepted.start, overrun))
        .or(accepted.spec.start)
}

/// Slots that the former waves have already brought, role by role.
fn due_counts(waves: &Waves, now: Timestamp) -> Counts {
    let due = |role: Role| {
        waves
            .target()
            .slots()
            .filter(|slot| slot.role == role && waves.due(*slot) <= now)
            .count() as u32
    };
    Counts {
        sfu: due(Role::Sfu),
        mid: due(Role::Mid),
        relay: due(Role::Relay),
    }
}
