//! A run under way: accept edits, move through the phases, fill or drain the fleet, judge.

use jiff::{SignedDuration, Timestamp};

use crate::accept::edit;
use crate::conditions;
use crate::drain::{drain, removal};
use crate::entry::{budgets, entries};
use crate::extra::{ceiling, floor, late_at, raised, unneeded};
use crate::fleet::{Creation, create};
use crate::input::{Class, Input, Memory};
use crate::output::{Entry, EntryKind, Fixtures, Named, Plan, Pool, Status};
use crate::phase::Phase;
use crate::planner::{finished, forgettable, next_start, not_allowed};
use crate::postpone::{self, goes_on, kept_from, released_at};
use crate::ramp::Waves;
use crate::seats::Fleet;
use crate::slot::Role;
use crate::suspend::{note_suspension, suspended};
use crate::tier::{Capacity, Counts};
use crate::time::{after, before};
use crate::timeline::Schedule;
use crate::tree::Parent;
use crate::view::{PATIENCE, View, active_sfu, complete};

/// While anything can change by itself, the world is looked at again at least this often.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// The plan for a run that has begun and has not finished.
pub(crate) fn under_way(input: &Input, class: &Class, opened: Memory) -> Plan {
    let (mut memory, refusal) = accept_edit(input, class, opened);
    let capacity = class.capacity(memory.accepted.spec.panelists);
    let target = target(&capacity, &memory);
    let schedule = schedule(input, class, &memory);
    let waves = waves(class, &schedule, &memory, target);
    let ceiling = ceiling(class, &memory, target);
    let planned = raised(target, floor(&input.orders, input.now), ceiling);
    let takes_back = memory.draining_since.is_none() && !input.orders.suspend;
    let fleet = Fleet::new(&input.pods, memory.run, takes_back);
    let ready = complete(input, &memory, &capacity, &fleet, target);
    let suspend = input.orders.suspend;
    note_suspension(&mut memory, suspend, input.now);
    let phase = advance(&mut memory, &schedule, input, class, ready);
    let view = View {
        input,
        phase,
        memory: &memory,
        class,
        capacity: &capacity,
        fleet: &fleet,
        waves: &waves,
        planned,
        schedule: &schedule,
    };
    let plan = if phase == Phase::Draining {
        draining(&view)
    } else {
        holding(&view, refusal.as_deref())
    };
    if suspend { suspended(plan) } else { plan }
}

/// Fills what is due and keeps what there is.
fn holding(view: &View<'_>, refusal: Option<&str>) -> Plan {
    let creation = create(view);
    let conditions = conditions::running(view, &creation, refusal);
    let status = status(view, view.planned, view.wanted());
    // An ended pod serves nobody, and a younger twin that isn't Ready has served nobody yet.
    let unready_twins = view.fleet.surplus.iter().filter(|p| !p.was_ready);
    let delete = view.fleet.ended.iter().chain(unready_twins).copied();
    let delete = delete.chain(unneeded(view)).map(removal).collect();
    // What a drain took out of its entry point is taken back in when the event goes on.
    let drained = view.fleet.occupants().filter(|p| p.drain_started.is_some());
    let uncordon = drained.map(|p| Named {
        name: p.name.clone(),
        uid: p.uid.clone(),
    });
    let uncordon = uncordon.collect();
    let next_wake = Some(wake(view, &creation));
    let Creation { pods, .. } = creation;
    Plan {
        memory: Some(view.memory.clone()),
        forget: forgettable(view.input),
        fixtures: Some(fixtures(view)),
        create: pods,
        uncordon,
        delete,
        next_wake,
        ..Plan::nothing(Status { conditions, ..status })
    }
}

/// Gives capacity back; the entry points and budgets stay until the last pod has gone.
fn draining(view: &View<'_>) -> Plan {
    let (input, now) = (view.input, view.input.now);
    let next_start = next_start(input, view.memory);
    let out = drain(
        &input.pods,
        view.memory,
        active_sfu(input),
        view.class.live.drain_timeout,
        now,
    );
    // A suspended run isn't closed: that would take its addresses away.
    if out.left == 0 && !input.orders.suspend {
        let memory = Memory {
            finished_at: Some(now),
            ..view.memory.clone()
        };
        // A start that has waited for this is planned right afterwards.
        let next_wake = next_start.map(|_| after(now, SignedDuration::from_secs(1)));
        return Plan {
            next_wake,
            ..finished(input, &memory)
        };
    }
    let conditions = conditions::draining(view, out.left, next_start);
    let status = status(view, Counts::default(), 0);
    let wake = out.next.unwrap_or(Timestamp::MAX).min(after(now, LOOK_AGAIN));
    Plan {
        memory: Some(view.memory.clone()),
        forget: forgettable(input),
        fixtures: Some(fixtures(view)),
        cordon: out.cordon,
        delete: out.delete,
        next_wake: Some(wake),
        ..Plan::nothing(Status { conditions, ..status })
    }
}

fn accept_edit(input: &Input, class: &Class, opened: Memory) -> (Memory, Option<String>) {
    let capacity = class.capacity(opened.accepted.spec.panelists);
    let schedule = schedule(input, class, &opened);
    let waves = waves(class, &schedule, &opened, target(&capacity, &opened));
    let (memory, refusal) = edit(&opened, &input.spec, class, &waves, &schedule, input.now);
    if opened.draining_since.is_some() {
        // As written: that an edit was seen now must not count as an extension.
        return if goes_on(&opened, &memory, &boundaries(input, class, &memory), input.now) {
            let held = Memory {
                draining_since: None,
                postponed_at: None,
                ..memory
            };
            (held, None)
        } else {
            (opened, None)
        };
    }
    let told = refusal.map(|why| {
        let accepted = opened.accepted.spec.tier;
        format!(
            "{} The spec accepted before, with tier {accepted}, stays in force.",
            not_allowed(input, class, &why)
        )
    });
    (memory, told)
}

/// Moves the run through every boundary that has passed, and says where it stands.
fn advance(memory: &mut Memory, schedule: &Schedule, input: &Input, class: &Class, complete: bool) -> Phase {
    let now = input.now;
    if complete && memory.draining_since.is_none() {
        memory.ready_at.get_or_insert(now);
    }
    if now >= schedule.start && memory.draining_since.is_none() {
        memory.live_since.get_or_insert(now);
    }
    if memory.draining_since.is_none() {
        postpone::note(memory, schedule, now);
    }
    let release = match memory.live_since {
        Some(_) => Some(schedule.release),
        None => released_at(memory, class, input.attendance),
    };
    if memory.suspended_since.is_none() && release.is_some_and(|t| now >= t) {
        memory.draining_since.get_or_insert(now);
    }
    if memory.draining_since.is_some() {
        Phase::Draining
    } else if memory.live_since.is_some() && now >= schedule.end {
        Phase::Overrun
    } else if memory.live_since.is_some() {
        Phase::Live
    } else if memory.ready_at.is_some() {
        Phase::Armed
    } else {
        Phase::Ramping
    }
}

fn target(capacity: &Capacity, memory: &Memory) -> Counts {
    capacity.counts(memory.accepted.spec.tier, &memory.shape)
}

/// The boundaries of a run. They never end before the instant the last edit was seen: who is watching is
/// not cut off by a slip of the pen.
pub(crate) fn schedule(input: &Input, class: &Class, memory: &Memory) -> Schedule {
    boundaries(input, class, memory).ending_not_before(memory.accepted.since)
}

/// The boundaries of a run as its spec has them.
fn boundaries(input: &Input, class: &Class, memory: &Memory) -> Schedule {
    let accepted = &memory.accepted;
    let capacity = class.capacity(accepted.spec.panelists);
    let pods = target(&capacity, memory).total();
    let start = Some(accepted.start);
    let key = input.webinar.key();
    Schedule::new(&key, &accepted.spec, class, pods, input.webinar.created, start)
}

fn waves(class: &Class, schedule: &Schedule, memory: &Memory, target: Counts) -> Waves {
    Waves::new(
        &class.ramp.of(&memory.shape),
        schedule,
        memory.accepted.since,
        memory.accepted.base,
        target,
    )
}

/// Slots that have an address: those of the tier, and mids of a larger one that are there or are named.
fn addressed(view: &View<'_>) -> Counts {
    let target = view.waves.target();
    let mids = view.input.pods.iter().filter(|p| p.run == view.memory.run);
    let mids = mids.filter_map(|p| match (p.slot.role, p.parent) {
        (Role::Mid, _) => Some(p.slot.index),
        (_, Some(Parent::Mid(index))) => Some(index),
        _ => None,
    });
    let there = mids.max().map_or(0, |index| index + 1);
    Counts {
        mid: target.mid.max(there),
        ..target
    }
}

fn fixtures(view: &View<'_>) -> Fixtures {
    let target = addressed(view);
    let budgets = if view.class.budgets {
        budgets(view.memory, view.planned)
    } else {
        Vec::new()
    };
    Fixtures {
        entries: entries(view.memory, target, active_sfu(view.input)),
        budgets,
    }
}

/// The numbers of a run; the verdicts are for the caller to add.
fn status(view: &View<'_>, desired: Counts, seats_desired: u32) -> Status {
    let entries = entries(view.memory, addressed(view), active_sfu(view.input));
    let status = Status {
        phase: Some(view.phase),
        run: view.memory.run,
        tier: Some(view.memory.accepted.spec.tier),
        pools: pools(view.fleet, desired),
        seats_desired: Some(seats_desired),
        seats_ready: Some(view.seats()),
        entry_relays: entry_relays(view, &entries),
        ..Status::silent()
    };
    status.with_schedule(view.schedule.clone())
}

/// The earliest instant at which this plan could come out differently by itself.
fn wake(view: &View<'_>, creation: &Creation) -> Timestamp {
    let now = view.input.now;
    let schedule = view.schedule;
    let unready = || view.fleet.occupants().filter(|p| !p.ready);
    let slow = unready().map(|p| after(view.expected_at(p), PATIENCE));
    let troubled = unready()
        .filter_map(|p| p.trouble.as_ref())
        .map(|t| view.patience_ends(t));
    let substitutes = unready().filter_map(|p| late_at(view, p));
    let patience = slow.chain(troubled).chain(substitutes);
    let retry = view.input.recent.setbacks.iter().map(|s| s.retry_at);
    let refused = view.input.webinar.refused_since;
    // What is created later than this can't be expected by the start.
    let too_late = after(
        before(schedule.start, view.settle()),
        SignedDuration::from_secs(1),
    );
    let too_late = view.input.orders.suspend.then_some(too_late);
    [schedule.start, schedule.end, schedule.release]
        .into_iter()
        .chain(view.waves.next_after(now))
        .chain(creation.coming.iter().map(|(slot, _)| view.waves.due(*slot)))
        .chain(floor(&view.input.orders, now).map(|floor| floor.until))
        .chain(released_at(view.memory, view.class, view.input.attendance))
        .chain([kept_from(schedule)])
        .chain(too_late)
        .chain(patience)
        .chain(retry)
        .chain(refused.and_then(|since| conditions::refused_wake(Some(since), now)))
        .filter(|t| *t > now)
        .fold(after(now, LOOK_AGAIN), Timestamp::min)
}

fn pools(fleet: &Fleet<'_>, desired: Counts) -> Vec<Pool> {
    Role::ALL
        .into_iter()
        .map(|role| Pool {
            role,
            desired: desired.of(role),
            created: fleet.count(role, |_| true),
            ready: fleet.count(role, |p| p.ready && p.accepting),
            draining: fleet.count(role, |p| p.drain_started.is_some()),
        })
        .collect()
}

/// Relays that take viewers, per address; origin and mids are addresses of ours, not of people.
fn entry_relays(view: &View<'_>, entries: &[Entry]) -> Vec<(EntryKind, u32)> {
    let memory = view.memory;
    let slots = view.fleet.occupants().filter(|p| p.slot.role == Role::Relay);
    let relays: Vec<u32> = slots
        .filter(|p| p.ready && p.accepting)
        .map(|p| p.slot.index)
        .collect();
    let highest = relays.iter().max().map_or(0, |i| i + 1);
    let shards = memory.shape.shards.of_slots(highest, view.capacity.zones());
    let behind = |shard| relays.iter().filter(|i| shards[**i as usize] == shard).count() as u32;
    entries
        .iter()
        .filter_map(|entry| match entry.kind {
            EntryKind::Viewers(shard) => Some((entry.kind, behind(shard))),
            EntryKind::Ingest | EntryKind::Sfu(_) => Some((entry.kind, 0)),
            EntryKind::Origin | EntryKind::Mid(_) => None,
        })
        .collect()
}
