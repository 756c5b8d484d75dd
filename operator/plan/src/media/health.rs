//! Which mids and relays receive far less than others of their role, and who is to blame.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::stage::{Stage, interval, signal_of};
use super::{incident, over};
use crate::input::{Memory, Pod};
use crate::reason::Reason;
use crate::signal::Signal;
use crate::slot::{Role, Slot};
use crate::time::{after, before, counted, grouped};
use crate::track::median;
use crate::tree::Parent;
use crate::view::{PATIENCE, View};

/// A pod is broken below this share of its role's median, percent (media.md).
const BROKEN_BELOW: u64 = 50;

/// Answers in a row that must show it (media.md).
const IN_A_ROW: usize = 3;

/// Pods of a role that make a median (media.md).
const PEERS: usize = 3;

/// So many of a role's pods, percent, are not to blame themselves: it is what feeds them (media.md).
const UPSTREAM_FROM: u32 = 30;

/// Below this share, percent, that is over: half of it, so that it doesn't come and go.
const UPSTREAM_UNTIL: u32 = 15;

/// So many of a mid's children, percent, are its own fault (media.md).
const MID_FROM: u32 = 50;

/// Children of a mid that must be known (media.md), and pods that make a fault of many.
const MANY: u32 = 2;

/// Of the relays that answer, so many must be judged before a fault of the tree is called over, percent.
const SEEN_FROM: u32 = 90;

/// Answers older than the newest of the role by this much say nothing of now.
const LAGGING: SignedDuration = SignedDuration::from_secs(15);

/// How long the stage must have flowed before children are judged by it: they have reconnected by then.
const SETTLED_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// How long a pod that has received media must receive none while the stage flows.
const FROZEN_AFTER: SignedDuration = SignedDuration::from_secs(15);

/// Between two replacements of a mid (media.md).
const NEXT_MID_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Pods of one role and what is wrong with them.
#[derive(Debug, Default)]
pub(super) struct Judged<'a> {
    pub(super) pods: Vec<(&'a Pod, &'a Signal)>,
    broken: BTreeSet<&'a str>,
    /// Pods that have received media again in their last answer only.
    just_back: BTreeSet<&'a str>,
}

impl Judged<'_> {
    pub(super) fn is_broken(&self, uid: &str) -> bool {
        self.broken.contains(uid)
    }
}

/// The tree behind the stage.
#[derive(Debug, Default)]
pub(super) struct Health<'a> {
    pub(super) relays: Judged<'a>,
    mids: Judged<'a>,
    /// Mids whose children don't get what those of others get.
    pub(super) faulty_mids: Vec<u32>,
    /// Mids whose address leads elsewhere, or that are gone.
    absent_mids: BTreeSet<u32>,
    /// Something may be done about single pods.
    pub(super) acts: bool,
    pub(super) wakes: Vec<Timestamp>,
}

impl<'a> Health<'a> {
    pub(super) fn new(view: &View<'a>, stage: &Stage<'_>, memory: &Memory) -> Self {
        let mut health = Self::default();
        let Some(flowing) = stage.flowing_since().filter(|_| stage.flows_firmly()) else {
            return health;
        };
        // Children of a stage that has moved have their own way to go first.
        let moved = memory.failover.as_ref().map_or(Timestamp::MIN, |f| f.at);
        let steady = flowing.max(moved);
        if !over(view, steady, SETTLED_AFTER) {
            health.wakes.push(after(steady, SETTLED_AFTER));
            return health;
        }
        let broken_before = incident::open(memory).is_some_and(|i| i.cause == Reason::UpstreamBroken);
        health.relays = judged(view, Role::Relay, steady, broken_before);
        health.mids = judged(view, Role::Mid, steady, broken_before);
        let up = |mid: u32| {
            let pod = view.fleet.occupant(Slot::new(Role::Mid, mid));
            pod.is_some_and(|p| p.ready && !p.cut_off)
        };
        let parents: BTreeSet<u32> = health.relays.pods.iter().filter_map(|(p, _)| mid_of(p)).collect();
        let led = &view.input.routes.stand_ins;
        health.absent_mids = parents.iter().copied().filter(|m| !up(*m)).collect();
        health.faulty_mids = health.blamed(&parents);
        // Its children are on their way to the stand-in.
        health.absent_mids.extend(led.keys());
        health.acts = !health.many_still();
        health
    }

    /// Judges no pod by itself.
    pub(super) fn acts_on_nothing(&mut self) {
        self.acts = false;
        self.faulty_mids.clear();
    }

    /// Children of the mids `of`: how many are judged, and of those, how many are as `wanted`.
    fn children(
        &self,
        of: impl Fn(u32) -> bool,
        wanted: impl Fn(&Self, &Pod, &Signal) -> bool,
    ) -> (u32, u32) {
        let children = self
            .relays
            .pods
            .iter()
            .filter(|(p, _)| mid_of(p).is_some_and(&of));
        children.fold((0, 0), |(all, such), (p, s)| {
            (all + 1, such + u32::from(wanted(self, p, s)))
        })
    }

    /// It receives media now. That others have not been still for long enough yet tells them from nobody.
    fn is_fine(&self, pod: &Pod, signal: &Signal) -> bool {
        signal.inbound.still_since.is_none() && !self.relays.is_broken(&pod.uid)
    }

    fn blamed(&self, parents: &BTreeSet<u32>) -> Vec<u32> {
        let present = |mid: &&u32| !self.absent_mids.contains(mid);
        let at_fault = |mid: &&u32| {
            let (own, own_broken) = self.children(|m| m == **mid, |h, p, _| h.relays.is_broken(&p.uid));
            let elsewhere = |m| m != **mid && !self.absent_mids.contains(&m);
            let (others, others_fine) = self.children(elsewhere, Self::is_fine);
            let mostly_broken = own >= MANY && own_broken * 100 >= own * MID_FROM;
            mostly_broken && others_fine * 2 > others
        };
        parents.iter().filter(present).filter(at_fault).copied().collect()
    }

    /// A relay whose mid is at fault or gone has nothing to do with it.
    pub(super) fn blameless(&self, pod: &Pod) -> bool {
        mid_of(pod).is_some_and(|m| self.faulty_mids.contains(&m) || self.absent_mids.contains(&m))
    }

    /// Pods of each role that nobody else explains: judged, and of those, broken.
    /// `lasts`: one that came back just now is not back yet.
    fn unexplained(&self, lasts: bool) -> [(u32, u32); 2] {
        let count = |judged: &Judged<'_>, explained: &dyn Fn(&Pod) -> bool| {
            let pods = judged.pods.iter().filter(|(p, _)| !explained(p));
            pods.fold((0, 0), |(all, broken), (p, _)| {
                let back = lasts && judged.just_back.contains(p.uid.as_str());
                (all + 1, broken + u32::from(back || judged.is_broken(&p.uid)))
            })
        };
        let mid_explained = |p: &Pod| {
            let mid = p.slot.index;
            self.faulty_mids.contains(&mid) || self.absent_mids.contains(&mid)
        };
        [
            count(&self.relays, &|p| self.blameless(p)),
            count(&self.mids, &mid_explained),
        ]
    }

    /// So many relays receive nothing just now that it may be none of them.
    fn many_still(&self) -> bool {
        let relays = self.relays.pods.iter().filter(|(p, _)| !self.blameless(p));
        let (all, still) = relays.fold((0_u32, 0_u32), |(all, still), (_, s)| {
            (all + 1, still + u32::from(s.inbound.still_since.is_some()))
        });
        still >= MANY && still * 100 >= all * UPSTREAM_FROM
    }

    /// Of the relays that answer, nearly all are judged.
    pub(super) fn sees(&self, view: &View<'_>) -> bool {
        let answers = |p: &Pod| p.ready && signal_of(view, p).is_some();
        let answering = view.fleet.count(Role::Relay, answers);
        let judged = self.relays.pods.len() as u32;
        judged > 0 && judged * 100 >= answering * SEEN_FROM
    }

    /// So much of a role is broken that it is none of the pods themselves. `lasts`: it was so before, or the stage was
    /// still.
    pub(super) fn upstream_fault(&self, lasts: bool) -> bool {
        let from = if lasts { UPSTREAM_UNTIL } else { UPSTREAM_FROM };
        let many = |(all, broken): (u32, u32)| broken >= MANY && broken * 100 >= all * from;
        self.unexplained(lasts).into_iter().any(many)
    }

    /// How much is broken, for people: `37 of 123 relays`.
    pub(super) fn broken(&self) -> String {
        let [(relays, broken), (mids, broken_mids)] = self.unexplained(false);
        if broken > 0 || broken_mids == 0 {
            format!("{} of {}", grouped(broken), counted(relays, "relay"))
        } else {
            format!("{} of {}", grouped(broken_mids), counted(mids, "mid"))
        }
    }

    /// When the broken pods last received media.
    pub(super) fn last_byte(&self, now: Timestamp) -> Timestamp {
        let of = |judged: &Judged<'_>| {
            let broken = judged.pods.iter().filter(|(p, _)| judged.is_broken(&p.uid));
            broken.filter_map(|(_, s)| s.inbound.last_byte).max()
        };
        of(&self.relays).max(of(&self.mids)).unwrap_or(now)
    }

    /// The faulty mid to replace now: its address leads elsewhere already, and no mid is younger than a minute or on its
    /// way out.
    pub(super) fn replaced_mid(&mut self, view: &View<'a>) -> Option<&'a Pod> {
        let led = &view.input.routes.stand_ins;
        let mid = self.faulty_mids.iter().find(|m| led.contains_key(m))?;
        let mut mids = view.input.pods.iter().filter(|p| p.slot.role == Role::Mid);
        let young = mids.clone().map(|p| after(p.created, NEXT_MID_AFTER)).max();
        if mids.any(|p| p.terminating.is_some()) {
            return None;
        }
        if let Some(young) = young.filter(|t| *t > view.input.now) {
            self.wakes.push(young);
            return None;
        }
        view.fleet.occupant(Slot::new(Role::Mid, *mid))
    }
}

fn mid_of(pod: &Pod) -> Option<u32> {
    match pod.parent {
        Some(Parent::Mid(mid)) => Some(mid),
        Some(Parent::Origin) | None => None,
    }
}

/// Judges the Ready pods of `role` by their last answers, the stage having flowed since `steady`.
///
/// `broken_before`: the tree is known not to work, so that a pod that was never seen to receive anything is no beginner.
fn judged<'a>(view: &View<'a>, role: Role, steady: Timestamp, broken_before: bool) -> Judged<'a> {
    let ready = view.fleet.occupants().filter(|p| p.slot.role == role && p.ready);
    let mut pods: Vec<(&Pod, &Signal)> = ready
        .filter_map(|p| Some((p, signal_of(view, p)?)))
        .filter(|(_, s)| s.inbound.rates.len() >= IN_A_ROW)
        .filter(|(_, s)| broken_before || received_or_should_have(view, s))
        .collect();
    let newest = pods.iter().map(|(_, s)| s.answered).max();
    let oldest = newest.map_or(Timestamp::MAX, |t| {
        before(t, LAGGING.saturating_add(interval(view)))
    });
    pods.retain(|(_, s)| s.answered >= oldest);
    let nth = |n: usize| move |(_, s): &(&Pod, &'a Signal)| s.inbound.rates[n];
    let medians: Vec<Option<u64>> = (0..IN_A_ROW)
        .map(|n| median(pods.iter().map(nth(n)).collect()).filter(|_| pods.len() >= PEERS))
        .collect();
    let low = |rate: u64, median: u64| u128::from(rate) * 100 < u128::from(median) * u128::from(BROKEN_BELOW);
    let behind = |s: &Signal| {
        let mut both = s.inbound.rates.iter().zip(&medians);
        both.all(|(rate, median)| median.is_some_and(|m| low(*rate, m)))
    };
    let frozen = |s: &Signal| {
        let fed = broken_before || s.inbound.last_byte.is_some();
        let still = s.inbound.still_since.filter(|_| fed);
        still.is_some_and(|t| after(t.max(steady), FROZEN_AFTER) <= s.answered)
    };
    let back = pods
        .iter()
        .filter(|(_, s)| s.inbound.flowing_since == Some(s.answered));
    let just_back = back.map(|(p, _)| p.uid.as_str()).collect();
    let broken = pods.iter().filter(|(_, s)| behind(s) || frozen(s));
    Judged {
        broken: broken.map(|(p, _)| p.uid.as_str()).collect(),
        just_back,
        pods,
    }
}

/// A pod that has just begun may not have reached its upstream yet.
fn received_or_should_have(view: &View<'_>, signal: &Signal) -> bool {
    let upstream = view.class.ramp.settle.upstream.saturating_add(PATIENCE);
    let flow = &signal.inbound;
    let long = flow
        .still_since
        .is_some_and(|t| after(t, upstream) <= signal.answered);
    flow.last_byte.is_some() || long
}

/// What a relay receives is no less than others receive: the opposite of broken, in its last answer.
pub(super) fn receives_as_others(judged: &Judged<'_>, signal: &Signal) -> bool {
    let latest = |s: &Signal| s.inbound.rates.first().copied();
    let others = median(judged.pods.iter().filter_map(|(_, s)| latest(s)).collect());
    latest(signal).zip(others).is_some_and(|(own, others)| {
        own > 0 && u128::from(own) * 100 >= u128::from(others) * u128::from(BROKEN_BELOW)
    })
}

/// Relays by shard.
pub(super) fn by_shard<T>(
    view: &View<'_>,
    relays: impl IntoIterator<Item = (u32, T)>,
) -> BTreeMap<u32, Vec<T>> {
    let relays: Vec<(u32, T)> = relays.into_iter().collect();
    let slots = relays.iter().map(|(index, _)| index + 1).max().unwrap_or(0);
    let shards = view.memory.shape.shards.of_slots(slots, view.capacity.zones());
    let mut out = BTreeMap::<u32, Vec<T>>::new();
    for (index, relay) in relays {
        out.entry(shards[index as usize]).or_default().push(relay);
    }
    out
}
