//! How a run begins, is edited and ends.

use jiff::SignedDuration;
use webinar_plan::{ClassFinding, ConditionType, Phase, Reason, RemovalReason, Role, Tier, Truth, plan};

use crate::world::{World, at, class, secs, spec};
use crate::{START, relay, said, world_at};

#[test]
fn a_webinar_that_is_being_deleted_is_left_alone() {
    let mut input = world_at(Tier::K10, 60).input();
    input.webinar.deleting = true;
    input.pods.clear();
    let plan = plan(&input);
    assert!(plan.create.is_empty() && plan.delete.is_empty() && plan.cordon.is_empty());
    assert!(plan.memory.is_none() && plan.fixtures.is_none() && plan.status.conditions.is_empty());
    assert_eq!(plan.next_wake, None);
}

#[test]
fn a_fleet_whose_memory_was_lost_is_kept() {
    for moment in [-60, 60, 4000] {
        let mut world = world_at(Tier::K10, moment);
        world.memory = None;
        world.remembered.clear();
        let plan = world.plan();
        assert!(plan.create.is_empty() && plan.cordon.is_empty() && plan.delete.is_empty());
        assert_eq!(plan.status.run, 1);
        assert!(plan.status.phase.is_some_and(Phase::holds_capacity));
    }
    // After its end too, for as long as it may overrun from the instant it was found again.
    let mut found = world_at(Tier::K10, 7000);
    found.memory = None;
    let schedule = found.plan().status.schedule.unwrap();
    assert_eq!(schedule.end, found.now);
    assert_eq!(schedule.release, found.now + SignedDuration::from_hours(2));
}

#[test]
fn a_start_moved_far_into_the_past_cuts_nobody_off() {
    let mut world = world_at(Tier::K10, -60);
    world.spec.start = Some(at("2026-03-04T17:00:00Z"));
    let plan = world.reconcile(|_, _| {});
    assert_eq!(plan.status.phase, Some(Phase::Overrun));
    assert_eq!(
        plan.status.schedule.unwrap().release,
        world.now + SignedDuration::from_hours(2)
    );
    assert_eq!(world.alive(Role::Relay), 15);
}

#[test]
fn a_fraction_of_a_second_is_not_told_as_late() {
    let mut class = class(15);
    class.ramp.safety_percent = 100;
    let mut spec = spec(Tier::Room, Some(at(START)));
    spec.ready_before = Some(SignedDuration::ZERO);
    let world = World::new(class, spec, at("2027-03-04T09:00:00Z"));
    let ramp = world.plan().status.schedule.expect("a schedule").ramp;
    for (millis, risk) in [(300, Reason::OnPlan), (2_600, Reason::TooLate)] {
        let mut world = world.clone();
        world.now = ramp + SignedDuration::from_millis(millis);
        let plan = world.reconcile(|_, _| {});
        let message = &said(&plan, ConditionType::Ready).message;
        assert!(!message.contains("later than planned"), "{message}");
        assert_eq!(
            said(&plan, ConditionType::CapacityAtRisk).reason,
            risk,
            "{message}"
        );
    }
    // Planned for earlier than the start, as usual: late is told by whole seconds.
    let mut world = world;
    world.spec.ready_before = Some(SignedDuration::from_mins(10));
    let ramp = world.plan().status.schedule.expect("a schedule").ramp;
    for (millis, late) in [(300, false), (2_600, true)] {
        let mut world = world.clone();
        world.now = ramp + SignedDuration::from_millis(millis);
        let plan = world.reconcile(|_, _| {});
        let message = &said(&plan, ConditionType::Ready).message;
        assert_eq!(message.contains("later than planned"), late, "{message}");
    }
}

#[test]
fn a_raise_after_the_planned_end_does_not_move_it() {
    let mut world = world_at(Tier::K10, 4000);
    let before = world.plan().status.schedule.unwrap();
    world.spec.tier = Tier::K50;
    world.spec.max_tier = Tier::K50;
    let plan = world.reconcile(|_, _| {});
    let after = plan.status.schedule.unwrap();
    assert_eq!((after.end, after.release), (before.end, before.release));
    assert_eq!(world.alive(Role::Relay), 63);
}

#[test]
fn an_edit_of_the_duration_does_not_hurry_the_waves() {
    let mut world = world_at(Tier::M1, -2900);
    assert_eq!(world.phase(), Some(Phase::Ramping));
    let due = world.plan().next_wake;
    world.spec.duration = SignedDuration::from_mins(90);
    let plan = world.plan();
    assert!(plan.create.is_empty());
    assert_eq!(plan.next_wake, due);
}

#[test]
fn a_finished_event_needs_no_class_and_drains_what_turns_up_again() {
    let mut world = world_at(Tier::K10, -60);
    let stray = world.pods().find(|p| p.slot == relay(3)).unwrap().clone();
    world.run_until(at("2027-03-05T00:00:00Z"), |_, _| {});
    assert_eq!(world.phase(), Some(Phase::Finished));
    let mut input = world.input();
    input.pods.push(stray);
    let found = plan(&input);
    assert_eq!((found.cordon.len(), found.delete.len()), (1, 0));
    input.pods[0].drain_started = Some(input.now - SignedDuration::from_mins(10));
    let delete = plan(&input).delete;
    assert_eq!(delete.len(), 1);
    assert_eq!(delete[0].reason, RemovalReason::Overdue);
    input.pods.clear();
    input.class = Err(ClassFinding {
        reason: Reason::ClassNotFound,
        message: "gone".to_owned(),
    });
    assert_eq!(plan(&input).status.phase, Some(Phase::Finished));
    assert_eq!(said(&plan(&input), ConditionType::Ready).truth, Truth::True);
}

#[test]
fn only_the_last_three_runs_are_remembered() {
    let mut input = world_at(Tier::K10, 60).input();
    input.remembered_runs = vec![2, 5, 1, 4, 3];
    assert_eq!(plan(&input).forget, [2, 1]);
}

#[test]
fn an_edit_that_does_not_extend_the_event_leaves_its_drain_alone() {
    let world = world_at(Tier::K10, 10_800);
    assert_eq!(world.phase(), Some(Phase::Draining));
    let edited = |edit: fn(&mut World)| {
        let mut world = world.clone();
        edit(&mut world);
        world.plan()
    };
    for plan in [
        edited(|w| w.spec.duration = SignedDuration::from_mins(50)),
        edited(|w| w.spec.tier = Tier::K50),
        edited(|w| w.spec.start = Some(w.now + secs(1))),
    ] {
        assert_eq!(plan.status.phase, Some(Phase::Draining));
        assert!(plan.uncordon.is_empty() && plan.create.is_empty());
    }
    let plan = edited(|w| w.spec.duration = SignedDuration::from_mins(600));
    assert_eq!(plan.status.phase, Some(Phase::Live));
    assert_eq!(
        (plan.uncordon.len(), plan.cordon.len(), plan.delete.len()),
        (15, 0, 0)
    );
    assert_eq!(said(&plan, ConditionType::CapacityReady).truth, Truth::True);
}

#[test]
fn a_fleet_is_kept_for_a_ramp_within_half_an_hour_and_for_the_overrun_at_most() {
    let world = world_at(Tier::K10, -600);
    let ramp = world.plan().status.schedule.unwrap().ramp;
    // Half an hour from now is further than twice the lead of 878 seconds.
    let to_near = SignedDuration::from_mins(30) + world.now.duration_since(ramp);
    let moved = |by: SignedDuration| {
        let mut world = world.clone();
        world.spec.start = Some(at(START) + by);
        world.reconcile(|_, _| {});
        world
    };
    assert_eq!(moved(to_near).memory.unwrap().postponed_at, None);
    let mut far = moved(to_near + secs(1));
    assert_eq!(far.memory.as_ref().unwrap().postponed_at, Some(far.now));
    // A second later it is near.
    assert_eq!(far.plan().next_wake, Some(far.now + secs(1)));
    far.run_until(far.now + secs(1), |_, _| {});
    assert_eq!(far.memory.as_ref().unwrap().postponed_at, None);

    let mut far = moved(SignedDuration::from_hours(24));
    let until = far.now + SignedDuration::from_hours(2);
    far.run_until(until - secs(1), |_, _| {});
    assert_eq!(far.phase(), Some(Phase::Armed));
    assert_eq!(far.plan().next_wake, Some(until));
    far.run_until(until, |_, _| {});
    assert_eq!(far.phase(), Some(Phase::Draining));
}

#[test]
fn mids_and_sfus_that_nobody_names_are_drained() {
    let mut input = world_at(Tier::K100, 10_800).input();
    assert_eq!(plan(&input).status.phase, Some(Phase::Draining));
    input.pods.retain(|p| p.slot.role == Role::Mid);
    input.memory = plan(&input).memory;
    let delete = plan(&input).delete;
    assert!(
        !delete.is_empty() && delete.iter().all(|r| r.reason == RemovalReason::Drained),
        "{delete:?}"
    );
}
