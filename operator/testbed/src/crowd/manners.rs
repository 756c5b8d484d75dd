//! How viewers' clients behave.

use std::time::Duration;

/// What a viewer's page does when it can't get in, or is thrown out.
#[derive(Debug, Clone, PartialEq)]
pub struct Manners {
    /// Pause before the next attempt, after one that failed and after the end of a session. `MediaMTX`'s own page waits 2 s,
    /// whatever the reason.
    pub retry: Duration,
    /// How long a client waits for a server that says nothing: its consent to be sent media runs out 15.5 s after the last
    /// answer, measured with viewers of `MediaMTX` v1.19.3.
    pub consent: Duration,
    /// How often per second, for each relay that takes viewers, somebody who was dropped may try to come back: what
    /// a page does that obeys `status.admission.joinsPerSecond`.
    pub rejoins_per_relay: f64,
}

impl Default for Manners {
    /// 2 s; 15.5 s; 10 per second.
    fn default() -> Self {
        Self {
            retry: Duration::from_secs(2),
            consent: Duration::from_millis(15_500),
            rejoins_per_relay: 10.0,
        }
    }
}

impl Manners {
    /// The same in a world that runs `scale` times faster, for tests. Time-outs are left alone. `scale` is above 0.
    #[must_use]
    pub fn faster(&self, scale: f64) -> Self {
        Self {
            retry: self.retry.div_f64(scale),
            consent: self.consent,
            rejoins_per_relay: self.rejoins_per_relay * scale,
        }
    }
}
