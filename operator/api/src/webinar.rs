//! The kind event teams write.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, Tier, WebinarStatus, rules};

/// What an event team asks for.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "webinar-operator.io",
    version = "v1alpha1",
    kind = "Webinar",
    namespaced,
    derive = "PartialEq",
    status = "WebinarStatus",
    shortname = "wbn",
    category = "webinar-operator",
    doc = "A live event for which media capacity must be ready at a given time.",
    validation = Rule::new("self.metadata.name.size() <= 40")
        .message("`metadata.name` must be at most 40 characters long: names of pods and Services are made from it"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("`metadata.name` must be lower-case letters, digits and hyphens, begin with a letter and not end with a hyphen"),
    printcolumn(
        name = "Tier",
        type_ = "string",
        json_path = ".spec.tier",
        description = "Attendees to be ready for at the start."
    ),
    printcolumn(
        name = "Start",
        type_ = "string",
        json_path = ".status.schedule.startTime",
        description = "When the audience arrives."
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        description = "Where the event stands."
    ),
    printcolumn(
        name = "Seats",
        type_ = "integer",
        json_path = ".status.capacity.ready",
        description = "Attendees that could be served now."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether the event is accepted and on plan.",
        priority = "1"
    ),
    printcolumn(
        name = "Class",
        type_ = "string",
        json_path = ".spec.className",
        description = "The WebinarClass asked for; empty means the default class.",
        priority = "1"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::max_tier_covers_tier())]
pub struct WebinarSpec {
    /// Attendees to be ready for at the start: `room` (50), `10k`, `50k`, `100k`, `250k`, `500k` or `1M`.
    /// Case matters.
    pub tier: Tier,

    /// How far the operator may grow on its own while the event is live. Not below `tier`.
    /// Absent: as `tier`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Tier")]
    pub max_tier: Option<Tier>,

    /// When the audience arrives: RFC 3339 with an offset, for example 2027-03-04T17:00:00Z.
    /// Absent: as soon as possible after creation. A time in the past is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 64))]
    #[x_kube(validation = rules::timestamp("startTime"))]
    pub start_time: Option<Time>,

    /// Planned length, 1m to 72h.
    #[serde(default = "default_duration")]
    #[x_kube(validation = rules::within("duration", "1m", "72h"))]
    pub duration: Duration,

    /// The WebinarClass to use. Absent: the default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(max = 63))]
    #[x_kube(validation = ("self != ''", "`className` must not be empty: leave it out for the default class"))]
    pub class_name: Option<String>,

    /// People on stage, 1 to 1000.
    #[serde(default = "default_panelists")]
    #[schemars(range(min = 1, max = 1000))]
    pub panelists: i32,

    /// How long before the start everything must be ready, 0s to 24h. Absent: as the class says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Duration")]
    #[x_kube(validation = rules::within("readyBefore", "0s", "24h"))]
    pub ready_before: Option<Duration>,

    /// How long past the planned end capacity stays while people are still watching, 0s to 72h.
    /// Absent: as the class says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Duration")]
    #[x_kube(validation = rules::within("overrun", "0s", "72h"))]
    pub overrun: Option<Duration>,

    /// Whether capacity may follow a falling audience during the event: `Never` or `AfterPeak`.
    #[serde(default)]
    pub release: Release,

    /// More relays than the tier needs, for a while. Never lowers anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Override")]
    pub r#override: Option<Override>,

    /// The operator looks and tells, but creates, cordons and deletes nothing. Drains wait; when this is
    /// false again, the plan for that moment is carried out.
    #[serde(default)]
    pub suspend: bool,
}

/// Whether capacity may follow a falling audience during the event.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(extend("maxLength" = 9))]
pub enum Release {
    /// The full tier is kept until the end.
    #[default]
    Never,
    /// Relays that nobody watches through go once the audience needs clearly less.
    AfterPeak,
}

/// A floor of relays that people order for a while.
#[derive(KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// Relays to keep at least, 1 to 50000, as far as `maxPods` and the tree allow.
    #[schemars(range(min = 1, max = 50_000))]
    pub relays: i32,

    /// Why, for those who look at it later: 1 to 200 characters.
    #[schemars(length(min = 1, max = 200))]
    pub reason: String,

    /// When it ends: RFC 3339 with an offset. What it brought stays until the run gives everything back.
    #[schemars(with = "String", length(max = 64))]
    #[x_kube(validation = rules::timestamp("until"))]
    pub until: Time,
}

fn default_duration() -> Duration {
    Duration::from_mins(60)
}

fn default_panelists() -> i32 {
    10
}
