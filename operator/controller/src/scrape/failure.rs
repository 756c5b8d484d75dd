//! Why a question had no answer that can be used. A closed set: nothing that was answered gets into a label or a log.

/// What went wrong with one question. The pod's figures are unknown then, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The whole answer was not there in time.
    Timeout,
    /// No connection could be made.
    Connect,
    /// The connection ended early, or did not speak HTTP.
    Broken,
    /// Another status than 200.
    Status,
    /// Sent elsewhere, where nobody goes.
    Redirect,
    /// More than is read.
    TooLarge,
    /// Not in the format that was asked for.
    Malformed,
}

impl Failure {
    /// Everything that can go wrong.
    pub(crate) const ALL: [Self; 7] = [
        Self::Timeout,
        Self::Connect,
        Self::Broken,
        Self::Status,
        Self::Redirect,
        Self::TooLarge,
        Self::Malformed,
    ];

    /// As metrics and logs name it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Connect => "connect",
            Self::Broken => "broken",
            Self::Status => "status",
            Self::Redirect => "redirect",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
        }
    }
}
