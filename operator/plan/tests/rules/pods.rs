//! Which pods there are, which go, and what they count for.

use jiff::SignedDuration;
use webinar_plan::{
    ConditionType, Parent, Phase, Plan, Reason, RemovalReason, Role, Slot, Stranger, Tier, Truth, plan,
};

use crate::world::{World, at, class, secs, spec};
use crate::{START, pod, relay, said, world_at};

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
    assert_eq!(
        (plan.delete[0].slot, plan.delete[0].reason),
        (relay(3), RemovalReason::Ended)
    );
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
    assert_eq!(
        (&found.delete[0].uid, found.delete[0].reason),
        (&twin.uid, RemovalReason::Surplus)
    );
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
fn more_than_a_quarter_of_a_fleet_is_replaced_slowly_at_first() {
    let mut ramp = World::new(
        class(15),
        spec(Tier::K10, Some(at(START))),
        at("2027-03-04T09:00:00Z"),
    );
    let armed = world_at(Tier::K10, -60);
    let all = u32::try_from(armed.pods().count()).unwrap();
    for (lost, slowly) in [(0, false), (all / 4, false), (all / 4 + 1, true)] {
        let mut world = armed.clone();
        (0..lost).for_each(|i| world.lose(relay(i), true));
        let plan = world.plan();
        assert_eq!(plan.create.len(), lost as usize);
        assert_eq!(plan.slow_start, slowly, "{lost} of {all}");
    }
    ramp.now = at(START) - secs(600);
    let plan = ramp.plan();
    assert!(plan.create.len() > 3 && !plan.slow_start, "nothing is replaced");
}

#[test]
fn the_shutdown_of_a_lost_pod_is_short() {
    let mut input = world_at(Tier::K10, 60).input();
    let lost = pod(&mut input, relay(2));
    (lost.lost, lost.accepting, lost.drain_started) = (true, false, Some(lost.created));
    lost.cut_off = true;
    let name = lost.name.clone();
    input.now += SignedDuration::from_hours(1);
    let plan = plan(&input);
    let gone: Vec<_> = plan.delete.iter().map(|r| (&r.name, r.reason, r.grace)).collect();
    assert_eq!(gone, [(&name, RemovalReason::Lost, Some(secs(60)))]);
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

#[test]
fn pods_of_others_change_nothing_but_what_is_told() {
    for moment in [-10_800, -2_000, -60, 1_800, 10_900, 20_000] {
        let mut input = world_at(Tier::K10, moment).input();
        let alone = plan(&input);
        input.strangers = ["b", "a"]
            .map(|name| Stranger {
                name: name.to_owned(),
                created: at(START),
            })
            .to_vec();
        let mut beside = plan(&input);
        let notices = std::mem::take(&mut beside.status.notices);
        assert_eq!(std::mem::take(&mut beside.status.strangers), 2);
        assert_eq!(beside, alone, "{moment} s after the start");
        let [notice] = &notices[..] else {
            panic!("{notices:?}");
        };
        assert_eq!(notice.subject.reason, Reason::ForeignPods);
        assert!(
            notice.text.contains("labelled as such: a and b."),
            "{}",
            notice.text
        );

        let told = (notice.subject.reason, notice.subject.moment);
        input.recent.told.extend([told]);
        assert!(plan(&input).status.notices.is_empty(), "told once");
        input.webinar.deleting = true;
        assert!(plan(&input).status.notices.is_empty());
    }
}
