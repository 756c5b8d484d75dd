//! Whatever happens to the media: what must never follow from it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use webinar_plan::{ConditionType, Cordon, EntryKind, Incidents, Phase, Plan, Pod, Role, Slot, Tier, Truth};

use crate::accident::{CREATED, START, event, small_class};
use crate::cases;
use crate::world::{World, at, secs};

/// Something that happens on the way of the media.
#[derive(Debug, Clone)]
enum Turn {
    Send(u32, bool),
    Present(bool),
    Bitrate(u64),
    Freeze(Index),
    Starve(Vec<Index>),
    Silence(Index),
    Heal,
    Lose(Index),
    LoseSfu(u32),
    CutOff(u32, bool),
    Stuck(bool),
    Restart,
    Suspend(bool),
    Away(i64),
}

fn turn() -> impl Strategy<Value = Turn> {
    prop_oneof![
        6 => (0..2_u32, any::<bool>()).prop_map(|(i, is)| Turn::Send(i, is)),
        3 => any::<bool>().prop_map(Turn::Present),
        1 => prop::sample::select(vec![0, 1_000, 3_000, 3_000_000]).prop_map(Turn::Bitrate),
        3 => any::<Index>().prop_map(Turn::Freeze),
        3 => prop::collection::vec(any::<Index>(), 1..12).prop_map(Turn::Starve),
        2 => any::<Index>().prop_map(Turn::Silence),
        4 => Just(Turn::Heal),
        2 => any::<Index>().prop_map(Turn::Lose),
        2 => (0..2_u32).prop_map(Turn::LoseSfu),
        1 => (0..2_u32, any::<bool>()).prop_map(|(i, is)| Turn::CutOff(i, is)),
        1 => any::<bool>().prop_map(Turn::Stuck),
        2 => Just(Turn::Restart),
        1 => any::<bool>().prop_map(Turn::Suspend),
        1 => (1..60_i64).prop_map(Turn::Away),
    ]
}

fn happen(world: &mut World, turn: &Turn) {
    let uids: Vec<String> = world
        .pods()
        .filter(|p| p.alive() && p.ready)
        .map(|p| p.uid.clone())
        .collect();
    let some = |index: &Index| (!uids.is_empty()).then(|| index.get(&uids).clone());
    match turn {
        Turn::Send(sfu, true) => _ = world.on_stage().sending.insert(*sfu),
        Turn::Send(sfu, false) => _ = world.on_stage().sending.remove(sfu),
        Turn::Present(is) => world.on_stage().presenter = *is,
        Turn::Bitrate(rate) => world.on_stage().bitrate = *rate,
        Turn::Freeze(index) => world.on_stage().frozen.extend(some(index)),
        Turn::Starve(some_of) => world.on_stage().starved.extend(some_of.iter().filter_map(some)),
        Turn::Silence(index) => world.on_stage().silent.extend(some(index)),
        Turn::Heal => {
            let stage = world.on_stage();
            for pods in [&mut stage.frozen, &mut stage.starved, &mut stage.silent] {
                pods.clear();
            }
        }
        Turn::Lose(index) => {
            let slots: Vec<Slot> = world.slots().keys().copied().collect();
            if !slots.is_empty() {
                world.lose(*index.get(&slots), false);
            }
        }
        Turn::LoseSfu(sfu) => world.lose(Slot::new(Role::Sfu, *sfu), false),
        Turn::CutOff(sfu, is) => world.cut_off(Slot::new(Role::Sfu, *sfu), *is),
        Turn::Stuck(is) => world.stage.stuck_routes = is.then(|| world.routes()),
        Turn::Restart => world.restart(),
        Turn::Suspend(is) => world.orders.suspend = *is,
        Turn::Away(seconds) => {
            world.down = true;
            let until = world.now + secs(*seconds);
            world.run_until(until, |_, _| {});
            world.down = false;
            world.restart();
        }
    }
}

/// Follows every plan.
#[derive(Default)]
struct Watch {
    failovers: Vec<Timestamp>,
    mids: Vec<Timestamp>,
    viewers: Option<Vec<EntryKind>>,
    incidents: Incidents,
}

impl Watch {
    fn see(&mut self, world: &World, plan: &Plan) {
        let memory = plan.memory.as_ref().expect("a run");
        let on_air = plan.status.phase.is_some_and(Phase::on_air);
        let flowing: Vec<_> = plan
            .status
            .conditions
            .iter()
            .filter(|c| c.kind == ConditionType::MediaFlowing)
            .collect();
        assert_eq!(flowing.len(), 1, "it is always said");
        if let Some(failover) = &memory.failover {
            let known = self.failovers.last() == Some(&failover.at);
            if !known {
                let before = self.failovers.last().map(|t| failover.at.duration_since(*t));
                assert!(
                    before.is_none_or(|d| d >= secs(60)),
                    "two failovers within {before:?}"
                );
                self.failovers.push(failover.at);
            }
        }
        if on_air {
            self.deletes_nothing_else(world, plan);
            Self::cordons_within_limits(world, plan);
        }
        self.leaves_viewers_alone(world, plan);
        self.remembers(plan);
    }

    fn deletes_nothing_else(&mut self, world: &World, plan: &Plan) {
        for removal in &plan.delete {
            let pod = world
                .pods()
                .find(|p| p.uid == removal.uid)
                .expect("a pod that exists");
            let fence = plan.memory.as_ref().and_then(|m| m.failover.as_ref());
            let fence =
                fence.is_some_and(|f| f.fence == pod.uid && world.leads.ingest != Some(pod.slot.index));
            let led = |mid: u32| world.leads.mids.get(&mid).is_some_and(|to| *to != mid);
            let mid = pod.slot.role == Role::Mid && led(pod.slot.index) && pod.ready;
            let over = pod.lost && pod.drain_started.is_some_and(|t| world.now >= t + secs(600));
            assert!(
                fence || mid || over || pod.ended || !pod.was_ready,
                "deletes {}",
                pod.name
            );
            if mid && !fence && pod.was_ready {
                let before = self.mids.last().map(|t| world.now.duration_since(*t));
                assert!(before.is_none_or(|d| d >= secs(60)), "two mids within {before:?}");
                self.mids.push(world.now);
            }
            assert!(
                !world.orders.suspend || fence,
                "deletes {} while suspended",
                pod.name
            );
        }
    }

    fn cordons_within_limits(world: &World, plan: &Plan) {
        if plan.cordon.is_empty() {
            return;
        }
        let memory = plan.memory.as_ref().expect("a run");
        let class = world.class.as_ref().expect("a class");
        let capacity = class.capacity(memory.accepted.spec.panelists);
        let cordoned: BTreeSet<&str> = plan.cordon.iter().map(|d| d.uid.as_str()).collect();
        let relays: Vec<&Pod> = world
            .slots()
            .into_values()
            .filter(|p| p.slot.role == Role::Relay)
            .collect();
        let slots = relays.iter().map(|p| p.slot.index + 1).max().unwrap_or(0);
        let shards = memory.shape.shards.of_slots(slots, capacity.zones());
        let mut by_shard = BTreeMap::<u32, (u32, u32)>::new();
        for relay in &relays {
            let (all, out) = by_shard.entry(shards[relay.slot.index as usize]).or_default();
            *all += 1;
            let is_out = relay.cordoned_for == Cordon::Health && relay.drain_started.is_some();
            *out += u32::from(is_out || cordoned.contains(relay.uid.as_str()));
        }
        for (all, out) in by_shard.values() {
            assert!(*out <= (all / 20).max(1), "{out} of {all} are out");
        }
        let carry = relays
            .iter()
            .filter(|p| p.ready && p.accepting && !cordoned.contains(p.uid.as_str()));
        let seats = capacity.seats(carry.count() as u32, memory.accepted.spec.max_tier);
        assert!(
            seats >= memory.accepted.spec.tier.attendees(),
            "{seats} seats are left"
        );
        assert!(plan.cordon.iter().all(|d| d.why == Cordon::Health));
    }

    fn leaves_viewers_alone(&mut self, world: &World, plan: &Plan) {
        for entry in plan.fixtures.iter().flat_map(|f| &f.entries).chain(&plan.reroute) {
            match (entry.kind, entry.slot) {
                (EntryKind::Viewers(_), slot) => assert_eq!(slot, None),
                (EntryKind::Sfu(i), slot) => assert_eq!(slot, Some(Slot::new(Role::Sfu, i))),
                (EntryKind::Ingest | EntryKind::Origin, slot) => {
                    assert_eq!(slot.expect("an SFU").role, Role::Sfu);
                }
                (EntryKind::Mid(_), slot) => assert_eq!(slot.expect("a mid").role, Role::Mid),
            }
        }
        assert!(plan.reroute.is_empty() || (world.orders.suspend && plan.fixtures.is_none()));
        let Some(fixtures) = &plan.fixtures else { return };
        let viewers = fixtures.entries.iter().map(|e| e.kind);
        let viewers: Vec<EntryKind> = viewers.filter(|k| matches!(k, EntryKind::Viewers(_))).collect();
        assert_eq!(*self.viewers.get_or_insert(viewers.clone()), viewers);
    }

    /// Incidents are only added, and none ends twice or before it began.
    fn remembers(&mut self, plan: &Plan) {
        let now = &plan.memory.as_ref().expect("a run").incidents;
        assert!(now.total >= self.incidents.total && now.total <= self.incidents.total + 1);
        assert!(now.latest.len() <= 10);
        let open = now.latest.iter().filter(|i| i.ended.is_none()).count();
        assert!(open == 0 || (open == 1 && now.latest.last().is_some_and(|i| i.ended.is_none())));
        assert!(now.latest.iter().all(|i| i.ended.is_none_or(|t| t >= i.began)));
        let verdict = plan
            .status
            .conditions
            .iter()
            .find(|c| c.kind == ConditionType::MediaFlowing);
        let truth = verdict.map(|c| c.truth);
        assert!(
            truth != Some(Truth::False) || open == 1,
            "an alarm without an incident"
        );
        assert!(
            truth != Some(Truth::True) || open == 0,
            "an incident that is over lasts"
        );
        self.incidents = now.clone();
    }
}

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn whatever_happens_to_the_media(
        turns in prop::collection::vec((1..45_i64, turn()), 4..40),
        tier in prop::sample::select(vec![Tier::K10, Tier::K50]),
        begin in prop::sample::select(vec![0_i64, 200, 3000]),
    ) {
        let mut world = World::new(small_class(), event(tier), at(CREATED));
        world.run_until(at(START) + secs(begin), |_, _| {});
        let mut watch = Watch::default();
        happen(&mut world, &Turn::Send(0, true));
        happen(&mut world, &Turn::Send(1, true));
        for (wait, turn) in &turns {
            let until = world.now + secs(*wait);
            world.run_until(until, |w, p| watch.see(w, p));
            happen(&mut world, turn);
        }
        // Everything is well again: so is the verdict, before the end comes near.
        happen(&mut world, &Turn::Heal);
        world.orders.suspend = false;
        world.stage.stuck_routes = None;
        for sfu in [0, 1] {
            happen(&mut world, &Turn::CutOff(sfu, false));
            happen(&mut world, &Turn::Send(sfu, true));
        }
        happen(&mut world, &Turn::Bitrate(3_000_000));
        let until = world.now + secs(240);
        let last = world.run_until(until, |w, p| watch.see(w, p));
        let verdict = last.status.conditions.iter().find(|c| c.kind == ConditionType::MediaFlowing).expect("a verdict");
        prop_assert_eq!(verdict.truth, Truth::True, "{}", &verdict.message);
        prop_assert!(world.pods().all(|p| p.accepting || p.lost), "a relay is still out");
        prop_assert_eq!(world.leads.ingest, world.leads.origin);
        prop_assert!(world.leads.mids.iter().all(|(mid, to)| mid == to));
        let failover = world.memory.as_ref().and_then(|m| m.failover.as_ref());
        prop_assert!(failover.is_none_or(|f| f.fence.is_empty()));
    }
}
