//! What was decided. Nothing in here leaves anything to decide later.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::input::{Alarm, Memory, Subject};
use crate::phase::Phase;
use crate::reason::Reason;
use crate::slot::{Role, Slot};
use crate::tier::Tier;
use crate::timeline::Schedule;
use crate::tree::Parent;

/// Everything that must be done and said now, and when to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What must be remembered before anything else is done. Absent: no run has begun.
    pub memory: Option<Memory>,
    /// Runs whose memory may be dropped.
    pub forget: Vec<u32>,
    /// Services and budgets that must exist. `None`: leave those that do as they are.
    pub fixtures: Option<Fixtures>,
    /// Pods to create, in this order.
    pub create: Vec<NewPod>,
    /// So many are replaced at once that the first ones are to show whether it works.
    pub slow_start: bool,
    /// Pods to take out of their entry points.
    pub cordon: Vec<Drain>,
    /// Pods to declare lost: out of their slots and entry points.
    pub disown: Vec<Drain>,
    /// Pods whose drain is taken back.
    pub uncordon: Vec<Named>,
    /// Pods to delete, in this order.
    pub delete: Vec<Removal>,
    /// What to tell people.
    pub status: Status,
    /// What the next decision's [`Recent`](crate::Recent) must carry.
    pub alarm: Option<Alarm>,
    /// When to look again if nothing happens before. `None`: never.
    pub next_wake: Option<Timestamp>,
}

/// What must stand beside the pods; any other Service or budget of ours goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fixtures {
    /// Services.
    pub entries: Vec<Entry>,
    /// PodDisruptionBudgets.
    pub budgets: Vec<Budget>,
}

/// A pod to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPod {
    /// The slot it fills.
    pub slot: Slot,
    /// `<webinar>-<slot>-<incarnation>`.
    pub name: String,
    /// The viewers Service it belongs to; SFUs and mids have none, but for a room's SFU.
    pub shard: Option<u32>,
    /// Where it pulls the stage from; SFUs have none.
    pub parent: Option<Parent>,
    /// Mids it may turn to when its parent is gone.
    pub fallbacks: Vec<u32>,
    /// The zone it prefers.
    pub zone: Option<String>,
    /// Viewers or children it may carry in need.
    pub max_viewers: u32,
}

/// A pod to take out of its entry point, or of its slot as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// Name.
    pub name: String,
    /// UID that the write must name.
    pub uid: String,
    /// When the drain began, for the pod's own record.
    pub started: Timestamp,
}

/// A pod whose drain is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Name.
    pub name: String,
    /// UID that the write must name.
    pub uid: String,
}

/// A pod to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Name.
    pub name: String,
    /// UID that the delete must name.
    pub uid: String,
    /// The slot it leaves.
    pub slot: Slot,
    /// The longest its shutdown may take. `None`: as long as the pod's own spec says.
    pub grace: Option<SignedDuration>,
}

/// A Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which one.
    pub kind: EntryKind,
    /// The slot it selects; `None` selects the pods of its shard that accept viewers.
    pub slot: Option<Slot>,
}

/// The Services of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryKind {
    /// The presenters' one address: the active SFU.
    Ingest,
    /// What children of the stage pull from: the active SFU.
    Origin,
    /// One SFU, for encoders that send twice.
    Sfu(u32),
    /// One mid: the parent address of relays.
    Mid(u32),
    /// One shard of relays: an address for viewers. In a room, its SFU.
    Viewers(u32),
}

impl fmt::Display for EntryKind {
    /// The Service's name without the Webinar's: `ingest`, `mid-4`, `viewers-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ingest => f.write_str("ingest"),
            Self::Origin => f.write_str("origin"),
            Self::Sfu(i) => write!(f, "sfu-{i}"),
            Self::Mid(i) => write!(f, "mid-{i}"),
            Self::Viewers(shard) => write!(f, "viewers-{shard}"),
        }
    }
}

/// A PodDisruptionBudget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The pods it guards.
    pub role: Role,
    /// Healthy pods that evictions must leave: an integer, because percentages need a scale subresource.
    pub min_available: u32,
}

/// What to tell people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Where the event stands. Absent while it is refused and nothing runs.
    pub phase: Option<Phase>,
    /// The run this speaks of; 0 before the first.
    pub run: u32,
    /// Tier in effect.
    pub tier: Option<Tier>,
    /// Boundaries.
    pub schedule: Option<Schedule>,
    /// Pods by role.
    pub pools: Vec<Pool>,
    /// Seats the tier asks for.
    pub seats_desired: Option<u32>,
    /// Seats that are Ready.
    pub seats_ready: Option<u32>,
    /// Relays behind each address, in the order of the plan's entries.
    pub entry_relays: Vec<(EntryKind, u32)>,
    /// When every seat was Ready, and how long before the start. Known once a run has finished.
    pub outcome: Option<(Option<Timestamp>, Option<SignedDuration>)>,
    /// The verdicts.
    pub conditions: Vec<Condition>,
    /// Pods that carry the Webinar's labels and are not its own.
    pub strangers: u32,
    /// What to tell once.
    pub notices: Vec<Notice>,
}

/// A warning that is an Event and not a condition. It is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What it is about.
    pub subject: Subject,
    /// What it says.
    pub text: String,
}

/// Pods of one role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Which role.
    pub role: Role,
    /// Slots the plan wants in the end.
    pub desired: u32,
    /// Pods that exist and are alive.
    pub created: u32,
    /// Of those, Ready ones that are in their entry point.
    pub ready: u32,
    /// Of those, draining ones.
    pub draining: u32,
}

/// One judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// What is judged.
    pub kind: ConditionType,
    /// The judgement.
    pub truth: Truth,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people: whole sentences with the numbers and the next step.
    pub message: String,
}

/// What is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConditionType {
    /// Accepted and on plan.
    Ready,
    /// Every seat is there.
    CapacityReady,
    /// Seats will be, or are, missing.
    CapacityAtRisk,
    /// Edits wait for the next run.
    PendingChanges,
    /// A person is needed.
    Stalled,
}

impl ConditionType {
    /// Every type.
    pub const ALL: [Self; 5] = [
        Self::Ready,
        Self::CapacityReady,
        Self::CapacityAtRisk,
        Self::PendingChanges,
        Self::Stalled,
    ];

    /// The type as written in status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::CapacityReady => "CapacityReady",
            Self::CapacityAtRisk => "CapacityAtRisk",
            Self::PendingChanges => "PendingChanges",
            Self::Stalled => "Stalled",
        }
    }
}

/// A condition's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Truth {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody can say.
    Unknown,
}

impl Truth {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::True, Self::False, Self::Unknown];

    /// The status as written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}
