//! Who is watching, and what follows from it.

use jiff::SignedDuration;
use webinar_plan::{
    ConditionType, Cordon, Floor, Flow, Input, Phase, Plan, Reading, Reason, Release, RemovalReason, Role,
    Signal, Slot, Source, Tier, Truth, plan,
};

use crate::world::{World, at, class, secs, spec};
use crate::{START, pod, relay, said, world_at};

/// Every relay, or the SFU of a room, tells of so many viewers now.
pub(crate) fn everyone_tells(input: &mut Input, viewers: Reading) {
    let serving = input.pods.iter().filter(|p| p.slot.role != Role::Mid && p.ready);
    let answers = serving.map(|p| (p.uid.clone(), signal(input, viewers)));
    input.signals = answers.collect();
}

fn signal(input: &Input, viewers: Reading) -> Signal {
    Signal {
        answered: input.now,
        viewers,
        inbound: Flow::default(),
        outbound: Flow::default(),
    }
}

/// Some time later, with what the operator remembers of its last plan.
fn later(input: &mut Input, told: &Plan, time: SignedDuration) {
    input.recent.watch = told.watch.clone();
    input.memory.clone_from(&told.memory);
    input.now += time;
}

fn attendance(plan: &Plan) -> (Truth, Reason) {
    let found = said(plan, ConditionType::AttendanceKnown);
    (found.truth, found.reason)
}

fn current(plan: &Plan) -> Option<u32> {
    plan.status.attendance.map(|a| a.current)
}

fn relays_wanted(plan: &Plan) -> u32 {
    let pool = plan.status.pools.iter().find(|p| p.role == Role::Relay);
    pool.expect("relays").desired
}

#[test]
fn a_silent_pod_is_carried_and_too_many_make_attendance_unknown() {
    let mut input = world_at(Tier::K10, 60).input();
    everyone_tells(&mut input, Reading::Value(100));
    let first = plan(&input);
    assert_eq!(current(&first), Some(1500));
    assert_eq!(attendance(&first), (Truth::True, Reason::Fresh));
    // One of fifteen is 6.7 %.
    later(&mut input, &first, secs(40));
    let one = pod(&mut input, relay(3)).uid.clone();
    let silent = input.signals[&one].clone();
    everyone_tells(&mut input, Reading::Value(100));
    input.signals.insert(one, silent.clone());
    let carried = plan(&input);
    assert_eq!(current(&carried), Some(1500));
    assert_eq!(attendance(&carried), (Truth::True, Reason::Fresh));
    let two = pod(&mut input, relay(4)).uid.clone();
    input.signals.insert(two, silent);
    let unknown = plan(&input);
    assert_eq!(attendance(&unknown), (Truth::False, Reason::Stale));
    let message = &said(&unknown, ConditionType::AttendanceKnown).message;
    assert!(message.starts_with("13 of 15 relays have told"), "{message}");
    assert_eq!(current(&unknown), Some(1500));
}

#[test]
fn an_answer_is_believed_for_30_seconds_or_for_two_intervals_of_prometheus() {
    let mut input = world_at(Tier::K10, 60).input();
    let prometheus = Source::Prometheus { interval: secs(30) };
    for (source, bound) in [(Source::Pods, 30), (prometheus, 70)] {
        input.class.as_mut().expect("a class").attendance = Some(source);
        everyone_tells(&mut input, Reading::Value(100));
        let first = plan(&input);
        let mut then = input.clone();
        later(&mut then, &first, secs(bound - 1));
        let fresh = plan(&then);
        assert_eq!(attendance(&fresh).1, Reason::Fresh);
        assert_eq!(fresh.next_wake, Some(then.now + secs(1)));
        then.now += secs(1);
        assert_eq!(attendance(&plan(&then)).1, Reason::Stale);
    }
}

#[test]
fn a_pod_that_is_lost_counts_no_more_and_leaves_nobody_unknown() {
    let mut input = world_at(Tier::K10, 60).input();
    everyone_tells(&mut input, Reading::Value(100));
    let first = plan(&input);
    later(&mut input, &first, secs(5));
    everyone_tells(&mut input, Reading::Value(100));
    for index in 0..8 {
        let now = input.now;
        pod(&mut input, relay(index)).terminating = Some(now);
    }
    let then = plan(&input);
    // More than half at once, and yet no fall that has to be confirmed.
    assert_eq!(attendance(&then), (Truth::True, Reason::Fresh));
    let told = then.status.attendance.map(|a| (a.current, a.peak));
    assert_eq!(told, Some((700, 1500)));
}

#[test]
fn a_first_number_that_cannot_be_is_no_number() {
    let mut input = world_at(Tier::K10, 60).input();
    // 926 are planned for.
    everyone_tells(&mut input, Reading::Value(3705));
    let told = plan(&input);
    assert_eq!(attendance(&told), (Truth::False, Reason::Implausible));
    assert_eq!(current(&told), None);
    everyone_tells(&mut input, Reading::Value(3704));
    assert_eq!(attendance(&plan(&input)), (Truth::True, Reason::Fresh));
    everyone_tells(&mut input, Reading::Missing);
    assert_eq!(attendance(&plan(&input)), (Truth::False, Reason::Stale));
    input.class.as_mut().expect("a class").attendance = None;
    everyone_tells(&mut input, Reading::Value(10));
    let told = plan(&input);
    assert_eq!((attendance(&told).1, current(&told)), (Reason::Stale, None));
}

#[test]
fn a_fleet_grows_by_tenths_at_least_within_max_tier_and_max_pods() {
    let mut event = spec(Tier::K10, Some(at(START)));
    event.max_tier = Tier::K50;
    let mut world = World::new(class(15), event, at("2027-03-04T09:00:00Z"));
    world.run_until(at(START) + secs(60), |_, _| {});
    let mut input = world.input();
    let wanted = |input: &mut Input, viewers| {
        everyone_tells(input, Reading::Value(viewers));
        let told = plan(input);
        (relays_wanted(&told), told.memory.expect("a run").most_relays)
    };
    assert_eq!(wanted(&mut input, 500), (15, 15));
    // 9,000 people at 80 % are 11,250: 14 relays and 2 spares, in whole zones 18.
    assert_eq!(wanted(&mut input, 600), (18, 18));
    assert_eq!(wanted(&mut input, 3704), (63, 63));
    // A step is a tenth at least, whatever the need.
    input.memory.as_mut().expect("a run").most_relays = 45;
    assert_eq!(wanted(&mut input, 2050), (50, 50));
    input.memory.as_mut().expect("a run").most_relays = 15;
    input.class.as_mut().expect("a class").sizing.max_pods = 40;
    let parents = input.pods.iter().filter(|p| p.slot.role != Role::Relay).count();
    let (most, _) = wanted(&mut input, 3704);
    assert!(
        most <= 40 - u32::try_from(parents).expect("few") && most > 30,
        "{most}"
    );
    // What it has grown to stays without answers, and in a process that remembers nothing.
    input.class.as_mut().expect("a class").sizing.max_pods = 5000;
    input.memory.as_mut().expect("a run").most_relays = 30;
    input.signals.clear();
    assert_eq!(relays_wanted(&plan(&input)), 30);
}

#[test]
fn capacity_is_at_risk_when_more_come_than_it_may_grow_for() {
    let mut input = world_at(Tier::K10, 60).input();
    everyone_tells(&mut input, Reading::Value(633));
    let fine = plan(&input);
    assert_eq!(said(&fine, ConditionType::CapacityAtRisk).truth, Truth::False);
    let gate = fine.status.admission.expect("a gate");
    assert_eq!((gate.open, gate.max_attendees), (true, 10_000));
    everyone_tells(&mut input, Reading::Value(634));
    let full = plan(&input);
    let risk = said(&full, ConditionType::CapacityAtRisk);
    assert_eq!((risk.truth, risk.reason), (Truth::True, Reason::AboveCeiling));
    assert_eq!(
        risk.message,
        "9,510 people are watching, and there are 10,000 seats with a `maxTier` of 10k. Raise `maxTier`, or let nobody in beyond 10,000 people."
    );
    everyone_tells(&mut input, Reading::Value(667));
    assert!(plan(&input).status.admission.is_some_and(|a| !a.open));
}

#[test]
fn a_join_gate_hears_of_seats_and_of_what_the_rest_can_carry_after_a_loss() {
    let mut world = world_at(Tier::K10, 60);
    let told = world.plan();
    let gate = |told: &Plan| {
        let gate = told.status.admission.expect("a gate");
        (gate.max_attendees, gate.joins_per_second)
    };
    assert_eq!(gate(&told), (10_000, 150));
    let viewers = told.status.addresses.iter().filter_map(|a| a.joins_per_second);
    assert_eq!(viewers.collect::<Vec<_>>(), [150]);
    for index in 0..8 {
        world.lose(relay(index), true);
    }
    world.reconcile(|_, _| {});
    // 7 relays are planned for 926 each, and carry 1,353 in need.
    assert_eq!(gate(&world.plan()), (7 * 1353 * 100 / 110, 70));
    world.run_until(world.now + secs(120), |_, _| {});
    assert_eq!(gate(&world.plan()), (10_000, 150));
}

#[test]
fn a_fleet_postponed_far_is_kept_for_those_who_watch_and_not_for_nobody() {
    let mut world = world_at(Tier::K10, -120);
    world.spec.start = Some(at(START) + SignedDuration::from_hours(12));
    let mut input = world.input();
    everyone_tells(&mut input, Reading::Value(10));
    let mut told = plan(&input);
    assert_eq!(told.status.phase, Some(Phase::Armed));
    later(&mut input, &told, secs(300));
    everyone_tells(&mut input, Reading::Value(10));
    told = plan(&input);
    assert_eq!(told.status.phase, Some(Phase::Armed));
    // A fall to nothing is confirmed first, then two minutes pass.
    for _ in 0..=12 {
        later(&mut input, &told, secs(5));
        everyone_tells(&mut input, Reading::Value(0));
        told = plan(&input);
    }
    assert_eq!(attendance(&told).1, Reason::Fresh);
    later(&mut input, &told, secs(119));
    everyone_tells(&mut input, Reading::Value(0));
    assert_eq!(plan(&input).status.phase, Some(Phase::Armed));
    input.now += secs(1);
    assert_eq!(plan(&input).status.phase, Some(Phase::Draining));
}

#[test]
fn a_tier_lowered_on_air_lets_the_emptiest_relays_go() {
    let mut world = world_at(Tier::K50, 60);
    world.spec.tier = Tier::K10;
    world.reconcile(|_, _| {});
    let relays = world.alive(Role::Relay);
    assert_eq!(relays, 63);
    let mut input = world.input();
    let uid = pod(&mut input, relay(40)).uid.clone();
    let tell = |input: &mut Input| {
        everyone_tells(input, Reading::Value(20));
        let few = signal(input, Reading::Value(3));
        input.signals.insert(uid.clone(), few);
    };
    tell(&mut input);
    let mut told = plan(&input);
    assert_eq!(relays_wanted(&told), 15);
    let mut unknown = told.clone();
    for minute in 0..10 {
        assert!(told.cordon.is_empty(), "after {minute} minutes");
        for _ in 0..4 {
            later(&mut input, &told, secs(15));
            tell(&mut input);
            let mut absurd = input.clone();
            for index in 0..10 {
                let uid = pod(&mut absurd, relay(index)).uid.clone();
                let lie = signal(&absurd, Reading::Absurd);
                absurd.signals.insert(uid, lie);
            }
            unknown = plan(&absurd);
            told = plan(&input);
        }
    }
    assert_eq!(attendance(&unknown), (Truth::False, Reason::Implausible));
    assert!(unknown.cordon.is_empty());
    assert_eq!(told.cordon.len(), 6);
    assert!(told.cordon[0].name.contains("-relay-40-") && told.cordon[0].why == Cordon::Shrink);
    assert!(
        told.cordon[1].name.contains("-relay-62-"),
        "{}",
        told.cordon[1].name
    );
}

#[test]
fn a_relay_is_empty_when_it_says_so_after_its_cordon_and_sends_nothing() {
    let mut world = world_at(Tier::K10, 1200);
    world.orders.release = Release::AfterPeak;
    let mut input = world.input();
    everyone_tells(&mut input, Reading::Value(0));
    let cordoned = input.now - secs(10);
    let cordoned_pod = pod(&mut input, relay(7));
    cordoned_pod.accepting = false;
    cordoned_pod.drain_started = Some(cordoned);
    cordoned_pod.cordoned_for = Cordon::Shrink;
    let uid = cordoned_pod.uid.clone();
    let deleted = |input: &Input| plan(input).delete.iter().map(|r| r.slot).collect::<Vec<Slot>>();
    assert_eq!(deleted(&input), [relay(7)]);
    assert_eq!(plan(&input).delete[0].reason, RemovalReason::Shrunk);
    let mut early = input.clone();
    pod(&mut early, relay(7)).drain_started = Some(cordoned + secs(1));
    assert!(deleted(&early).is_empty());
    assert_eq!(plan(&early).next_wake, Some(early.now + secs(1)));
    let not_empty = [
        (Reading::Value(0), 2000),
        (Reading::Value(1), 0),
        (Reading::Missing, 0),
        (Reading::Absurd, 0),
    ];
    for (viewers, rate) in not_empty {
        let mut lying = input.clone();
        let signal = lying.signals.get_mut(&uid).expect("an answer");
        signal.viewers = viewers;
        signal.outbound.rates = vec![rate];
        assert!(deleted(&lying).is_empty(), "{viewers:?} {rate}");
    }
    let mut waiting = input.clone();
    let signal = waiting.signals.get_mut(&uid).expect("an answer");
    signal.inbound.rates = vec![0];
    assert!(
        deleted(&waiting).is_empty(),
        "who receives no media sends none to those who wait for it"
    );
    let mut ordered = input.clone();
    ordered.orders.floor = Some(Floor {
        relays: 1,
        reason: "the board watches".to_owned(),
        until: input.now + secs(60),
    });
    assert!(deleted(&ordered).is_empty());
    let mut held = input.clone();
    held.orders.release = Release::Never;
    assert!(deleted(&held).is_empty());
    assert_eq!(plan(&held).uncordon.len(), 1);
    input.orders.suspend = true;
    assert!(deleted(&input).is_empty());
}

#[test]
fn a_relay_cordoned_before_the_drain_has_the_whole_time_of_the_drain() {
    let mut world = world_at(Tier::K10, 3540);
    world.spec.overrun = Some(SignedDuration::ZERO);
    world.reconcile(|_, _| {});
    let mut input = world.input();
    let long_ago = input.now - secs(3000);
    let cordoned = pod(&mut input, relay(7));
    cordoned.accepting = false;
    cordoned.drain_started = Some(long_ago);
    cordoned.cordoned_for = Cordon::Shrink;
    input.now += secs(60);
    everyone_tells(&mut input, Reading::Value(50));
    let told = plan(&input);
    assert_eq!(told.status.phase, Some(Phase::Draining));
    assert!(told.delete.is_empty(), "{:?}", told.delete);
    later(&mut input, &told, secs(600));
    let gone: Vec<_> = plan(&input).delete.iter().map(|r| (r.slot, r.reason)).collect();
    assert_eq!(gone, [(relay(7), RemovalReason::Overdue)]);
}

#[test]
fn growth_waits_for_the_mids_that_feed_it_and_for_no_wave() {
    let mut class = class(15);
    class.sizing.fan_out = 10;
    class.ramp.wave_size = 5;
    class.ramp.wave_interval = SignedDuration::from_mins(20);
    let mut event = spec(Tier::K10, Some(at(START)));
    event.max_tier = Tier::K50;
    let mut world = World::new(class, event, at("2027-03-04T09:00:00Z"));
    world.run_until(at(START) + secs(60), |_, _| {});
    assert_eq!((world.alive(Role::Mid), world.alive(Role::Relay)), (3, 15));
    let tell = |world: &mut World| {
        let mut input = world.input();
        everyone_tells(&mut input, Reading::Value(3704));
        world.signals = input.signals;
    };
    tell(&mut world);
    let told = world.plan();
    let created = |told: &Plan, role| told.create.iter().filter(|p| p.slot.role == role).count();
    // Three mids feed ten relays each; 63 relays need nine mids.
    assert_eq!((created(&told, Role::Mid), created(&told, Role::Relay)), (6, 15));
    world.apply(&told);
    world.kubelets();
    world.now += secs(70);
    assert!(world.plan().create.is_empty());
    world.kubelets();
    tell(&mut world);
    let told = world.plan();
    assert_eq!((created(&told, Role::Mid), created(&told, Role::Relay)), (0, 33));
}

#[test]
fn a_restart_on_air_waits_a_minute_for_answers_before_it_fills_up_a_smaller_fleet() {
    let mut world = world_at(Tier::K10, 3660);
    assert_eq!(world.phase(), Some(Phase::Overrun));
    for index in 5..15 {
        world.lose(relay(index), true);
    }
    world.kubelets();
    // Nothing tells a relay that was given back from one that was lost.
    world.restart();
    let young = world.plan();
    assert!(young.create.is_empty());
    assert_eq!(young.next_wake, Some(world.now + secs(60)));
    world.apply(&young);
    world.now += secs(60);
    assert_eq!(world.plan().create.len(), 10);
}

#[test]
fn a_shrink_leaves_what_the_audience_needs() {
    let mut world = world_at(Tier::K50, 60);
    world.spec.tier = Tier::K10;
    world.reconcile(|_, _| {});
    let mut input = world.input();
    everyone_tells(&mut input, Reading::Value(620));
    let mut told = plan(&input);
    for _ in 0..40 {
        assert!(told.cordon.is_empty());
        later(&mut input, &told, secs(15));
        everyone_tells(&mut input, Reading::Value(620));
        told = plan(&input);
    }
    // 60 of 63 are needed, and a tenth would be 6.
    assert_eq!((relays_wanted(&told), told.cordon.len()), (60, 3));
}
