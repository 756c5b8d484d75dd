//! Whether media flows, and what is done when it doesn't.

/// What was measured of media lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {}
