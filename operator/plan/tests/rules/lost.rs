//! When a node that doesn't answer is believed to be lost, and what becomes of who is on it.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use webinar_plan::{
    ConditionType, Flow, Input, Phase, Reading, Recent, RemovalReason, Role, Signal, Slot, Tier, plan,
};

use crate::world::{World, secs};
use crate::{pod, relay, said, world_at};

/// Every slot of a fleet of 10k.
fn everywhere(world: &World) -> Vec<Slot> {
    world.slots().keys().copied().collect()
}

fn uids(world: &World) -> BTreeSet<String> {
    world.pods().map(|p| p.uid.clone()).collect()
}

fn pass(world: &mut World, seconds: i64) {
    let until = world.now + secs(seconds);
    world.run_until(until, |_, _| {});
}

/// How many pods have been declared lost.
fn lost(world: &World) -> usize {
    world.pods().filter(|p| p.lost).count()
}

#[test]
fn a_node_that_stays_silent_for_half_a_minute_is_lost() {
    let mut world = world_at(Tier::K10, 60);
    for index in 3..7 {
        world.cut_off(relay(index), true);
    }
    pass(&mut world, 29);
    assert_eq!(lost(&world), 0);
    let told = world.plan();
    let risk = said(&told, ConditionType::CapacityAtRisk);
    assert!(
        risk.message.contains("unless they come back soon"),
        "{}",
        risk.message
    );
    pass(&mut world, 1);
    assert_eq!(lost(&world), 4);
    let filled = world.slots();
    assert!(
        (3..7).all(|index| filled.contains_key(&relay(index))),
        "their slots are filled in the same moment"
    );
}

#[test]
fn nodes_that_fall_silent_one_after_the_other_and_come_back_so_cost_nobody_anything() {
    for (gap, away) in [(1, 5), (5, 30), (10, 600)] {
        let mut world = world_at(Tier::K10, 60);
        let before = uids(&world);
        let slots = everywhere(&world);
        for is in [true, false] {
            for slot in &slots {
                world.cut_off(*slot, is);
                pass(&mut world, gap);
            }
            pass(&mut world, away);
        }
        assert_eq!(
            uids(&world),
            before,
            "another fleet, {gap} s apart, {away} s away"
        );
        assert_eq!(lost(&world), 0);
    }
}

#[test]
fn a_node_that_is_silent_for_two_minutes_is_lost_whatever_others_do() {
    let mut world = world_at(Tier::K10, 60);
    world.cut_off(relay(3), true);
    for turn in 0..6 {
        pass(&mut world, 20);
        assert_eq!(
            lost(&world),
            usize::from(turn == 5),
            "after {} s",
            20 * (turn + 1)
        );
        world.cut_off(relay(4), turn % 2 == 0);
    }
}

#[test]
fn what_a_new_leader_finds_silent_is_watched_from_then_on() {
    let mut world = world_at(Tier::K10, 60);
    world.cut_off(relay(3), true);
    pass(&mut world, 20);
    world.restart();
    pass(&mut world, 29);
    assert_eq!(lost(&world), 0);
    pass(&mut world, 1);
    assert_eq!(lost(&world), 1);
}

/// A fleet with a lost relay whose time is over, and its UID.
fn overdue(silent: bool) -> (Input, String) {
    let mut world = world_at(Tier::K10, 60);
    let until = world.now + SignedDuration::from_mins(10);
    world.run_until(until, |_, _| {});
    let mut input = world.input();
    let found = pod(&mut input, relay(2));
    (found.lost, found.accepting, found.drain_started) = (true, false, Some(found.created));
    found.cut_off = silent;
    let uid = found.uid.clone();
    (input, uid)
}

fn tells(input: &mut Input, uid: &str, viewers: u64, ago: i64) {
    let signal = Signal {
        answered: input.now - secs(ago),
        viewers: Reading::Value(viewers),
        inbound: Flow::default(),
        outbound: Flow::default(),
    };
    input.signals.insert(uid.to_owned(), signal);
}

fn deleted(input: &Input) -> Vec<(Slot, RemovalReason)> {
    plan(input).delete.iter().map(|r| (r.slot, r.reason)).collect()
}

#[test]
fn who_watches_through_a_lost_pod_keeps_it_until_the_run_drains() {
    for silent in [false, true] {
        let (mut input, uid) = overdue(silent);
        tells(&mut input, &uid, 3, 5);
        assert_eq!(deleted(&input), [], "people watch");
        tells(&mut input, &uid, 0, 5);
        assert_eq!(
            deleted(&input),
            [(relay(2), RemovalReason::Lost)],
            "the last one has left"
        );
        let sends = &mut input.signals.get_mut(&uid).unwrap().outbound.rates;
        sends.push(1_000_000);
        assert_eq!(deleted(&input), [], "it says so, and sends to somebody");
    }

    // Capacity is given back: there is a deadline for everybody.
    let (mut input, uid) = overdue(false);
    tells(&mut input, &uid, 3, 5);
    let mut memory = input.memory.clone().unwrap();
    memory.draining_since = Some(input.now - SignedDuration::from_mins(10));
    input.memory = Some(memory);
    let drains = plan(&input);
    assert_eq!(drains.status.phase, Some(Phase::Draining));
    assert_eq!(deleted(&input), [(relay(2), RemovalReason::Overdue)]);
}

#[test]
fn a_lost_pod_that_says_nothing_goes_while_its_node_is_silent_too() {
    let (mut back, uid) = overdue(false);
    assert_eq!(
        deleted(&back),
        [],
        "its node is well, and nobody can say who is on it"
    );
    tells(&mut back, &uid, 3, 40);
    assert_eq!(deleted(&back), [], "what it told is too old");

    let (mut gone, uid) = overdue(true);
    let lost = [(relay(2), RemovalReason::Lost)];
    assert_eq!(deleted(&gone), lost);
    tells(&mut gone, &uid, 3, 40);
    assert_eq!(deleted(&gone), lost, "what it told is too old");

    // Who has just begun has heard nobody yet.
    gone.recent = Recent::default();
    let first = plan(&gone);
    assert_eq!(first.delete, []);
    gone.recent.watch = first.watch;
    gone.now += secs(59);
    assert_eq!(deleted(&gone), []);
    gone.now += secs(1);
    assert_eq!(deleted(&gone), lost);
}

#[test]
fn a_lost_pod_that_nobody_connects_to_goes_when_its_time_is_over() {
    let (mut input, _) = overdue(false);
    let sfu = pod(&mut input, Slot::new(Role::Sfu, 1));
    (sfu.lost, sfu.accepting, sfu.drain_started) = (true, false, Some(sfu.created));
    assert_eq!(deleted(&input), [(Slot::new(Role::Sfu, 1), RemovalReason::Lost)]);
}
