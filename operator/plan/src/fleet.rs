//! Which pods to create.

use jiff::Timestamp;

use crate::extra::spare_slots;
use crate::output::NewPod;
use crate::slot::{Role, Slot, incarnation};
use crate::tree::{Parent, Tree};
use crate::view::View;

/// What becomes of the slots that have no live pod.
#[derive(Debug, Default)]
pub(crate) struct Creation {
    /// Pods to create now.
    pub(crate) pods: Vec<NewPod>,
    /// Every slot that gets a pod now or later, with the parent it would have.
    pub(crate) coming: Vec<(Slot, Option<Parent>)>,
    /// Of those that are created now: how many take a lost pod's place.
    pub(crate) replaced: u32,
    /// Slots that no parent can feed.
    pub(crate) unfed: u32,
}

/// Fills every slot that is due and has no live pod: SFUs, then mids, then relays.
///
/// Slots of later waves get their place in the tree after them, so that it is known today what can't be
/// fed. Nothing is created while the API server's last refusal still stands.
pub(crate) fn create(view: &View<'_>) -> Creation {
    let View {
        input, class, memory, ..
    } = *view;
    let target = view.planned;
    let spare = spare_slots(view);
    let slots = spare.last().map_or(view.size.end(), |slot| slot.index + 1);
    let shards = memory.shape.shards.of_slots(slots, view.capacity.zones());
    let mut tree = Tree::new(
        view.capacity,
        &memory.shape,
        target.mid,
        !class.zones.0.is_empty(),
        view.fleet.occupants(),
    );
    let refused = input.recent.standing(input.now).next().is_some();
    let (due, later): (Vec<Slot>, Vec<Slot>) = missing(view).partition(|slot| due(view, *slot) <= input.now);
    let mut creation = Creation::default();
    for (slot, now) in due
        .into_iter()
        .map(|s| (s, !refused))
        .chain(later.into_iter().map(|s| (s, false)))
        .chain(spare.into_iter().map(|s| (s, !refused)))
    {
        let growth = grown(view, slot);
        let place = if growth {
            tree.place_under_ready(slot)
        } else {
            tree.place(slot).map(|place| (place, true))
        };
        let Some(((parent, fallbacks), fed)) = place else {
            creation.unfed += 1;
            continue;
        };
        creation.coming.push((slot, parent));
        let Some(name) = name(view, slot).filter(|_| now && fed) else {
            continue;
        };
        creation.replaced += u32::from(predecessors(view, slot).next().is_some());
        creation.pods.push(NewPod {
            slot,
            name,
            shard: match slot.role {
                Role::Relay => shards.get(slot.index as usize).copied(),
                Role::Sfu if memory.shape.room => Some(0),
                Role::Sfu | Role::Mid => None,
            },
            parent,
            fallbacks,
            zone: class.zones.of(slot.index).map(str::to_owned),
            max_viewers: max_viewers(view, slot.role),
        });
    }
    creation
}

/// Slots to fill that have no live pod, in order of creation.
fn missing(view: &View<'_>) -> impl Iterator<Item = Slot> {
    view.size
        .slots()
        .filter(|slot| view.fleet.occupant(*slot).is_none())
}

/// The slot is there because of the audience, beyond what was booked.
fn grown(view: &View<'_>, slot: Slot) -> bool {
    let booked = view.waves.target();
    let ordered = slot.role == Role::Relay && slot.index >= view.size.grown.max(booked.relay);
    slot.index >= booked.of(slot.role) && (view.size.loose || !ordered)
}

/// When a slot may be filled. Growth waits for no wave.
fn due(view: &View<'_>, slot: Slot) -> Timestamp {
    if grown(view, slot) {
        Timestamp::MIN
    } else {
        view.waves.due(slot)
    }
}

/// `<webinar>-<slot>-<incarnation>`, after the last pod that was in the slot.
///
/// A name that a visible pod still has would be answered by `AlreadyExists` until that pod is gone: then
/// it is that pod, or an older one, that is replaced. Nothing when every such name is taken.
fn name(view: &View<'_>, slot: Slot) -> Option<String> {
    let webinar = &view.input.webinar;
    predecessors(view, slot)
        .map(Some)
        .chain([None])
        .map(|replaces| {
            let suffix = incarnation(&webinar.uid, view.memory.run, slot, replaces);
            format!("{}-{slot}-{suffix}", webinar.name)
        })
        .find(|name| !view.fleet.has_name(name))
}

/// Pods that were in the slot, the latest first.
fn predecessors<'a>(view: &View<'a>, slot: Slot) -> impl Iterator<Item = &'a str> {
    let vanished = view.input.recent.vanished.get(&slot).map(String::as_str);
    vanished.into_iter().chain(view.fleet.left(slot))
}

fn max_viewers(view: &View<'_>, role: Role) -> u32 {
    match role {
        Role::Sfu if view.memory.shape.room => view.memory.accepted.spec.max_tier.attendees(),
        Role::Sfu => view.capacity.stage_max,
        Role::Mid => view.capacity.mid_max,
        Role::Relay => view.capacity.hard_per_relay,
    }
}
