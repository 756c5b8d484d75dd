//! What can go wrong.

use std::fmt;
use std::time::Duration;

use super::answer::Answer;
use super::elsewhere::Elsewhere;
use super::hook::Hook;
use super::request::{Request, Verb};
use super::snapshot::Snapshot;
use super::watches::Mode;

/// What happens to a request, or to an open watch.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The API server never sees the request.
    Answer(Answer),
    /// The API server does what it is asked for; its answer is replaced.
    ApplyThenAnswer(Answer),
    /// The API server does what it is asked for; then the client's connection is reset.
    ApplyThenReset,
    /// The API server does what it is asked for; its answer never comes. When lifted, the connection is reset.
    ApplyThenHang,
    /// The request arrives later, or when lifted.
    Delay(Duration),
    /// The request does not arrive, and nothing is answered, not even headers: with a watch, opening it hangs. When
    /// lifted, it arrives.
    Hang,
    /// The connection is reset; the API server never sees the request.
    Drop,
    /// Holds all traffic and calls the hook, which ends the process that asks; then cuts all connections. The API server
    /// never sees the request, nor any that came after it.
    KillBefore(Hook),
    /// As [`Fault::KillBefore`], but the API server has done what it was asked for when the hook is called.
    KillAfter(Hook),
    /// A watch, be it new or open, stays silent with its connection alive. When lifted, the connection breaks, and what
    /// was not delivered is lost with it.
    FreezeWatch,
    /// Events of a watch, be it new or open, are kept back, at most 64 MiB of them. When lifted, they are delivered.
    HoldWatch,
    /// A watch, be it new or open, ends as when its time is up.
    CloseWatch,
    /// The resource version is too old: a list is answered with 410, and a watch, be it new or open, gets an event of
    /// type `ERROR` that says so and ends, as from the API server.
    Gone,
    /// Nothing goes wrong; answers to reads are kept.
    Record(Snapshot),
    /// Reads are answered from the past, those that were not recorded by the API server.
    Replay(Snapshot),
    /// Reads and watches are answered by another API server, such as one for which time stands still. A watch that is open
    /// stays where it is. When lifted, those that were opened elsewhere end as by [`Fault::Gone`]: what another API server
    /// has told is no place to go on from.
    ReadFrom(Elsewhere),
}

impl Fault {
    /// Whether it can happen to this request at all.
    pub(super) fn concerns(&self, request: &Request) -> bool {
        match (self.mode(), self) {
            (Some(Mode::Gone), _) => matches!(request.verb, Verb::List | Verb::Watch),
            (Some(_), _) => request.verb == Verb::Watch,
            (None, Self::Record(_) | Self::Replay(_)) => matches!(request.verb, Verb::Get | Verb::List),
            (None, Self::ReadFrom(_)) => matches!(request.verb, Verb::Get | Verb::List | Verb::Watch),
            (None, _) => true,
        }
    }

    /// What it makes of an open watch, if it can happen to one.
    pub(super) fn mode(&self) -> Option<Mode> {
        match self {
            Self::FreezeWatch => Some(Mode::Frozen),
            Self::HoldWatch => Some(Mode::Held),
            Self::CloseWatch => Some(Mode::Closed),
            Self::Gone => Some(Mode::Gone),
            Self::Answer(_)
            | Self::ApplyThenAnswer(_)
            | Self::ApplyThenReset
            | Self::ApplyThenHang
            | Self::Delay(_)
            | Self::Hang
            | Self::Drop
            | Self::KillBefore(_)
            | Self::KillAfter(_)
            | Self::Record(_)
            | Self::Replay(_)
            | Self::ReadFrom(_) => None,
        }
    }

    /// Whether another API server answers.
    pub(super) fn leads_elsewhere(&self) -> bool {
        matches!(self, Self::ReadFrom(_))
    }

    /// Whether all other traffic waits for it.
    pub(super) fn pauses(&self) -> bool {
        matches!(self, Self::KillBefore(_) | Self::KillAfter(_))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => write!(f, "answer {}", answer.told()),
            Self::ApplyThenAnswer(answer) => write!(f, "apply, then answer {}", answer.told()),
            Self::ApplyThenReset => f.write_str("apply, then reset"),
            Self::ApplyThenHang => f.write_str("apply, then hang"),
            Self::Delay(duration) => write!(f, "delay by {duration:?}"),
            Self::Hang => f.write_str("hang"),
            Self::Drop => f.write_str("drop"),
            Self::KillBefore(_) => f.write_str("kill before"),
            Self::KillAfter(_) => f.write_str("kill after"),
            Self::FreezeWatch => f.write_str("freeze the watch"),
            Self::HoldWatch => f.write_str("hold the watch"),
            Self::CloseWatch => f.write_str("close the watch"),
            Self::Gone => f.write_str("gone"),
            Self::Record(_) => f.write_str("record"),
            Self::Replay(_) => f.write_str("replay"),
            Self::ReadFrom(other) => write!(f, "read from {other:?}"),
        }
    }
}
