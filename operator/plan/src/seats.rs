//! The pods of a run seen as slots, and how many seats they make.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use crate::input::{Cordon, Memory, Pod};
use crate::slot::{Role, Slot};
use crate::tier::{Capacity, Tier};
use crate::tree::Parent;

/// Slots whose pods are up, or will be, with the parents that feed them.
pub(crate) type Up = BTreeMap<Slot, Option<Parent>>;

/// The pods of one run, seen as slots.
#[derive(Debug)]
pub(crate) struct Fleet<'a> {
    occupants: BTreeMap<Slot, &'a Pod>,
    /// Live pods whose slot is held by an older one.
    pub(crate) surplus: Vec<&'a Pod>,
    /// Pods that ended by themselves and only wait to be removed.
    pub(crate) ended: Vec<&'a Pod>,
    /// Pods that were declared lost and are still there.
    pub(crate) lost: Vec<&'a Pod>,
    /// Pods that left their slot and can still be seen, oldest first.
    left: BTreeMap<Slot, Vec<&'a Pod>>,
    /// Names of all pods that can be seen, of other runs too.
    names: BTreeSet<&'a str>,
    /// Pods whose drain began are taken back into their entry points.
    takes_back: bool,
}

impl<'a> Fleet<'a> {
    /// Sorts `pods` of `run` into slots. Of two live pods in one slot the older keeps it.
    pub(crate) fn new(pods: &'a [Pod], run: u32, takes_back: bool) -> Self {
        let mut fleet = Self {
            occupants: BTreeMap::new(),
            surplus: Vec::new(),
            ended: Vec::new(),
            lost: Vec::new(),
            left: BTreeMap::new(),
            names: pods.iter().map(|p| p.name.as_str()).collect(),
            takes_back,
        };
        let mut by_age: Vec<&Pod> = pods.iter().filter(|p| p.run == run).collect();
        by_age.sort_by_key(|p| (p.created, &p.name));
        for pod in by_age {
            if pod.alive() && pod.lost {
                fleet.lost.push(pod);
                fleet.left.entry(pod.slot).or_default().push(pod);
            } else if pod.alive() {
                match fleet.occupants.entry(pod.slot) {
                    Entry::Vacant(slot) => _ = slot.insert(pod),
                    Entry::Occupied(_) => fleet.surplus.push(pod),
                }
            } else {
                if pod.terminating.is_none() {
                    fleet.ended.push(pod);
                }
                fleet.left.entry(pod.slot).or_default().push(pod);
            }
        }
        fleet
    }

    /// The live pod in `slot`.
    pub(crate) fn occupant(&self, slot: Slot) -> Option<&'a Pod> {
        self.occupants.get(&slot).copied()
    }

    /// Every live pod that holds a slot.
    pub(crate) fn occupants(&self) -> impl Iterator<Item = &'a Pod> {
        self.occupants.values().copied()
    }

    /// UIDs of the pods that were seen leaving `slot`, last one first.
    pub(crate) fn left(&self, slot: Slot) -> impl Iterator<Item = &'a str> {
        let pods = self.left.get(&slot).map_or(&[][..], Vec::as_slice);
        pods.iter().rev().map(|p| p.uid.as_str())
    }

    /// A pod with this name can be seen, whatever its state.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Live pods of `role`.
    pub(crate) fn count(&self, role: Role, wanted: impl Fn(&Pod) -> bool) -> u32 {
        self.occupants()
            .filter(|p| p.slot.role == role && wanted(p))
            .count() as u32
    }

    fn takes_viewers(&self, pod: &Pod) -> bool {
        let taken_back = || pod.drain_started.is_some() && pod.cordoned_for == Cordon::Drain;
        pod.accepting || (self.takes_back && taken_back())
    }

    /// Slots whose pods are up as `is_up` judges it, without relays that were taken out of their entry point.
    pub(crate) fn up(&self, is_up: impl Fn(&Pod) -> bool) -> Up {
        self.occupants()
            .filter(|p| is_up(p) && (self.takes_viewers(p) || p.slot.role != Role::Relay))
            .map(|p| (p.slot, p.parent))
            .collect()
    }
}

/// Seats that the slots in `up` give while SFU `active` is on stage.
pub(crate) fn seats(up: &Up, active: u32, memory: &Memory, capacity: &Capacity) -> u32 {
    if memory.shape.room {
        let there = up.contains_key(&Slot::new(Role::Sfu, active));
        return if there { Tier::Room.attendees() } else { 0 };
    }
    capacity.seats(carried(up, active), memory.accepted.spec.max_tier)
}

/// Relays in `up` whose whole path to the stage is up while SFU `active` is on it.
pub(crate) fn carried(up: &Up, active: u32) -> u32 {
    if !up.contains_key(&Slot::new(Role::Sfu, active)) {
        return 0;
    }
    let fed = |parent: &Option<Parent>| match parent {
        Some(Parent::Mid(mid)) => up.contains_key(&Slot::new(Role::Mid, *mid)),
        Some(Parent::Origin) | None => true,
    };
    up.iter()
        .filter(|(slot, parent)| slot.role == Role::Relay && fed(parent))
        .count() as u32
}
