//! What a process has seen lately.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::audience;
use crate::lost::CutOff;
use crate::media;
use crate::reason::Reason;
use crate::slot::Slot;

/// What this process has seen lately.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// UID of the last pod seen in a slot whose pod has vanished.
    pub vanished: BTreeMap<Slot, String>,
    /// What the API server refused last time. A setback stays until such a write has succeeded: while
    /// one is here, the pods that are missing count as missing at the start.
    pub setbacks: Vec<Setback>,
    /// Why seats were last said to be at risk, if that is not over yet: the last plan's [`alarm`](crate::Plan::alarm).
    pub alarm: Option<Alarm>,
    /// The moment that the last notice of each reason spoke of.
    pub told: BTreeMap<Reason, Timestamp>,
    /// What was measured of audience and media lately: the last plan's [`watch`](crate::Plan::watch).
    pub watch: Watch,
}

impl Recent {
    /// Refusals that are not due to be tried again at `now`.
    pub(crate) fn standing(&self, now: Timestamp) -> impl Iterator<Item = &Setback> {
        self.setbacks.iter().filter(move |s| s.retry_at > now)
    }
}

/// What is measured over time while people are watching: slopes, and how long something has held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    pub(crate) audience: audience::State,
    pub(crate) media: media::State,
    pub(crate) cut_off: CutOff,
}

impl Recent {
    /// A notice about `subject` was the last one of its reason.
    pub(crate) fn was_told(&self, subject: Subject) -> bool {
        self.told.get(&subject.reason) == Some(&subject.moment)
    }
}

/// A cause of missing seats that is told for a while after it has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// What was seen.
    pub cause: Reason,
    /// Since when no seat has been expected to be missing; absent while one is.
    pub gone_since: Option<Timestamp>,
}

/// What a notice is about: it is told once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The notice's reason.
    pub reason: Reason,
    /// The moment that it speaks of.
    pub moment: Timestamp,
}

/// Writes that the API server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// What kind of refusal.
    pub kind: SetbackKind,
    /// The object that was refused first.
    pub object: String,
    /// The API server's own sentence, already shortened.
    pub message: String,
    /// Not tried again before this instant.
    pub retry_at: Timestamp,
}

/// Kinds of refusal that people can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetbackKind {
    /// A ResourceQuota is used up.
    Quota,
    /// The API server or an admission policy refuses the object as it is.
    Rejected,
    /// An admission webhook that has to be asked can't be: nothing is said of the object.
    Unasked,
    /// An object of another owner has the name.
    Conflict,
}
