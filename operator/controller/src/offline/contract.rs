//! What `plan -o json` prints: a contract, version `v1`. Fields are only ever added.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// Everything that was planned.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// `v1`.
    pub(crate) version: &'static str,
    /// One for each Webinar, in the order given.
    pub(crate) webinars: Vec<Outline>,
    /// All of them together.
    pub(crate) combined: Combined,
}

/// All Webinars together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Combined {
    /// The most pods that exist at once.
    pub(crate) peak_pods: u32,
    /// When that is first reached. Null when nothing is planned.
    #[serde(serialize_with = "maybe_utc")]
    pub(crate) peak_time: Option<Timestamp>,
}

/// One Webinar.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outline {
    pub(crate) name: String,
    pub(crate) namespace: String,
    /// Null when the manifest can't be read.
    pub(crate) tier: Option<String>,
    /// Seats of the full fleet; 0 when refused.
    pub(crate) seats: u32,
    /// Null without relays.
    pub(crate) viewers_per_relay: Option<u32>,
    /// Null when refused, as are `schedule`, `waves` and `peak`.
    pub(crate) pods: Option<Pods>,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) waves: Option<Vec<Wave>>,
    pub(crate) peak: Option<Peak>,
    /// Traffic to a full audience, Mbit/s.
    pub(crate) egress_mbps: u64,
    pub(crate) warnings: Vec<Note>,
    pub(crate) refused: Option<Note>,
    /// What the other formats show beside the contract.
    #[serde(skip)]
    pub(crate) aside: Option<Aside>,
}

/// Pods by role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Pods {
    pub(crate) sfu: u32,
    pub(crate) mid: u32,
    pub(crate) relay: u32,
}

impl Pods {
    /// Pods of all roles.
    pub(crate) const fn total(self) -> u32 {
        self.sfu + self.mid + self.relay
    }
}

/// Boundaries, in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schedule {
    #[serde(serialize_with = "utc")]
    pub(crate) ramp_time: Timestamp,
    #[serde(serialize_with = "utc")]
    pub(crate) ready_by_time: Timestamp,
    #[serde(serialize_with = "utc")]
    pub(crate) start_time: Timestamp,
    #[serde(serialize_with = "utc")]
    pub(crate) end_time: Timestamp,
    #[serde(serialize_with = "utc")]
    pub(crate) release_time: Timestamp,
    pub(crate) lead_seconds: i64,
    pub(crate) jitter_seconds: i64,
}

/// The pods created in one wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Wave {
    #[serde(serialize_with = "utc")]
    pub(crate) time: Timestamp,
    #[serde(flatten)]
    pub(crate) pods: Pods,
}

/// Requests of the full fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peak {
    pub(crate) cpu_millicores: u64,
    pub(crate) memory_bytes: u64,
}

/// A warning or a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Note {
    pub(crate) reason: String,
    pub(crate) message: String,
}

/// Facts for people that are not part of the contract.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Aside {
    /// Capacity isn't lowered before this instant.
    pub(crate) floor_until: Timestamp,
    /// How long a pod takes until it carries viewers.
    pub(crate) settle: jiff::SignedDuration,
    /// Machines of the size asked for; absent when a pod fits on none.
    pub(crate) machines: Option<u64>,
    /// CPU requested by the plan until the planned end, in vCPU-hours.
    pub(crate) vcpu_hours: u64,
    /// Traffic of a full audience over the whole event, in gigabytes.
    pub(crate) egress_gb: u64,
    /// Services that are created, for the quota.
    pub(crate) services: u32,
    /// People to be ready for.
    pub(crate) attendees: u32,
    /// Seats from each instant on, as waves become ready.
    pub(crate) seats_from: Vec<(Timestamp, u32)>,
}

/// An instant as people read it: UTC, date and seconds.
pub(crate) fn readable(t: Timestamp) -> String {
    t.strftime("%F %TZ").to_string()
}

fn utc<S: Serializer>(t: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
    out.collect_str(&t.strftime("%FT%TZ"))
}

fn maybe_utc<S: Serializer>(t: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
    match t {
        Some(t) => utc(t, out),
        None => out.serialize_none(),
    }
}
