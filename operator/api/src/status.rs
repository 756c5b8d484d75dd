//! What the operator says about a Webinar.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Tier,
    rules::{self, Conditions},
};

/// What the operator last saw and decided.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct WebinarStatus {
    /// The generation of the spec the rest speaks for. -1: the operator has not looked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = -1))]
    pub observed_generation: Option<i64>,

    /// Where the run stands, for policies and tools. The judgement is in `conditions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Phase")]
    pub phase: Option<Phase>,

    /// Counts the runs. A finished Webinar whose start moves to the future begins the next one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub run: Option<i32>,

    /// The tier in effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Tier")]
    pub tier: Option<Tier>,

    /// When things happen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Schedule")]
    pub schedule: Option<Schedule>,

    /// Pods by role.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["role".into()]))]
    pub pools: Vec<Pool>,

    /// Places for attendees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Capacity")]
    pub capacity: Option<Capacity>,

    /// Who is watching. Absent until that is known; never zero for unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Attended")]
    pub attendance: Option<Attended>,

    /// What a join gate or waiting room may let in now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Admission")]
    pub admission: Option<Admission>,

    /// The Services that presenters and viewers connect to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub entry_points: Vec<EntryPoint>,

    /// The ControllerRevision that is this run's memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Revision")]
    pub revision: Option<Revision>,

    /// How the run went. Present once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Outcome")]
    pub outcome: Option<Outcome>,

    /// The judgement: `Ready`, `CapacityReady`, `CapacityAtRisk`, `PendingChanges` and others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::conditions")]
    pub conditions: Conditions,
}

/// Where a run stands.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Accepted; the ramp has not begun.
    Scheduled,
    /// Pods are being created.
    Ramping,
    /// Everything planned is ready; the start has not come.
    Armed,
    /// The start has come.
    Live,
    /// The planned end has passed and people are still watching.
    Overrun,
    /// Pods are being removed.
    Draining,
    /// All pods are gone.
    Finished,
    /// The event was first seen after its end.
    Expired,
}

impl Phase {
    /// The name as written in status.
    #[must_use]
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
}

/// What a pod does.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes the stage from presenters.
    Sfu,
    /// Passes the stage from the SFU to relays.
    Mid,
    /// Serves viewers.
    Relay,
}

impl Role {
    /// The name as written in labels and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sfu => "sfu",
            Self::Mid => "mid",
            Self::Relay => "relay",
        }
    }
}

/// The instants of a run. Never countdowns.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Schedule {
    /// When the first pods are created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub ramp_time: Option<Time>,

    /// When everything must be ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub ready_by_time: Option<Time>,

    /// When the audience arrives.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub start_time: Option<Time>,

    /// The planned end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub end_time: Option<Time>,

    /// When capacity goes at the latest, even if people are still watching.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub release_time: Option<Time>,
}

/// The pods of one role.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pool {
    /// The role: `sfu`, `mid` or `relay`.
    pub role: Role,
    /// Pods wanted.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// Pods that exist.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub created: i32,
    /// Pods that are Ready.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub ready: i32,
    /// Pods that take no new viewers and are about to go.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub draining: i32,
}

/// Places, in attendees.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capacity {
    /// Attendees to be ready for.
    #[schemars(range(min = 0))]
    pub desired: i32,
    /// Attendees that could be served now.
    #[schemars(range(min = 0))]
    pub ready: i32,
}

/// Who is watching.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attended {
    /// Viewers, as last known.
    #[schemars(range(min = 0))]
    pub current: i32,
    /// Most viewers at once in this run.
    #[schemars(range(min = 0))]
    pub peak: i32,
    /// When `current` was known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub observed_time: Option<Time>,
}

/// What a join gate or waiting room may let in.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Admission {
    /// Whether seats are left.
    pub open: bool,
    /// Attendees there may be in all.
    #[schemars(range(min = 0))]
    pub max_attendees: i32,
    /// Attendees that may be let in each second.
    #[schemars(range(min = 0))]
    pub joins_per_second: i32,
}

/// A Service to connect to.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryPoint {
    /// What it is for: `ingest` for presenters, `viewers-0` and so on for the audience.
    pub name: String,
    /// The Service's name, in the Webinar's namespace.
    pub service: String,
    /// Relays behind it that take viewers. Absent for ingest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub relays: Option<i32>,
    /// Attendees that may be let in there each second. Absent for ingest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub joins_per_second: Option<i32>,
}

/// A reference to the run's memory.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// The ControllerRevision's name, in the Webinar's namespace.
    pub name: String,
    /// Hash of its content: the first 16 hex digits of SHA-256.
    pub hash: String,
}

/// How a run went.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Outcome {
    /// When everything planned was first ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Time")]
    pub ready_time: Option<Time>,

    /// Seconds from then to the start. Negative: it was late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64")]
    pub ready_lead_seconds: Option<i64>,

    /// Most viewers at once, if they were counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub peak_attendees: Option<i32>,

    /// How often media did not flow as it should.
    #[schemars(range(min = 0))]
    pub incidents: i32,
}
