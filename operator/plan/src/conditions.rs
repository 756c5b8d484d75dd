//! Conditions: what each judgement says, in whole sentences.

use jiff::{SignedDuration, Timestamp};

use crate::output::{Condition, ConditionType, Truth};
use crate::phase::Phase;
use crate::reason::Reason;
use crate::risk::{Risk, View};
use crate::tier::Counts;
use crate::time::{after, clock, grouped};
use crate::timeline::Schedule;

/// How long a refusal stands before it says that a person is needed.
const STALLED_AFTER: SignedDuration = SignedDuration::from_secs(60);

fn condition(kind: ConditionType, truth: Truth, reason: Reason, message: String) -> Condition {
    Condition {
        kind,
        truth,
        reason,
        message,
    }
}

/// The verdicts on an event that can't be served.
pub(crate) fn refused(
    reason: Reason,
    message: &str,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Condition> {
    let mut out = vec![condition(
        ConditionType::Ready,
        Truth::False,
        reason,
        message.to_owned(),
    )];
    if since.is_some_and(|t| after(t, STALLED_AFTER) <= now) {
        out.push(condition(
            ConditionType::Stalled,
            Truth::True,
            reason,
            message.to_owned(),
        ));
    }
    out
}

/// When [`refused`] will change by itself.
pub(crate) fn refused_wake(since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let due = after(since.unwrap_or(now), STALLED_AFTER);
    (due > now).then_some(due)
}

/// The verdicts before a run begins.
pub(crate) fn scheduled(schedule: &Schedule, target: Counts, now: Timestamp) -> Vec<Condition> {
    let pods = grouped(target.total());
    let (ramp, ready_by, start) = (
        clock(schedule.ramp, now),
        clock(schedule.ready_by, now),
        clock(schedule.start, now),
    );
    vec![
        condition(
            ConditionType::Ready,
            Truth::True,
            Reason::Scheduled,
            format!(
                "{pods} pods will be created from {ramp} on and be Ready by {ready_by} for the start at {start}."
            ),
        ),
        condition(
            ConditionType::CapacityReady,
            Truth::False,
            Reason::NotStarted,
            format!("Nothing is created before {ramp}."),
        ),
        condition(
            ConditionType::CapacityAtRisk,
            Truth::False,
            Reason::OnPlan,
            "No seat is expected to be missing.".to_owned(),
        ),
    ]
}

/// The verdicts on an event that is over.
pub(crate) fn over(
    phase: Phase,
    schedule: &Schedule,
    finished: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Condition> {
    let (reason, ready, capacity) = match (phase, finished) {
        (Phase::Expired, _) => (
            Reason::Expired,
            format!(
                "The event ended at {}, before the operator first saw it. Nothing was created. Move `startTime` to run it.",
                clock(schedule.end, now)
            ),
            (Reason::NotStarted, "Nothing was created.".to_owned()),
        ),
        (_, finished) => {
            let at = finished.map_or_else(String::new, |t| format!(" at {}", clock(t, now)));
            (
                Reason::Finished,
                format!(
                    "The run is over and everything was given back{at}. Move `startTime` to the future for the next run."
                ),
                (
                    Reason::Released,
                    "Capacity was given back after the event.".to_owned(),
                ),
            )
        }
    };
    vec![
        condition(ConditionType::Ready, Truth::True, reason, ready),
        condition(ConditionType::CapacityReady, Truth::False, capacity.0, capacity.1),
        condition(
            ConditionType::CapacityAtRisk,
            Truth::False,
            Reason::OnPlan,
            "No seat is expected to be missing.".to_owned(),
        ),
    ]
}

/// The verdicts on a run that is under way.
pub(crate) fn running(
    view: &View<'_>,
    complete: bool,
    risk: Option<&Risk>,
    conflict: Option<&str>,
) -> Vec<Condition> {
    vec![
        ready(view, risk, conflict),
        capacity_ready(view, complete),
        at_risk(risk),
    ]
}

fn ready(view: &View<'_>, risk: Option<&Risk>, conflict: Option<&str>) -> Condition {
    let (now, schedule) = (view.now, view.schedule);
    if let Some(message) = conflict {
        return condition(
            ConditionType::Ready,
            Truth::False,
            Reason::NameConflict,
            message.to_owned(),
        );
    }
    if let Some(risk) = risk.filter(|_| matches!(view.phase, Phase::Ramping | Phase::Armed)) {
        return condition(
            ConditionType::Ready,
            Truth::False,
            Reason::CapacityAtRisk,
            risk.message.clone(),
        );
    }
    let pods = view.pods_sentence();
    let (reason, message) = match view.phase {
        Phase::Ramping => {
            let until = clock(schedule.ready_by, now);
            let hurry = if view.waves.compressed(&view.class.ramp) {
                " Waves are closer together than the class asks for, because there is less time than planned."
            } else {
                ""
            };
            (
                Reason::Ramping,
                format!("{pods} Everything must be Ready by {until}.{hurry}"),
            )
        }
        Phase::Armed => {
            let early = view
                .memory
                .ready_at
                .map(|t| format!(" since {}", clock(t, now)))
                .unwrap_or_default();
            (
                Reason::Armed,
                format!(
                    "Every seat is Ready{early} and held for the start at {}.",
                    clock(schedule.start, now)
                ),
            )
        }
        Phase::Live => (
            Reason::Live,
            format!(
                "{pods} The event is planned to end at {}.",
                clock(schedule.end, now)
            ),
        ),
        Phase::Overrun => (
            Reason::Overrun,
            format!(
                "{pods} The planned end has passed; capacity stays until {} at the latest.",
                clock(schedule.release, now)
            ),
        ),
        Phase::Draining => {
            let left = view.fleet.occupants().count() as u32;
            (
                Reason::Draining,
                format!(
                    "{} pods are left; each may keep its viewers until its drain deadline.",
                    grouped(left)
                ),
            )
        }
        Phase::Scheduled | Phase::Finished | Phase::Expired => (Reason::Pending, String::new()),
    };
    condition(ConditionType::Ready, Truth::True, reason, message)
}

fn capacity_ready(view: &View<'_>, complete: bool) -> Condition {
    let wanted = grouped(view.memory.accepted.spec.tier.attendees());
    let seats = grouped(view.fleet.seats(view.memory, view.capacity));
    let kind = ConditionType::CapacityReady;
    match view.phase {
        Phase::Draining => condition(
            kind,
            Truth::False,
            Reason::Released,
            "Capacity is being given back after the event.".to_owned(),
        ),
        _ if complete => condition(
            kind,
            Truth::True,
            Reason::AllReady,
            format!("All {wanted} seats are Ready."),
        ),
        Phase::Ramping => condition(
            kind,
            Truth::False,
            Reason::Ramping,
            format!("{seats} of {wanted} seats are Ready."),
        ),
        _ => condition(
            kind,
            Truth::False,
            Reason::Insufficient,
            format!("{seats} of {wanted} seats are Ready."),
        ),
    }
}

fn at_risk(risk: Option<&Risk>) -> Condition {
    match risk {
        Some(risk) => condition(
            ConditionType::CapacityAtRisk,
            Truth::True,
            risk.cause,
            risk.message.clone(),
        ),
        None => condition(
            ConditionType::CapacityAtRisk,
            Truth::False,
            Reason::OnPlan,
            "No seat is expected to be missing.".to_owned(),
        ),
    }
}
