//! Single rules that no story shows.

#[path = "../world/mod.rs"]
mod world;

mod audience;
mod clocks;
mod extras;
mod failover;
mod flow;
mod health;
mod lost;
mod orders;
mod pods;
mod runs;
mod sharing;

use webinar_plan::{Condition, ConditionType, Input, Plan, Pod, Role, Slot, Tier};
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
