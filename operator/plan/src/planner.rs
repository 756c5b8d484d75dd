//! The decision itself, step by step.

use jiff::{SignedDuration, Timestamp};

use crate::accept::{edit, next_run, servable};
use crate::conditions;
use crate::drain::{drain, removal};
use crate::entry::{budgets, entries};
use crate::fleet::{Creation, create};
use crate::input::{Class, Input, Memory, SetbackKind};
use crate::output::{Condition, ConditionType, EntryKind, Fixtures, Plan, Pool, Status, Truth};
use crate::phase::Phase;
use crate::ramp::Waves;
use crate::reason::Reason;
use crate::risk::{PATIENCE, View};
use crate::seats::Fleet;
use crate::slot::Role;
use crate::tier::{Capacity, Counts, Unservable};
use crate::time::after;
use crate::timeline::Schedule;

/// While anything can change by itself, the world is looked at again at least this often.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// Runs whose memory is kept.
const REMEMBERED_RUNS: usize = 3;

/// Decides everything about one Webinar at one instant.
pub fn plan(input: &Input) -> Plan {
    if input.webinar.deleting {
        return Plan::nothing(Status::silent());
    }
    let class = match &input.class {
        Ok(class) => class,
        Err(finding) => return refuse(input, finding.reason, &finding.message),
    };
    match &input.memory {
        Some(memory) if memory.active() => under_way(input, class, memory.clone()),
        Some(memory) if !asks_for_next_run(input, class, memory) => finished(input, class, memory),
        last => before_run(input, class, last.as_ref().map_or(0, |m| m.run)),
    }
}

/// A finished Webinar whose start was moved to the future gets its next run.
fn asks_for_next_run(input: &Input, class: &Class, last: &Memory) -> bool {
    let moved = input.spec.start.is_some_and(|start| start != last.accepted.start);
    moved && schedule_of(input, class, 0, None).end > input.now
}

fn before_run(input: &Input, class: &Class, last_run: u32) -> Plan {
    let spec = &input.spec;
    let (capacity, shape) = match servable(spec, class) {
        Ok(found) => found,
        Err(why) => return refuse(input, Reason::TierNotAllowed, &not_allowed(input, class, &why)),
    };
    let target = capacity.counts(spec.tier, &shape);
    let schedule = schedule_of(input, class, target.total(), None);
    let now = input.now;
    if last_run == 0 && now >= schedule.end {
        return expired(input, &schedule);
    }
    if now < schedule.ramp {
        let status = Status {
            phase: Some(Phase::Scheduled),
            run: last_run,
            tier: Some(spec.tier),
            seats_desired: Some(spec.tier.attendees()),
            seats_ready: Some(0),
            conditions: conditions::scheduled(&schedule, target, now),
            ..Status::silent()
        };
        let wake = schedule.ramp;
        return Plan {
            fixtures: Some(Fixtures::default()),
            next_wake: Some(wake),
            ..Plan::nothing(status.with_schedule(schedule))
        };
    }
    under_way(input, class, next_run(last_run + 1, spec, &schedule, shape, now))
}

fn expired(input: &Input, schedule: &Schedule) -> Plan {
    let created_in_time = input.webinar.created < schedule.end;
    let notice = created_in_time.then(|| {
        let text = "The event ended before the operator first saw it; nothing was created.";
        (Reason::Missed, text.to_owned())
    });
    let status = Status {
        phase: Some(Phase::Expired),
        tier: Some(input.spec.tier),
        conditions: conditions::over(Phase::Expired, schedule, None, input.now),
        notice,
        ..Status::silent()
    };
    Plan::nothing(status.with_schedule(schedule.clone()))
}

fn finished(input: &Input, class: &Class, memory: &Memory) -> Plan {
    let capacity = class.capacity(memory.accepted.spec.panelists);
    let target = capacity.counts(memory.accepted.spec.tier, &memory.shape);
    let schedule = run_schedule(input, class, memory, target);
    let lead = memory.ready_at.map(|t| schedule.start.duration_since(t));
    let status = Status {
        phase: Some(Phase::Finished),
        run: memory.run,
        tier: Some(memory.accepted.spec.tier),
        outcome: Some((memory.ready_at, lead)),
        conditions: conditions::over(Phase::Finished, &schedule, memory.finished_at, input.now),
        ..Status::silent()
    };
    let delete = input
        .pods
        .iter()
        .filter(|p| p.terminating.is_none())
        .map(removal)
        .collect();
    Plan {
        memory: Some(memory.clone()),
        forget: forgettable(input),
        fixtures: Some(Fixtures::default()),
        delete,
        ..Plan::nothing(status.with_schedule(schedule))
    }
}

/// A run: accept edits, move through the phases, fill or drain the fleet, judge.
fn under_way(input: &Input, class: &Class, opened: Memory) -> Plan {
    let now = input.now;
    let active_sfu = input.active_sfu.unwrap_or(0);
    let (mut memory, refusal) = accept_edit(input, class, opened);
    let capacity = class.capacity(memory.accepted.spec.panelists);
    let target = capacity.counts(memory.accepted.spec.tier, &memory.shape);
    let schedule = run_schedule(input, class, &memory, target);
    let fleet = Fleet::new(&input.pods, memory.run, active_sfu);
    let complete = fleet.complete(&memory, &capacity, target);
    let phase = advance(&mut memory, &schedule, complete, now);

    if phase == Phase::Draining {
        return draining(input, class, &capacity, memory, schedule, active_sfu);
    }
    let waves = waves_of(class, &schedule, &memory, target);
    let creation = create(
        &input.webinar,
        &memory,
        class,
        &capacity,
        &fleet,
        &waves,
        &input.recent,
        now,
    );
    let view = View {
        now,
        phase,
        memory: &memory,
        class,
        capacity: &capacity,
        fleet: &fleet,
        waves: &waves,
        schedule: &schedule,
        recent: &input.recent,
        unfed: creation.unfed,
    };
    let risk = view.risk();
    let mut verdicts = conditions::running(&view, complete, risk.as_ref(), conflict(input).as_deref());
    if let Some(why) = refusal {
        overrule_ready(&mut verdicts, &not_allowed(input, class, &why));
    }
    let wake = wake(input, &view, class);
    let entries = entries(&memory, target, active_sfu);
    let status = Status {
        phase: Some(phase),
        run: memory.run,
        tier: Some(memory.accepted.spec.tier),
        pools: pools(&fleet, target),
        seats_desired: Some(memory.accepted.spec.tier.attendees()),
        seats_ready: Some(fleet.seats(&memory, &capacity)),
        entry_relays: entry_relays(&fleet, &memory, &capacity, entries.iter().map(|e| e.kind)),
        conditions: verdicts,
        ..Status::silent()
    };
    let budgets = if class.budgets {
        budgets(&memory, target)
    } else {
        Vec::new()
    };
    let Creation { pods, unfed: _ } = creation;
    // An ended pod serves nobody, and a younger twin that isn't Ready has served nobody yet.
    let delete = fleet
        .ended
        .iter()
        .chain(fleet.surplus.iter().filter(|p| !p.ready))
        .map(|p| removal(p))
        .collect();
    Plan {
        forget: forgettable(input),
        fixtures: Some(Fixtures { entries, budgets }),
        create: pods,
        delete,
        next_wake: Some(wake),
        memory: Some(memory),
        ..Plan::nothing(status.with_schedule(schedule))
    }
}

fn draining(
    input: &Input,
    class: &Class,
    capacity: &Capacity,
    mut memory: Memory,
    schedule: Schedule,
    active_sfu: u32,
) -> Plan {
    let now = input.now;
    let out = drain(
        &input.pods,
        memory.shape.room,
        active_sfu,
        class.live.drain_timeout,
        now,
    );
    if out.empty {
        memory.finished_at = Some(now);
        return finished(input, class, &memory);
    }
    let target = capacity.counts(memory.accepted.spec.tier, &memory.shape);
    let fleet = Fleet::new(&input.pods, memory.run, active_sfu);
    let waves = waves_of(class, &schedule, &memory, target);
    let view = View {
        now,
        phase: Phase::Draining,
        memory: &memory,
        class,
        capacity,
        fleet: &fleet,
        waves: &waves,
        schedule: &schedule,
        recent: &input.recent,
        unfed: 0,
    };
    let entries = entries(&memory, target, active_sfu);
    let status = Status {
        phase: Some(Phase::Draining),
        run: memory.run,
        tier: Some(memory.accepted.spec.tier),
        pools: pools(&fleet, Counts::default()),
        seats_desired: Some(0),
        seats_ready: Some(fleet.seats(&memory, capacity)),
        conditions: conditions::running(&view, false, None, conflict(input).as_deref()),
        ..Status::silent()
    };
    let wake = out.next.unwrap_or(Timestamp::MAX).min(after(now, LOOK_AGAIN));
    Plan {
        forget: forgettable(input),
        // A drain is wanted: a budget would only hold up the machines' own drains.
        fixtures: Some(Fixtures {
            entries,
            budgets: Vec::new(),
        }),
        cordon: out.cordon,
        delete: out.delete,
        next_wake: Some(wake),
        memory: Some(memory),
        ..Plan::nothing(status.with_schedule(schedule))
    }
}

fn accept_edit(input: &Input, class: &Class, opened: Memory) -> (Memory, Option<Unservable>) {
    if opened.draining_since.is_some() {
        return (opened, None);
    }
    let capacity = class.capacity(opened.accepted.spec.panelists);
    let target = capacity.counts(opened.accepted.spec.tier, &opened.shape);
    let schedule = run_schedule(input, class, &opened, target);
    let waves = waves_of(class, &schedule, &opened, target);
    edit(&opened, &input.spec, class, &waves, input.now)
}

/// Moves the run through every boundary that has passed, and says where it stands.
fn advance(memory: &mut Memory, schedule: &Schedule, complete: bool, now: Timestamp) -> Phase {
    if complete && memory.draining_since.is_none() {
        memory.ready_at.get_or_insert(now);
    }
    if now >= schedule.start {
        memory.live_since.get_or_insert(now);
    }
    if memory.live_since.is_some() && now >= schedule.release {
        memory.draining_since.get_or_insert(now);
    }
    match memory {
        Memory {
            draining_since: Some(_),
            ..
        } => Phase::Draining,
        Memory {
            live_since: Some(_), ..
        } if now >= schedule.end => Phase::Overrun,
        Memory {
            live_since: Some(_), ..
        } => Phase::Live,
        Memory {
            ready_at: Some(_), ..
        } => Phase::Armed,
        _ => Phase::Ramping,
    }
}

fn waves_of(class: &Class, schedule: &Schedule, memory: &Memory, target: Counts) -> Waves {
    if memory.shape.room {
        let at_once = crate::input::Ramp {
            wave_size: u32::MAX,
            ..class.ramp.clone()
        };
        return Waves::new(
            &at_once,
            schedule,
            memory.accepted.since,
            memory.accepted.base,
            target,
        );
    }
    Waves::new(
        &class.ramp,
        schedule,
        memory.accepted.since,
        memory.accepted.base,
        target,
    )
}

fn schedule_of(input: &Input, class: &Class, pods: u32, pinned: Option<Timestamp>) -> Schedule {
    Schedule::new(
        &input.webinar.key(),
        &input.spec,
        class,
        pods,
        input.webinar.created,
        pinned,
    )
}

fn run_schedule(input: &Input, class: &Class, memory: &Memory, target: Counts) -> Schedule {
    let accepted = &memory.accepted;
    let key = input.webinar.key();
    let pods = target.total();
    let schedule = Schedule::new(
        &key,
        &accepted.spec,
        class,
        pods,
        input.webinar.created,
        Some(accepted.start),
    );
    if memory.live_since.is_some() {
        schedule.ending_not_before(accepted.since)
    } else {
        schedule
    }
}

/// The earliest instant at which this plan could come out differently by itself.
fn wake(input: &Input, view: &View<'_>, class: &Class) -> Timestamp {
    let now = input.now;
    let schedule = view.schedule;
    let settle = class.ramp.settle.total();
    let late = view
        .fleet
        .occupants()
        .filter(|p| !p.ready)
        .map(|p| after(after(p.created, settle), PATIENCE));
    let trouble = view
        .fleet
        .occupants()
        .filter_map(|p| p.trouble.as_ref())
        .map(|t| after(t.since, PATIENCE));
    let retry = input.recent.setbacks.iter().map(|s| s.retry_at);
    [schedule.start, schedule.end, schedule.release]
        .into_iter()
        .chain(view.waves.next_after(now))
        .chain(late)
        .chain(trouble)
        .chain(retry)
        .filter(|t| *t > now)
        .fold(after(now, LOOK_AGAIN), Timestamp::min)
}

fn pools(fleet: &Fleet<'_>, target: Counts) -> Vec<Pool> {
    Role::ALL
        .into_iter()
        .map(|role| Pool {
            role,
            desired: target.of(role),
            created: fleet.count(role, |_| true),
            ready: fleet.count(role, |p| p.ready && p.accepting),
            draining: fleet.count(role, |p| p.drain_started.is_some()),
        })
        .collect()
}

fn entry_relays(
    fleet: &Fleet<'_>,
    memory: &Memory,
    capacity: &Capacity,
    kinds: impl Iterator<Item = EntryKind>,
) -> Vec<(EntryKind, u32)> {
    kinds
        .filter_map(|kind| match kind {
            EntryKind::Viewers(_) if memory.shape.room => Some((kind, 0)),
            EntryKind::Viewers(shard) => Some((kind, fleet.behind(shard, memory, capacity.zones()))),
            EntryKind::Ingest | EntryKind::Sfu(_) => Some((kind, 0)),
            EntryKind::Origin | EntryKind::Mid(_) => None,
        })
        .collect()
}

fn forgettable(input: &Input) -> Vec<u32> {
    let mut runs = input.remembered_runs.clone();
    runs.sort_unstable_by(|a, b| b.cmp(a));
    runs.split_off(REMEMBERED_RUNS.min(runs.len()))
}

fn conflict(input: &Input) -> Option<String> {
    let clash = input
        .recent
        .setbacks
        .iter()
        .find(|s| s.kind == SetbackKind::Conflict)?;
    Some(format!(
        "{} belongs to another owner ({}). Rename the Webinar or remove that object.",
        clash.object, clash.message
    ))
}

fn not_allowed(input: &Input, class: &Class, why: &Unservable) -> String {
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

fn overrule_ready(verdicts: &mut [Condition], message: &str) {
    for verdict in verdicts.iter_mut().filter(|c| c.kind == ConditionType::Ready) {
        verdict.truth = Truth::False;
        verdict.reason = Reason::TierNotAllowed;
        verdict.message = format!("{message} The spec accepted before stays in force.");
    }
}

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

impl Plan {
    /// A plan that does nothing but speak.
    fn nothing(status: Status) -> Self {
        Self {
            memory: None,
            forget: Vec::new(),
            fixtures: None,
            create: Vec::new(),
            cordon: Vec::new(),
            delete: Vec::new(),
            status,
            next_wake: None,
        }
    }
}

impl Status {
    /// Nothing to say.
    fn silent() -> Self {
        Self {
            phase: None,
            run: 0,
            tier: None,
            schedule: None,
            pools: Vec::new(),
            seats_desired: None,
            seats_ready: None,
            entry_relays: Vec::new(),
            outcome: None,
            conditions: Vec::new(),
            notice: None,
        }
    }

    fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }
}
