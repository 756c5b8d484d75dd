//! Which parent feeds which pod.

use crate::input::Pod;
use crate::slot::{Role, Slot};
use crate::tier::{Capacity, Shape};

/// Where a pod pulls the stage from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Parent {
    /// The `origin` Service, which selects the active SFU.
    Origin,
    /// The Service of this mid.
    Mid(u32),
}

/// The two mids a relay falls back to when its own is gone.
///
/// `child` is how many children in lower slots mid `parent` has: rotating by it spreads one mid's children over all the
/// others. Two mids leave one fallback, a single mid none.
pub fn fallbacks(parent: u32, child: u32, mids: u32) -> Vec<u32> {
    let others = match mids {
        0 | 1 => return Vec::new(),
        m => m - 1,
    };
    let nth = |k: u32| (parent + 1 + k % others) % mids;
    let mut out = vec![nth(child)];
    if others > 1 {
        out.push(nth(child + 1));
    }
    out
}

/// Hands out parents, slot by slot.
///
/// A relay gets the mid that has the fewest children in lower slots (lowest mid on ties), so that a pass that was
/// interrupted is completed with the very pods that it was about to create. No parent is led beyond its hard limit, nor
/// beyond its fan-out while another one has room. Nothing that exists is ever moved.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    mids: Vec<Mid>,
    /// Relays that stand in the tree and were not passed yet, highest slot first.
    ahead: Vec<&'a Pod>,
    stage: u32,
    stage_max: u32,
    mid_fan: u32,
    mid_max: u32,
    feeds_relays_directly: bool,
    zones: u32,
    by_zone: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mid {
    /// All that are there or were handed out.
    children: u32,
    /// Of those, the ones in slots that were passed.
    passed: u32,
    /// It exists or was given its own place under the stage.
    placed: bool,
    /// Its pod is Ready.
    ready: bool,
}

/// A place in the tree: where to pull the stage from, and the mids to turn to when that is gone.
pub(crate) type Place = (Option<Parent>, Vec<u32>);

impl<'a> Tree<'a> {
    /// `mids` is how many mid slots are planned, `pods` those that stand in the tree today.
    pub(crate) fn new(
        capacity: &Capacity,
        shape: &Shape,
        mids: u32,
        by_zone: bool,
        pods: impl IntoIterator<Item = &'a Pod>,
    ) -> Self {
        let mut tree = Self {
            mids: vec![Mid::default(); mids as usize],
            ahead: Vec::new(),
            stage: 0,
            stage_max: capacity.stage_max,
            mid_fan: capacity.mid_fan,
            mid_max: capacity.mid_max,
            feeds_relays_directly: !shape.mids,
            zones: capacity.zones(),
            by_zone,
        };
        for pod in pods {
            if pod.slot.role == Role::Mid
                && let Some(mid) = tree.mids.get_mut(pod.slot.index as usize)
            {
                mid.placed = true;
                mid.ready = pod.ready;
            }
            match pod.parent {
                None => {}
                Some(Parent::Origin) => tree.stage += 1,
                Some(Parent::Mid(i)) => {
                    if let Some(mid) = tree.mids.get_mut(i as usize) {
                        mid.children += 1;
                    }
                }
            }
            if pod.slot.role == Role::Relay {
                tree.ahead.push(pod);
            }
        }
        tree.ahead.sort_by_key(|pod| std::cmp::Reverse(pod.slot));
        tree
    }

    /// A place for `slot`, to be asked for in rising order; nothing when every parent that could feed it is at its hard limit.
    pub(crate) fn place(&mut self, slot: Slot) -> Option<Place> {
        match slot.role {
            Role::Sfu => Some((None, Vec::new())),
            Role::Relay if self.feeds_relays_directly => self.under_stage(),
            Role::Relay => self.under_mid(slot.index, |_| true),
            Role::Mid => {
                let place = self.under_stage()?;
                if let Some(mid) = self.mids.get_mut(slot.index as usize) {
                    mid.placed = true;
                }
                Some(place)
            }
        }
    }

    /// A place for `slot` among the parents that are Ready while one of them has room, and whether its parent is Ready.
    pub(crate) fn place_under_ready(&mut self, slot: Slot) -> Option<(Place, bool)> {
        let has_room = |mid: &Mid| mid.ready && mid.children < self.mid_fan;
        let place = if slot.role == Role::Relay && self.mids.iter().any(has_room) {
            self.under_mid(slot.index, |mid| mid.ready)?
        } else {
            self.place(slot)?
        };
        let ready = match place.0 {
            Some(Parent::Mid(mid)) => self.mids.get(mid as usize).is_some_and(|m| m.ready),
            Some(Parent::Origin) | None => true,
        };
        Some((place, ready))
    }

    fn under_stage(&mut self) -> Option<Place> {
        (self.stage < self.stage_max).then(|| {
            self.stage += 1;
            (Some(Parent::Origin), Vec::new())
        })
    }

    fn under_mid(&mut self, relay: u32, may: impl Fn(&Mid) -> bool) -> Option<Place> {
        self.pass(relay);
        let own_zone = |mid: u32| mid % self.zones == relay % self.zones;
        let home = if self.by_zone {
            self.least_loaded(|i, mid| own_zone(i) && may(mid))
        } else {
            None
        };
        let chosen = home.or_else(|| self.least_loaded(|_, mid| may(mid)))?;
        let planned = self.mids.len() as u32;
        let mid = &mut self.mids[chosen as usize];
        let place = (Some(Parent::Mid(chosen)), fallbacks(chosen, mid.passed, planned));
        mid.children += 1;
        mid.passed += 1;
        Some(place)
    }

    /// Counts the relays below slot `relay`.
    fn pass(&mut self, relay: u32) {
        while let Some(pod) = self.ahead.pop_if(|pod| pod.slot.index < relay) {
            if let Some(Parent::Mid(i)) = pod.parent
                && let Some(mid) = self.mids.get_mut(i as usize)
            {
                mid.passed += 1;
            }
        }
    }

    fn least_loaded(&self, wanted: impl Fn(u32, &Mid) -> bool) -> Option<u32> {
        let below = |limit: u32| {
            (0..)
                .zip(&self.mids)
                .filter(|(i, mid)| wanted(*i, mid) && mid.placed && mid.children < limit)
                .min_by_key(|(i, mid)| (mid.passed, *i))
                .map(|(i, _)| i)
        };
        below(self.mid_fan).or_else(|| below(self.mid_max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mids_children_fall_back_to_all_others() {
        let mids = 27;
        let mut seen = std::collections::BTreeSet::new();
        for child in 0..26 {
            let both = fallbacks(4, child, mids);
            assert_eq!(both.len(), 2);
            assert!(!both.contains(&4) && both[0] != both[1]);
            seen.insert(both[0]);
        }
        assert_eq!(seen.len(), 26);
    }

    #[test]
    fn few_mids_leave_few_fallbacks() {
        assert_eq!(fallbacks(0, 9, 1), Vec::<u32>::new());
        assert_eq!(fallbacks(0, 9, 2), vec![1]);
        assert_eq!(fallbacks(1, 9, 2), vec![0]);
    }
}
