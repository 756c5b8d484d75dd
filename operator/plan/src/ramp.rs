//! Waves: which slots may exist at an instant.

use jiff::{SignedDuration, Timestamp};

use crate::input::Ramp;
use crate::slot::{Role, Slot};
use crate::tier::Counts;
use crate::time::{after, before};
use crate::timeline::Schedule;

/// The slots that a run still has to create, cut into waves.
///
/// Slots that were already there when the size was accepted (`base`) are not part of any wave: a raise
/// ramps only what it adds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waves {
    base: Counts,
    target: Counts,
    size: u32,
    /// When the first wave is created.
    pub first: Timestamp,
    /// Time between two waves; shorter than the class's when there is less time than planned.
    pub interval: SignedDuration,
}

/// One wave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wave {
    /// When it is created.
    pub time: Timestamp,
    /// Pods in it.
    pub pods: Counts,
}

impl Waves {
    /// The waves from `base` to `target`.
    ///
    /// They start at `schedule.ramp`, or at `accepted` when that is later. If they would then end after
    /// `readyBy − settle` the interval shrinks; if even that has passed, everything is due at once.
    pub fn new(ramp: &Ramp, schedule: &Schedule, accepted: Timestamp, base: Counts, target: Counts) -> Self {
        let first = schedule.ramp.max(accepted);
        let missing = Role::ALL
            .iter()
            .map(|r| target.of(*r).saturating_sub(base.of(*r)))
            .sum::<u32>();
        let size = ramp.wave_size.max(1);
        let gaps = i32::try_from(missing.div_ceil(size).saturating_sub(1)).unwrap_or(i32::MAX);
        let last_at = before(schedule.ready_by, ramp.settle.total());
        let room = last_at.duration_since(first).max(SignedDuration::ZERO);
        let interval = if gaps == 0 {
            ramp.wave_interval
        } else {
            ramp.wave_interval.min(room / gaps)
        };
        Self {
            base,
            target,
            size,
            first,
            interval,
        }
    }

    /// Whether the waves are closer together than the class asks for.
    pub fn compressed(&self, ramp: &Ramp) -> bool {
        self.interval < ramp.wave_interval
    }

    /// The slots there are after the last wave.
    pub const fn target(&self) -> Counts {
        self.target
    }

    /// New slots in order of creation: SFUs, mids, relays.
    pub fn new_slots(&self) -> impl Iterator<Item = Slot> {
        let base = self.base;
        self.target
            .slots()
            .filter(move |slot| slot.index >= base.of(slot.role))
    }

    /// When a slot's wave is created: the beginning of time for slots of the base.
    pub fn due(&self, slot: Slot) -> Timestamp {
        if slot.index < self.base.of(slot.role) {
            return Timestamp::MIN;
        }
        let before_role: u32 = Role::ALL
            .into_iter()
            .filter(|r| *r < slot.role)
            .map(|r| self.target.of(r).saturating_sub(self.base.of(r)))
            .sum();
        let position = before_role + (slot.index - self.base.of(slot.role));
        self.time_of(position / self.size)
    }

    /// When the last wave is created.
    pub fn last(&self) -> Timestamp {
        self.time_of(self.count().saturating_sub(1))
    }

    /// The next wave after `now`.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        (0..self.count()).map(|k| self.time_of(k)).find(|t| *t > now)
    }

    /// Every wave with the pods in it.
    pub fn list(&self) -> Vec<Wave> {
        let slots: Vec<Slot> = self.new_slots().collect();
        slots
            .chunks(self.size as usize)
            .zip(0..)
            .map(|(slots, k)| {
                let of = |role| slots.iter().filter(|s| s.role == role).count() as u32;
                let pods = Counts {
                    sfu: of(Role::Sfu),
                    mid: of(Role::Mid),
                    relay: of(Role::Relay),
                };
                Wave {
                    time: self.time_of(k),
                    pods,
                }
            })
            .collect()
    }

    /// How many waves there are.
    pub fn count(&self) -> u32 {
        (self.new_slots().count() as u32).div_ceil(self.size)
    }

    fn time_of(&self, wave: u32) -> Timestamp {
        let wave = i32::try_from(wave).unwrap_or(i32::MAX);
        after(
            self.first,
            self.interval.checked_mul(wave).unwrap_or(SignedDuration::MAX),
        )
    }
}
