//! What is said about a Webinar, and whether it is worth a write.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;
use webinar_api::{
    Admission, Attended, Capacity, EntryPoint, Outcome, Pool, Revision, Schedule, Webinar, WebinarStatus,
    labels,
};
use webinar_plan as plan;
use webinar_plan::Slot;

use crate::act::Applied;
use crate::convert::{api_phase, api_role, api_tier};
use crate::ownership::Owner;
use crate::validate::find;

/// The status after a pass: what was decided, and what came of it.
pub(crate) fn compose(
    webinar: &Webinar,
    owner: &Owner,
    said: &plan::Status,
    revision: Option<Revision>,
    applied: &Applied,
    now: Timestamp,
) -> WebinarStatus {
    let plan::Status {
        phase,
        run,
        tier,
        schedule,
        pools,
        seats_desired,
        seats_ready,
        attendance,
        admission,
        addresses,
        media: _,
        outcome,
        conditions,
        strangers: _,
        notices: _,
    } = said;
    let generation = webinar.metadata.generation;
    let before = webinar.status.as_ref().map_or(&[][..], |s| &s.conditions);
    WebinarStatus {
        observed_generation: generation,
        phase: phase.map(api_phase),
        run: Some(int(*run)).filter(|run| *run > 0),
        tier: tier.map(api_tier),
        schedule: schedule.as_ref().map(boundaries),
        pools: pools.iter().map(|p| pool(p, applied)).collect(),
        capacity: seats_desired.map(|desired| Capacity {
            desired: int(desired),
            ready: int(seats_ready.unwrap_or(0)),
        }),
        attendance: attendance.as_ref().map(attended),
        admission: admission.as_ref().map(admitted),
        entry_points: addresses.iter().map(|a| entry_point(owner, a)).collect(),
        revision,
        outcome: outcome.as_ref().map(how_it_went),
        conditions: conditions
            .iter()
            .map(|c| condition(c, before, generation, now))
            .collect(),
    }
}

fn int(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// As the API server stores it: a finer time would look like a change at every pass.
pub(crate) fn whole_seconds(t: Timestamp) -> Time {
    Time(Timestamp::from_second(t.as_second()).unwrap_or(t))
}

fn boundaries(schedule: &plan::Schedule) -> Schedule {
    let at = |t: Timestamp| Some(whole_seconds(t));
    Schedule {
        ramp_time: at(schedule.ramp),
        ready_by_time: at(schedule.ready_by),
        start_time: at(schedule.start),
        end_time: at(schedule.end),
        release_time: at(schedule.release),
    }
}

fn pool(pool: &plan::Pool, applied: &Applied) -> Pool {
    let slot = |pod: &k8s_openapi::api::core::v1::Pod| pod.labels().get(labels::SLOT)?.parse::<Slot>().ok();
    let created = applied
        .created
        .iter()
        .filter(|p| slot(p).is_some_and(|s| s.role == pool.role))
        .count();
    Pool {
        role: api_role(pool.role),
        desired: int(pool.desired),
        created: int(pool.created).saturating_add(i32::try_from(created).unwrap_or(i32::MAX)),
        ready: int(pool.ready),
        draining: int(pool.draining),
    }
}

fn attended(said: &plan::Attended) -> Attended {
    let plan::Attended {
        current,
        peak,
        observed,
    } = said;
    Attended {
        current: int(*current),
        peak: int(*peak),
        observed_time: Some(whole_seconds(*observed)),
    }
}

fn admitted(said: &plan::Admission) -> Admission {
    let plan::Admission {
        open,
        max_attendees,
        joins_per_second,
    } = said;
    Admission {
        open: *open,
        max_attendees: int(*max_attendees),
        joins_per_second: int(*joins_per_second),
    }
}

fn how_it_went(said: &plan::Outcome) -> Outcome {
    let plan::Outcome {
        ready_at,
        lead,
        peak,
        incidents,
    } = said;
    Outcome {
        ready_time: ready_at.map(whole_seconds),
        ready_lead_seconds: lead.map(|l| l.as_secs()),
        peak_attendees: peak.map(int),
        incidents: int(*incidents),
    }
}

fn entry_point(owner: &Owner, address: &plan::Address) -> EntryPoint {
    let plan::Address {
        kind,
        relays,
        joins_per_second,
    } = address;
    EntryPoint {
        name: kind.to_string(),
        service: format!("{}-{kind}", owner.name),
        relays: matches!(kind, plan::EntryKind::Viewers(_)).then(|| int(*relays)),
        joins_per_second: joins_per_second.map(int),
    }
}

/// `lastTransitionTime` moves only when the judgement does.
pub(crate) fn condition(
    said: &plan::Condition,
    before: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Condition {
    let status = said.truth.as_str();
    let since = find(before, said.kind.as_str())
        .filter(|c| c.status == status)
        .map(|c| c.last_transition_time.clone());
    Condition {
        type_: said.kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: said.reason.as_str().to_owned(),
        message: said.message.clone(),
        observed_generation: generation,
        last_transition_time: since.unwrap_or_else(|| whole_seconds(now)),
    }
}
