//! How many relays there must be: what the audience needs, what was booked, what is allowed.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::audience::{Attendance, State};
use crate::extra::{ceiling, floor};
use crate::input::{Class, Cordon, Input, Memory, Pod, Release};
use crate::phase::Phase;
use crate::seats::Fleet;
use crate::slot::{Role, Slot};
use crate::tier::{Capacity, Counts, Tier};
use crate::time::after;
use crate::timeline::Schedule;

/// A process that has just begun waits so long for answers before it fills up what was there once.
pub(crate) const FIRST_ANSWERS: SignedDuration = SignedDuration::from_secs(60);

/// The size of a fleet at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Size {
    /// SFUs and mids that there must be, and relays that the audience needs or an order asks for.
    pub(crate) wanted: Counts,
    /// Relay slots that must be filled.
    pub(crate) relays: BTreeSet<u32>,
    /// Relays of the tier and of growth: they don't wait for a wave.
    pub(crate) grown: u32,
    /// The audience needs more relays than are allowed.
    pub(crate) capped: bool,
    /// The fleet may be smaller than what was booked.
    pub(crate) follows: bool,
    /// It may have holes: it was made smaller, or may be.
    pub(crate) loose: bool,
    /// Seats that there must be: fewer than booked only while the fleet follows the audience.
    pub(crate) seats: u32,
    /// Attendees that the relays are for.
    pub(crate) audience: u32,
    /// The tier in effect.
    pub(crate) tier: Tier,
    /// When a process that has just begun waits no longer.
    pub(crate) next: Option<Timestamp>,
}

impl Size {
    /// Slots that must be filled, by role.
    pub(crate) fn planned(&self) -> Counts {
        Counts {
            relay: self.relays.len() as u32,
            ..self.wanted
        }
    }

    /// `slot` must be filled.
    pub(crate) fn holds(&self, slot: Slot) -> bool {
        match slot.role {
            Role::Relay => self.relays.contains(&slot.index),
            Role::Sfu | Role::Mid => slot.index < self.wanted.of(slot.role),
        }
    }

    /// Every slot that must be filled, in order of creation.
    pub(crate) fn slots(&self) -> impl Iterator<Item = Slot> {
        let parents = Counts {
            relay: 0,
            ..self.wanted
        };
        let relays = self.relays.iter().map(|i| Slot::new(Role::Relay, *i));
        parents.slots().chain(relays)
    }

    /// The first relay slot that nothing planned lies beyond.
    pub(crate) fn end(&self) -> u32 {
        self.relays.last().map_or(0, |i| i + 1)
    }
}

/// What the size of a fleet is decided from.
pub(crate) struct Facts<'a> {
    pub(crate) input: &'a Input,
    pub(crate) class: &'a Class,
    pub(crate) capacity: &'a Capacity,
    pub(crate) fleet: &'a Fleet<'a>,
    pub(crate) schedule: &'a Schedule,
    pub(crate) phase: Phase,
    pub(crate) attendance: &'a Attendance,
}

/// How large the fleet of the run must be now. What it has grown to is noted in `memory`.
pub(crate) fn size(facts: &Facts<'_>, memory: &mut Memory, state: &mut State) -> Size {
    let Facts {
        input,
        class,
        capacity,
        phase,
        attendance,
        ..
    } = *facts;
    let spec = memory.accepted.spec.clone();
    let booked = capacity.counts(spec.tier, &memory.shape);
    if memory.shape.room || !phase.holds_capacity() {
        state.began.get_or_insert(input.now);
        return fixed(booked, spec.tier);
    }
    let asked = u64::from(attendance.demand) * 100 / u64::from(class.live.grow_at_percent.max(1));
    let all = spec.max_tier.attendees();
    let audience = u32::try_from(asked).map_or(all, |n| n.min(all));
    let need = attendance.viewers.map_or(0, |_| capacity.relays(audience));
    let level = level(facts, memory, booked, need);
    let most = permitted(facts, memory, capacity.relays(all));
    let capped = capacity.relays(u32::try_from(asked).unwrap_or(u32::MAX)) > most;
    let level_now = permitted(facts, memory, level).max(booked.relay);
    let follows = follows(facts, memory);
    let known = attendance.known().is_some();
    let loose = lowered(memory, booked) || (follows && (known || state.needed.is_some()));
    let followed = if follows {
        let need = permitted(facts, memory, need);
        followed(facts, state, need, level_now)
    } else {
        state.began.get_or_insert(input.now);
        state.needed = None;
        Followed {
            relays: level_now,
            ..Followed::default()
        }
    };
    let loose = loose || followed.loose;
    memory.most_relays = level;
    let mids = capacity.with_relays(level_now, &memory.shape).mid;
    let fleet = Counts {
        mid: booked.mid.max(mids),
        relay: followed.relays,
        ..booked
    };
    let ordered = floor(input).map_or(0, |order| order.relays.min(ceiling(input, class, memory, fleet)));
    let wanted = Counts {
        relay: fleet.relay.max(ordered),
        ..fleet
    };
    let seats = match attendance.viewers {
        _ if !follows => spec.tier.attendees(),
        Some(viewers) => viewers.min(spec.tier.attendees()),
        None => capacity.seats(fleet.relay, spec.tier),
    };
    Size {
        relays: slots(facts.fleet, wanted.relay, loose, known),
        wanted,
        grown: fleet.relay,
        capped,
        follows,
        loose,
        seats,
        audience,
        tier: in_effect(capacity, wanted.relay, spec.max_tier),
        next: followed.next,
    }
}

/// `relays`, as far as class and orders allow them.
fn permitted(facts: &Facts<'_>, memory: &Memory, relays: u32) -> u32 {
    let fleet = facts.capacity.with_relays(relays, &memory.shape);
    relays.min(ceiling(facts.input, facts.class, memory, fleet))
}

/// What the fleet has grown to. It grows by a tenth at least, so that it is not noted for each relay.
fn level(facts: &Facts<'_>, memory: &Memory, booked: Counts, need: u32) -> u32 {
    let before = memory.most_relays.max(booked.relay);
    if need <= before {
        return before;
    }
    let all = memory.accepted.spec.max_tier.attendees();
    let step = before.saturating_add(before.div_ceil(10));
    let step = step.min(facts.capacity.relays(all));
    permitted(facts, memory, need.max(step)).max(before)
}

/// Relays of a fleet that may be smaller than what was booked.
#[derive(Debug, Default)]
struct Followed {
    relays: u32,
    /// It may have holes, although nobody can say who is watching.
    loose: bool,
    /// When it is filled up although nobody can say.
    next: Option<Timestamp>,
}

/// As many as the audience needs. While nobody can say: what is there, and what was needed last.
fn followed(facts: &Facts<'_>, state: &mut State, need: u32, level: u32) -> Followed {
    let Facts {
        input,
        class,
        fleet,
        attendance,
        ..
    } = *facts;
    let began = *state.began.get_or_insert(input.now);
    if attendance.known().is_some() {
        state.needed = Some(need);
        return Followed {
            relays: need,
            ..Followed::default()
        };
    }
    let here = fleet.count(Role::Relay, |_| true);
    let young = after(began, FIRST_ANSWERS);
    let mut out = Followed::default();
    let last = state.needed.unwrap_or_else(|| {
        if attendance.viewers.is_none() && input.now < young && class.attendance.is_some() {
            out.next = Some(young);
            let there = here.saturating_add(vacant(fleet, input, level));
            out.loose = there < level;
            there.min(level)
        } else {
            level
        }
    });
    out.relays = need.max(last).max(here.min(level));
    state.needed = state.needed.map(|last| last.max(out.relays));
    out
}

/// The size of a fleet that is what was booked.
fn fixed(booked: Counts, tier: Tier) -> Size {
    Size {
        wanted: booked,
        relays: (0..booked.relay).collect(),
        grown: booked.relay,
        capped: false,
        follows: false,
        loose: false,
        seats: tier.attendees(),
        audience: tier.attendees(),
        tier,
        next: None,
    }
}

/// There may be fewer relays than were booked: past the end, or as ordered, once the floor after the start is over.
fn follows(facts: &Facts<'_>, memory: &Memory) -> bool {
    let after_peak = facts.input.orders.release == Release::AfterPeak;
    match facts.phase {
        Phase::Overrun => true,
        Phase::Live => {
            after_peak && memory.live_since.is_some() && facts.input.surely() >= facts.schedule.floor_until
        }
        _ => false,
    }
}

/// A person has lowered the tier after more was created.
fn lowered(memory: &Memory, booked: Counts) -> bool {
    memory.accepted.base.relay > booked.relay
}

/// Slots below `level` whose pod was lost.
fn vacant(fleet: &Fleet<'_>, input: &Input, level: u32) -> u32 {
    let relays = (0..level).map(|i| Slot::new(Role::Relay, i));
    let lost = |slot: &Slot| fleet.occupant(*slot).is_none() && was_filled(fleet, input, *slot);
    relays.filter(lost).count() as u32
}

/// A pod was seen to leave `slot`.
pub(crate) fn was_filled(fleet: &Fleet<'_>, input: &Input, slot: Slot) -> bool {
    input.recent.vanished.contains_key(&slot) || fleet.left(slot).next().is_some()
}

/// The pod was taken out of its entry point because the audience needs less.
pub(crate) fn shrinking(pod: &Pod) -> bool {
    pod.drain_started.is_some() && pod.cordoned_for == Cordon::Shrink
}

/// The relay slots to fill. Without a hole where nothing was ever given back; otherwise where relays are, then where some
/// are about to go, then the lowest.
fn slots(fleet: &Fleet<'_>, wanted: u32, loose: bool, known: bool) -> BTreeSet<u32> {
    if !loose {
        return (0..wanted).collect();
    }
    let relays = || {
        fleet
            .occupants()
            .filter(|p| p.slot.role == Role::Relay && p.was_ready)
    };
    let mut out: BTreeSet<u32> = relays().filter(|p| !shrinking(p)).map(|p| p.slot.index).collect();
    let going: Vec<u32> = relays().filter(|p| shrinking(p)).map(|p| p.slot.index).collect();
    let room = |out: &BTreeSet<u32>| (wanted as usize).saturating_sub(out.len());
    let back = if known { room(&out) } else { going.len() };
    out.extend(going.iter().take(back));
    let missing = room(&out);
    let free: Vec<u32> = (0..)
        .filter(|i| !out.contains(i) && !going.contains(i))
        .take(missing)
        .collect();
    out.extend(free);
    out
}

/// The smallest tier whose relays are no fewer, up to `max`.
fn in_effect(capacity: &Capacity, relays: u32, max: Tier) -> Tier {
    let tiers = Tier::ALL.into_iter().filter(|t| *t != Tier::Room && *t <= max);
    let mut covering = tiers.filter(|t| capacity.relays(t.attendees()) >= relays);
    covering.next().unwrap_or(max)
}
