//! The decision itself: which of an event's lives this is, and what is done outside of runs.

use jiff::{SignedDuration, Timestamp};

use crate::accept::{next_run, servable};
use crate::conditions;
use crate::drain::drain;
use crate::input::{Class, Input, Memory, Spec, Subject, Watch};
use crate::output::{Condition, Fixtures, MediaFigures, Notice, Outcome, Plan, Status};
use crate::phase::Phase;
use crate::reason::Reason;
use crate::run;
use crate::share::{HeldUp, held_up};
use crate::skew;
use crate::suspend::{held_back, idle, unopened};
use crate::tier::{Capacity, Shape, Unservable};
use crate::time::after;
use crate::timeline::Schedule;
use crate::warning::strangers;

/// Runs whose memory is kept.
const REMEMBERED_RUNS: usize = 3;

/// How soon an event looks again that waits for others to give their pods back.
const LOOK_FOR_ROOM: SignedDuration = SignedDuration::from_secs(30);

/// Decides everything about one Webinar at one instant.
pub fn plan(input: &Input) -> Plan {
    if input.webinar.deleting {
        return Plan::nothing(Status::silent());
    }
    let mut plan = decide(input);
    plan.status.strangers = input.strangers.len() as u32;
    plan.status.notices.extend(strangers(input));
    skew::tell(input, &mut plan);
    let standing = input.recent.standing(input.now);
    plan.waits = standing.map(|setback| setback.object.clone()).collect();
    plan
}

fn decide(input: &Input) -> Plan {
    match &input.memory {
        Some(memory) if memory.active() => match &input.class {
            Ok(class) => run::under_way(input, class, memory.clone()),
            Err(finding) => refuse(input, finding.reason, &finding.message),
        },
        Some(memory) if next_start(&input.spec, memory, input.now).is_none() => {
            finished(input, input.last_class.as_ref(), memory)
        }
        last => before_run(input, last.as_ref().map_or(0, |m| m.run)),
    }
}

/// The start of the next run: one that isn't this run's and that is not over yet.
pub(crate) fn next_start(spec: &Spec, last: &Memory, now: Timestamp) -> Option<Timestamp> {
    let start = spec.start?;
    let over = after(start, spec.duration) <= now;
    // A run that was given back before it went on air has not served its start.
    let open = start != last.accepted.start || last.live_since.is_none();
    (open && !over).then_some(start)
}

fn before_run(input: &Input, last_run: u32) -> Plan {
    // Pods of a later run than the last one remembered: its memory was lost, and it is not lowered for that.
    let lost_run = input.pods.iter().map(|p| p.run).filter(|r| *r > last_run).max();
    let fresh = last_run == 0 && lost_run.is_none();
    let (class, capacity, shape) = match resolve(input) {
        Ok(found) => found,
        Err(refusal) => {
            let end = input.spec.start.map(|start| after(start, input.spec.duration));
            return match end.filter(|end| fresh && *end <= input.now) {
                Some(end) => expired(input, end, None),
                None => refuse(input, refusal.0, &refusal.1),
            };
        }
    };
    let target = capacity.counts(input.spec.tier, &shape);
    let schedule = Schedule::new(
        &input.webinar.key(),
        &input.spec,
        class,
        target.total(),
        counted_from(input),
        None,
    );
    if fresh && input.now >= schedule.end {
        return expired(input, schedule.end, Some(schedule));
    }
    let due = input.now >= schedule.ramp;
    let held = held_up(input, class, schedule.start, target.total());
    if let Some(held) = held.filter(|_| due && lost_run.is_none()) {
        return waiting(input, class, last_run, &held, schedule);
    }
    if lost_run.is_some() || due {
        let run = lost_run.unwrap_or(last_run.saturating_add(1));
        let opened = next_run(run, &input.spec, &schedule, shape, input.now);
        let opened = run::under_way(input, class, opened);
        return if input.orders.suspend {
            unopened(opened, input, last_run)
        } else {
            opened
        };
    }
    let told = conditions::scheduled(input.spec.tier, &schedule, target);
    let next_wake = schedule.ramp;
    scheduled(input, last_run, Some(schedule), told, next_wake)
}

/// A run that has not begun.
fn scheduled(
    input: &Input,
    last_run: u32,
    schedule: Option<Schedule>,
    conditions: Vec<Condition>,
    next_wake: Timestamp,
) -> Plan {
    let status = Status {
        phase: Some(Phase::Scheduled),
        run: last_run,
        tier: Some(input.spec.tier),
        seats_desired: Some(input.spec.tier.attendees()),
        seats_ready: Some(0),
        schedule,
        conditions,
        ..Status::silent()
    };
    let plan = Plan {
        fixtures: Some(Fixtures::default()),
        next_wake: Some(next_wake),
        ..Plan::nothing(status)
    };
    if input.orders.suspend {
        held_back(plan)
    } else {
        plan
    }
}

/// A run that is due and for which its class has no room yet.
fn waiting(input: &Input, class: &Class, last_run: u32, held: &HeldUp<'_>, schedule: Schedule) -> Plan {
    // Without a start the event begins when there is room: times that move with every look would be told anew each time.
    let told = held.told(input.spec.tier, input.spec.start, input.now);
    let boundaries = [schedule.start, schedule.end].into_iter();
    let next_wake = boundaries
        .filter(|t| *t > input.now)
        .fold(after(input.now, LOOK_FOR_ROOM), Timestamp::min);
    let conditions = conditions::held_up(&told, &class.name);
    let told_schedule = input.spec.start.map(|_| schedule);
    scheduled(input, last_run, told_schedule, conditions, next_wake)
}

/// What an event without a start counts from: its creation, or now if it had a start that was removed.
fn counted_from(input: &Input) -> Timestamp {
    let had_start = input.webinar.phase_told == Some(Phase::Scheduled) && !input.orders.suspend;
    if had_start {
        input.now
    } else {
        input.webinar.created
    }
}

type Resolved<'a> = (&'a Class, Capacity, Shape);

fn resolve(input: &Input) -> Result<Resolved<'_>, (Reason, String)> {
    let class = input
        .class
        .as_ref()
        .map_err(|finding| (finding.reason, finding.message.clone()))?;
    let (capacity, shape) = servable(&input.spec, class)
        .map_err(|why| (Reason::TierNotAllowed, not_allowed(input, class, &why)))?;
    Ok((class, capacity, shape))
}

fn expired(input: &Input, end: Timestamp, schedule: Option<Schedule>) -> Plan {
    let subject = Subject {
        reason: Reason::Missed,
        moment: end,
    };
    // The status remembers across restarts; what it shows may be older than what was told last.
    let told = input.webinar.phase_told == Some(Phase::Expired) || input.recent.was_told(subject);
    let notice = (!told && input.webinar.created < end).then(|| Notice {
        subject,
        text: "The event ended before the operator first saw it; nothing was created.".to_owned(),
    });
    Plan::nothing(Status {
        phase: Some(Phase::Expired),
        tier: Some(input.spec.tier),
        schedule,
        conditions: conditions::expired(end),
        notices: notice.into_iter().collect(),
        ..Status::silent()
    })
}

/// A run that is over. What still turns up of it is drained as gently as everything before.
///
/// The class it had is needed for the boundaries alone: one that can't be read any more troubles nobody.
pub(crate) fn finished(input: &Input, class: Option<&Class>, memory: &Memory) -> Plan {
    let schedule = class.map(|class| run::schedule(input, class, memory));
    // A start that was moved on air is not the one that capacity had to be ready for.
    let began = memory
        .live_since
        .map_or(memory.accepted.start, |t| t.min(memory.accepted.start));
    let on_air = memory.live_since.is_some();
    let lead = memory
        .ready_at
        .filter(|_| on_air)
        .map(|t| began.duration_since(t));
    let status = Status {
        phase: Some(Phase::Finished),
        run: memory.run,
        tier: Some(memory.accepted.spec.tier),
        schedule,
        outcome: Some(Outcome {
            ready_at: memory.ready_at,
            lead,
            peak: memory.peak,
            incidents: memory.incidents.total,
        }),
        conditions: conditions::finished(memory),
        ..Status::silent()
    };
    let left = class.map(|class| drain(input, class, memory));
    let left = left.unwrap_or_default();
    let plan = Plan {
        memory: Some(memory.clone()),
        forget: forgettable(input),
        fixtures: Some(Fixtures::default()),
        cordon: left.cordon,
        delete: left.delete,
        next_wake: left.next,
        ..Plan::nothing(status)
    };
    // Everything is given back, suspended or not.
    if input.orders.suspend { idle(plan) } else { plan }
}

/// Nothing is done, and why.
fn refuse(input: &Input, reason: Reason, message: &str) -> Plan {
    let since = input.webinar.refused_since;
    let status = Status {
        run: input.memory.as_ref().map_or(0, |m| m.run),
        conditions: conditions::refused(reason, message, since, input.now),
        ..Status::silent()
    };
    Plan {
        memory: input.memory.clone(),
        next_wake: conditions::refused_wake(since, input.now),
        ..Plan::nothing(status)
    }
}

/// Runs older than the last few, whose memory may go.
pub(crate) fn forgettable(input: &Input) -> Vec<u32> {
    let mut runs = input.remembered_runs.clone();
    runs.sort_unstable_by(|a, b| b.cmp(a));
    runs.split_off(REMEMBERED_RUNS.min(runs.len()))
}

/// Why the tier that is asked for can't be had, naming the field to change.
pub(crate) fn not_allowed(input: &Input, class: &Class, why: &Unservable) -> String {
    let spec = &input.spec;
    let (field, tier) = if spec.max_tier > spec.tier {
        ("maxTier", spec.max_tier)
    } else {
        ("tier", spec.tier)
    };
    format!(
        "`{field}` {tier} can't be served by class {}: it {why}.",
        class.name
    )
}

impl Plan {
    /// A plan that does nothing but speak.
    pub(crate) fn nothing(status: Status) -> Self {
        Self {
            memory: None,
            forget: Vec::new(),
            fixtures: None,
            reroute: Vec::new(),
            create: Vec::new(),
            slow_start: false,
            cordon: Vec::new(),
            waits: Vec::new(),
            disown: Vec::new(),
            uncordon: Vec::new(),
            delete: Vec::new(),
            status,
            alarm: None,
            watch: Watch::default(),
            next_wake: None,
        }
    }
}

impl Status {
    /// Nothing to say.
    pub(crate) fn silent() -> Self {
        Self {
            phase: None,
            run: 0,
            tier: None,
            schedule: None,
            pools: Vec::new(),
            seats_desired: None,
            seats_ready: None,
            attendance: None,
            admission: None,
            addresses: Vec::new(),
            media: MediaFigures::default(),
            outcome: None,
            conditions: Vec::new(),
            strangers: 0,
            notices: Vec::new(),
        }
    }

    pub(crate) fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }
}
