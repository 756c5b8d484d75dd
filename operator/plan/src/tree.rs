//! Which parent feeds which pod.

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
    mids: Vec<u32>,
    stage: u32,
    stage_max: u32,
    mid_max: u32,
    feeds_relays_directly: bool,
    zones: u32,
    by_zone: bool,
}

impl Tree {
    /// `mids` is how many mid slots are planned; `existing` the parents that pods name today.
    pub(crate) fn new(
        capacity: &Capacity,
        shape: &Shape,
        mids: u32,
        by_zone: bool,
        existing: impl IntoIterator<Item = Parent>,
    ) -> Self {
        let mut tree = Self {
            mids: vec![0; mids as usize],
            stage: 0,
            stage_max: capacity.stage_max,
            mid_max: capacity.mid_max,
            feeds_relays_directly: !shape.mids,
            zones: capacity.zones(),
            by_zone,
        };
        for parent in existing {
            match parent {
                Parent::Origin => tree.stage += 1,
                Parent::Mid(i) => {
                    if let Some(children) = tree.mids.get_mut(i as usize) {
                        *children += 1;
                    }
                }
            }
        }
        tree
    }

    /// A place under the stage, unless the SFU is at its hard limit.
    pub(crate) fn under_stage(&mut self) -> Option<Parent> {
        (self.stage < self.stage_max).then(|| {
            self.stage += 1;
            Parent::Origin
        })
    }

    /// A parent for relay slot `index`, with its fallbacks; nothing when every parent is full.
    pub(crate) fn for_relay(&mut self, index: u32) -> Option<(Parent, Vec<u32>)> {
        if self.feeds_relays_directly {
            return self.under_stage().map(|p| (p, Vec::new()));
        }
        let own_zone = |mid: u32| mid % self.zones == index % self.zones;
        let home = if self.by_zone {
            self.least_loaded(own_zone)
        } else {
            None
        };
        let mid = home.or_else(|| self.least_loaded(|_| true))?;
        let child = self.mids[mid as usize];
        self.mids[mid as usize] += 1;
        Some((Parent::Mid(mid), fallbacks(mid, child, self.mids.len() as u32)))
    }

    fn least_loaded(&self, wanted: impl Fn(u32) -> bool) -> Option<u32> {
        (0..self.mids.len() as u32)
            .filter(|mid| wanted(*mid) && self.mids[*mid as usize] < self.mid_max)
            .min_by_key(|mid| (self.mids[*mid as usize], *mid))
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
