//! Who is watching, and how many more may come: what a join gate goes by.

use crate::follow::was_filled;
use crate::output::{Admission, Attended};
use crate::phase::Phase;
use crate::seats::carried;
use crate::slot::{Role, Slot};
use crate::view::{View, active_sfu};

/// Who is watching. Nothing before that was ever known.
pub(crate) fn attended(view: &View<'_>) -> Option<Attended> {
    let attendance = view.attendance;
    let current = attendance.viewers?;
    let peak = view.memory.peak.max(attendance.most).unwrap_or(0);
    Some(Attended {
        current,
        peak: peak.max(current),
        observed: attendance.observed?,
    })
}

/// What a join gate may let in. While pods are being replaced the others carry more than planned.
pub(crate) fn admission(view: &View<'_>) -> Admission {
    if view.phase == Phase::Draining {
        return Admission {
            open: false,
            max_attendees: 0,
            joins_per_second: 0,
        };
    }
    let seats = view.seats();
    let max_attendees = match lost_relays(view) {
        0 => seats,
        lost => {
            let relays = carried(&view.up(), active_sfu(view.input));
            let max_tier = view.memory.accepted.spec.max_tier;
            let before = view.capacity.seats(relays.saturating_add(lost), max_tier);
            let in_need = view.capacity.seats_in_need(relays, max_tier);
            in_need.min(before).max(seats)
        }
    };
    Admission {
        open: view.attendance.viewers.unwrap_or(0) < max_attendees,
        max_attendees,
        joins_per_second: joins(view, taking(view).count() as u32),
    }
}

/// Viewers that `pods` can take in each second.
pub(crate) fn joins(view: &View<'_>, pods: u32) -> u32 {
    pods.saturating_mul(view.class.live.joins_per_second_per_relay)
}

/// Slots whose pods take viewers now: relays, or a room's SFU.
pub(crate) fn taking(view: &View<'_>) -> impl Iterator<Item = Slot> {
    let role = if view.memory.shape.room {
        Role::Sfu
    } else {
        Role::Relay
    };
    let pods = view.fleet.occupants().filter(move |p| p.slot.role == role);
    pods.filter(|p| p.ready && p.accepting).map(|p| p.slot)
}

/// Planned relays that were there and are not Ready now.
pub(crate) fn lost_relays(view: &View<'_>) -> u32 {
    let accepted = &view.memory.accepted;
    let complete_once = view.memory.ready_at.is_some_and(|t| accepted.since <= t);
    let booked = view.waves.target().relay;
    let lost = |slot: Slot| {
        let there_once = || complete_once && !view.size.loose && slot.index < booked;
        let left = || was_filled(view.fleet, view.input, slot) || there_once();
        match view.fleet.occupant(slot) {
            Some(pod) => !pod.ready && (pod.was_ready || left()),
            None => left(),
        }
    };
    let relays = view.size.slots().filter(|slot| slot.role == Role::Relay);
    relays.filter(|slot| lost(*slot)).count() as u32
}
