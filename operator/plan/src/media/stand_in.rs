//! Mids that stand in for others: an address of relays leads to another mid while its own is gone.

use std::collections::BTreeMap;

use crate::slot::{Role, Slot};
use crate::tree::Parent;
use crate::view::View;

/// Who stands in for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StandIns(BTreeMap<u32, u32>);

impl StandIns {
    /// Stand-ins for mids that are gone, and for those of `faulty`.
    ///
    /// One that stands in already goes on while it can. A mid without children that ever were Ready needs none: nobody
    /// has seen a picture through it.
    pub(super) fn new(view: &View<'_>, faulty: &[u32]) -> Self {
        let mut children = BTreeMap::<u32, u32>::new();
        let mut watched = BTreeMap::<u32, bool>::new();
        for pod in view.fleet.occupants() {
            if let Some(Parent::Mid(mid)) = pod.parent {
                *children.entry(mid).or_default() += 1;
                *watched.entry(mid).or_default() |= pod.was_ready;
            }
        }
        let up = |mid: u32| {
            let pod = view.fleet.occupant(Slot::new(Role::Mid, mid));
            pod.is_some_and(|p| p.ready && !p.cut_off) && !faulty.contains(&mid)
        };
        let mids = view.fleet.occupants().filter(|p| p.slot.role == Role::Mid);
        let ready: Vec<u32> = mids.map(|p| p.slot.index).filter(|mid| up(*mid)).collect();
        let mut load: BTreeMap<u32, u32> = ready
            .iter()
            .map(|mid| (*mid, children.get(mid).copied().unwrap_or(0)))
            .collect();
        let gone: Vec<u32> = watched
            .iter()
            .filter(|(mid, watched)| **watched && !up(**mid))
            .map(|(mid, _)| *mid)
            .collect();
        let most = view.capacity.mid_max;
        let mut out = BTreeMap::new();
        let mut lead = |mid: u32, to: u32, load: &mut BTreeMap<u32, u32>| {
            *load.entry(to).or_default() += children[&mid];
            out.insert(mid, to);
        };
        let fits = |mid: u32, to: u32, load: &BTreeMap<u32, u32>| {
            load.get(&to).is_some_and(|l| l + children[&mid] <= most)
        };
        let now = &view.input.routes.stand_ins;
        let (kept, new): (Vec<u32>, Vec<u32>) = gone
            .into_iter()
            .partition(|mid| now.get(mid).is_some_and(|to| load.contains_key(to)));
        let mut homeless = Vec::new();
        for mid in kept {
            match now.get(&mid).filter(|to| fits(mid, **to, &load)) {
                Some(to) => lead(mid, *to, &mut load),
                None => homeless.push(mid),
            }
        }
        homeless.extend(new);
        for mid in homeless {
            let least = load.iter().min_by_key(|(to, l)| (**l, **to)).map(|(to, _)| *to);
            if let Some(to) = least.filter(|to| fits(mid, *to, &load)) {
                lead(mid, to, &mut load);
            }
        }
        Self(out)
    }

    /// The mid that stands in for `mid`.
    pub(super) fn of(&self, mid: u32) -> Option<u32> {
        self.0.get(&mid).copied()
    }
}
