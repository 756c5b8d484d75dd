//! Whatever pods tell of their viewers, nobody who watches is cut off and nothing is lowered for want of answers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use proptest::prelude::*;
use webinar_plan::{Class, Cordon, Phase, Plan, Reading, Release, Role, Slot, Spec, Tier, plan};

use crate::accident::{CREATED, START, event, small_class};
use crate::cases;
use crate::world::{Crowd, World, at, secs};

/// Something that happens to the audience, or to what is told of it.
#[derive(Debug, Clone)]
enum Turn {
    People(u64, i64),
    Silence(u32),
    Lie(u32, Reading),
    Truth,
    Restart,
    Lose(u32),
    AfterPeak(bool),
    Tier(Tier),
}

fn turns() -> impl Strategy<Value = Vec<(i64, Turn)>> {
    let lie = prop_oneof![
        (0..3000_u64).prop_map(Reading::Value),
        any::<u64>().prop_map(Reading::Value),
        Just(Reading::Value(0)),
        Just(Reading::Missing),
        Just(Reading::Absurd),
    ];
    let turn = prop_oneof![
        4 => (0..120_000_u64, 0..900_i64).prop_map(|(n, t)| Turn::People(n, t)),
        1 => (0..40_u32).prop_map(Turn::Silence),
        2 => (0..40_u32, lie).prop_map(|(n, reading)| Turn::Lie(n, reading)),
        2 => Just(Turn::Truth),
        1 => Just(Turn::Restart),
        1 => (0..40_u32).prop_map(Turn::Lose),
        2 => any::<bool>().prop_map(Turn::AfterPeak),
        1 => prop::sample::select(vec![Tier::K10, Tier::K50]).prop_map(Turn::Tier),
    ];
    prop::collection::vec((30..1500_i64, turn), 1..7)
}

fn relays(n: u32) -> impl Iterator<Item = Slot> {
    (0..n).map(|i| Slot::new(Role::Relay, i))
}

fn turn(world: &mut World, turn: &Turn) {
    let now = world.now;
    let crowd = world.crowd.get_or_insert_with(|| Crowd::new(now));
    match turn {
        Turn::People(n, time) => crowd.become_many(*n, now, secs(*time)),
        Turn::Silence(n) => crowd.silent = relays(*n).collect(),
        Turn::Lie(n, reading) => crowd.lies = relays(*n).map(|s| (s, *reading)).collect(),
        Turn::Truth => {
            crowd.lies.clear();
            crowd.silent.clear();
        }
        Turn::Restart => world.restart(),
        Turn::Lose(n) => world.lose(Slot::new(Role::Relay, *n), true),
        Turn::AfterPeak(is) => {
            world.orders.release = if *is { Release::AfterPeak } else { Release::Never };
        }
        Turn::Tier(tier) => world.spec.tier = *tier,
    }
}

/// What must hold of every plan while people are counted.
#[derive(Default)]
struct Watch {
    /// Relays taken out of their entry points because the audience needs less, and of how many, by the instant.
    shrinks: Vec<(Timestamp, usize, usize)>,
    phases: BTreeMap<Phase, u32>,
    deleted: usize,
}

impl Watch {
    fn see(&mut self, world: &World, plan: &Plan) {
        let Some(phase) = plan.status.phase else { return };
        *self.phases.entry(phase).or_default() += 1;
        let memory = plan.memory.as_ref();
        let (Some(memory), Ok(class)) = (memory, &world.class) else {
            return;
        };
        let capacity = class.capacity(10);
        let desired = plan
            .status
            .pools
            .iter()
            .find(|p| p.role == Role::Relay)
            .map_or(0, |p| p.desired);
        let most = capacity
            .counts(memory.accepted.spec.max_tier, &memory.shape)
            .relay;
        assert!(desired <= most, "{desired} relays, {most} are allowed");
        let crowd = world.crowd.as_ref();
        let watching = |uid: &str| crowd.map_or(0, |c| c.watching(uid));
        if phase.on_air() {
            for removal in &plan.delete {
                let pod = world.pods().find(|p| p.uid == removal.uid).expect("a pod");
                if pod.was_ready && !pod.ended && !pod.lost {
                    assert_eq!(
                        watching(&pod.uid),
                        0,
                        "deletes {} with viewers in {phase}",
                        pod.name
                    );
                    assert_eq!(pod.slot.role, Role::Relay);
                    let since = pod.drain_started.expect("a cordon first");
                    assert!(pod.cordoned_for == Cordon::Shrink && world.now >= since + secs(10));
                    self.deleted += 1;
                }
            }
        }
        let cordons = plan.cordon.iter().filter(|c| c.why == Cordon::Shrink).count();
        if cordons > 0 {
            assert!(phase.holds_capacity() && plan.create.is_empty());
            let relays = world
                .pods()
                .filter(|p| p.alive() && p.accepting && p.slot.role == Role::Relay);
            let there = relays.count();
            assert!(
                there - cordons >= desired as usize,
                "{there} relays, {cordons} go, {desired} are needed"
            );
            self.shrinks.push((world.now, cordons, there));
        }
    }

    fn paced(&self) {
        for (_, cordoned, of) in &self.shrinks {
            assert!(*cordoned <= (of / 10).max(1), "{cordoned} of {of} at once");
        }
        for pair in self.shrinks.windows(2) {
            assert!(pair[1].0 >= pair[0].0 + secs(300), "{pair:?}");
        }
    }
}

fn world() -> World {
    let spec = Spec {
        max_tier: Tier::K100,
        duration: secs(7200),
        ..event(Tier::K50)
    };
    let mut class: Class = small_class();
    class.ramp.wave_size = 300;
    let mut world = World::new(class, spec, at(CREATED));
    world.now = at(START) - secs(3600);
    let mut crowd = Crowd::new(at(START) - secs(300));
    crowd.every = secs(15);
    crowd.become_many(20_000, at(START), secs(600));
    world.crowd = Some(crowd);
    world
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn nobody_who_watches_is_cut_off(turns in turns()) {
        let mut world = world();
        let mut watch = Watch::default();
        world.run_until(at(START), |w, p| watch.see(w, p));
        for (wait, next) in &turns {
            turn(&mut world, next);
            world.run_until(world.now + secs(*wait), |w, p| watch.see(w, p));
        }
        watch.paced();
    }

    /// From one instant: the more people, the more relays; and without answers never fewer than with them.
    #[test]
    fn more_people_never_need_fewer_relays(
        few in 0..150_000_u64, more in 0..150_000_u64, moment in 0..7000_i64, after_peak in any::<bool>(),
    ) {
        let mut world = world();
        world.orders.release = if after_peak { Release::AfterPeak } else { Release::Never };
        let crowd = world.crowd.as_mut().expect("a crowd");
        crowd.every = secs(600);
        crowd.become_many(20_000, at(START) - secs(3600), secs(0));
        world.run_until(at(START) + secs(moment), |_, _| {});
        let tell = |world: &World, people: u64| {
            let mut world = world.clone();
            let crowd = world.crowd.as_mut().expect("a crowd");
            crowd.become_many(people, world.now, secs(0));
            crowd.every = secs(1);
            world.now += secs(2);
            world.answers();
            let told = plan(&world.input());
            told.status.pools.iter().find(|p| p.role == Role::Relay).map_or(0, |p| p.desired)
        };
        let (few, more) = (few.min(more), few.max(more));
        prop_assert!(tell(&world, few) <= tell(&world, more));
        let mut silent = world.clone();
        silent.signals.clear();
        let before = world.pods().filter(|p| p.alive() && p.slot.role == Role::Relay).count();
        let told = plan(&silent.input());
        prop_assert!(told.cordon.is_empty() && told.delete.is_empty());
        prop_assert!(told.status.pools[2].desired as usize >= before);
    }
}

/// The turns above come to what they are about: relays are cordoned, emptied and deleted while the event is on air.
#[test]
fn relays_do_go_when_they_are_empty() {
    let mut world = world();
    world.orders.release = Release::AfterPeak;
    let mut watch = Watch::default();
    world.run_until(at(START) + secs(7800), |w, p| watch.see(w, p));
    watch.paced();
    assert!(
        watch.shrinks.len() > 5 && watch.deleted > 5,
        "{} {}",
        watch.shrinks.len(),
        watch.deleted
    );
    assert!(watch.phases.contains_key(&Phase::Overrun));
}

proptest! {
    #![proptest_config(cases(8))]

    /// Every clock that runs while people are counted is waited for: when answers stop, what follows comes when it was said.
    #[test]
    fn nothing_changes_by_itself_between_two_looks(
        turns in turns(), wait in 0..2000_i64, looks in 1..40_usize, moment in any::<prop::sample::Index>(),
    ) {
        let mut world = world();
        world.run_until(at(START), |_, _| {});
        for (wait, next) in &turns {
            turn(&mut world, next);
            world.run_until(world.now + secs(*wait), |_, _| {});
        }
        world.run_until(world.now + secs(wait), |_, _| {});
        // From now on nobody answers, and what was answered stays.
        world.crowd = None;
        for _ in 0..looks {
            let there = world.plan();
            let next = there.next_wake.into_iter().chain(world.next_kubelet()).min();
            let Some(look) = next else { break };
            let seconds = usize::try_from(look.duration_since(world.now).as_secs().max(1)).unwrap();
            let between = world.now + secs(i64::try_from(moment.index(seconds)).unwrap());
            for moment in [between, look - secs(1)].into_iter().filter(|t| *t > world.now) {
                let mut then = world.clone();
                then.now = moment;
                let then = then.plan();
                prop_assert_eq!(&then.status, &there.status, "at {}, to be looked at {}", moment, look);
                prop_assert!(then.create.is_empty() && then.cordon.is_empty() && then.delete.is_empty());
                prop_assert!(then.uncordon.is_empty());
                prop_assert_eq!(&then.memory, &there.memory);
            }
            world.now = look;
            world.reconcile(|_, _| {});
        }
    }
}
