//! Which spec is in force: checks, the first acceptance of a run, and edits during it.

use jiff::Timestamp;

use crate::input::{Accepted, Class, Memory, Spec};
use crate::ramp::Waves;
use crate::slot::{Role, Slot};
use crate::tier::{Capacity, Counts, Shape, Unservable};
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
    }
}

/// Takes today's spec into a run that is under way.
///
/// Sizes only rise: nobody's place is given up by an edit. What would restart media (`panelists`) waits
/// for the next run. Once on air the start is history, and an earlier end is never before the instant
/// its edit was first seen. An edit that the pinned class can't serve changes nothing and is returned
/// with its reason.
pub(crate) fn edit(
    memory: &Memory,
    spec: &Spec,
    class: &Class,
    waves: &Waves,
    now: Timestamp,
) -> (Memory, Option<Unservable>) {
    let current = &memory.accepted.spec;
    let tier = current.tier.max(spec.tier);
    let on_air = memory.live_since.is_some();
    let wanted = Spec {
        tier,
        max_tier: current.max_tier.max(spec.max_tier).max(tier),
        start: if on_air {
            current.start
        } else {
            spec.start.or(current.start)
        },
        duration: spec.duration,
        panelists: current.panelists,
        ready_before: spec.ready_before,
        overrun: spec.overrun,
    };
    if wanted == *current {
        return (memory.clone(), None);
    }
    let wider = match servable(&wanted, class) {
        Ok((_, shape)) => shape,
        Err(why) => return (memory.clone(), Some(why)),
    };
    let base = due_counts(waves, now);
    let mut edited = memory.clone();
    edited.shape = memory.shape.widened(&wider, base.relay);
    if wanted.tier > current.tier && !on_air {
        edited.ready_at = None;
    }
    edited.accepted = Accepted {
        start: wanted.start.unwrap_or(memory.accepted.start),
        spec: wanted,
        since: now,
        base,
    };
    (edited, None)
}

/// Slots that the former waves have already brought, role by role.
fn due_counts(waves: &Waves, now: Timestamp) -> Counts {
    let due = |role: Role| {
        let all = waves.target().of(role);
        (0..all)
            .take_while(|i| waves.due(Slot::new(role, *i)) <= now)
            .count() as u32
    };
    Counts {
        sfu: due(Role::Sfu),
        mid: due(Role::Mid),
        relay: due(Role::Relay),
    }
}
