//! Pods whose node no longer answers: their slots are filled anew, and they are given the time of a drain.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::audience::leaves;
use crate::empty::{left, watching};
use crate::follow::FIRST_ANSWERS;
use crate::input::{Cordon, Pod};
use crate::output::Drain;
use crate::seats::Fleet;
use crate::slot::Role;
use crate::time::after;
use crate::view::View;

/// How long the same pods must have been cut off before that is believed. Whatever silences many nodes at once shows
/// them one after the other: leases are renewed every 10 seconds and looked at every 5, and the node controller may write
/// 20 times a second. As long as it goes on, nobody knows yet whether it is a node or the network.
const STEADY: SignedDuration = SignedDuration::from_secs(30);

/// A pod that has been cut off for so long is believed to be, whatever happens to others meanwhile.
const LONG: SignedDuration = SignedDuration::from_mins(2);

/// Pods that are cut off, as this process has seen them. It begins empty with each process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CutOff {
    /// Since when it may be believed of them, by UID: never while more than half of their role is cut off. Then it is
    /// rather we who can't see: a fleet can't be made anew on nodes that don't answer, and its addresses are not to be
    /// emptied.
    since: BTreeMap<String, Option<Timestamp>>,
    /// When one was cut off or came back last.
    changed: Option<Timestamp>,
}

/// What becomes of the pods that are cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlook {
    /// There are none, or their places are filled anew.
    Replaced,
    /// They may come back.
    Awaited,
    /// There are so many that they are kept in their places.
    Kept,
}

impl CutOff {
    /// What is seen now, after what was seen before.
    pub(crate) fn next(&self, fleet: &Fleet<'_>, now: Timestamp) -> Self {
        let few = |role: Role| {
            let all = fleet.count(role, |_| true);
            fleet.count(role, |p| p.cut_off) <= all.div_ceil(2)
        };
        let believable = Role::ALL.map(|role| (role, few(role)));
        let since = |pod: &Pod| {
            let before = self.since.get(&pod.uid).copied().flatten();
            believable
                .contains(&(pod.slot.role, true))
                .then(|| before.unwrap_or(now))
        };
        let cut_off = fleet.occupants().filter(|p| p.cut_off);
        let changes = |pod: &Pod| pod.cut_off != self.since.contains_key(&pod.uid);
        Self {
            since: cut_off.map(|p| (p.uid.clone(), since(p))).collect(),
            changed: if fleet.occupants().any(changes) {
                Some(now)
            } else {
                self.changed
            },
        }
    }

    /// From when on it is believed of `pod`, if it may be.
    fn believed_from(&self, pod: &Pod) -> Option<Timestamp> {
        let since = self.since.get(&pod.uid).copied().flatten()?;
        let steady = after(since.max(self.changed?), STEADY);
        Some(steady.min(after(since, LONG)))
    }
}

/// Pods to declare lost now.
///
/// A node may come back with the pod on it and its viewers still watching, so the pod is not deleted: it leaves its slot
/// and its entry point first.
pub(crate) fn disown(view: &View<'_>) -> Vec<Drain> {
    let now = view.input.now;
    let believed = |pod: &&Pod| view.cut_off.believed_from(pod).is_some_and(|t| t <= now);
    view.fleet
        .occupants()
        .filter(believed)
        .map(|pod| Drain {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            started: now,
            why: Cordon::Drain,
        })
        .collect()
}

/// When the next pod is declared lost, if nothing changes.
fn next_loss(view: &View<'_>) -> Option<Timestamp> {
    view.fleet
        .occupants()
        .filter_map(|p| view.cut_off.believed_from(p))
        .min()
}

/// What to tell people of the pods that are cut off.
pub(crate) fn outlook(view: &View<'_>) -> Outlook {
    match next_loss(view) {
        Some(at) if at > view.input.now => Outlook::Awaited,
        None if view.fleet.occupants().any(|p| p.cut_off) => Outlook::Kept,
        _ => Outlook::Replaced,
    }
}

/// Pods that were declared lost and that nobody is on any more, once they have had the time of a drain.
///
/// A pod that viewers connect to says so itself; one that says nothing is believed to be gone with its node only while that is
/// silent too. Whoever is on another one keeps it until the run drains.
pub(crate) fn given_up<'a>(view: &View<'a>) -> Vec<&'a Pod> {
    let leaf = leaves(view.memory);
    let over = |pod: &&Pod| deadline(view, pod) <= view.input.surely();
    let free = |pod: &&Pod| pod.slot.role != leaf || left(view, pod) || gone(view, pod);
    let lost = view.fleet.lost.iter().copied();
    lost.filter(over).filter(free).collect()
}

/// Neither its node nor itself answers, as far as this process has listened.
fn gone(view: &View<'_>, pod: &Pod) -> bool {
    pod.cut_off
        && watching(view.input, view.class, pod).is_none()
        && listened_from(view).is_none_or(|t| t <= view.input.now)
}

/// From when on silence says something: a process that has just begun has heard nobody yet. None: nobody is ever asked.
fn listened_from(view: &View<'_>) -> Option<Timestamp> {
    view.class.attendance?;
    let began = view.input.recent.watch.audience.began;
    Some(after(began.unwrap_or(view.input.now), FIRST_ANSWERS))
}

fn deadline(view: &View<'_>, pod: &Pod) -> Timestamp {
    let started = pod.drain_started.unwrap_or(pod.created);
    let counts_from = view.memory.drain_counts_from(started);
    after(counts_from, view.class.live.drain_timeout)
}

/// When pods are declared lost, and when those that were may go.
pub(crate) fn wakes(view: &View<'_>) -> impl Iterator<Item = Timestamp> {
    let lost = || view.fleet.lost.iter();
    let listened = listened_from(view).filter(|_| lost().next().is_some());
    let deadlines = lost().map(|p| deadline(view, p));
    deadlines.chain(listened).chain(next_loss(view))
}
