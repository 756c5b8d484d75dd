//! Boundaries: absolute instants, computed from the accepted spec, never countdowns.

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::input::{Class, Spec};
use crate::tier::Tier;
use crate::time::{after, before};

/// When an event's capacity is created, complete, needed and released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The first wave is created.
    pub ramp: Timestamp,
    /// Everything must be Ready.
    pub ready_by: Timestamp,
    /// The audience arrives.
    pub start: Timestamp,
    /// Capacity isn't lowered before this instant, whatever attendance says.
    pub floor_until: Timestamp,
    /// The planned end.
    pub end: Timestamp,
    /// Capacity goes at the latest.
    pub release: Timestamp,
    /// How long the ramp is expected to take, safety included.
    pub lead: SignedDuration,
    /// How much earlier than needed this event begins, so that events with one start don't ramp in one second.
    pub jitter: SignedDuration,
}

impl Schedule {
    /// The boundaries of `spec` under `class` for a tier of `pods` pods.
    ///
    /// `key` is `namespace/name`. `created` stands in for an absent start time; `pinned_start` is the
    /// start that a run has already fixed for itself.
    pub fn new(
        key: &str,
        spec: &Spec,
        class: &Class,
        pods: u32,
        created: Timestamp,
        pinned_start: Option<Timestamp>,
    ) -> Self {
        let lead = lead(class, spec.tier, spec.max_tier, pods);
        let room = spec.max_tier == Tier::Room;
        let (ready_before, jitter) = if spec.start.is_none() {
            (SignedDuration::ZERO, SignedDuration::ZERO)
        } else {
            (
                ready_before(spec, class),
                if room {
                    SignedDuration::ZERO
                } else {
                    jitter(key, class)
                },
            )
        };
        let asap = if room { created } else { after(created, lead) };
        let start = pinned_start.or(spec.start).unwrap_or(asap);
        let ready_by = before(start, ready_before);
        let ramp = match spec.start {
            None => created,
            Some(_) => before(ready_by, lead.saturating_add(jitter)),
        };
        let end = after(start, spec.duration);
        Self {
            ramp,
            ready_by,
            start,
            floor_until: after(start, class.live.floor_after_start),
            end,
            release: after(end, spec.overrun.unwrap_or(class.live.overrun)),
            lead,
            jitter,
        }
    }

    /// The same boundaries with an end that is not before `seen`: who is watching is not cut off by an edit.
    #[must_use]
    pub fn ending_not_before(mut self, seen: Timestamp) -> Self {
        if self.end < seen {
            let overrun = self.release.duration_since(self.end);
            self.end = seen;
            self.release = after(seen, overrun);
        }
        self
    }
}

/// `safety% · (waves · waveInterval + settle) / 100`, rounded up to whole seconds.
///
/// A `room` has no waves and waits for its image and its start alone.
pub fn lead(class: &Class, tier: Tier, max_tier: Tier, pods: u32) -> SignedDuration {
    let settle = &class.ramp.settle;
    let work = if tier == Tier::Room && max_tier == Tier::Room {
        settle.room()
    } else {
        let waves = i32::try_from(pods.div_ceil(class.ramp.wave_size.max(1))).unwrap_or(i32::MAX);
        class
            .ramp
            .wave_interval
            .saturating_mul(waves)
            .saturating_add(settle.total())
    };
    let nanos = u128::try_from(work.as_nanos()).unwrap_or(0);
    let secs = (nanos * u128::from(class.ramp.safety_percent)).div_ceil(100 * 1_000_000_000);
    SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX))
}

fn ready_before(spec: &Spec, class: &Class) -> SignedDuration {
    let by_tier = || match spec.tier {
        Tier::Room => SignedDuration::ZERO,
        Tier::K10 | Tier::K50 | Tier::K100 => SignedDuration::from_mins(10),
        Tier::K250 | Tier::K500 | Tier::M1 => SignedDuration::from_mins(15),
    };
    spec.ready_before
        .or(class.ramp.ready_before)
        .unwrap_or_else(by_tier)
}

fn jitter(key: &str, class: &Class) -> SignedDuration {
    let interval = u64::try_from(class.ramp.wave_interval.as_secs()).unwrap_or(0);
    let hash = Sha256::digest(key.as_bytes());
    let bytes: [u8; 8] = std::array::from_fn(|i| hash[i]);
    let secs = u64::from_be_bytes(bytes).checked_rem(interval).unwrap_or(0);
    SignedDuration::from_secs(i64::try_from(secs).unwrap_or(0))
}
