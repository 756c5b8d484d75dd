//! Looks over the shoulder of every decision: what was decided, which branches were taken, and with a mutation what would be
//! decided without one protection.

use std::sync::Arc;

use tokio::sync::mpsc;
use webinar_operator::replica::Decide;
use webinar_plan::{Input, Plan};

use crate::cover::Cover;
use crate::world::{Key, Shared, locked};

/// [`webinar_plan::plan`], watched.
pub(crate) fn decide(world: Shared, replica: usize, decided: mpsc::UnboundedSender<Key>) -> Decide {
    Arc::new(move |input| {
        let mutation = locked(&world).mutation;
        let plan = match mutation {
            Some(mutation) => mutation.plan(input),
            None => webinar_plan::plan(input),
        };
        let mut world = locked(&world);
        world.decides(input);
        reach(&mut world.cover, input, &plan);
        let now = world.now;
        world
            .story
            .tell_decision(now, replica, &input.webinar.uid, || summary(input, &plan));
        let key = (input.webinar.namespace.clone(), input.webinar.name.clone());
        // Nobody listens to one that was killed.
        let _ = decided.send(key);
        plan
    })
}

/// Which branches were taken.
fn reach(cover: &mut Cover, input: &Input, plan: &Plan) {
    cover.reach("operator", "decision");
    if let Some(phase) = plan.status.phase {
        cover.reach("phase", phase.as_str());
    }
    for condition in &plan.status.conditions {
        cover.reach("reason", condition.reason.as_str());
    }
    for notice in &plan.status.notices {
        cover.reach("notice", notice.subject.reason.as_str());
    }
    for removal in &plan.delete {
        cover.reach("removal", removal.reason.as_str());
    }
    for drain in &plan.cordon {
        cover.reach("cordon", drain.why.as_str());
    }
    for setback in &input.recent.setbacks {
        cover.reach("setback", &format!("{:?}", setback.kind));
    }
    let memory = plan.memory.as_ref();
    for (what, is) in [
        ("create", !plan.create.is_empty()),
        ("slow start", plan.slow_start),
        ("reroute", !plan.reroute.is_empty()),
        ("disown", !plan.disown.is_empty()),
        ("uncordon", !plan.uncordon.is_empty()),
        ("forget", !plan.forget.is_empty()),
        ("failover", memory.is_some_and(|m| m.failover.is_some())),
        ("postponed", memory.is_some_and(|m| m.postponed_at.is_some())),
        ("suspended", memory.is_some_and(|m| m.suspended_since.is_some())),
        ("resumed", memory.is_some_and(|m| m.resumed_at.is_some())),
        ("incident", memory.is_some_and(|m| m.incidents.total > 0)),
        ("second run", memory.is_some_and(|m| m.run > 1)),
        ("stand-in", !input.routes.stand_ins.is_empty()),
        ("strangers", !input.strangers.is_empty()),
        ("neighbours", !input.neighbours.is_empty()),
        ("vanished", !input.recent.vanished.is_empty()),
        ("order", input.orders.floor.is_some()),
        ("skew", input.skew.abs() > webinar_plan::MOST_SKEW),
    ] {
        if is {
            cover.reach("branch", what);
        }
    }
}

/// In one line, without what changes all the time.
fn summary(input: &Input, plan: &Plan) -> String {
    let named = |names: Vec<String>| match names.len() {
        0..=4 => names.join(" "),
        n => format!("{} … ({n})", names[..3].join(" ")),
    };
    let phase = plan.status.phase.map_or("-", webinar_plan::Phase::as_str);
    let mut out = format!("{}/{}: {phase}", input.webinar.namespace, input.webinar.name);
    let reason = plan.status.conditions.first().map(|c| c.reason.as_str());
    if let Some(reason) = reason.filter(|r| *r != phase) {
        out.push_str(&format!(" ({reason})"));
    }
    for (what, names) in [
        ("create", plan.create.iter().map(|p| p.name.clone()).collect()),
        (
            "cordon",
            plan.cordon
                .iter()
                .map(|p| format!("{}:{}", p.name, p.why.as_str()))
                .collect(),
        ),
        ("disown", plan.disown.iter().map(|p| p.name.clone()).collect()),
        ("uncordon", plan.uncordon.iter().map(|p| p.name.clone()).collect()),
        (
            "delete",
            plan.delete
                .iter()
                .map(|r| format!("{}:{}", r.slot, r.reason.as_str()))
                .collect::<Vec<_>>(),
        ),
    ] {
        if !names.is_empty() {
            out.push_str(&format!(", {what} {}", named(names)));
        }
    }
    out
}
