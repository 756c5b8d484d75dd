//! Conditions: what each judgement says, in whole sentences.

use jiff::{SignedDuration, Timestamp};

use crate::counted::{attended, counting};
use crate::extra::{ceiling, floor};
use crate::input::{Memory, SetbackKind};
use crate::lost::{Outlook, outlook};
use crate::output::{Condition, ConditionType, Truth};
use crate::phase::Phase;
use crate::postpone::released_at;
use crate::reason::Reason;
use crate::risk::Risk;
use crate::slot::Role;
use crate::tier::{Counts, Tier};
use crate::time::{after, counted, date_and_clock, grouped, is_are, later};
use crate::timeline::Schedule;
use crate::view::View;

/// How long a refusal stands before it says that a person is needed.
const STALLED_AFTER: SignedDuration = SignedDuration::from_secs(60);

pub(crate) fn condition(
    kind: ConditionType,
    truth: Truth,
    reason: Reason,
    message: impl Into<String>,
) -> Condition {
    Condition {
        kind,
        truth,
        reason,
        message: message.into(),
    }
}

fn nothing_missing() -> Condition {
    let text = "No seat is expected to be missing.";
    condition(ConditionType::CapacityAtRisk, Truth::False, Reason::OnPlan, text)
}

/// The verdict on what can't be done as asked, and from a minute on that a person is needed.
pub(crate) fn refused(
    reason: Reason,
    message: &str,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Vec<Condition> {
    let ready = condition(ConditionType::Ready, Truth::False, reason, message);
    let stands = since.is_some_and(|t| after(t, STALLED_AFTER) <= now);
    let stalled = stands.then(|| condition(ConditionType::Stalled, Truth::True, reason, message));
    [ready].into_iter().chain(stalled).collect()
}

/// When [`refused`] will change by itself.
pub(crate) fn refused_wake(since: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
    let due = after(since.unwrap_or(now), STALLED_AFTER);
    (due > now).then_some(due)
}

/// The verdicts before a run begins.
pub(crate) fn scheduled(tier: Tier, schedule: &Schedule, target: Counts) -> Vec<Condition> {
    let ramp = date_and_clock(schedule.ramp);
    let plan = format!(
        "{} for {} people will be created from {ramp} on and be Ready by {} for the start at {}.",
        counted(target.total(), "pod"),
        grouped(tier.attendees()),
        date_and_clock(schedule.ready_by),
        date_and_clock(schedule.start)
    );
    vec![
        condition(ConditionType::Ready, Truth::True, Reason::Scheduled, plan),
        condition(
            ConditionType::CapacityReady,
            Truth::False,
            Reason::NotStarted,
            format!("Nothing is created before {ramp}."),
        ),
        nothing_missing(),
    ]
}

/// The verdicts on an event whose ramp is due and that has to wait for others of its class.
pub(crate) fn held_up(message: &str, class: &str) -> Vec<Condition> {
    vec![
        condition(
            ConditionType::Ready,
            Truth::False,
            Reason::CapacityAtRisk,
            message,
        ),
        condition(
            ConditionType::CapacityReady,
            Truth::False,
            Reason::NotStarted,
            format!("Nothing is created before there is room in class {class}."),
        ),
        condition(
            ConditionType::CapacityAtRisk,
            Truth::True,
            Reason::QuotaExceeded,
            message,
        ),
    ]
}

/// The verdicts on an event that was first seen after its end.
pub(crate) fn expired(end: Timestamp) -> Vec<Condition> {
    let ready = format!(
        "The event ended at {}, before the operator first saw it. Nothing was created. Move `startTime` to the future to run it.",
        date_and_clock(end)
    );
    vec![
        condition(ConditionType::Ready, Truth::True, Reason::Expired, ready),
        condition(
            ConditionType::CapacityReady,
            Truth::False,
            Reason::NotStarted,
            "Nothing was created.",
        ),
        nothing_missing(),
    ]
}

/// The verdicts on a run that is over.
pub(crate) fn finished(memory: &Memory) -> Vec<Condition> {
    let at = memory
        .finished_at
        .map_or_else(String::new, |t| format!(" at {}", date_and_clock(t)));
    let ready = format!(
        "Run {} is over and everything was given back{at}. Move `startTime` to the future for the next run.",
        memory.run
    );
    vec![
        condition(ConditionType::Ready, Truth::True, Reason::Finished, ready),
        condition(
            ConditionType::CapacityReady,
            Truth::False,
            Reason::Released,
            "Capacity was given back after the event.",
        ),
        nothing_missing(),
    ]
}

/// The verdicts on a run that is under way.
///
/// `refusal` says why today's spec can't be taken in; the run goes on with the spec it has.
pub(crate) fn running(
    view: &View<'_>,
    unfed: u32,
    risk: Option<Risk>,
    refusal: Option<&str>,
) -> Vec<Condition> {
    let refused = match (conflict(view), refusal) {
        (Some(message), _) => refuse(view, Reason::NameConflict, &message),
        (None, Some(message)) => refuse(view, Reason::TierNotAllowed, message),
        (None, None) => Vec::new(),
    };
    // More people than `maxTier` is for are no reason to say that what was booked isn't ready.
    let fails = |risk: &&Risk| !view.phase.on_air() && risk.cause != Reason::AboveCeiling;
    let judged = refused
        .is_empty()
        .then(|| ready(view, unfed, risk.as_ref().filter(fails)));
    refused
        .into_iter()
        .chain(judged)
        .chain([capacity_ready(view), at_risk(risk), counting(view), pending(view)])
        .collect()
}

/// The verdicts while capacity is being given back. `next` is the start that waits for it.
pub(crate) fn draining(view: &View<'_>, left: u32, next: Option<Timestamp>) -> Vec<Condition> {
    let began = view.memory.draining_since.unwrap_or(view.input.now);
    let counts_from = view.memory.drain_counts_from(began);
    let deadline = after(counts_from, view.class.live.drain_timeout);
    let until = view.clock(deadline);
    let waits = next.map_or_else(String::new, |start| {
        format!(
            " The start at {} waits until everything is given back.",
            date_and_clock(start)
        )
    });
    let stay = if view.input.orders.suspend {
        let timeout = view.class.live.drain_timeout.as_secs();
        format!("viewers may stay for {timeout} seconds from when it goes on")
    } else if deadline <= view.input.now {
        format!("viewers could stay until {until}, and the pods are being deleted")
    } else {
        format!("viewers may stay until {until}")
    };
    let late = floor(view.input).map_or("", |_| " `override` comes too late to keep anything.");
    let message = format!(
        "{} {} left; {stay}.{late}{waits}",
        counted(left, "pod"),
        is_are(left)
    );
    let ready = conflict(view).map_or_else(
        || {
            vec![condition(
                ConditionType::Ready,
                Truth::True,
                Reason::Draining,
                message,
            )]
        },
        |conflict| refuse(view, Reason::NameConflict, &conflict),
    );
    let released = condition(
        ConditionType::CapacityReady,
        Truth::False,
        Reason::Released,
        if view.memory.live_since.is_some() {
            "Capacity is being given back after the event."
        } else {
            "Capacity is being given back, because the start was moved far away."
        },
    );
    ready
        .into_iter()
        .chain([released, nothing_missing(), counting(view)])
        .collect()
}

fn refuse(view: &View<'_>, reason: Reason, message: &str) -> Vec<Condition> {
    refused(reason, message, view.input.webinar.refused_since, view.input.now)
}

fn conflict(view: &View<'_>) -> Option<String> {
    let setbacks = &view.input.recent.setbacks;
    let clash = setbacks.iter().find(|s| s.kind == SetbackKind::Conflict)?;
    Some(format!(
        "{} belongs to another owner ({}). Rename the Webinar or remove that object.",
        clash.object,
        clash.message.trim_end_matches('.')
    ))
}

fn ready(view: &View<'_>, unfed: u32, risk: Option<&Risk>) -> Condition {
    if let Some(risk) = risk {
        return condition(
            ConditionType::Ready,
            Truth::False,
            Reason::CapacityAtRisk,
            risk.message.as_str(),
        );
    }
    let pods = view.pods_are_ready();
    let clock = |t| view.clock(t);
    let schedule = view.schedule;
    let (reason, message) = match view.phase {
        Phase::Armed => (Reason::Armed, armed(view)),
        Phase::Live => (
            Reason::Live,
            format!(
                "{pods}.{} The event is planned to end at {}.",
                attended(view),
                clock(schedule.end)
            ),
        ),
        Phase::Overrun => (
            Reason::Overrun,
            format!(
                "{pods}.{} The planned end at {} has passed; capacity stays until {} at the latest.",
                attended(view),
                clock(schedule.end),
                clock(schedule.release)
            ),
        ),
        // The other phases are judged elsewhere.
        Phase::Ramping | Phase::Scheduled | Phase::Draining | Phase::Finished | Phase::Expired => {
            (Reason::Ramping, ramping(view))
        }
    };
    let message = message + &postponed(view) + &ordered(view, unfed);
    condition(ConditionType::Ready, Truth::True, reason, message)
}

/// What becomes of a fleet whose start was moved far away, to be read after a sentence.
fn postponed(view: &View<'_>) -> String {
    released_at(view.memory, view.class, view.attendance).map_or_else(String::new, |until| {
        format!(
            " The start was moved far away: capacity stays until {}, because someone may be watching, and is created again from {} on.",
            date_and_clock(until),
            date_and_clock(view.schedule.ramp)
        )
    })
}

/// What an override asks for, to be read after a sentence.
fn ordered(view: &View<'_>, unfed: u32) -> String {
    let Some(floor) = floor(view.input) else {
        return String::new();
    };
    let why = floor.reason.trim().trim_end_matches('.');
    let until = view.clock(floor.until);
    let asked = counted(floor.relays, "relay");
    let hungry = match unfed {
        0 => String::new(),
        n => format!(
            " {} can't be fed, because every parent is full.",
            counted(n, "pod")
        ),
    };
    let may = ceiling(view.input, view.class, view.memory, view.waves.target());
    if view.memory.shape.room {
        format!(" `override` asks for {asked} until {until} ({why}); a room has none.")
    } else if floor.relays > may {
        let may = grouped(may);
        format!(
            " `override` asks for {asked} until {until} ({why}); at most {may} are possible in this run.{hungry}"
        )
    } else {
        format!(" `override` keeps at least {asked} until {until} ({why}).{hungry}")
    }
}

fn ramping(view: &View<'_>) -> String {
    let schedule = view.schedule;
    let clock = |t| view.clock(t);
    let expected = view.all_expected_at();
    let start = clock(schedule.start);
    let until = if later(expected, schedule.ready_by) {
        let planned = clock(schedule.ready_by);
        format!(
            "The last seats are expected at {}, later than planned ({planned}), for the start at {start}.",
            clock(expected)
        )
    } else if later(schedule.start, schedule.ready_by) {
        format!(
            "Everything must be Ready by {} for the start at {start}.",
            clock(schedule.ready_by)
        )
    } else {
        format!("Everything must be Ready for the start at {start}.")
    };
    let hurry = if view.waves.compressed(&view.class.ramp) {
        " Waves are closer together than the class asks for, because there is less time than planned."
    } else {
        ""
    };
    format!("{}. {until}{hurry}", view.pods_are_ready())
}

fn armed(view: &View<'_>) -> String {
    let start = view.clock(view.schedule.start);
    let since = view
        .memory
        .ready_at
        .map_or_else(String::new, |t| format!(" since {}", view.clock(t)));
    let missing = view.planned.total().saturating_sub(view.ready_pods());
    match missing {
        0 => format!("Every seat is Ready{since} and held for the start at {start}."),
        _ if view.complete() && view.size.grown > view.waves.target().relay => format!(
            "Every seat is Ready and held for the start at {start}. {}; the others are for more people than were booked.",
            view.pods_are_ready()
        ),
        _ if view.complete() => format!(
            "Every seat is Ready and held for the start at {start}. {}; the others are spares.",
            view.pods_are_ready()
        ),
        _ => {
            let others = match outlook(view) {
                Outlook::Replaced => "Replacements are being created",
                Outlook::Awaited => {
                    "Nodes have just stopped answering; replacements are created unless they come back soon"
                }
                Outlook::Kept => "The nodes of the others don't answer; they are kept in their places",
            };
            format!("{}. {others} for the start at {start}.", view.pods_are_ready())
        }
    }
}

fn capacity_ready(view: &View<'_>) -> Condition {
    let kind = ConditionType::CapacityReady;
    let (seats, wanted) = (view.seats(), view.wanted());
    if view.complete() {
        let all = if wanted < view.memory.accepted.spec.tier.attendees() {
            "Every seat that the audience needs is Ready.".to_owned()
        } else {
            format!("All {} seats are Ready.", grouped(wanted))
        };
        return condition(kind, Truth::True, Reason::AllReady, all);
    }
    let reason = if view.phase == Phase::Ramping {
        Reason::Ramping
    } else {
        Reason::Insufficient
    };
    let parents = |role, noun: &str| {
        let planned = view.waves.target().of(role);
        let ready = view.fleet.count(role, |p| p.ready).min(planned);
        (ready < planned).then(|| {
            let are = is_are(planned);
            format!(" {} of {} {are} Ready.", grouped(ready), counted(planned, noun))
        })
    };
    let mut message = format!(
        "{} of {} seats are Ready.",
        grouped(seats.min(wanted)),
        grouped(wanted)
    );
    message.extend(parents(Role::Sfu, "SFU"));
    message.extend(parents(Role::Mid, "mid"));
    condition(kind, Truth::False, reason, message)
}

/// Edits that the run under way can't take, because they would restart media or take away what people may use.
fn pending(view: &View<'_>) -> Condition {
    let (asked, has) = (&view.input.spec, &view.memory.accepted.spec);
    let edits = [
        ("`maxTier`", asked.max_tier < has.max_tier),
        ("`panelists`", asked.panelists != has.panelists),
        (
            "`startTime`",
            asked.start.is_some_and(|t| t != view.memory.accepted.start),
        ),
    ];
    let edits = edits
        .into_iter()
        .filter(|(_, waits)| *waits)
        .map(|(name, _)| name);
    let waiting: Vec<&str> = edits.chain(view.input.superseded.iter().copied()).collect();
    let kind = ConditionType::PendingChanges;
    if waiting.is_empty() {
        return condition(kind, Truth::False, Reason::None, "No edit waits.");
    }
    let verb = if waiting.len() == 1 { "waits" } else { "wait" };
    let message = format!(
        "{} {verb} for the next run: run {} goes on with what it has.",
        listed(&waiting),
        view.memory.run
    );
    condition(kind, Truth::True, Reason::LiveFreeze, message)
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

fn at_risk(risk: Option<Risk>) -> Condition {
    let kind = ConditionType::CapacityAtRisk;
    risk.map_or_else(nothing_missing, |risk| {
        condition(kind, Truth::True, risk.cause, risk.message)
    })
}
