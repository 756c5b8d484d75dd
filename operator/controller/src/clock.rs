//! The one place that reads the wall clock.

use jiff::Timestamp;

/// The current instant.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Clock;

impl Clock {
    /// Now, by this machine's wall clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "every other module gets `now` as an argument"
    )]
    pub(crate) fn now(self) -> Timestamp {
        Timestamp::now()
    }
}
