//! What people order, and what they are refused.

use jiff::SignedDuration;
use webinar_plan::{ConditionType, Floor, Phase, Reason, Role, Setback, SetbackKind, Tier, Truth, plan};

use crate::world::secs;
use crate::{said, world_at};

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
