//! The only place where this crate reads a clock.

use std::time::Instant;

use jiff::Timestamp;

/// Turns instants into the time of day, without the jumps that the time of day may make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
    started_ms: i64,
}

impl Clock {
    /// A clock that agrees with the time of day now.
    #[allow(clippy::disallowed_methods, reason = "real viewers follow the real time")]
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            started_ms: Timestamp::now().as_millisecond(),
        }
    }

    /// The Unix time of an instant, in milliseconds.
    pub(crate) fn unix_ms(&self, instant: Instant) -> i64 {
        let since = instant.saturating_duration_since(self.started).as_millis();
        self.started_ms
            .saturating_add(i64::try_from(since).unwrap_or(i64::MAX))
    }
}

/// This instant.
#[allow(clippy::disallowed_methods, reason = "real viewers follow the real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
