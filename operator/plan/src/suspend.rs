//! Suspended: everything is judged, nothing is done.

use jiff::Timestamp;

use crate::input::{Input, Memory};
use crate::media::of_the_stage;
use crate::output::{Condition, ConditionType, Plan, Status, Truth};
use crate::phase::Phase;
use crate::reason::Reason;
use crate::view::View;

/// Takes note of when a run is suspended and when it goes on.
pub(crate) fn note_suspension(memory: &mut Memory, suspend: bool, now: Timestamp) {
    if suspend {
        memory.suspended_since.get_or_insert(now);
    } else if memory.suspended_since.take().is_some() {
        memory.resumed_at = Some(now);
    }
}

/// The same plan with nothing to do. What stands beside the pods stays as it is.
pub(crate) fn idle(plan: Plan) -> Plan {
    Plan {
        forget: Vec::new(),
        fixtures: None,
        create: Vec::new(),
        cordon: Vec::new(),
        waits: Vec::new(),
        disown: Vec::new(),
        uncordon: Vec::new(),
        delete: Vec::new(),
        ..plan
    }
}

/// The same plan of a run that is under way with nothing to do, except on air: media is what people came for, so its
/// addresses follow the stage, and the SFU that a failover left behind goes.
pub(crate) fn suspended(view: &View<'_>, plan: Plan) -> Plan {
    if !view.phase.on_air() {
        return held_back(plan);
    }
    let fence = plan.memory.as_ref().and_then(|m| m.failover.as_ref());
    let fence = fence.map(|f| f.fence.clone()).unwrap_or_default();
    let delete = plan.delete.iter().filter(|r| r.uid == fence).cloned().collect();
    let entries = plan.fixtures.iter().flat_map(|f| &f.entries);
    let reroute = entries.filter(|e| of_the_stage(e)).cloned().collect();
    Plan {
        delete,
        reroute,
        ..held_back(plan)
    }
}

/// The same plan with nothing to do, and `Ready` that says so. A refusal is told before it, and what is said
/// of seats at risk is what holds if the run goes on now.
pub(crate) fn held_back(plan: Plan) -> Plan {
    let mut plan = idle(plan);
    let conditions = &mut plan.status.conditions;
    let at = |kind| move |c: &&mut Condition| c.kind == kind;
    if let Some(ready) = conditions.iter_mut().find(at(ConditionType::Ready))
        && (ready.truth == Truth::True || ready.reason == Reason::CapacityAtRisk)
    {
        ready.message = format!(
            "Suspended: nothing is created, cordoned or deleted until `suspend` is false. The plan that is held back: {}",
            ready.message
        );
        (ready.truth, ready.reason) = (Truth::True, Reason::Suspended);
    }
    plan
}

/// What a run that was to begin now would be like; it is not begun.
pub(crate) fn unopened(opened: Plan, input: &Input, last_run: u32) -> Plan {
    let status = Status {
        phase: Some(Phase::Scheduled),
        run: last_run,
        pools: Vec::new(),
        addresses: Vec::new(),
        ..opened.status.clone()
    };
    Plan {
        memory: input.memory.clone(),
        reroute: Vec::new(),
        status,
        ..opened
    }
}
