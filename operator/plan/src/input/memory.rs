//! What a run remembers about itself.

use jiff::Timestamp;

use super::Spec;
use crate::reason::Reason;
use crate::tier::{Counts, Shape};

/// What a run remembers about itself. It lives in the run's ControllerRevision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Counter, from 1.
    pub run: u32,
    /// The spec in force.
    pub accepted: Accepted,
    /// What the fleet looks like.
    pub shape: Shape,
    /// When every seat of the accepted tier was first Ready.
    pub ready_at: Option<Timestamp>,
    /// When the run went on air.
    pub live_since: Option<Timestamp>,
    /// When it began to give capacity back.
    pub draining_since: Option<Timestamp>,
    /// When everything was given back.
    pub finished_at: Option<Timestamp>,
    /// Since when the start has been so far away that the fleet is not kept for it alone.
    pub postponed_at: Option<Timestamp>,
    /// Since when the run is suspended.
    pub suspended_since: Option<Timestamp>,
    /// When it was last resumed: drains that began before count from here.
    pub resumed_at: Option<Timestamp>,
    /// Most relays that it was to have, for the tier and for what came beyond.
    pub most_relays: u32,
    /// Most viewers at once, as far as they were counted.
    pub peak: Option<u32>,
    /// What happened to its media.
    pub incidents: Incidents,
    /// The last change of the active SFU.
    pub failover: Option<Failover>,
}

/// What happened to a run's media.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incidents {
    /// How many there were.
    pub total: u32,
    /// The latest of them, oldest first.
    pub latest: Vec<Incident>,
}

/// A time in which media did not flow as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// What was wrong.
    pub cause: Reason,
    /// The instant of the last byte.
    pub began: Timestamp,
    /// When bytes returned. Absent while it lasts.
    pub ended: Option<Timestamp>,
    /// What the operator did about it, for people. Empty: it only looked.
    pub action: String,
}

/// A change of the active SFU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// When it was decided.
    pub at: Timestamp,
    /// The SFU that was active before.
    pub from: u32,
    /// The SFU that is active now.
    pub to: u32,
    /// UID of the pod to fence: established connections would stay on it. Empty once that is done, or when it was gone.
    pub fence: String,
}

impl Memory {
    /// The run is under way: it was begun and has not finished.
    pub fn active(&self) -> bool {
        self.finished_at.is_none()
    }

    /// When a drain that began at `started` counts from: its clock starts anew when the run is resumed.
    pub(crate) fn drain_counts_from(&self, started: Timestamp) -> Timestamp {
        self.resumed_at.map_or(started, |resumed| started.max(resumed))
    }
}

/// A spec that was checked and is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What is in force.
    pub spec: Spec,
    /// The run's start, fixed when the spec names none.
    pub start: Timestamp,
    /// When this size and these times were accepted.
    pub since: Timestamp,
    /// Slots that were already due when the size was accepted; the waves create what is beyond.
    pub base: Counts,
}
