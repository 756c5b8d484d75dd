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
/// `child` is how many children mid `parent` had when this one was created: rotating by it spreads one
/// mid's children over all the others. Two mids leave one fallback, a single mid none.
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

/// Hands out parents, counting as it goes.
///
/// It knows the children each parent has today, takes the least loaded for each new relay (lowest slot
/// on ties), and stops at the parents' hard limits. Nothing it has handed out is ever recomputed.
#[derive(Debug)]
pub(crate) struct Tree {
    mids: Vec<Mid>,
    stage: u32,
    stage_max: u32,
    mid_max: u32,
    feeds_relays_directly: bool,
    zones: u32,
    by_zone: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Mid {
    children: u32,
    /// It exists or was given its own place under the stage.
    placed: bool,
}

/// A place in the tree: where to pull the stage from, and the mids to turn to when that is gone.
pub(crate) type Place = (Option<Parent>, Vec<u32>);

impl Tree {
    /// `mids` is how many mid slots are planned, `pods` those that stand in the tree today.
    pub(crate) fn new<'a>(
        capacity: &Capacity,
        shape: &Shape,
        mids: u32,
        by_zone: bool,
        pods: impl IntoIterator<Item = &'a Pod>,
    ) -> Self {
        let mut tree = Self {
            mids: vec![Mid::default(); mids as usize],
            stage: 0,
            stage_max: capacity.stage_max,
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
        }
        tree
    }

    /// A place for `slot`; nothing when every parent that could feed it is at its hard limit.
    pub(crate) fn place(&mut self, slot: Slot) -> Option<Place> {
        match slot.role {
            Role::Sfu => Some((None, Vec::new())),
            Role::Relay if self.feeds_relays_directly => self.under_stage(),
            Role::Relay => self.under_mid(slot.index),
            Role::Mid => {
                let place = self.under_stage()?;
                if let Some(mid) = self.mids.get_mut(slot.index as usize) {
                    mid.placed = true;
                }
                Some(place)
            }
        }
    }

    fn under_stage(&mut self) -> Option<Place> {
        (self.stage < self.stage_max).then(|| {
            self.stage += 1;
            (Some(Parent::Origin), Vec::new())
        })
    }

    fn under_mid(&mut self, relay: u32) -> Option<Place> {
        let own_zone = |mid: u32| mid % self.zones == relay % self.zones;
        let home = if self.by_zone {
            self.least_loaded(own_zone)
        } else {
            None
        };
        let chosen = home.or_else(|| self.least_loaded(|_| true))?;
        let planned = self.mids.len() as u32;
        let mid = &mut self.mids[chosen as usize];
        let place = (
            Some(Parent::Mid(chosen)),
            fallbacks(chosen, mid.children, planned),
        );
        mid.children += 1;
        Some(place)
    }

    fn least_loaded(&self, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        (0..)
            .zip(&self.mids)
            .filter(|(i, mid)| wanted(*i) && mid.placed && mid.children < self.mid_max)
            .min_by_key(|(i, mid)| (mid.children, *i))
            .map(|(i, _)| i)
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
