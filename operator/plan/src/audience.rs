//! Who is watching, as far as the pods' answers can be believed.

/// What was measured of the audience lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {}

/// What is known of the audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attendance {
    /// Nobody can say: everyone may be watching.
    Unknown,
}

impl Attendance {
    /// Somebody may be watching, as far as anyone can tell.
    pub(crate) const fn may_be_watched(self) -> bool {
        match self {
            Self::Unknown => true,
        }
    }
}
