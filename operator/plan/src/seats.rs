//! Which pods carry viewers, and how many seats that makes.

use std::collections::BTreeMap;

use crate::input::{Memory, Pod};
use crate::slot::{Role, Slot};
use crate::tier::{Capacity, Counts, Tier};
use crate::tree::Parent;

/// The pods of one run, seen as slots.
#[derive(Debug)]
pub(crate) struct Fleet<'a> {
    occupants: BTreeMap<Slot, &'a Pod>,
    /// Live pods whose slot is held by an older one.
    pub(crate) surplus: Vec<&'a Pod>,
    /// Pods that ended by themselves and only wait to be removed.
    pub(crate) ended: Vec<&'a Pod>,
    /// The last pod that left each slot, as far as it can still be seen.
    replaced: BTreeMap<Slot, &'a Pod>,
    active_sfu: u32,
}

impl<'a> Fleet<'a> {
    /// Sorts `pods` of `run` into slots. Of two live pods in one slot the older keeps it.
    pub(crate) fn new(pods: &'a [Pod], run: u32, active_sfu: u32) -> Self {
        let mut fleet = Self {
            occupants: BTreeMap::new(),
            surplus: Vec::new(),
            ended: Vec::new(),
            replaced: BTreeMap::new(),
            active_sfu,
        };
        let mut by_age: Vec<&Pod> = pods.iter().filter(|p| p.run == run).collect();
        by_age.sort_by(|a, b| (a.created, &a.name).cmp(&(b.created, &b.name)));
        for pod in by_age {
            if !pod.alive() {
                if pod.terminating.is_none() {
                    fleet.ended.push(pod);
                }
                fleet.replaced.insert(pod.slot, pod);
            } else if fleet.occupants.contains_key(&pod.slot) {
                fleet.surplus.push(pod);
            } else {
                fleet.occupants.insert(pod.slot, pod);
            }
        }
        fleet
    }

    /// The live pod in `slot`.
    pub(crate) fn occupant(&self, slot: Slot) -> Option<&'a Pod> {
        self.occupants.get(&slot).copied()
    }

    /// Every slot that has a live pod.
    pub(crate) fn occupants(&self) -> impl Iterator<Item = &'a Pod> {
        self.occupants.values().copied()
    }

    /// UID of the pod that was last seen leaving `slot`.
    pub(crate) fn replaced_uid(&self, slot: Slot) -> Option<&'a str> {
        self.replaced.get(&slot).map(|p| p.uid.as_str())
    }

    /// Live pods of `role`.
    pub(crate) fn count(&self, role: Role, wanted: impl Fn(&Pod) -> bool) -> u32 {
        self.occupants()
            .filter(|p| p.slot.role == role && wanted(p))
            .count() as u32
    }

    /// Relays that carry viewers: Ready, in their entry point, and fed through a Ready path.
    pub(crate) fn carrying(&self) -> u32 {
        self.carrying_if(|p| p.ready)
    }

    /// The same, with `up` deciding which pods count as Ready.
    pub(crate) fn carrying_if(&self, up: impl Fn(&Pod) -> bool) -> u32 {
        let is_up = |slot| self.occupant(slot).is_some_and(&up);
        if !is_up(Slot::new(Role::Sfu, self.active_sfu)) {
            return 0;
        }
        self.count(Role::Relay, |relay| {
            let fed = match relay.parent {
                Some(Parent::Mid(mid)) => is_up(Slot::new(Role::Mid, mid)),
                Some(Parent::Origin) | None => true,
            };
            fed && relay.accepting && up(relay)
        })
    }

    /// Seats that are there now.
    pub(crate) fn seats(&self, memory: &Memory, capacity: &Capacity) -> u32 {
        let max_tier = memory.accepted.spec.max_tier;
        if memory.shape.room {
            let ready = self
                .occupant(Slot::new(Role::Sfu, self.active_sfu))
                .is_some_and(|p| p.ready);
            return if ready { Tier::Room.attendees() } else { 0 };
        }
        capacity.seats(self.carrying(), max_tier)
    }

    /// Every seat of `tier` is there, with all SFUs and mids.
    pub(crate) fn complete(&self, memory: &Memory, capacity: &Capacity, target: Counts) -> bool {
        self.seats(memory, capacity) >= memory.accepted.spec.tier.attendees()
            && self.count(Role::Sfu, |p| p.ready) >= target.sfu
            && self.count(Role::Mid, |p| p.ready) >= target.mid
    }

    /// Relays behind viewers Service `shard`.
    pub(crate) fn behind(&self, shard: u32, memory: &Memory, zones: u32) -> u32 {
        self.count(Role::Relay, |p| {
            p.ready && p.accepting && memory.shape.shards.shard(p.slot.index, zones) == shard
        })
    }
}
