//! Whole lives of events, with accidents and edits.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;
use webinar_plan::{Phase, Plan, Slot, Tier, Watch as Watched};

use crate::accident::{Accident, CREATED, START, edits, event, happen, losses, small_class, story};
use crate::cases;
use crate::sizes::any_tier;
use crate::watch::Watch;
use crate::world::{World, at, class, secs, spec};

pub(crate) fn live(world: &mut World, watch: &mut Watch, story: &[(i64, Accident)]) {
    world.reconcile(|w, p| watch.see(w, p));
    for (wait, accident) in story {
        let until = world.now + secs(*wait);
        world.run_until(until, |w, p| watch.see(w, p));
        happen(world, accident);
        world.reconcile(|w, p| watch.see(w, p));
    }
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
        // A new process begins slowly anyhow.
        prop_assert!(kept.slow_start || !restarted.slow_start);
        prop_assert_eq!(
            Plan { create: Vec::new(), slow_start: false, watch: Watched::default(), ..kept },
            Plan { create: Vec::new(), slow_start: false, watch: Watched::default(), ..restarted }
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
