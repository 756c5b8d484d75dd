//! How viewers' clients behave.

use std::time::Duration;

/// What a viewer's page does when it can't get in, or is thrown out.
#[derive(Debug, Clone, PartialEq)]
pub struct Manners {
    /// Longest pause after the first refusal; it doubles with each further one. The pause is between half of it and all.
    pub first_retry: Duration,
    /// Longest pause ever.
    pub longest_retry: Duration,
    /// Pause when the relay was gone or had no stage to show. `MediaMTX`'s own page waits 2 s.
    pub no_stage_retry: Duration,
    /// How often per second, for each relay that takes viewers, somebody who was dropped may try to come back: what
    /// a page does that obeys `status.admission.joinsPerSecond`.
    pub rejoins_per_relay: f64,
}

impl Default for Manners {
    /// 1 s doubling to 30 s; 2 s; 10 per second.
    fn default() -> Self {
        Self {
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(30),
            no_stage_retry: Duration::from_secs(2),
            rejoins_per_relay: 10.0,
        }
    }
}

impl Manners {
    /// The same in a world that runs `scale` times faster, for tests. `scale` is above 0.
    #[must_use]
    pub fn faster(&self, scale: f64) -> Self {
        Self {
            first_retry: self.first_retry.div_f64(scale),
            longest_retry: self.longest_retry.div_f64(scale),
            no_stage_retry: self.no_stage_retry.div_f64(scale),
            rejoins_per_relay: self.rejoins_per_relay * scale,
        }
    }

    /// The longest pause after so many refusals, from 1.
    pub(super) fn backoff(&self, refusals: u32) -> Duration {
        let doublings = refusals.saturating_sub(1).min(16);
        self.first_retry
            .saturating_mul(1 << doublings)
            .min(self.longest_retry)
    }
}
