//! Relays beyond the tier: those that an override asks for, and substitutes for late ones.

use jiff::Timestamp;

use crate::input::{Class, Floor, Input, Memory, Pod};
use crate::media::unwell_at;
use crate::reason::Reason;
use crate::removal::{Removal, RemovalReason};
use crate::share::room;
use crate::slot::{Role, Slot};
use crate::tier::Counts;
use crate::time::after;
use crate::tree::Parent;
use crate::view::{PATIENCE, View};

/// Endpoints that one viewers Service may have.
const RELAYS_PER_SHARD: u32 = 250;

/// The override that holds now.
pub(crate) fn floor(input: &Input) -> Option<&Floor> {
    input
        .orders
        .floor
        .as_ref()
        .filter(|floor| input.surely() < floor.until)
}

/// Relays there may be beside the other pods of `target`: within `maxPods`, within what the class has left for this
/// event, and at every address no more than it can hold.
pub(crate) fn ceiling(input: &Input, class: &Class, memory: &Memory, target: Counts) -> u32 {
    if memory.shape.room {
        return 0;
    }
    let others = target.sfu.saturating_add(target.mid);
    let addresses = memory.shape.shards.count().saturating_mul(RELAYS_PER_SHARD);
    let most = room(input, class, memory.accepted.start)
        .map_or(class.sizing.max_pods, |room| room.min(class.sizing.max_pods));
    most.saturating_sub(others).min(addresses)
}

/// When a pod that is not Ready is late enough for a substitute: it has had the time that a machine, its
/// image and a minute take. One without a machine is not late, and one that waited long for a machine has
/// only begun.
pub(crate) fn late_at(view: &View<'_>, pod: &Pod) -> Option<Timestamp> {
    let settle = &view.class.ramp.settle;
    let begun = after(pod.created, settle.node_startup).max(pod.scheduled?);
    Some(after(begun, settle.image_pull.saturating_add(PATIENCE)))
}

/// Spare slots to fill now, beyond the planned ones: for each relay that is late, within the limits.
pub(crate) fn spare_slots(view: &View<'_>) -> Vec<Slot> {
    if !more_would_help(view) {
        return Vec::new();
    }
    let planned = view.planned.relay;
    let late = view.fleet.count(Role::Relay, |p| {
        !extra(view, p) && (late(view, p) || unwell(view, p))
    });
    let room = ceiling(view.input, view.class, view.memory, view.planned).saturating_sub(planned);
    // Where the fleet may be smaller than it is, a substitute that has become Ready holds a slot like any other.
    let beyond = planned.saturating_sub(view.size.wanted.relay);
    let here = view.fleet.count(Role::Relay, |p| extra(view, p)) + beyond;
    let wanted = late.min(most(view)).min(room).saturating_sub(here);
    (view.size.end()..)
        .map(|index| Slot::new(Role::Relay, index))
        .filter(|slot| view.fleet.occupant(*slot).is_none())
        .take(wanted as usize)
        .collect()
}

/// Pods that never were Ready and are no longer wanted, or get another try in their own slot.
pub(crate) fn unneeded(view: &View<'_>) -> Vec<Removal> {
    let all_ready =
        view.ready_pods() == view.planned.total() && !view.fleet.occupants().any(|p| unwell(view, p));
    let keep = if all_ready { 0 } else { most(view) as usize };
    let extras = view.fleet.occupants().filter(|p| extra(view, p) && !p.was_ready);
    // Where the fleet follows the audience, what is on its way comes: the audience may rise again before it is there.
    let comes = |p: &&Pod| view.size.loose && p.trouble.is_none() && !late(view, p);
    let extras = extras.filter(|p| !comes(p));
    let unneeded = |p: &Pod| Removal::of(p, RemovalReason::Unneeded);
    let mut out: Vec<Removal> = extras.skip(keep).map(unneeded).collect();
    // A mid that a lower tier has no use for stays while any pod names it.
    let named = |mid: &Pod| {
        let parent = Some(Parent::Mid(mid.slot.index));
        view.input.pods.iter().any(|p| p.parent == parent)
    };
    let beyond = view.fleet.occupants().filter(|p| p.slot.role == Role::Mid);
    let beyond = beyond.filter(|p| p.slot.index >= view.planned.mid && !p.was_ready);
    out.extend(beyond.filter(|p| !named(p)).map(unneeded));
    for role in [Role::Sfu, Role::Mid] {
        let tries = another_try(view, role).into_iter();
        out.extend(tries.map(|p| Removal::of(p, RemovalReason::Retried)));
    }
    out
}

/// SFUs and mids that never became Ready while a pod no older than they did: it is them, not the world.
/// A tenth of the role at a time.
fn another_try<'a>(view: &View<'a>, role: Role) -> Vec<&'a Pod> {
    if !more_would_help(view) {
        return Vec::new();
    }
    let planned = view.planned.of(role);
    let here = view.fleet.count(role, |p| p.slot.index < planned);
    let may = (planned / 10).max(1).saturating_sub(planned.saturating_sub(here));
    let overtaken = |pod: &Pod| {
        view.fleet
            .occupants()
            .any(|p| p.ready && p.created >= pod.created)
    };
    let tries = view.fleet.occupants().filter(|p| p.slot.role == role);
    tries
        .filter(|p| p.slot.index < planned && !p.was_ready && late(view, p) && overtaken(p))
        .take(may as usize)
        .collect()
}

/// Another pod is neither refused nor left without a machine.
fn more_would_help(view: &View<'_>) -> bool {
    let homeless = |pod: &Pod| {
        let trouble = pod.trouble.as_ref().filter(|_| !pod.ready);
        trouble.is_some_and(|t| t.reason == Reason::Unschedulable)
    };
    view.input.recent.setbacks.is_empty() && !view.fleet.occupants().any(homeless)
}

fn late(view: &View<'_>, pod: &Pod) -> bool {
    !pod.ready && !pod.cut_off && late_at(view, pod).is_some_and(|t| t <= view.input.now)
}

/// Its viewers have seen no picture for so long that it gets a substitute.
fn unwell(view: &View<'_>, pod: &Pod) -> bool {
    unwell_at(view, pod).is_some_and(|t| t <= view.input.now)
}

/// A relay beyond the planned slots.
fn extra(view: &View<'_>, pod: &Pod) -> bool {
    pod.slot.role == Role::Relay && !view.size.holds(pod.slot)
}

/// Substitutes there may be.
fn most(view: &View<'_>) -> u32 {
    (view.planned.relay / 20).max(2)
}
