//! What is said about a Webinar, and whether it is worth a write.

use jiff::{SignedDuration, Timestamp};
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

/// Numbers alone are written at most this often.
const QUIET: SignedDuration = SignedDuration::from_secs(15);

/// Numbers alone are written that soon when one has moved by this share of what is desired, percent.
const MOVED_PERCENT: i64 = 10;

/// Whatever else has changed is written at most this often: a fleet that stands still short of what is desired
/// must not be spoken of as it was on its way there.
const STALE: SignedDuration = SignedDuration::from_secs(30);

/// Whether a status is worth a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Write it.
    Now,
    /// Not before this instant.
    Later(Timestamp),
    /// Nothing that people need has changed.
    Nothing,
}

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

/// Judges whether `new` is worth a write over `old`, last written at `written`.
///
/// A phase, a run, a boundary or a verdict is written at once. Numbers and sentences wait for each other,
/// small steps longer than big ones and than a fleet that has settled.
pub(crate) fn worth(
    old: Option<&WebinarStatus>,
    new: &WebinarStatus,
    written: Option<Timestamp>,
    now: Timestamp,
) -> Worth {
    let Some(old) = old else { return Worth::Now };
    if old == new {
        return Worth::Nothing;
    }
    if without_numbers(old) != without_numbers(new) {
        return Worth::Now;
    }
    let settled = new
        .pools
        .iter()
        .all(|p| p.created == p.desired && p.ready == p.desired);
    let wait = if settled || moved(old, new) { QUIET } else { STALE };
    match written
        .and_then(|t| t.checked_add(wait).ok())
        .filter(|next| *next > now)
    {
        Some(next) => Worth::Later(next),
        None => Worth::Now,
    }
}

fn without_numbers(status: &WebinarStatus) -> WebinarStatus {
    let mut out = status.clone();
    out.pools.clear();
    out.capacity = None;
    for entry in &mut out.entry_points {
        entry.relays = None;
    }
    for condition in &mut out.conditions {
        condition.message.clear();
    }
    out
}

fn moved(old: &WebinarStatus, new: &WebinarStatus) -> bool {
    let far = |was: i32, is: i32, of: i32| {
        i64::from((was - is).abs()) * 100 >= i64::from(of.max(1)) * MOVED_PERCENT
    };
    let seats = match (&old.capacity, &new.capacity) {
        (Some(was), Some(is)) => {
            far(was.ready, is.ready, is.desired.max(was.ready)) || far(was.desired, is.desired, is.desired)
        }
        (was, is) => was.is_some() != is.is_some(),
    };
    seats
        || new.pools.iter().any(|is| {
            let Some(was) = old.pools.iter().find(|p| p.role == is.role) else {
                return true;
            };
            let of = is.desired.max(was.created);
            [
                (was.desired, is.desired),
                (was.created, is.created),
                (was.ready, is.ready),
                (was.draining, is.draining),
            ]
            .into_iter()
            .any(|(was, is)| was != is && far(was, is, of))
        })
}

#[cfg(test)]
mod tests {
    use webinar_api::{Phase, Role};

    use super::*;

    fn status(created: i32, ready: i32) -> WebinarStatus {
        WebinarStatus {
            phase: Some(Phase::Ramping),
            pools: vec![Pool {
                role: Role::Relay,
                desired: 100,
                created,
                ready,
                draining: 0,
            }],
            ..WebinarStatus::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_new_phase_is_written_at_once() {
        let new = WebinarStatus {
            phase: Some(Phase::Live),
            ..status(5, 0)
        };
        assert_eq!(worth(Some(&status(5, 0)), &new, Some(at(0)), at(1)), Worth::Now);
        assert_eq!(worth(None, &new, None, at(1)), Worth::Now);
    }

    #[test]
    fn small_steps_are_written_twice_a_minute() {
        let (old, new) = (status(50, 10), status(55, 19));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(20)), Worth::Later(at(30)));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(30)), Worth::Now);
    }

    #[test]
    fn a_sentence_about_a_fleet_that_stands_still_does_not_stay_as_it_was() {
        let said = |message: &str| {
            let mut status = status(100, 50);
            status.conditions = vec![Condition {
                type_: "CapacityAtRisk".to_owned(),
                status: "True".to_owned(),
                reason: "Unschedulable".to_owned(),
                message: message.to_owned(),
                observed_generation: Some(1),
                last_transition_time: Time(at(0)),
            }];
            status
        };
        let (old, new) = (
            said("2 relays are unschedulable"),
            said("50 relays are unschedulable"),
        );
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(1)), Worth::Later(at(30)));
        assert_eq!(
            worth(Some(&old), &old.clone(), Some(at(0)), at(99)),
            Worth::Nothing
        );
    }

    #[test]
    fn big_steps_wait_for_their_turn() {
        let (old, new) = (status(50, 10), status(60, 10));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(5)), Worth::Later(at(15)));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(15)), Worth::Now);
    }

    #[test]
    fn a_settled_fleet_is_written_however_small_the_step() {
        assert_eq!(
            worth(Some(&status(100, 99)), &status(100, 100), None, at(0)),
            Worth::Now
        );
    }
}
