//! Giving capacity back: leaves before parents, nobody before the drain deadline.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};

use crate::empty::{empty, looked_at, watching};
use crate::input::{Class, Cordon, Input, Memory, Pod};
use crate::output::Drain;
use crate::removal::{Removal, RemovalReason};
use crate::slot::Role;
use crate::time::after;
use crate::tree::Parent;
use crate::view::active_sfu;

/// A pod that should have been gone for this long sits on a lost node and holds nothing up.
const STUCK_TERMINATING: SignedDuration = SignedDuration::from_mins(5);

/// What the Draining phase does now.
#[derive(Debug, Default)]
pub(crate) struct Draining {
    pub(crate) cordon: Vec<Drain>,
    pub(crate) delete: Vec<Removal>,
    /// The next deadline of a drain, or of a pod that won't go.
    pub(crate) next: Option<Timestamp>,
    /// Pods that are still there.
    pub(crate) left: u32,
}

/// Cordons every pod with viewers at once, deletes each when it is empty or its drain deadline has passed, then mids
/// that nobody names, and the SFUs last with the active one at the very end.
pub(crate) fn drain(input: &Input, class: &Class, memory: &Memory) -> Draining {
    let room = memory.shape.room;
    let (now, surely) = (input.now, input.surely());
    let active_sfu = active_sfu(input);
    // What was taken out of its entry point before was not to go at a deadline.
    let counts_from = |pod: &Pod, started: Timestamp| match (pod.cordoned_for, memory.draining_since) {
        (Cordon::Shrink | Cordon::Health, Some(since)) => started.max(since),
        (Cordon::Drain, _) | (_, None) => started,
    };
    let deadline = |pod: &Pod, started| {
        let from = memory.drain_counts_from(counts_from(pod, started));
        after(from, class.live.drain_timeout)
    };
    let here: Vec<&Pod> = input.pods.iter().filter(|p| !stuck(p, surely)).collect();
    let going = here.iter().filter_map(|p| p.terminating);
    let mut out = Draining {
        left: here.len() as u32,
        next: going.map(|t| after(t, STUCK_TERMINATING)).min(),
        ..Draining::default()
    };

    let mut leaves: Vec<&Pod> = here
        .iter()
        .copied()
        .filter(|p| p.slot.role == Role::Relay || (room && p.slot.role == Role::Sfu))
        .collect();
    let viewers = |pod: &Pod| watching(input, class, pod).unwrap_or(u64::MAX);
    leaves.sort_by_cached_key(|p| (viewers(p), Reverse(p.slot)));
    for pod in leaves.iter().filter(|p| p.terminating.is_none()) {
        match pod.drain_started {
            _ if pod.ended => out.delete.push(Removal::of(pod, RemovalReason::Ended)),
            None => out.cordon.push(Drain {
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                started: now,
                why: Cordon::Drain,
            }),
            Some(_) if empty(input, class, pod) => out.delete.push(drained(pod)),
            Some(started) if deadline(pod, started) <= surely => {
                out.delete.push(Removal::of(pod, RemovalReason::Overdue));
            }
            Some(started) => {
                let asked = looked_at(input, pod);
                let deadlines = asked.into_iter().chain([deadline(pod, started)]);
                out.next = deadlines.chain(out.next).min();
            }
        }
    }
    let named = |mid: &Pod| here.iter().any(|p| p.parent == Some(Parent::Mid(mid.slot.index)));
    let mids = here.iter().copied().filter(|p| p.slot.role == Role::Mid);
    out.delete
        .extend(mids.filter(|p| p.terminating.is_none() && !named(p)).map(drained));

    // Writes of one pass overlap, so what must come last has a pass of its own.
    let children_left = here.iter().any(|p| p.slot.role != Role::Sfu);
    if !room && !children_left {
        let (active, standby): (Vec<&Pod>, Vec<&Pod>) =
            here.iter().copied().partition(|p| p.slot.index == active_sfu);
        let next = if standby.is_empty() { active } else { standby };
        out.delete
            .extend(next.into_iter().filter(|p| p.terminating.is_none()).map(drained));
    }
    out
}

fn drained(pod: &Pod) -> Removal {
    Removal::of(pod, RemovalReason::Drained)
}

fn stuck(pod: &Pod, now: Timestamp) -> bool {
    pod.terminating
        .is_some_and(|t| after(t, STUCK_TERMINATING) <= now)
}
