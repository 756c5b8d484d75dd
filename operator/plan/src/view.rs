//! What a decision about a run under way is made from, and the facts that several rules ask for.

use jiff::{SignedDuration, Timestamp};

use crate::audience::Attendance;
use crate::follow::Size;
use crate::input::{Class, Input, Memory, Pod, PodTrouble};
use crate::lost::CutOff;
use crate::phase::Phase;
use crate::ramp::Waves;
use crate::reason::Reason;
use crate::seats::{Fleet, Up, seats};
use crate::slot::Role;
use crate::tier::{Capacity, Counts};
use crate::time::{after, clock, date_and_clock, grouped};
use crate::timeline::Schedule;

/// How long a pod may be later than expected, or in trouble, before it counts as missing.
pub(crate) const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// One run at one instant.
pub(crate) struct View<'a> {
    pub(crate) input: &'a Input,
    pub(crate) phase: Phase,
    pub(crate) memory: &'a Memory,
    pub(crate) class: &'a Class,
    pub(crate) capacity: &'a Capacity,
    pub(crate) fleet: &'a Fleet<'a>,
    pub(crate) waves: &'a Waves,
    /// Which slots must be filled, and why so many.
    pub(crate) size: &'a Size,
    /// Slots that must be filled, by role.
    pub(crate) planned: Counts,
    pub(crate) schedule: &'a Schedule,
    pub(crate) attendance: &'a Attendance,
    pub(crate) cut_off: &'a CutOff,
}

impl View<'_> {
    /// Slots whose pods are Ready.
    pub(crate) fn up(&self) -> Up {
        self.fleet.up(|p| p.ready)
    }

    /// Seats that the slots in `up` give.
    pub(crate) fn seats_of(&self, up: &Up) -> u32 {
        seats(up, active_sfu(self.input), self.memory, self.capacity)
    }

    /// Seats that are there now.
    pub(crate) fn seats(&self) -> u32 {
        self.seats_of(&self.up())
    }

    /// Seats that there must be: those that were booked, unless the fleet follows the audience.
    pub(crate) fn wanted(&self) -> u32 {
        self.size.seats
    }

    /// Every seat of the tier is there, with all SFUs and mids.
    pub(crate) fn complete(&self) -> bool {
        complete(
            self.input,
            self.memory,
            self.capacity,
            self.fleet,
            self.waves.target(),
            self.wanted(),
        )
    }

    /// Planned slots whose pods are Ready.
    pub(crate) fn ready_pods(&self) -> u32 {
        self.fleet
            .occupants()
            .filter(|p| p.ready && self.size.holds(p.slot))
            .count() as u32
    }

    /// `1,180 of 1,242 pods are Ready`, to be continued.
    pub(crate) fn pods_are_ready(&self) -> String {
        match (self.ready_pods(), self.planned.total()) {
            (0, 1) => "The only pod is not Ready".to_owned(),
            (_, 1) => "The only pod is Ready".to_owned(),
            (ready, planned) => format!("{} of {} pods are Ready", grouped(ready), grouped(planned)),
        }
    }

    /// How long a pod takes from creation until it carries viewers.
    pub(crate) fn settle(&self) -> SignedDuration {
        self.class.ramp.settle.of(&self.memory.shape)
    }

    /// When an existing pod should carry viewers. One that waited long for its machine has the rest of the
    /// way before it from there.
    pub(crate) fn expected_at(&self, pod: &Pod) -> Timestamp {
        let settle = &self.class.ramp.settle;
        let machine = if self.memory.shape.room {
            SignedDuration::ZERO
        } else {
            settle.node_startup
        };
        let rest = self.settle().saturating_sub(machine);
        let housed = pod.scheduled.map_or(Timestamp::MIN, |t| after(t, rest));
        after(pod.created, self.settle()).max(housed)
    }

    /// When a pod in trouble counts as missing. One that fits on no machine yet is given the time a new
    /// machine takes: where nodes come with demand, that wait is part of every ramp.
    pub(crate) fn patience_ends(&self, trouble: &PodTrouble) -> Timestamp {
        let machine = match trouble.reason {
            Reason::Unschedulable => self.class.ramp.settle.node_startup,
            _ => SignedDuration::ZERO,
        };
        after(trouble.since, PATIENCE.saturating_add(machine))
    }

    /// When the last wave should carry viewers.
    pub(crate) fn all_expected_at(&self) -> Timestamp {
        after(self.waves.last(), self.settle())
    }

    /// An instant near the event, for people. Today is not near an event that was moved far away.
    pub(crate) fn clock(&self, t: Timestamp) -> String {
        if self.memory.postponed_at.is_some() {
            date_and_clock(t)
        } else {
            clock(t, self.schedule.start)
        }
    }
}

/// The SFU that is on stage.
pub(crate) fn active_sfu(input: &Input) -> u32 {
    input.active_sfu.unwrap_or(0)
}

/// `wanted` seats are Ready, with all SFUs and mids of `target`.
pub(crate) fn complete(
    input: &Input,
    memory: &Memory,
    capacity: &Capacity,
    fleet: &Fleet<'_>,
    target: Counts,
    wanted: u32,
) -> bool {
    let up = fleet.up(|p| p.ready);
    seats(&up, active_sfu(input), memory, capacity) >= wanted
        && fleet.count(Role::Sfu, |p| p.ready) >= target.sfu
        && fleet.count(Role::Mid, |p| p.ready) >= target.mid
}
