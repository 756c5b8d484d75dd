//! A run under way: accept edits, move through the phases, fill or drain the fleet, judge.

use jiff::{SignedDuration, Timestamp};

use crate::accept::edit;
use crate::alarm::heard;
use crate::audience::{Attendance, State, look};
use crate::conditions;
use crate::drain::drain;
use crate::extra::{floor, unneeded};
use crate::figures::{fixtures, status};
use crate::fleet::{Creation, create};
use crate::follow::{Facts, size};
use crate::input::{Class, Cordon, Input, Memory, Watch};
use crate::lost::{disown, given_up};
use crate::media;
use crate::output::{Named, Plan, Status};
use crate::phase::Phase;
use crate::planner::{finished, forgettable, next_start, not_allowed};
use crate::postpone::{self, goes_on, released_at};
use crate::ramp::Waves;
use crate::removal::{Removal, RemovalReason};
use crate::risk::risk;
use crate::seats::Fleet;
use crate::share::held_up;
use crate::shrink::shrink;
use crate::suspend::{note_suspension, suspended};
use crate::tier::{Capacity, Counts};
use crate::time::after;
use crate::timeline::Schedule;
use crate::view::{View, complete};
use crate::wake::{LOOK_AGAIN, wake};
use crate::warning::warning;

/// The plan for a run that has begun and has not finished.
pub(crate) fn under_way(input: &Input, class: &Class, opened: Memory) -> Plan {
    let (mut memory, refusal) = accept_edit(input, class, opened);
    let capacity = class.capacity(memory.accepted.spec.panelists);
    let target = target(&capacity, &memory);
    let schedule = schedule(input, class, &memory);
    let waves = waves(class, &schedule, &memory, target);
    let takes_back = memory.draining_since.is_none() && !input.orders.suspend;
    let fleet = Fleet::new(&input.pods, memory.run, takes_back);
    let booked = memory.accepted.spec.tier.attendees();
    let ready = complete(input, &memory, &capacity, &fleet, target, booked);
    let suspend = input.orders.suspend;
    note_suspension(&mut memory, suspend, input.now);
    let (attendance, mut state) = look(input, class, &memory, &capacity);
    let phase = advance(&mut memory, &schedule, input, class, ready, &attendance);
    note_peak(&mut memory, input, phase, &attendance);
    let facts = Facts {
        input,
        class,
        capacity: &capacity,
        fleet: &fleet,
        schedule: &schedule,
        phase,
        attendance: &attendance,
    };
    let size = size(&facts, &mut memory, &mut state);
    let cut_off = input.recent.watch.cut_off.next(&fleet, input.now);
    let view = View {
        input,
        phase,
        memory: &memory,
        class,
        capacity: &capacity,
        fleet: &fleet,
        waves: &waves,
        planned: size.planned(),
        size: &size,
        schedule: &schedule,
        attendance: &attendance,
        cut_off: &cut_off,
    };
    let mut plan = if phase == Phase::Draining {
        draining(&view)
    } else {
        holding(&view, refusal.as_deref(), &mut state)
    };
    plan.watch.audience = state;
    plan.watch.cut_off = cut_off.clone();
    if suspend { suspended(&view, plan) } else { plan }
}

/// Fills what is due and keeps what there is.
fn holding(view: &View<'_>, refusal: Option<&str>, state: &mut State) -> Plan {
    let media = media::judge(view);
    let shrink = shrink(view, state);
    let creation = create(view);
    let (risk, alarm) = heard(view, risk(view, &creation));
    let mut conditions = conditions::running(view, creation.unfed, risk, refusal);
    conditions.push(media.condition.clone());
    let status = status(view, view.size.wanted, view.wanted());
    let notices = warning(view)
        .into_iter()
        .chain(media.notices.iter().cloned())
        .collect();
    // An ended pod serves nobody, and a younger twin that isn't Ready has served nobody yet.
    let unready_twins = view.fleet.surplus.iter().filter(|p| !p.was_ready);
    let ended = view
        .fleet
        .ended
        .iter()
        .map(|p| Removal::of(p, RemovalReason::Ended));
    let delete = ended
        .chain(unready_twins.map(|p| Removal::of(p, RemovalReason::Surplus)))
        .chain(unneeded(view))
        .chain(
            given_up(view)
                .into_iter()
                .map(|p| Removal::of(p, RemovalReason::Lost)),
        )
        .chain(
            shrink
                .delete
                .iter()
                .map(|p| Removal::of(p, RemovalReason::Shrunk)),
        )
        .chain(media.delete.iter().cloned())
        .collect();
    // What a drain took out of its entry point is taken back in when the event goes on.
    let drained = view.fleet.occupants().filter(|p| p.drain_started.is_some());
    let drained = drained.filter(|p| p.cordoned_for == Cordon::Drain);
    let uncordon = drained.chain(shrink.take_back).map(|p| Named {
        name: p.name.clone(),
        uid: p.uid.clone(),
    });
    let uncordon = uncordon.chain(media.uncordon.iter().cloned()).collect();
    let next_wake = Some(wake(view, &creation, alarm.as_ref(), shrink.next).min(media.wake()));
    let Creation { pods, replaced, .. } = creation;
    Plan {
        fixtures: Some(media.lead(fixtures(view))),
        memory: Some(media.memory),
        forget: forgettable(view.input),
        create: pods,
        slow_start: mass_loss(replaced, view.planned),
        cordon: media.cordon.into_iter().chain(shrink.cordon).collect(),
        waits: Vec::new(),
        disown: disown(view),
        uncordon,
        delete,
        alarm,
        watch: Watch {
            media: media.state,
            ..Watch::default()
        },
        next_wake,
        ..Plan::nothing(Status {
            conditions,
            notices,
            media: media.figures,
            ..status
        })
    }
}

/// Gives capacity back; the entry points and budgets stay until the last pod has gone.
fn draining(view: &View<'_>) -> Plan {
    let (input, now) = (view.input, view.input.now);
    let next_start = next_start(&input.spec, view.memory, now);
    let out = drain(input, view.class, view.memory);
    // A suspended run isn't closed: that would take its addresses away.
    if out.left == 0 && !input.orders.suspend {
        let memory = Memory {
            finished_at: Some(now),
            peak: view.memory.peak.max(view.attendance.most),
            ..view.memory.clone()
        };
        // A start that has waited for this is planned right afterwards.
        let next_wake = next_start.map(|_| after(now, SignedDuration::from_secs(1)));
        return Plan {
            next_wake,
            ..finished(input, Some(view.class), &memory)
        };
    }
    let mut conditions = conditions::draining(view, out.left, next_start);
    conditions.push(media::not_live());
    let status = status(view, Counts::default(), 0);
    let missed = next_start.map(|start| after(start, input.spec.duration));
    let wake = out
        .next
        .into_iter()
        .chain(missed)
        .chain(floor(input).map(|floor| floor.until))
        .chain(view.attendance.next)
        .fold(after(now, LOOK_AGAIN), Timestamp::min);
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
        return if goes_on(&opened, &memory, &boundaries(input, class, &memory), input) {
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
    let before = target(&capacity, &opened).total();
    let asked = target(&capacity, &memory).total();
    let crowded = held_up(input, class, memory.accepted.start, asked).filter(|_| asked > before);
    let memory = if crowded.is_some() { opened.clone() } else { memory };
    let why = match (refusal, crowded) {
        (Some(why), _) => Some(not_allowed(input, class, &why)),
        (None, Some(held)) => Some(format!("{}: {asked} don't fit in.", held.why())),
        (None, None) => None,
    };
    let told = why.map(|why| {
        let accepted = opened.accepted.spec.tier;
        format!("{why} The spec accepted before, with tier {accepted}, stays in force.")
    });
    (memory, told)
}

/// Moves the run through every boundary that has passed, and says where it stands.
fn advance(
    memory: &mut Memory,
    schedule: &Schedule,
    input: &Input,
    class: &Class,
    complete: bool,
    attendance: &Attendance,
) -> Phase {
    let (now, surely) = (input.now, input.surely());
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
        Some(_) if attendance.over(schedule.end, surely) => Some(schedule.end),
        Some(_) => Some(schedule.release),
        None => released_at(memory, class, attendance),
    };
    if memory.suspended_since.is_none() && release.is_some_and(|t| surely >= t) {
        memory.draining_since.get_or_insert(now);
    }
    if memory.draining_since.is_some() {
        Phase::Draining
    } else if memory.live_since.is_some() && surely >= schedule.end {
        Phase::Overrun
    } else if memory.live_since.is_some() {
        Phase::Live
    } else if memory.ready_at.is_some() {
        Phase::Armed
    } else {
        Phase::Ramping
    }
}

/// Takes note of the most viewers there were: when there were many more than noted, and with each phase.
fn note_peak(memory: &mut Memory, input: &Input, phase: Phase, attendance: &Attendance) {
    let Some(most) = attendance
        .most
        .filter(|most| memory.peak.is_none_or(|peak| peak < *most))
    else {
        return;
    };
    let step = (memory.accepted.spec.tier.attendees() / 10).max(1);
    let many_more = most >= memory.peak.unwrap_or(0).saturating_add(step);
    if many_more || input.webinar.phase_told != Some(phase) {
        memory.peak = Some(most);
    }
}

/// More than a quarter of the fleet is made anew in one step.
fn mass_loss(replaced: u32, planned: Counts) -> bool {
    replaced > planned.total() / 4
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
