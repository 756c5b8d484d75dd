//! Relays that the audience needs no more: out of their entry points first, gone when they are empty.

use std::cmp::Reverse;

use jiff::Timestamp;

use crate::audience::State;
use crate::empty::{left, looked_at, over};
use crate::extra::floor;
use crate::follow::shrinking;
use crate::input::{Cordon, Pod};
use crate::output::Drain;
use crate::slot::Role;
use crate::time::after;
use crate::view::View;

/// The share of relays that one shrink takes out, percent; one at least.
const SHARE: u32 = 10;

/// What is given back while the event goes on.
#[derive(Debug, Default)]
pub(crate) struct Shrink<'a> {
    pub(crate) cordon: Vec<Drain>,
    /// Relays that are needed again.
    pub(crate) take_back: Vec<&'a Pod>,
    /// Relays that nobody is on any more.
    pub(crate) delete: Vec<&'a Pod>,
    /// When more may go.
    pub(crate) next: Option<Timestamp>,
}

/// Follows a falling audience, slowly.
pub(crate) fn shrink<'a>(view: &View<'a>, state: &mut State) -> Shrink<'a> {
    let now = view.input.now;
    let relays = || view.fleet.occupants().filter(|p| p.slot.role == Role::Relay);
    let known = view.attendance.known().is_some();
    let (back, going): (Vec<&Pod>, Vec<&Pod>) = relays()
        .filter(|p| shrinking(p))
        .partition(|p| !view.size.loose || !known || view.size.holds(p.slot));
    let permitted = permitted(view);
    let there = relays()
        .filter(|p| p.was_ready && p.drain_started.is_none())
        .count() as u32;
    let wanted = view.size.wanted.relay;
    let above = permitted && there > wanted;
    state.above_since = above.then(|| state.above_since.unwrap_or(now));
    let live = &view.class.live;
    let patience = state.above_since.map(|t| after(t, live.shrink_after));
    let pace = state.shrunk_at.map(|t| after(t, live.shrink_interval));
    let due = patience.map(|t| pace.map_or(t, |p| p.max(t)));
    let mut out = Shrink {
        take_back: back,
        ..Shrink::default()
    };
    if due.is_some_and(|t| t <= now) {
        out.cordon = emptiest(view, there, wanted);
        if !out.cordon.is_empty() {
            state.shrunk_at = Some(now);
        }
    }
    if permitted {
        out.delete = going.iter().filter(|p| left(view, p)).copied().collect();
        out.delete.sort_by_key(|p| Reverse(p.slot));
    }
    let asked = going.iter().filter_map(|p| looked_at(view.input, p));
    out.next = due.into_iter().chain(asked).filter(|t| *t > now).min();
    out
}

/// The fleet may be made smaller now. Its pace is measured in `now`, which must not be too late. Nobody's numbers do that alone while media stands still: who sees no picture leaves,
/// and comes back.
fn permitted(view: &View<'_>) -> bool {
    let input = view.input;
    let stalled = input.recent.watch.media.stalled() && !over(view);
    view.size.loose
        && view.attendance.known().is_some()
        && !stalled
        && !input.orders.suspend
        && floor(input).is_none()
        && input.surely() == input.now
}

/// The relays with the fewest viewers: a share of those that are there, never below what is wanted.
fn emptiest(view: &View<'_>, there: u32, wanted: u32) -> Vec<Drain> {
    let told = |pod: &Pod| view.attendance.pods.get(&pod.uid).and_then(|p| p.lately);
    let taking = |p: &&Pod| p.slot.role == Role::Relay && p.ready && p.accepting;
    let taking: Vec<&Pod> = view.fleet.occupants().filter(taking).collect();
    let beyond = (taking.len() as u32).min(there).saturating_sub(wanted);
    let most = (there * SHARE / 100).max(1).min(beyond);
    let mut by_viewers: Vec<(u32, &Pod)> = taking.iter().filter_map(|p| Some((told(p)?, *p))).collect();
    by_viewers.sort_by_key(|(viewers, pod)| (*viewers, Reverse(pod.slot)));
    by_viewers.truncate(most as usize);
    let mut left = view.up();
    left.retain(|slot, _| by_viewers.iter().all(|(_, pod)| pod.slot != *slot));
    // Relays whose parents are down give no seats.
    if view.seats_of(&left) < view.size.audience {
        return Vec::new();
    }
    let drain = |(_, pod): &(u32, &Pod)| Drain {
        name: pod.name.clone(),
        uid: pod.uid.clone(),
        started: view.input.now,
        why: Cordon::Shrink,
    };
    by_viewers.iter().map(drain).collect()
}
