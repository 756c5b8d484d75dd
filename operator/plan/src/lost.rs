//! Pods whose node no longer answers: their slots are filled anew, and they are given the time of a drain.

use jiff::Timestamp;

use crate::input::{Cordon, Pod};
use crate::output::Drain;
use crate::slot::Role;
use crate::time::after;
use crate::view::View;

/// Pods to declare lost now.
///
/// A node may come back with the pod on it and its viewers still watching, so the pod is not deleted: it leaves its slot
/// and its entry point first. When more than half of a role is cut off, it is rather we who can't see: a fleet can't be
/// made anew on nodes that don't answer, and its addresses are not to be emptied.
pub(crate) fn disown(view: &View<'_>) -> Vec<Drain> {
    let cut_off = |role: Role| {
        view.fleet
            .occupants()
            .filter(move |p| p.slot.role == role && p.cut_off)
    };
    let believed = Role::ALL.into_iter().filter(|role| {
        let all = view.fleet.count(*role, |_| true);
        cut_off(*role).count() as u32 <= all.div_ceil(2)
    });
    believed
        .flat_map(cut_off)
        .map(|pod| Drain {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            started: view.input.now,
            why: Cordon::Drain,
        })
        .collect()
}

/// When a pod that was declared lost is deleted: nobody can say who is still watching through it, so it has the time of a
/// drain.
pub(crate) fn deadline(view: &View<'_>, pod: &Pod) -> Timestamp {
    let started = pod.drain_started.unwrap_or(pod.created);
    let counts_from = view.memory.drain_counts_from(started);
    after(counts_from, view.class.live.drain_timeout)
}

/// Pods that were declared lost and whose time is over.
pub(crate) fn given_up<'a>(view: &View<'a>) -> impl Iterator<Item = &'a Pod> {
    let over = |pod: &&&Pod| deadline(view, pod) <= view.input.surely();
    view.fleet
        .lost
        .iter()
        .filter(over)
        .copied()
        .collect::<Vec<_>>()
        .into_iter()
}

/// Pods are cut off and yet not declared lost.
pub(crate) fn silent(view: &View<'_>) -> bool {
    view.fleet.occupants().any(|p| p.cut_off) && disown(view).is_empty()
}
