//! What holds for every class, tier, event and accident.

mod world;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;
use webinar_plan::{
    Class, ConditionType, Counts, Floor, Parent, Phase, Plan, Role, Shape, Sizing, Slot, Spec, Tier, plan,
    servable,
};
use world::{World, at, class, secs, sizing, spec};

fn cases(n: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(n)
    }
}

fn any_tier() -> impl Strategy<Value = Tier> {
    prop::sample::select(Tier::ALL.to_vec())
}

/// Every number a class may have by its schema.
fn any_sizing() -> impl Strategy<Value = Sizing> {
    let load = (1..=1_000_000_u32, 1..=1_000_000_u32, 1..=10_000_000_u32);
    let percents = (1..=100_u32, 1..=100_u32, 1..=100_u32, 0..=100_u32);
    let network = (1..=1_000_000_u32, proptest::option::of(1..=1_000_000_u32));
    let spares = (0..=1000_u32, 0..=100_u32, 1..=1000_u32);
    let stage = (1..=1_000_000_u32, 1..=10_000_000_u32, 0..=1_000_000_u32);
    let rest = (1..=10_u32, 1..=10_u32, 1..=50_000_u32);
    (load, percents, network, spares, stage, rest).prop_map(
        |(load, percents, network, spares, stage, (sfus, zones, max_pods))| Sizing {
            viewer_kbps: load.0,
            viewer_pps: load.1,
            pps_per_cpu: load.2,
            max_cpu_percent: percents.0,
            max_egress_percent: percents.1,
            hard_percent: percents.0.max(percents.1).max(percents.2),
            imbalance_percent: percents.3,
            egress_mbps: network.0,
            max_viewers_per_relay: network.1,
            spares_min: spares.0,
            spares_percent: spares.1,
            fan_out: spares.2,
            stage_pps: stage.0,
            stage_kbps: stage.1,
            pps_per_panelist: stage.2,
            sfu_counts: Tier::ALL.into_iter().map(|t| (t, sfus)).collect(),
            zones,
            max_pods,
        },
    )
}

/// Numbers near the defaults, so that most tiers can be served.
fn likely_sizing() -> impl Strategy<Value = Sizing> {
    (
        50..400_u32,
        5_000..40_000_u32,
        0..40_u32,
        0..6_u32,
        0..8_u32,
        600..2_400_u32,
        1..=10_u32,
    )
        .prop_map(
            |(viewer_pps, pps_per_cpu, imbalance_percent, spares_min, spares_percent, stage_pps, zones)| {
                Sizing {
                    viewer_pps,
                    pps_per_cpu,
                    imbalance_percent,
                    spares_min,
                    spares_percent,
                    stage_pps,
                    zones,
                    ..sizing()
                }
            },
        )
}

fn class_with(sizing: Sizing, millis: u64) -> Class {
    let mut class = class(15);
    class.cpu.sfu_millis = millis;
    class.cpu.relay_millis = Some(millis);
    class.sizing = sizing;
    class
}

fn fleet(class: &Class, tier: Tier) -> Option<(Counts, Shape)> {
    let (capacity, shape) = servable(&spec(tier, None), class).ok()?;
    Some((capacity.counts(tier, &shape), shape))
}

fn not_more(easier: &Class, harder: &Class, tier: Tier) -> Result<(), TestCaseError> {
    let Some((more, wide)) = fleet(harder, tier) else {
        return Ok(());
    };
    let Some((less, narrow)) = fleet(easier, tier) else {
        return Err(TestCaseError::fail(
            "the easier case is refused, the harder one served",
        ));
    };
    prop_assert!(
        less.relay <= more.relay && less.mid <= more.mid && less.sfu <= more.sfu,
        "{:?} > {:?}",
        less,
        more
    );
    prop_assert!(narrow.shards.count() <= wide.shards.count());
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_plan_serves_the_tier_or_refuses_it(
        sizing in prop_oneof![any_sizing(), likely_sizing()],
        tier in any_tier(),
        millis in 1..1_000_000_u64,
        panelists in 1..=1000_u32,
    ) {
        let class = class_with(sizing, millis);
        let mut event = spec(tier, None);
        event.panelists = panelists;
        let Ok((capacity, shape)) = servable(&event, &class) else { return Ok(()); };
        let counts = capacity.counts(tier, &shape);
        prop_assert!(counts.total() <= class.sizing.max_pods);
        prop_assert!(counts.sfu >= 1);
        if tier == Tier::Room {
            prop_assert_eq!(counts.relay + counts.mid, 0);
            return Ok(());
        }
        prop_assert_eq!(capacity.seats(counts.relay, tier), tier.attendees());
        prop_assert_eq!(counts.relay % class.sizing.zones, 0);
        prop_assert_eq!(counts.mid % class.sizing.zones, 0);
        if shape.mids {
            prop_assert!(counts.mid <= capacity.stage_fan);
            // One mid may be lost and the others still feed everyone.
            prop_assert!(counts.relay <= (counts.mid - 1) * capacity.mid_fan);
        } else {
            prop_assert!(counts.relay <= capacity.stage_fan);
        }
    }

    #[test]
    fn counts_never_fall_as_load_rises(
        sizing in likely_sizing(), tier in any_tier(), more in 1..200_u32,
    ) {
        let class = class_with(sizing, 15_000);
        let mut harder = vec![class.clone(); 5];
        harder[0].sizing.imbalance_percent += more;
        harder[1].sizing.viewer_pps += more;
        harder[2].sizing.stage_pps += more;
        harder[3].sizing.spares_min += more;
        harder[4].sizing.spares_percent += more;
        for harder in &harder {
            not_more(&class, harder, tier)?;
        }
        for pair in Tier::ALL[1..].windows(2) {
            let (Some(small), Some(big)) = (fleet(&class, pair[0]), fleet(&class, pair[1])) else { continue };
            prop_assert!(small.0.relay <= big.0.relay && small.0.mid <= big.0.mid);
        }
    }

    #[test]
    fn counts_never_rise_as_cpu_rises(
        sizing in likely_sizing(), tier in any_tier(), millis in 4_000..32_000_u64, more in 1..4_000_u32,
    ) {
        let class = class_with(sizing, millis);
        let mut easier = vec![class.clone(); 3];
        easier[0].cpu.relay_millis = Some(millis + u64::from(more));
        easier[1].cpu.sfu_millis += u64::from(more);
        easier[2].sizing.pps_per_cpu += more;
        for easier in &easier {
            not_more(easier, &class, tier)?;
        }
    }

    #[test]
    fn a_lost_zone_leaves_hard_places_for_the_whole_tier(
        viewer_pps in 20..1200_u32, pps_per_cpu in 5_000..60_000_u32, millis in 1_000..64_000_u64,
        zones in 3..=10_u32, tier in any_tier(),
    ) {
        // CPU-bound: the network is no limit. Percentages are the defaults.
        let sizing = Sizing { viewer_pps, pps_per_cpu, zones, egress_mbps: 1_000_000, viewer_kbps: 1, ..sizing() };
        let class = class_with(sizing, millis);
        let Some((counts, shape)) = fleet(&class, tier) else { return Ok(()); };
        let capacity = class.capacity(10);
        prop_assume!(!shape.room && capacity.per_relay >= Some(10));
        let left = counts.relay - counts.relay / zones;
        prop_assert!(u64::from(left) * u64::from(capacity.hard_per_relay) >= u64::from(tier.attendees()));
    }

    #[test]
    fn shards_are_small_and_stable_through_raises(
        sizing in likely_sizing(),
        raises in prop::collection::vec((any_tier(), any::<Index>()), 1..5),
    ) {
        let class = class_with(sizing, 15_000);
        let zones = class.sizing.zones;
        let mut tiers: Vec<Tier> = raises.iter().map(|r| r.0).filter(|t| fleet(&class, *t).is_some()).collect();
        tiers.retain(|t| *t != Tier::Room);
        tiers.sort_unstable();
        let Some(first) = tiers.first() else { return Ok(()); };
        let (mut counts, mut shape) = fleet(&class, *first).unwrap();
        for (tier, (_, progress)) in tiers.iter().skip(1).zip(&raises) {
            let exist = u32::try_from(progress.index(counts.relay as usize + 1)).unwrap();
            let before = shape.shards.of_slots(exist, zones);
            let (more, wider) = fleet(&class, *tier).unwrap();
            shape = shape.widened(&wider, exist);
            counts = more;
            let after = shape.shards.of_slots(exist, zones);
            prop_assert_eq!(before, after, "a raise moved relays to other addresses");
        }
        let mut sizes = BTreeMap::<u32, u32>::new();
        for shard in shape.shards.of_slots(counts.relay, zones) {
            *sizes.entry(shard).or_default() += 1;
        }
        prop_assert!(sizes.values().all(|n| *n <= 250), "{:?}", sizes);
        prop_assert!(sizes.keys().all(|s| *s < shape.shards.count()));
    }
}

// ---------------------------------------------------------------------------------------------
// Lives: the same rules, whatever happens to an event on its way.

/// A small class: 10k is 9 relays in waves of 5, and mids come early.
fn small_class() -> Class {
    let mut class = class(31);
    class.ramp.wave_size = 5;
    class.sizing.fan_out = 20;
    class
}

const CREATED: &str = "2027-03-04T09:00:00Z";
const START: &str = "2027-03-04T17:00:00Z";

/// Something that happens to an event.
#[derive(Debug, Clone)]
enum Accident {
    Nothing,
    /// Someone deletes a pod.
    Lose(Index, bool),
    /// A pod ends by itself.
    End(Index),
    /// The operator restarts.
    Restart,
    /// Nodes are full, or free again.
    Room(Option<u8>),
    /// A quota allows so many pods.
    Quota(Option<u8>),
    /// The event team edits the spec.
    Tier(Tier),
    MaxTier(Tier),
    Start(i64),
    Duration(i64),
    Overrun(i64),
    Suspend(bool),
    Override(u32, i64),
}

fn losses() -> impl Strategy<Value = Accident> {
    prop_oneof![
        3 => Just(Accident::Nothing),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(i, b)| Accident::Lose(i, b)),
        1 => any::<Index>().prop_map(Accident::End),
        1 => Just(Accident::Restart),
        1 => proptest::option::of(0..20_u8).prop_map(Accident::Room),
        1 => proptest::option::of(0..20_u8).prop_map(Accident::Quota),
    ]
}

fn edits() -> impl Strategy<Value = Accident> {
    let tiers = vec![Tier::Room, Tier::K10, Tier::K50, Tier::K100, Tier::M1];
    prop_oneof![
        2 => prop::sample::select(tiers.clone()).prop_map(Accident::Tier),
        2 => prop::sample::select(tiers).prop_map(Accident::MaxTier),
        1 => (-7200..14_400_i64).prop_map(Accident::Start),
        1 => (60..10_000_i64).prop_map(Accident::Duration),
        1 => (0..10_000_i64).prop_map(Accident::Overrun),
        1 => any::<bool>().prop_map(Accident::Suspend),
        1 => (1..400_u32, 1..7200_i64).prop_map(|(n, s)| Accident::Override(n, s)),
    ]
}

/// When (seconds after the last one) and what.
fn story(
    accidents: impl Strategy<Value = Accident>,
    length: usize,
) -> impl Strategy<Value = Vec<(i64, Accident)>> {
    prop::collection::vec((1..5400_i64, accidents), 1..length)
}

fn happen(world: &mut World, accident: &Accident) {
    let some_slot = |world: &World, index: &Index| {
        let slots: Vec<Slot> = world.pods().filter(|p| p.alive()).map(|p| p.slot).collect();
        (!slots.is_empty()).then(|| *index.get(&slots))
    };
    let limit = |n: &Option<u8>| n.map_or(usize::MAX, usize::from);
    match accident {
        Accident::Nothing => {}
        Accident::Lose(index, at_once) => {
            if let Some(slot) = some_slot(world, index) {
                world.lose(slot, *at_once);
            }
        }
        Accident::End(index) => {
            if let Some(slot) = some_slot(world, index) {
                world.end(slot);
            }
        }
        Accident::Restart => world.restart(),
        Accident::Room(n) => world.room = limit(n),
        Accident::Quota(n) => world.quota = limit(n),
        Accident::Tier(tier) => {
            world.spec.tier = *tier;
            world.spec.max_tier = world.spec.max_tier.max(*tier);
        }
        Accident::MaxTier(tier) => world.spec.max_tier = world.spec.tier.max(*tier),
        Accident::Start(offset) => world.spec.start = Some(at(START) + secs(*offset)),
        Accident::Duration(n) => world.spec.duration = secs(*n),
        Accident::Overrun(n) => world.spec.overrun = Some(secs(*n)),
        Accident::Override(relays, seconds) => {
            world.orders.floor = Some(Floor {
                relays: *relays,
                reason: "war room".to_owned(),
                until: world.now + secs(*seconds),
            });
        }
        Accident::Suspend(is) => world.orders.suspend = *is,
    }
}

/// Follows every plan of a life and checks what must hold whatever happens.
#[derive(Default)]
struct Watch {
    phase: Option<Phase>,
    run: u32,
    desired: u32,
    overridden: bool,
    tier: Option<Tier>,
}

impl Watch {
    fn see(&mut self, world: &World, plan: &Plan) {
        self.wakes_in_time(world, plan);
        Self::removes_only_what_it_may(world, plan);
        Self::creates_only_what_it_may(world, plan);
        Self::feeds_within_limits(world, plan);
        Self::speaks_in_sentences(plan);
        Self::does_nothing_while_suspended(world, plan);
        let status = &plan.status;
        if status.run != self.run {
            assert!(
                status.run == self.run + 1,
                "run {} after {}",
                status.run,
                self.run
            );
            (self.run, self.desired, self.tier) = (status.run, 0, None);
        }
        if status.phase.is_some_and(Phase::holds_capacity) {
            let desired = status.pools.iter().map(|p| p.desired).sum();
            let tier = plan.memory.as_ref().map(|m| m.accepted.spec.tier);
            let on_air = status.phase.is_some_and(Phase::on_air);
            let lowered = tier < self.tier && (!on_air || self.phase.is_none_or(|p| !p.on_air()));
            self.tier = tier;
            // What an override asked for is no longer asked for when it is over.
            assert!(
                desired >= self.desired || self.overridden || lowered,
                "target fell from {} to {desired}",
                self.desired
            );
            self.desired = desired;
            self.overridden = world.orders.floor.as_ref().is_some_and(|f| world.now < f.until);
        }
        self.phase = status.phase;
    }

    fn wakes_in_time(&self, world: &World, plan: &Plan) {
        let now = world.now;
        let Some(phase) = plan.status.phase else {
            return;
        };
        let wake = plan.next_wake;
        assert!(wake.is_none_or(|t| t > now), "{phase}: woken in the past");
        match phase {
            Phase::Finished | Phase::Expired => {
                // Something is left to do only if a pod turned up again or the next start has waited.
                let accepted = plan.memory.as_ref().map(|m| m.accepted.start);
                let waits = world.spec.start != accepted;
                assert!(wake.is_none() || waits || world.pods().next().is_some());
            }
            Phase::Scheduled if world.orders.suspend => assert!(wake.is_some()),
            Phase::Scheduled => {
                assert_eq!(wake, plan.status.schedule.as_ref().map(|s| s.ramp));
            }
            Phase::Ramping | Phase::Armed | Phase::Live | Phase::Overrun | Phase::Draining => {
                let soon = wake.is_some_and(|t| t <= now + SignedDuration::from_mins(5));
                assert!(soon, "{phase}: next look at {wake:?}");
            }
        }
    }

    fn removes_only_what_it_may(world: &World, plan: &Plan) {
        let phase = plan.status.phase;
        let giving_back = matches!(phase, Some(Phase::Draining | Phase::Finished));
        assert!(giving_back || plan.cordon.is_empty(), "cordons in {phase:?}");
        for removal in &plan.delete {
            let pod = world
                .pods()
                .find(|p| p.uid == removal.uid)
                .expect("a pod that exists");
            assert_eq!((&pod.name, pod.slot), (&removal.name, removal.slot));
            let drained = pod
                .drain_started
                .is_some_and(|t| world.now >= t + SignedDuration::from_mins(10));
            let leaf = pod.slot.role == Role::Relay;
            let fine = pod.ended || !pod.was_ready || (giving_back && (drained || !leaf));
            assert!(fine, "deletes {} in {phase:?}", pod.name);
            if giving_back && !leaf {
                let child = |p: &&webinar_plan::Pod| p.parent == Some(Parent::Mid(pod.slot.index));
                let named = pod.slot.role == Role::Mid && world.pods().any(|p| child(&p));
                assert!(!named, "deletes {} under its children", pod.name);
            }
        }
    }

    fn creates_only_what_it_may(world: &World, plan: &Plan) {
        let live = world.slots();
        let mut names = BTreeSet::new();
        for new in &plan.create {
            assert!(plan.status.phase.is_some_and(Phase::holds_capacity));
            assert!(!live.contains_key(&new.slot), "{} is taken", new.slot);
            assert!(names.insert(&new.name), "{} is created twice", new.name);
            assert!(
                world.pods().all(|p| p.name != new.name),
                "{} still exists",
                new.name
            );
        }
    }

    fn feeds_within_limits(world: &World, plan: &Plan) {
        let (Some(memory), Ok(class)) = (&plan.memory, &world.class) else {
            return;
        };
        let capacity = class.capacity(memory.accepted.spec.panelists);
        let live = world.slots();
        let old = live.values().filter_map(|p| Some((p.slot, p.parent?)));
        let new = plan.create.iter().filter_map(|p| Some((p.slot, p.parent?)));
        let mut children = BTreeMap::<Parent, u32>::new();
        for (_, parent) in old.chain(new) {
            *children.entry(parent).or_default() += 1;
        }
        for (parent, n) in children {
            let limit = match parent {
                Parent::Origin => capacity.stage_max,
                Parent::Mid(_) => capacity.mid_max,
            };
            assert!(n <= limit, "{parent:?} feeds {n}, its limit is {limit}");
        }
        let exists = |slot| live.contains_key(&slot) || plan.create.iter().any(|p| p.slot == slot);
        for new in &plan.create {
            if let Some(Parent::Mid(mid)) = new.parent {
                assert!(exists(Slot::new(Role::Mid, mid)), "{} has no parent", new.slot);
                assert!(!new.fallbacks.contains(&mid));
            }
        }
    }

    fn does_nothing_while_suspended(world: &World, plan: &Plan) {
        if world.orders.suspend {
            assert!(plan.create.is_empty() && plan.cordon.is_empty() && plan.delete.is_empty());
            assert!(plan.uncordon.is_empty() && plan.forget.is_empty() && plan.fixtures.is_none());
            let begun = world.memory.as_ref().map(|m| (m.run, m.finished_at));
            assert_eq!(plan.memory.as_ref().map(|m| (m.run, m.finished_at)), begun);
        }
    }

    fn speaks_in_sentences(plan: &Plan) {
        for condition in &plan.status.conditions {
            let text = &condition.message;
            assert!(text.ends_with('.') && !text.contains(".."), "{text:?}");
            assert!(!text.contains("  ") && !text.contains("of 1 pods"), "{text:?}");
        }
        let types: Vec<ConditionType> = plan.status.conditions.iter().map(|c| c.kind).collect();
        let once: BTreeSet<ConditionType> = types.iter().copied().collect();
        assert_eq!(types.len(), once.len(), "a condition is told twice");
    }
}

fn live(world: &mut World, watch: &mut Watch, story: &[(i64, Accident)]) {
    world.reconcile(|w, p| watch.see(w, p));
    for (wait, accident) in story {
        let until = world.now + secs(*wait);
        world.run_until(until, |w, p| watch.see(w, p));
        happen(world, accident);
        world.reconcile(|w, p| watch.see(w, p));
    }
}

fn event(tier: Tier) -> Spec {
    spec(tier, Some(at(START)))
}

/// A world some time before the start, or after it.
fn world_at(tier: Tier, moment: i64) -> World {
    let mut world = World::new(small_class(), event(tier), at(CREATED));
    let mut watch = Watch::default();
    world.run_until(at(START) + secs(moment), |w, p| watch.see(w, p));
    world
}

/// From the first wave to the end of the event.
const HELD: std::ops::Range<i64> = -1200..3600;

proptest! {
    #![proptest_config(cases(80))]

    #[test]
    fn a_life_goes_through_its_phases_in_order(
        story in story(losses(), 30),
        steps in prop::collection::vec(1..1800_i64, 1..40),
    ) {
        let mut world = World::new(small_class(), event(Tier::K50), at(CREATED));
        world.now = at("2027-03-04T16:00:00Z");
        let mut watch = Watch::default();
        let mut last = Phase::Scheduled;
        let mut in_order = |w: &World, p: &Plan| {
            watch.see(w, p);
            let phase = p.status.phase.expect("a phase");
            assert!(phase >= last, "{phase} after {last}");
            // A step of this size can't jump over the drain, unless there is nothing to drain.
            let drained = last >= Phase::Draining || w.pods().next().is_none();
            assert!(phase < Phase::Finished || drained, "{phase} after {last}");
            last = phase;
        };
        for ((_, accident), step) in story.iter().cycle().zip(&steps) {
            world.now += secs(*step);
            world.reconcile(&mut in_order);
            happen(&mut world, accident);
            world.reconcile(&mut in_order);
        }
        world.run_until(at("2027-03-05T06:00:00Z"), &mut in_order);
        prop_assert_eq!(world.phase(), Some(Phase::Finished));
        prop_assert_eq!(world.pods().count(), 0);
    }

    #[test]
    fn edits_and_accidents_never_take_capacity_away(
        story in story(prop_oneof![losses(), edits()], 14),
        tier in prop::sample::select(vec![Tier::Room, Tier::K10, Tier::K50]),
    ) {
        let mut world = World::new(small_class(), event(tier), at(CREATED));
        world.now = at("2027-03-04T15:00:00Z");
        let mut watch = Watch::default();
        live(&mut world, &mut watch, &story);
        // Everything ends: the last run at the latest a start, a duration and an overrun from here.
        world.room = usize::MAX;
        world.quota = usize::MAX;
        world.orders.suspend = false;
        let end = world.now + SignedDuration::from_hours(48);
        world.run_until(end, |w, p| watch.see(w, p));
        let phase = world.phase();
        prop_assert!(matches!(phase, Some(Phase::Finished | Phase::Expired) | None), "{:?}", phase);
        prop_assert_eq!(world.pods().count(), 0);
    }

    #[test]
    fn parents_keep_their_limits_through_raises(
        raises in prop::collection::vec((1..1500_i64, any_tier(), any_tier()), 1..5),
        fan_out in 6..60_u32, stage_pps in 1_000..12_000_u32, zone_names in any::<bool>(),
    ) {
        let mut class = class(31);
        class.sizing.fan_out = fan_out;
        class.sizing.stage_pps = stage_pps;
        class.ramp.wave_size = 60;
        if zone_names {
            class.zones.0 = ["a", "b", "c"].map(str::to_owned).to_vec();
        }
        let mut world = World::new(class, event(Tier::K10), at(CREATED));
        world.now = at("2027-03-04T16:20:00Z");
        let mut watch = Watch::default();
        let story: Vec<(i64, Accident)> = raises
            .iter()
            .flat_map(|(wait, tier, max)| [(*wait, Accident::MaxTier((*max).min(Tier::K250))), (1, Accident::Tier((*tier).min(Tier::K250)))])
            .collect();
        live(&mut world, &mut watch, &story);
        // What can't be fed is not created and is told.
        let plan = world.plan();
        let wanted = plan.status.pools.iter().map(|p| p.desired).sum::<u32>();
        let there = plan.status.pools.iter().map(|p| p.created).sum::<u32>();
        let on_air = plan.status.phase.is_some_and(Phase::on_air);
        let told = plan.status.conditions.iter().any(|c| c.message.contains("can't be fed"));
        let complete = plan.status.seats_ready >= plan.status.seats_desired;
        prop_assert!(!on_air || there == wanted || told || complete, "{} of {} and nothing said", there, wanted);
    }

    #[test]
    fn killed_pods_are_refilled_and_the_others_left_alone(
        moment in HELD, kill in prop::collection::vec((any::<Index>(), any::<bool>()), 1..12),
    ) {
        let mut world = world_at(Tier::K50, moment);
        prop_assume!(!world.slots().is_empty());
        let before: BTreeMap<Slot, String> = world.slots().iter().map(|(s, p)| (*s, p.name.clone())).collect();
        let slots: Vec<Slot> = before.keys().copied().collect();
        let mut killed = BTreeSet::new();
        for (index, at_once) in kill {
            let slot = *index.get(&slots);
            killed.insert(slot);
            world.lose(slot, at_once);
        }
        let mut watch = Watch { run: 1, ..Watch::default() };
        world.reconcile(|w, p| watch.see(w, p));
        for (slot, pod) in world.slots() {
            let Some(name) = before.get(&slot) else { continue };
            prop_assert_eq!(killed.contains(&slot), *name != pod.name, "{}", slot);
        }
        prop_assert!(before.keys().all(|slot| world.slots().contains_key(slot)));
    }

    #[test]
    fn a_plan_at_rest_does_nothing(moment in -7200..20_000_i64, shuffle in any::<Index>()) {
        let mut world = World::new(small_class(), event(Tier::K50), at(CREATED));
        world.now = at(START) + secs(moment);
        for _ in 0..3 {
            let first = world.plan();
            world.apply(&first);
            let input = world.input();
            let second = plan(&input);
            prop_assert!(second.create.is_empty() && second.cordon.is_empty() && second.delete.is_empty());
            prop_assert_eq!(second.memory.as_ref().or(world.memory.as_ref()), world.memory.as_ref());
            // The same input gives the same plan, in whatever order the pods are listed.
            let mut turned = input.clone();
            if !turned.pods.is_empty() {
                let by = shuffle.index(turned.pods.len());
                turned.pods.rotate_left(by);
            }
            prop_assert_eq!(&plan(&turned), &second);
            world.now += secs(900);
            world.kubelets();
        }
    }

    /// A restart forgets which pods have vanished from view, and nothing else that matters: the same slots
    /// are filled at the same time with the same parents, and the names are the same, except in slots whose
    /// last pod has vanished. Those get another free name.
    #[test]
    fn a_restart_changes_only_the_names_after_vanished_pods(
        moment in HELD, kill in prop::collection::vec((any::<Index>(), any::<bool>()), 1..12),
    ) {
        let mut world = world_at(Tier::K50, moment);
        prop_assume!(!world.slots().is_empty());
        let slots: Vec<Slot> = world.slots().keys().copied().collect();
        for (index, at_once) in kill {
            world.lose(*index.get(&slots), at_once);
        }
        world.kubelets();
        let kept = world.plan();
        let vanished = world.recent.vanished.clone();
        world.restart();
        let restarted = world.plan();
        prop_assert_eq!(kept.create.len(), restarted.create.len());
        for (a, b) in kept.create.iter().zip(&restarted.create) {
            prop_assert_eq!((a.slot, a.parent, a.shard), (b.slot, b.parent, b.shard));
            prop_assert_eq!(a.name == b.name, !vanished.contains_key(&a.slot), "{}", a.slot);
            prop_assert!(world.pods().all(|p| p.name != b.name));
        }
        prop_assert_eq!(
            Plan { create: Vec::new(), ..kept },
            Plan { create: Vec::new(), ..restarted }
        );
    }
}

/// An event of hostile but admitted size and times must not make the planner panic or sleep.
#[test]
fn the_edges_of_time_and_size_are_planned() {
    let far = [at("2000-01-01T00:00:00Z"), at("2199-12-31T23:59:59Z")];
    for start in far {
        for now in far {
            let mut spec = spec(Tier::M1, Some(start));
            spec.duration = SignedDuration::from_hours(72);
            spec.ready_before = Some(SignedDuration::from_hours(24));
            spec.overrun = Some(SignedDuration::from_hours(72));
            let mut class = class(15);
            class.ramp.safety_percent = 1000;
            class.ramp.wave_size = 1;
            class.ramp.wave_interval = SignedDuration::from_hours(1);
            let mut world = World::new(class, spec, now);
            let mut watch = Watch::default();
            let plan = world.plan();
            watch.see(&world, &plan);
            world.now = Timestamp::MAX;
            world.plan();
            world.now = Timestamp::MIN;
            world.plan();
        }
    }
}
