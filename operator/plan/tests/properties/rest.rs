//! Between two wake-ups nothing changes by itself, and what was done is not done twice.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::Index;
use webinar_plan::{Phase, Plan, Slot, Spec, Tier, plan};

use crate::accident::{Accident, CREATED, START, edits, event, happen, losses, small_class, story};
use crate::cases;
use crate::watch::Watch;
use crate::world::{World, at, secs};

/// Nothing is to be done by this plan.
fn idle(plan: &Plan) -> bool {
    plan.create.is_empty()
        && plan.cordon.is_empty()
        && plan.disown.is_empty()
        && plan.uncordon.is_empty()
        && plan.delete.is_empty()
}

/// A world after accidents and edits, with everything done that was to be done at that instant.
fn settled(tier: Tier, begin: i64, story: &[(i64, Accident)]) -> World {
    let mut world = World::new(small_class(), event(tier), at(CREATED));
    world.now = at(START) + secs(begin);
    let mut watch = Watch::default();
    crate::lives::live(&mut world, &mut watch, story);
    world
}

/// Mostly anything; often what is rare among it and has boundaries of its own.
fn turns() -> impl Strategy<Value = Vec<(i64, Accident)>> {
    let one = |wait: i64, accident| vec![(wait, accident)];
    prop_oneof![
        3 => story(prop_oneof![losses(), edits()], 6),
        1 => (1..600_i64, 1..10_000_i64, 3600..14_400_i64).prop_map(|(wait, overrun, start)| {
            vec![(wait, Accident::Overrun(overrun)), (1, Accident::Start(start))]
        }),
        1 => (1..600_i64).prop_map(move |wait| one(wait, Accident::Suspend(true))),
        1 => (1..600_i64, 0..20_u8).prop_map(move |(wait, n)| one(wait, Accident::Room(Some(n)))),
        1 => (1..600_i64, any::<Index>()).prop_map(move |(wait, i)| one(wait, Accident::Hang(i))),
    ]
}

proptest! {
    #![proptest_config(cases(80))]

    #[test]
    fn what_was_done_is_not_done_twice(
        begin in -7200..9000_i64,
        story in story(prop_oneof![losses(), edits()], 8),
        last in prop_oneof![losses(), edits()],
        shuffle in any::<Index>(),
    ) {
        let mut world = settled(Tier::K50, begin, &story);
        happen(&mut world, &last);
        let mut first = world.plan();
        if !first.disown.is_empty() {
            // A slot is free only when the pod in it was declared lost.
            world.apply(&first);
            first = world.plan();
        }
        world.apply(&first);
        let input = world.input();
        let second = plan(&input);
        prop_assert!(idle(&second), "{:?}", second);
        prop_assert_eq!(second.memory.as_ref().or(world.memory.as_ref()), world.memory.as_ref());
        // The same input gives the same plan, in whatever order the pods are listed.
        let mut turned = input.clone();
        if !turned.pods.is_empty() {
            let by = shuffle.index(turned.pods.len());
            turned.pods.rotate_left(by);
        }
        prop_assert_eq!(&plan(&turned), &second);
    }

    /// A pass that is interrupted has written most of its pods in order, and some of the last ones not.
    #[test]
    fn an_interrupted_pass_is_completed_as_it_was_meant(
        written in 0..75_usize, in_flight in prop::collection::vec(any::<bool>(), 0..40),
        zone_names in any::<bool>(), before in -7200..-3700_i64,
    ) {
        let mut class = small_class();
        class.ramp.wave_size = 1000;
        if zone_names {
            class.zones.0 = ["a", "b", "c"].map(str::to_owned).to_vec();
        }
        let mut world = World::new(class, event(Tier::K100), at(CREATED));
        world.now = at(START) + secs(before) + SignedDuration::from_mins(100);
        let meant = world.plan();
        prop_assume!(meant.create.len() > 60);
        let mut done = meant.clone();
        let mut in_flight = in_flight.iter();
        let mut n = 0;
        done.create.retain(|_| {
            n += 1;
            n <= written || in_flight.next().copied().unwrap_or(false)
        });
        world.apply(&done);
        world.restart();
        let left: Vec<_> = meant.create.iter().filter(|p| !done.create.contains(p)).cloned().collect();
        prop_assert_eq!(world.plan().create, left);
    }

    #[test]
    fn nothing_changes_by_itself_before_the_next_look(
        begin in prop_oneof![-7200..9000_i64, -3600..-600_i64],
        story in turns(),
        looks in 1..80_usize,
        moment in any::<Index>(),
    ) {
        let mut world = settled(Tier::K50, begin, &story);
        for _ in 0..looks {
            let now = world.now;
            let there = world.plan();
            let Some(look) = there.next_wake.into_iter().chain(world.next_kubelet()).min() else { break };
            let seconds = look.duration_since(now).as_secs().max(1);
            let between = now + secs(i64::try_from(moment.index(usize::try_from(seconds).unwrap())).unwrap());
            // Whoever looks at whole seconds may come a second late.
            let last = look - secs(1);
            for moment in [between, last].into_iter().filter(|t| *t > now) {
                world.now = moment;
                let then = world.plan();
                prop_assert!(idle(&then), "at {}, to be looked at {}: {:?}", moment, look, then);
                let told = |plan: &Plan| {
                    let mut status = plan.status.clone();
                    // What is held back while suspended would be done from then on: it is later each second.
                    if world.orders.suspend {
                        status.conditions.iter_mut().for_each(|c| c.message.clear());
                    }
                    status
                };
                prop_assert_eq!(told(&then), told(&there), "at {}, to be looked at {}", moment, look);
                prop_assert_eq!(&then.memory, &there.memory);
            }
            world.now = look;
            world.reconcile(|_, _| {});
        }
    }
}

/// What happens when, by the second in which it happens.
type Chronicle = BTreeMap<i64, Vec<String>>;

fn write_down(chronicle: &mut Chronicle, world: &World, plan: &Plan, phase: &mut Option<Phase>) {
    // A wave may be due within a second; a walk by seconds comes to it at the next one.
    let second = (world.now + SignedDuration::from_nanos(999_999_999)).as_second();
    let mut note = |text: String| chronicle.entry(second).or_default().push(text);
    if *phase != plan.status.phase {
        *phase = plan.status.phase;
        note(format!("{phase:?}"));
    }
    let slots = |slots: Vec<Slot>| slots.iter().map(Slot::to_string).collect::<Vec<_>>().join(" ");
    let uid_slot = |uid: &str| world.pods().find(|p| p.uid == uid).expect("a pod").slot;
    let lists = [
        ("create", plan.create.iter().map(|p| p.slot).collect()),
        ("cordon", plan.cordon.iter().map(|d| uid_slot(&d.uid)).collect()),
        ("delete", plan.delete.iter().map(|r| r.slot).collect::<Vec<_>>()),
    ];
    for (what, list) in lists {
        if !list.is_empty() {
            note(format!("{what} {}", slots(list)));
        }
    }
    for notice in &plan.status.notices {
        note(notice.text.clone());
    }
}

fn short_event() -> World {
    let spec = Spec {
        duration: secs(1153),
        overrun: Some(secs(1061)),
        ..event(Tier::K50)
    };
    let mut world = World::new(small_class(), spec, at(CREATED));
    world.now = at(START) - SignedDuration::from_mins(120);
    world
}

/// Looking every second and looking only when the last plan asks for it come to the same life.
#[test]
fn second_by_second_no_boundary_is_skipped() {
    let end: Timestamp = at(START) + SignedDuration::from_mins(60);

    let (mut woken, mut phase) = (Chronicle::new(), None);
    short_event().run_until(end, |w, p| write_down(&mut woken, w, p, &mut phase));

    let (mut walked, mut phase) = (Chronicle::new(), None);
    let mut world = short_event();
    while world.now <= end {
        world.reconcile(|w, p| write_down(&mut walked, w, p, &mut phase));
        world.now += secs(1);
    }
    for (a, b) in woken.iter().zip(&walked) {
        assert_eq!(a, b);
    }
    assert_eq!(woken.len(), walked.len());
    let phases: Vec<&String> = walked
        .values()
        .flatten()
        .filter(|t| t.starts_with("Some("))
        .collect();
    assert_eq!(phases.len(), 7, "{phases:?}");
}
