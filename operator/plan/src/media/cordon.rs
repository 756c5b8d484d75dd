//! Relays whose viewers see no picture take no new ones until they are well.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::health::{Health, by_shard, receives_as_others};
use super::{State, kept_out};
use crate::input::{Cordon, Pod};
use crate::output::{Drain, Named};
use crate::reason::Reason;
use crate::signal::{Reading, Signal};
use crate::slot::Role;
use crate::time::after;
use crate::track::median;
use crate::view::View;

/// Of a shard's relays, at most one in so many is taken out, and one of any (media.md: 5 %).
const ONE_IN: u32 = 20;

/// How long a relay must be well (media.md).
const WELL_FOR: SignedDuration = SignedDuration::from_secs(30);

/// When a relay that stays out gets a substitute (media.md).
const SUBSTITUTE_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// Viewers from which on what is sent to each can be judged (media.md).
const VIEWERS: u64 = 20;

/// Each viewer is sent less than this share of what those of other relays are, percent (media.md).
const MUTE_BELOW: u64 = 30;

/// For how long (media.md).
const MUTE_FOR: SignedDuration = SignedDuration::from_secs(15);

/// An answer may come so much earlier than a whole number of intervals after another.
const JITTER: SignedDuration = SignedDuration::from_secs(1);

/// Relays that make a median.
const PEERS: usize = 3;

/// What is done about single relays.
#[derive(Debug, Default)]
pub(super) struct Cordons {
    pub(super) cordon: Vec<Drain>,
    pub(super) uncordon: Vec<Named>,
    /// Why, by the name of the pod.
    pub(super) why: Vec<(Reason, String)>,
}

/// When a relay that was taken out for its health is to have a substitute.
pub(crate) fn unwell_at(view: &View<'_>, pod: &Pod) -> Option<Timestamp> {
    let since = pod.drain_started.filter(|_| kept_out(view, pod))?;
    Some(after(since, SUBSTITUTE_AFTER))
}

/// Takes relays out and back in.
pub(super) fn judge(view: &View<'_>, health: &Health<'_>, state: &mut State) -> Cordons {
    let there: BTreeSet<&str> = view.fleet.occupants().map(|p| p.uid.as_str()).collect();
    state.mute.retain(|uid, _| there.contains(uid.as_str()));
    state.well.retain(|uid, _| there.contains(uid.as_str()));
    if !health.acts {
        // What is not seen now is not seen without a break.
        state.well.clear();
        return Cordons::default();
    }
    let relays: Vec<(&Pod, &Signal)> = health.relays.pods.clone();
    note_mute(view, &relays, state);
    let mut out = Cordons {
        uncordon: recovered(view, health, &relays, state),
        ..Cordons::default()
    };
    let may_be_blamed = |pod: &Pod| pod.accepting && pod.drain_started.is_none() && !health.blameless(pod);
    let unwell: BTreeMap<u32, (&Pod, Reason)> = relays
        .iter()
        .filter(|(p, _)| may_be_blamed(p))
        .filter_map(|(p, s)| Some((p.slot.index, (*p, ailment(health, state, p, s)?))))
        .collect();
    for pod in within_limits(view, &unwell) {
        out.cordon.push(Drain {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            started: view.input.now,
            why: Cordon::Health,
        });
        out.why.push((unwell[&pod.slot.index].1, pod.slot.to_string()));
    }
    out
}

fn ailment(health: &Health<'_>, state: &State, pod: &Pod, signal: &Signal) -> Option<Reason> {
    if health.relays.is_broken(&pod.uid) {
        return Some(Reason::UpstreamBroken);
    }
    let since = *state.mute.get(&pod.uid)?;
    let long = after(since, MUTE_FOR) <= after(signal.answered, JITTER);
    let fed = receives_as_others(&health.relays, signal);
    (long && fed).then_some(Reason::EgressStalled)
}

/// Of those that are unwell, the relays that can be spared.
fn within_limits<'a>(view: &View<'a>, unwell: &BTreeMap<u32, (&'a Pod, Reason)>) -> Vec<&'a Pod> {
    let relays = view.fleet.occupants().filter(|p| p.slot.role == Role::Relay);
    let mut out = Vec::new();
    if unwell.is_empty() {
        return out;
    }
    let mut up = view.up();
    // Never below what was booked, or below who is there.
    let needed = view.size.seats.max(view.attendance.viewers.unwrap_or(0));
    for shard in by_shard(view, relays.map(|p| (p.slot.index, p))).values() {
        let most = (shard.len() as u32 / ONE_IN).max(1);
        let already = shard.iter().filter(|p| kept_out(view, p)).count() as u32;
        let mut may = most.saturating_sub(already);
        for pod in shard.iter().filter(|p| unwell.contains_key(&p.slot.index)) {
            if may == 0 {
                break;
            }
            let parent = up.remove(&pod.slot);
            if view.seats_of(&up) < needed {
                up.extend(parent.map(|parent| (pod.slot, parent)));
                return out;
            }
            may -= 1;
            out.push(*pod);
        }
    }
    out
}

/// Relays that are well again, long enough.
fn recovered(
    view: &View<'_>,
    health: &Health<'_>,
    relays: &[(&Pod, &Signal)],
    state: &mut State,
) -> Vec<Named> {
    let mut well = BTreeMap::new();
    let mut back = Vec::new();
    for (pod, signal) in relays.iter().filter(|(p, _)| kept_out(view, p)) {
        let mute = state.mute.contains_key(&pod.uid);
        if mute || !receives_as_others(&health.relays, signal) {
            continue;
        }
        let since = state.well.get(&pod.uid).copied().unwrap_or(signal.answered);
        if after(since, WELL_FOR) <= after(signal.answered, JITTER) {
            back.push(Named {
                name: pod.name.clone(),
                uid: pod.uid.clone(),
            });
        }
        well.insert(pod.uid.clone(), since);
    }
    state.well = well;
    back
}

/// Takes note of relays that send their viewers hardly any. That is taken back only when a viewer is seen to get more.
fn note_mute(view: &View<'_>, relays: &[(&Pod, &Signal)], state: &mut State) {
    let known = relays.iter().filter_map(|(p, s)| {
        let (viewers, sent) = per_viewer(s)?;
        Some((p.slot.index, (*p, *s, viewers, sent)))
    });
    for shard in by_shard(view, known).values() {
        let enough = shard.len() >= PEERS;
        let Some(usual) = median(shard.iter().map(|r| r.3).collect()).filter(|_| enough) else {
            continue;
        };
        for (pod, signal, viewers, sent) in shard {
            let low = u128::from(*sent) * 100 < u128::from(usual) * u128::from(MUTE_BELOW);
            if !low {
                state.mute.remove(&pod.uid);
            } else if *viewers >= VIEWERS {
                state.mute.entry(pod.uid.clone()).or_insert(signal.answered);
            }
        }
    }
}

/// Viewers, and bits per second that each is sent.
fn per_viewer(signal: &Signal) -> Option<(u64, u64)> {
    let Reading::Value(viewers) = signal.viewers else {
        return None;
    };
    let sent = *signal.outbound.rates.first()?;
    Some((viewers, sent.checked_div(viewers)?))
}
