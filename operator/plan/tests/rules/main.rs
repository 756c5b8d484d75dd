//! Single rules that no story shows.

mod world;

use jiff::SignedDuration;
use webinar_plan::{
    ClassFinding, Condition, ConditionType, Floor, Input, Parent, Phase, Plan, Pod, Reason, Role, Setback,
    SetbackKind, Slot, Tier, Truth, plan,
};
use world::{World, at, class, secs, spec};

const START: &str = "2027-03-04T17:00:00Z";

/// A world with a fleet, so many seconds after (or before) the start.
fn world_at(tier: Tier, moment: i64) -> World {
    let mut world = World::new(class(15), spec(tier, Some(at(START))), at("2027-03-04T09:00:00Z"));
    world.run_until(at(START) + secs(moment), |_, _| {});
    world
}

fn said(plan: &Plan, kind: ConditionType) -> &Condition {
    let found = plan.status.conditions.iter().find(|c| c.kind == kind);
    found.expect("the condition is said")
}

fn pod(input: &mut Input, slot: Slot) -> &mut Pod {
    let found = input.pods.iter_mut().find(|p| p.slot == slot);
    found.expect("a pod in the slot")
}

fn relay(index: u32) -> Slot {
    Slot::new(Role::Relay, index)
}

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
fn relays_count_only_with_their_whole_path_to_the_stage() {
    let input = world_at(Tier::K100, -60).input();
    assert_eq!(plan(&input).status.seats_ready, Some(100_000));

    let mut no_mid = input.clone();
    pod(&mut no_mid, Slot::new(Role::Mid, 2)).ready = false;
    let children = input
        .pods
        .iter()
        .filter(|p| p.parent == Some(Parent::Mid(2)))
        .count();
    let left = 123 - u32::try_from(children).unwrap();
    assert_eq!(plan(&no_mid).status.seats_ready, Some(left * 926 * 100 / 110));

    let mut no_stage = input.clone();
    pod(&mut no_stage, Slot::new(Role::Sfu, 0)).ready = false;
    assert_eq!(plan(&no_stage).status.seats_ready, Some(0));
    // A standby that is on stage carries everyone as well.
    no_stage.active_sfu = Some(1);
    assert_eq!(plan(&no_stage).status.seats_ready, Some(100_000));

    let mut cordoned = input;
    for index in 0..20 {
        pod(&mut cordoned, relay(index)).accepting = false;
    }
    assert_eq!(plan(&cordoned).status.seats_ready, Some(103 * 926 * 100 / 110));
}

#[test]
fn a_missing_standby_is_not_complete() {
    let mut input = world_at(Tier::K10, -60).input();
    pod(&mut input, Slot::new(Role::Sfu, 1)).ready = false;
    let verdict = plan(&input);
    let verdict = said(&verdict, ConditionType::CapacityReady);
    assert_eq!(
        (verdict.truth, verdict.reason),
        (Truth::False, Reason::Insufficient)
    );
    assert!(
        verdict
            .message
            .contains("10,000 of 10,000 seats are Ready. 1 of 2 SFUs are Ready.")
    );
}

#[test]
fn ended_pods_go_and_their_slots_are_filled() {
    let mut world = world_at(Tier::K10, 60);
    world.end(relay(3));
    let plan = world.plan();
    assert_eq!(plan.delete.len(), 1);
    assert_eq!(plan.delete[0].slot, relay(3));
    assert_eq!(plan.create.len(), 1);
    assert_eq!(plan.create[0].slot, relay(3));
    assert_ne!(plan.create[0].name, plan.delete[0].name);
}

#[test]
fn of_two_pods_in_one_slot_the_older_stays_and_only_an_unready_twin_goes() {
    let mut input = world_at(Tier::K10, 60).input();
    let mut twin = pod(&mut input, relay(3)).clone();
    twin.name.push('x');
    twin.uid.push('x');
    twin.created = input.now;
    (twin.ready, twin.was_ready) = (false, false);
    input.pods.push(twin.clone());
    let found = plan(&input);
    assert_eq!(found.delete.len(), 1);
    assert_eq!(found.delete[0].uid, twin.uid);
    // One that has been Ready may have viewers.
    input.pods.last_mut().unwrap().was_ready = true;
    assert!(plan(&input).delete.is_empty());
}

#[test]
fn no_create_ever_uses_a_name_that_can_still_be_seen() {
    let mut world = world_at(Tier::K10, 60);
    // Three incarnations of one slot die within one second, so that their age tells nothing.
    for _ in 0..3 {
        world.end(relay(3));
        let plan = world.plan();
        let taken: Vec<String> = world.pods().map(|p| p.name.clone()).collect();
        assert!(plan.create.iter().all(|new| !taken.contains(&new.name)));
        world.apply(&Plan {
            delete: Vec::new(),
            ..plan
        });
    }
    assert_eq!(world.pods().filter(|p| p.slot == relay(3)).count(), 4);
}

#[test]
fn a_name_of_another_owner_is_told_and_after_a_minute_needs_a_person() {
    let mut world = world_at(Tier::K10, -60);
    world.recent.setbacks = vec![Setback {
        kind: SetbackKind::Conflict,
        object: "Service q3-keynote-origin".to_owned(),
        message: "owned by Deployment web".to_owned(),
        retry_at: world.now + secs(30),
    }];
    let mut input = world.input();
    let first = plan(&input);
    let ready = said(&first, ConditionType::Ready);
    assert_eq!((ready.truth, ready.reason), (Truth::False, Reason::NameConflict));
    assert_eq!(
        ready.message,
        "Service q3-keynote-origin belongs to another owner (owned by Deployment web). Rename the Webinar or remove that object."
    );
    assert!(
        first
            .status
            .conditions
            .iter()
            .all(|c| c.kind != ConditionType::Stalled)
    );
    assert!(first.create.is_empty() && first.delete.is_empty());
    input.webinar.refused_since = Some(input.now - secs(59));
    assert_eq!(plan(&input).next_wake, Some(input.now + secs(1)));
    input.webinar.refused_since = Some(input.now - secs(60));
    assert_eq!(
        said(&plan(&input), ConditionType::Stalled).reason,
        Reason::NameConflict
    );
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
fn lost_pods_are_called_lost_whatever_was_edited_before() {
    let lose = |world: &mut World| {
        (0..30).for_each(|i| world.lose(relay(i), true));
        world.kubelets();
        let plan = world.plan();
        let risk = said(&plan, ConditionType::CapacityAtRisk);
        (risk.reason, risk.message.clone())
    };
    let mut untouched = world_at(Tier::K100, 60);
    let mut longer = untouched.clone();
    longer.spec.duration = SignedDuration::from_mins(90);
    longer.reconcile(|_, _| {});
    let mut raised = untouched.clone();
    raised.spec.max_tier = Tier::K250;
    raised.spec.tier = Tier::K250;
    raised.reconcile(|_, _| {});
    assert_eq!(
        said(&raised.plan(), ConditionType::CapacityAtRisk).reason,
        Reason::TooLate
    );
    for world in [&mut untouched, &mut longer, &mut raised] {
        let (reason, message) = lose(world);
        assert_eq!(reason, Reason::PodsLost);
        assert!(message.contains("; 30 pods were lost. "), "{message}");
    }
}

#[test]
fn what_no_parent_can_feed_is_not_created_and_is_told_with_its_number() {
    let mut class = class(15);
    class.sizing.stage_pps = 2_500;
    class.sizing.fan_out = 100;
    let capacity = class.capacity(10);
    assert_eq!(
        (capacity.stage_max, capacity.mid_fan, capacity.mid_max),
        (70, 74, 108)
    );
    let mut world = World::new(
        class,
        spec(Tier::K50, Some(at(START))),
        at("2027-03-04T09:00:00Z"),
    );
    world.run_until(at(START) - secs(1200), |_, _| {});
    assert_eq!((world.alive(Role::Mid), world.alive(Role::Relay)), (0, 63));
    world.spec.tier = Tier::M1;
    world.spec.max_tier = Tier::M1;
    // 63 relays stay under the SFU, which leaves places for 7 of 18 mids, and those feed 756 of 1,149 relays.
    // It is known as soon as the raise is seen, before the waves get there.
    let told = "404 pods can't be fed";
    assert!(
        said(&world.plan(), ConditionType::CapacityAtRisk)
            .message
            .contains(told)
    );
    let plan = world.run_until(at(START) - secs(1), |_, _| {});
    assert_eq!((world.alive(Role::Mid), world.alive(Role::Relay)), (7, 63 + 756));
    let risk = said(&plan, ConditionType::CapacityAtRisk);
    let missing = "310,551 of 1,000,000 seats will be missing at 17:00Z.";
    assert!(
        risk.message.contains(told) && risk.message.contains(missing),
        "{}",
        risk.message
    );
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
    assert_eq!(plan(&input).delete.len(), 1);
    input.pods.clear();
    input.class = Err(ClassFinding {
        reason: Reason::ClassNotFound,
        message: "gone".to_owned(),
    });
    assert_eq!(plan(&input).status.phase, Some(Phase::Finished));
    assert_eq!(said(&plan(&input), ConditionType::Ready).truth, Truth::True);
}

#[test]
fn pods_stuck_on_lost_nodes_do_not_hold_the_run() {
    let mut input = world_at(Tier::K10, 10_800).input();
    assert_eq!(plan(&input).status.phase, Some(Phase::Draining));
    input.pods.truncate(1);
    input.pods[0].terminating = Some(input.now - SignedDuration::from_mins(5) + secs(1));
    let waiting = plan(&input);
    assert_eq!(waiting.status.phase, Some(Phase::Draining));
    assert_eq!(waiting.next_wake, Some(input.now + secs(1)));
    input.now += secs(1);
    assert_eq!(plan(&input).status.phase, Some(Phase::Finished));
}

#[test]
fn only_the_last_three_runs_are_remembered() {
    let mut input = world_at(Tier::K10, 60).input();
    input.remembered_runs = vec![2, 5, 1, 4, 3];
    assert_eq!(plan(&input).forget, [2, 1]);
}

#[test]
fn budgets_leave_two_percent_and_never_the_only_pod_of_a_room() {
    let budgets = |tier| {
        let plan = world_at(tier, -60).plan();
        let budgets = plan.fixtures.unwrap().budgets;
        budgets
            .iter()
            .map(|b| (b.role, b.min_available))
            .collect::<Vec<_>>()
    };
    assert_eq!(budgets(Tier::Room), [(Role::Sfu, 1)]);
    assert_eq!(
        budgets(Tier::K100),
        [(Role::Sfu, 2), (Role::Mid, 5), (Role::Relay, 121)]
    );
    let mut world = world_at(Tier::K10, -60);
    let class = class(15);
    world.class = Ok(webinar_plan::Class {
        budgets: false,
        ..class.clone()
    });
    let mut input = world.input();
    input.class = world.class.clone();
    assert!(plan(&input).fixtures.unwrap().budgets.is_empty());
}

#[test]
fn zone_names_give_each_slot_a_zone_and_a_mid_of_its_own() {
    let mut class = class(15);
    class.zones.0 = ["a", "b", "c"].map(str::to_owned).to_vec();
    let mut world = World::new(
        class,
        spec(Tier::K100, Some(at(START))),
        at("2027-03-04T09:00:00Z"),
    );
    world.now = at(START) - secs(1200);
    let plan = world.plan();
    assert_eq!(plan.create.len(), 132);
    for new in &plan.create {
        assert_eq!(
            new.zone.as_deref(),
            Some(["a", "b", "c"][new.slot.index as usize % 3])
        );
        if let Some(Parent::Mid(mid)) = new.parent {
            assert_eq!(mid % 3, new.slot.index % 3);
        }
    }
}

#[test]
fn a_suspended_run_keeps_what_stands_and_its_drains_begin_again() {
    let mut world = world_at(Tier::K10, 10_800);
    assert_eq!(world.phase(), Some(Phase::Draining));
    world.orders.suspend = true;
    world.run_until(world.now + SignedDuration::from_hours(1), |_, _| {});
    let held = world.plan();
    assert!(held.delete.is_empty() && held.fixtures.is_none() && held.forget.is_empty());
    let ready = said(&held, ConditionType::Ready);
    assert_eq!((ready.truth, ready.reason), (Truth::True, Reason::Suspended));
    world.orders.suspend = false;
    let resumed = world.now;
    world.run_until(resumed + secs(599), |_, _| {});
    assert_eq!(world.alive(Role::Relay), 15);
    world.run_until(resumed + secs(600), |_, _| {});
    assert_eq!(world.alive(Role::Relay), 0);
}

#[test]
fn a_refusal_is_told_even_while_suspended() {
    let mut world = world_at(Tier::K10, -60);
    world.orders.suspend = true;
    world.spec.tier = Tier::M1;
    world.spec.max_tier = Tier::M1;
    let mut input = world.input();
    input.class.as_mut().unwrap().max_tier = Tier::K100;
    let plan = plan(&input);
    let ready = said(&plan, ConditionType::Ready);
    assert_eq!(
        (ready.truth, ready.reason),
        (Truth::False, Reason::TierNotAllowed)
    );
    assert!(plan.create.is_empty());
}

#[test]
fn an_override_never_lowers_and_ends_at_its_instant() {
    let mut world = world_at(Tier::K10, 60);
    let mut order = Floor {
        relays: 5,
        reason: "all hands.".to_owned(),
        until: world.now + secs(100),
    };
    world.orders.floor = Some(order.clone());
    let plan = world.plan();
    assert!(plan.create.is_empty() && plan.cordon.is_empty() && plan.delete.is_empty());
    assert_eq!(plan.next_wake, Some(order.until));
    order.relays = 20;
    world.orders.floor = Some(order.clone());
    assert_eq!(world.plan().create.len(), 5);
    world.reconcile(|_, _| {});
    let plan = world.run_until(order.until, |_, _| {});
    assert!(plan.delete.is_empty() && plan.cordon.is_empty());
    assert_eq!(world.alive(Role::Relay), 20);
    // Within `maxPods`, whatever is asked for.
    let mut input = world_at(Tier::K10, 60).input();
    input.class.as_mut().unwrap().sizing.max_pods = 30;
    input.orders.floor = Some(Floor {
        relays: 4000,
        until: input.now + secs(1),
        ..order
    });
    assert_eq!(webinar_plan::plan(&input).create.len(), 30 - 17);
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
fn substitutes_come_only_when_more_pods_would_help_and_go_only_if_they_never_were_ready() {
    let mut world = World::new(
        class(15),
        spec(Tier::K10, Some(at(START))),
        at("2027-03-04T09:00:00Z"),
    );
    world.hung = (0..5).map(relay).collect();
    world.run_until(at(START) - secs(1500), |_, _| {});
    let created = world.slots()[&relay(0)].created;
    // nodeStartup, imagePull and a minute.
    let late = created + secs(360);
    let plan = world.run_until(late - secs(1), |_, _| {});
    assert_eq!(plan.next_wake, Some(late));
    world.now = late;
    world.kubelets();
    let spare: Vec<Slot> = world.plan().create.iter().map(|p| p.slot).collect();
    assert_eq!(spare, [relay(15), relay(16)]);

    let mut refused = world.input();
    refused.recent.setbacks = vec![Setback {
        kind: SetbackKind::Quota,
        object: "Pod x".to_owned(),
        message: "exceeded quota".to_owned(),
        retry_at: refused.now,
    }];
    assert!(plan_of(&refused).create.is_empty());
    let mut full = world.input();
    full.class.as_mut().unwrap().sizing.max_pods = 18;
    assert_eq!(plan_of(&full).create.len(), 1);

    world.reconcile(|_, _| {});
    let mut came = world.input();
    for index in 0..5 {
        pod(&mut came, relay(index)).ready = true;
    }
    let gone: Vec<Slot> = plan_of(&came).delete.iter().map(|r| r.slot).collect();
    assert_eq!(gone, [relay(15), relay(16)]);
    pod(&mut came, relay(15)).was_ready = true;
    assert_eq!(plan_of(&came).delete.len(), 1);
}

#[test]
fn a_mid_gets_another_try_only_if_a_pod_no_older_became_ready() {
    let mut input = world_at(Tier::K100, -600).input();
    let mid = pod(&mut input, Slot::new(Role::Mid, 2));
    (mid.ready, mid.was_ready) = (false, false);
    let plan = plan_of(&input);
    assert_eq!(plan.delete.len(), 1);
    assert_eq!(plan.delete[0].slot, Slot::new(Role::Mid, 2));
    // One that was Ready once may be feeding relays.
    pod(&mut input, Slot::new(Role::Mid, 2)).was_ready = true;
    assert!(plan_of(&input).delete.is_empty());
    // When no pod is Ready it is the world's fault, and a new pod would only begin from the start.
    for pod in &mut input.pods {
        (pod.ready, pod.was_ready) = (false, false);
    }
    assert!(plan_of(&input).delete.is_empty());
}

fn plan_of(input: &Input) -> Plan {
    plan(input)
}

#[test]
fn mids_that_a_lower_tier_has_no_use_for_keep_their_address_while_relays_name_them() {
    let mut world = world_at(Tier::K100, -600);
    let mids = |plan: &Plan| {
        let entries = &plan.fixtures.as_ref().unwrap().entries;
        let mid = |e: &&webinar_plan::Entry| matches!(e.kind, webinar_plan::EntryKind::Mid(_));
        entries.iter().filter(mid).count()
    };
    world.spec.tier = Tier::K10;
    let plan = world.reconcile(|_, _| {});
    // Every pod was Ready once, so everything stays.
    assert_eq!(
        (mids(&plan), world.alive(Role::Mid), world.alive(Role::Relay)),
        (6, 6, 123)
    );
    assert_eq!(plan.status.seats_desired, Some(10_000));
}
