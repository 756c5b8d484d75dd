//! Pods beyond the plan, and pods that can't be had.

use webinar_plan::{
    ConditionType, Input, PodTrouble, Reading, Reason, Release, RemovalReason, Role, Setback, SetbackKind,
    Slot, Tier,
};

use crate::audience::everyone_tells;
use crate::world::{World, at, class, secs, spec};
use crate::{START, pod, relay, said, world_at};

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
    assert!(webinar_plan::plan(&refused).create.is_empty());
    let mut full = world.input();
    full.class.as_mut().unwrap().sizing.max_pods = 18;
    assert_eq!(webinar_plan::plan(&full).create.len(), 1);

    world.reconcile(|_, _| {});
    let mut came = world.input();
    for index in 0..5 {
        pod(&mut came, relay(index)).ready = true;
    }
    let gone = webinar_plan::plan(&came).delete;
    let gone: Vec<_> = gone.iter().map(|r| (r.slot, r.reason)).collect();
    assert_eq!(gone, [15, 16].map(|i| (relay(i), RemovalReason::Unneeded)));
    pod(&mut came, relay(15)).was_ready = true;
    assert_eq!(webinar_plan::plan(&came).delete.len(), 1);
}

#[test]
fn a_relay_that_hangs_has_one_substitute_even_where_the_fleet_follows_the_audience() {
    let mut world = world_at(Tier::K10, 1200);
    world.orders.release = Release::AfterPeak;
    let mut input = world.input();
    let hung = pod(&mut input, relay(7));
    hung.ready = false;
    // What the others carry needs every relay that was booked.
    everyone_tells(&mut input, Reading::Value(680));
    let created = |input: &Input| {
        let pods = webinar_plan::plan(input).create;
        pods.iter().map(|p| p.slot).collect::<Vec<Slot>>()
    };
    assert_eq!(created(&input), [relay(15)]);
    let mut substitute = pod(&mut input, relay(8)).clone();
    substitute.slot = relay(15);
    substitute.name = "event-relay-15-other".to_owned();
    substitute.uid = "another".to_owned();
    substitute.created = input.now;
    input.pods.push(substitute);
    everyone_tells(&mut input, Reading::Value(640));
    assert!(created(&input).is_empty(), "a substitute for a substitute");
}

#[test]
fn a_mid_gets_another_try_only_if_a_pod_no_older_became_ready() {
    let mut input = world_at(Tier::K100, -600).input();
    let mid = pod(&mut input, Slot::new(Role::Mid, 2));
    (mid.ready, mid.was_ready) = (false, false);
    let plan = webinar_plan::plan(&input);
    assert_eq!(plan.delete.len(), 1);
    assert_eq!(plan.delete[0].slot, Slot::new(Role::Mid, 2));
    assert_eq!(plan.delete[0].reason, RemovalReason::Retried);
    // One that was Ready once may be feeding relays.
    pod(&mut input, Slot::new(Role::Mid, 2)).was_ready = true;
    assert!(webinar_plan::plan(&input).delete.is_empty());
    // When no pod is Ready it is the world's fault, and a new pod would only begin from the start.
    for pod in &mut input.pods {
        (pod.ready, pod.was_ready) = (false, false);
    }
    assert!(webinar_plan::plan(&input).delete.is_empty());
}

#[test]
fn a_substitute_without_a_machine_does_not_hide_what_is_wrong() {
    let mut world = World::new(
        class(15),
        spec(Tier::K10, Some(at(START))),
        at("2027-03-04T09:00:00Z"),
    );
    world.hung = (0..5).map(relay).collect();
    world.room = 17;
    world.run_until(at(START) - secs(300), |_, _| {});
    assert_eq!(world.alive(Role::Relay), 17, "two substitutes");
    let mut input = world.input();
    for index in 0..5 {
        pod(&mut input, relay(index)).trouble = Some(PodTrouble {
            reason: Reason::ImagePull,
            message: "ImagePullBackOff".to_owned(),
            since: input.now - secs(600),
        });
    }
    let homeless = pod(&mut input, relay(15)).trouble.as_ref().map(|t| t.reason);
    assert_eq!(homeless, Some(Reason::Unschedulable));
    let plan = webinar_plan::plan(&input);
    let risk = said(&plan, ConditionType::CapacityAtRisk);
    assert_eq!(risk.reason, Reason::ImagePull, "{}", risk.message);
    assert!(
        risk.message.contains("5 relays can't pull the image"),
        "{}",
        risk.message
    );
}

#[test]
fn what_was_refused_is_not_created_before_its_time() {
    let mut input = world_at(Tier::K10, -600).input();
    let refused = |object: &str, retry_at| Setback {
        kind: SetbackKind::Conflict,
        object: object.to_owned(),
        message: "no owner".to_owned(),
        retry_at,
    };
    input.recent.setbacks = vec![
        refused("Service event-ingest", input.now + secs(1)),
        refused("Service event-origin", input.now),
    ];
    let plan = webinar_plan::plan(&input);
    assert_eq!(plan.waits, ["Service event-ingest"]);
    assert_eq!(plan.next_wake, Some(input.now + secs(1)));
}
