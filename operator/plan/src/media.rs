//! Whether media flows, and what is done when it doesn't.

/// What was measured of media lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {}

impl State {
    /// Media should flow and does not.
    pub(crate) fn stalled(&self) -> bool {
        false
    }
}
