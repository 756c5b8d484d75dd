//! Which pods to create.

use jiff::Timestamp;

use crate::input::{Class, Memory, Recent, Webinar};
use crate::output::NewPod;
use crate::ramp::Waves;
use crate::seats::Fleet;
use crate::slot::{Role, Slot, incarnation};
use crate::tier::{Capacity, Counts};
use crate::tree::Tree;

/// Pods to create now, and slots that no parent can feed.
#[derive(Debug, Default)]
pub(crate) struct Creation {
    pub(crate) pods: Vec<NewPod>,
    pub(crate) unfed: u32,
}

/// Fills every slot that is due and has no live pod: SFUs, then mids, then relays.
///
/// Nothing is created while the API server's last refusal still stands.
pub(crate) fn create(
    webinar: &Webinar,
    memory: &Memory,
    class: &Class,
    capacity: &Capacity,
    fleet: &Fleet<'_>,
    waves: &Waves,
    recent: &Recent,
    now: Timestamp,
) -> Creation {
    let target = waves.target();
    let mut tree = Tree::new(
        capacity,
        &memory.shape,
        target.mid,
        !class.zones.0.is_empty(),
        fleet.occupants().filter_map(|p| p.parent),
    );
    let mut creation = Creation::default();
    if recent.setbacks.iter().any(|s| s.retry_at > now) {
        return creation;
    }
    for slot in missing(fleet, target).filter(|slot| waves.due(*slot) <= now) {
        let place = match slot.role {
            Role::Sfu => Some((None, Vec::new())),
            Role::Mid => tree.under_stage().map(|p| (Some(p), Vec::new())),
            Role::Relay => tree.for_relay(slot.index).map(|(p, f)| (Some(p), f)),
        };
        let Some((parent, fallbacks)) = place else {
            creation.unfed += 1;
            continue;
        };
        let replaces = fleet
            .replaced_uid(slot)
            .or_else(|| recent.vanished.get(&slot).map(String::as_str));
        let suffix = incarnation(&webinar.uid, memory.run, slot, replaces);
        creation.pods.push(NewPod {
            slot,
            name: format!("{}-{slot}-{suffix}", webinar.name),
            shard: shard(memory, slot, capacity.zones()),
            parent,
            fallbacks,
            zone: class.zones.of(slot.index).map(str::to_owned),
            max_viewers: max_viewers(memory, capacity, slot.role),
        });
    }
    creation
}

/// Slots of `target` without a live pod, in order of creation.
pub(crate) fn missing(fleet: &Fleet<'_>, target: Counts) -> impl Iterator<Item = Slot> {
    Role::ALL
        .into_iter()
        .flat_map(move |role| (0..target.of(role)).map(move |i| Slot::new(role, i)))
        .filter(|slot| fleet.occupant(*slot).is_none())
}

fn shard(memory: &Memory, slot: Slot, zones: u32) -> Option<u32> {
    match slot.role {
        Role::Relay => Some(memory.shape.shards.shard(slot.index, zones)),
        Role::Sfu if memory.shape.room => Some(0),
        Role::Sfu | Role::Mid => None,
    }
}

fn max_viewers(memory: &Memory, capacity: &Capacity, role: Role) -> u32 {
    match role {
        Role::Sfu if memory.shape.room => memory.accepted.spec.max_tier.attendees(),
        Role::Sfu => capacity.stage_max,
        Role::Mid => capacity.mid_max,
        Role::Relay => capacity.hard_per_relay,
    }
}
