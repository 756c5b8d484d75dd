//! What was decided. Nothing in here leaves anything to decide later.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::input::{Alarm, Cordon, Memory, Subject, Watch};
use crate::phase::Phase;
use crate::reason::Reason;
use crate::removal::Removal;
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
    /// Services that must lead elsewhere although `fixtures` leaves all as they are: the stage's, while a run on air is
    /// suspended. Of each only the selector is written, and none is created. Empty while `fixtures` says everything.
    pub reroute: Vec<Entry>,
    /// Objects that were refused and are not due to be tried again, as [`Setback::object`](crate::Setback::object) has them:
    /// none of them is created now, whatever else says that it must exist.
    pub waits: Vec<String>,
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
    /// What was measured so far, for the same.
    pub watch: Watch,
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
    /// Why, for the same.
    pub why: Cordon,
}

/// A pod whose drain is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Name.
    pub name: String,
    /// UID that the write must name.
    pub uid: String,
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
    /// Who is watching. Absent until that is known.
    pub attendance: Option<Attended>,
    /// What a join gate may let in now.
    pub admission: Option<Admission>,
    /// The addresses that people use, in the order of the plan's entries.
    pub addresses: Vec<Address>,
    /// What the active SFU receives.
    pub media: MediaFigures,
    /// How the run went. Known once it has finished.
    pub outcome: Option<Outcome>,
    /// The verdicts.
    pub conditions: Vec<Condition>,
    /// Pods that carry the Webinar's labels and are not its own.
    pub strangers: u32,
    /// What to tell once.
    pub notices: Vec<Notice>,
}

/// Who is watching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attended {
    /// Viewers now, or when they were last known.
    pub current: u32,
    /// Most viewers at once in this run.
    pub peak: u32,
    /// When `current` was known.
    pub observed: Timestamp,
}

/// What a join gate or waiting room may let in now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// There are seats left.
    pub open: bool,
    /// Attendees there may be in all.
    pub max_attendees: u32,
    /// Attendees that may be let in each second.
    pub joins_per_second: u32,
}

/// An address that presenters or viewers use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address {
    /// Which one.
    pub kind: EntryKind,
    /// Relays behind it that take viewers; 0 for ingest.
    pub relays: u32,
    /// Viewers that may be let in there each second. Absent for ingest.
    pub joins_per_second: Option<u32>,
}

/// What the active SFU receives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MediaFigures {
    /// Bits per second.
    pub inbound: Option<u64>,
    /// When a byte was last seen to arrive.
    pub last_byte: Option<Timestamp>,
    /// Changes of the active SFU that began with this plan: 0 or 1.
    pub failovers: u32,
}

/// How a run went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outcome {
    /// When every seat was first Ready.
    pub ready_at: Option<Timestamp>,
    /// How long before the start that was. Negative: it was late.
    pub lead: Option<SignedDuration>,
    /// Most viewers at once, if they were counted.
    pub peak: Option<u32>,
    /// How often media did not flow as it should.
    pub incidents: u32,
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
    /// Presenters' media arrives.
    MediaFlowing,
    /// The audience is counted.
    AttendanceKnown,
    /// Edits wait for the next run.
    PendingChanges,
    /// A person is needed.
    Stalled,
}

impl ConditionType {
    /// Every type.
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::CapacityReady,
        Self::CapacityAtRisk,
        Self::MediaFlowing,
        Self::AttendanceKnown,
        Self::PendingChanges,
        Self::Stalled,
    ];

    /// The type as written in status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::CapacityReady => "CapacityReady",
            Self::CapacityAtRisk => "CapacityAtRisk",
            Self::MediaFlowing => "MediaFlowing",
            Self::AttendanceKnown => "AttendanceKnown",
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
