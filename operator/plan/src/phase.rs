//! The phases of a run.

use std::fmt;

/// Where an event stands. Users see it as the reason of `Ready` and in `status.phase`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Accepted; nothing exists yet.
    Scheduled,
    /// Capacity is being created.
    Ramping,
    /// Full capacity is Ready and held for the start.
    Armed,
    /// The audience is here.
    Live,
    /// Past the planned end, people still watching (or nobody can say).
    Overrun,
    /// Capacity is being given back.
    Draining,
    /// Everything is given back.
    Finished,
    /// First seen after its end: nothing was or will be created.
    Expired,
}

impl Phase {
    /// Every phase, in the order in which an event goes through them.
    pub const ALL: [Self; 8] = [
        Self::Scheduled,
        Self::Ramping,
        Self::Armed,
        Self::Live,
        Self::Overrun,
        Self::Draining,
        Self::Finished,
        Self::Expired,
    ];

    /// The phase as written in status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "Scheduled",
            Self::Ramping => "Ramping",
            Self::Armed => "Armed",
            Self::Live => "Live",
            Self::Overrun => "Overrun",
            Self::Draining => "Draining",
            Self::Finished => "Finished",
            Self::Expired => "Expired",
        }
    }

    /// A fleet exists or is being created, and must not be lowered.
    pub const fn holds_capacity(self) -> bool {
        matches!(self, Self::Ramping | Self::Armed | Self::Live | Self::Overrun)
    }

    /// The audience may be connected.
    pub const fn on_air(self) -> bool {
        matches!(self, Self::Live | Self::Overrun)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
