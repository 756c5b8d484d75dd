//! The kind platform teams write: everything an event team must not choose.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Attendance, Live, Ramp, Services, Sizing, Stall, Tier, WebinarClassStatus, rules};

/// What a platform team allows and how it is built.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "webinar-operator.io",
    version = "v1alpha1",
    kind = "WebinarClass",
    plural = "webinarclasses",
    derive = "PartialEq",
    status = "WebinarClassStatus",
    shortname = "wbnc",
    category = "webinar-operator",
    doc = "How Webinars are built: pod templates, sizes, times and limits. Annotated \
           `webinar-operator.io/is-default-class: \"true\"` it serves Webinars without `className`.",
    validation = Rule::new("self.metadata.name.size() <= 63")
        .message("`metadata.name` must be at most 63 characters long: `className` holds no more"),
    printcolumn(
        name = "Accepted",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Accepted\")].status",
        description = "Whether the class can be used."
    ),
    printcolumn(
        name = "Viewers/Relay",
        type_ = "integer",
        json_path = ".status.viewersPerRelay",
        description = "Planned viewers per relay."
    ),
    printcolumn(
        name = "MaxTier",
        type_ = "string",
        json_path = ".spec.maxTier",
        description = "The largest tier a Webinar of this class may ask for."
    ),
    printcolumn(
        name = "Default",
        type_ = "string",
        json_path = ".metadata.annotations.webinar-operator\\.io/is-default-class",
        description = "`true`: serves Webinars without `className`."
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.maxTier == 'room' || has(self.templates.relay)")
    .message("`templates.relay` must be set unless `maxTier` is room")
    .field_path(".templates"))]
pub struct WebinarClassSpec {
    /// The pods to build from.
    pub templates: Templates,

    /// The largest tier a Webinar of this class may ask for.
    #[serde(default = "default_max_tier")]
    pub max_tier: Tier,

    /// The most pods one Webinar may have, 1 to 50000. A tier that needs more is refused.
    #[serde(default = "default_max_pods")]
    #[schemars(range(min = 1, max = 50_000))]
    pub max_pods: i32,

    /// The most pods that all Webinars of this class together may have. Who starts first is served first; the others
    /// wait and say for whom. Absent: no such limit. With several `--watch-namespace`, each namespace counts by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 1_000_000))]
    pub max_total_pods: Option<i32>,

    /// Whether the templates may mount Secrets or projected tokens. They end up in every namespace with
    /// a Webinar of this class.
    #[serde(default)]
    pub allow_credentials: bool,

    /// How pods are spread over zones.
    #[serde(default)]
    pub topology: Topology,

    /// How many pods a number of attendees needs. Figures depend on the media server: calibrate them.
    #[serde(default)]
    pub sizing: Sizing,

    /// How capacity is brought up before the start.
    #[serde(default)]
    pub ramp: Ramp,

    /// What holds during and after the event.
    #[serde(default)]
    pub live: Live,

    /// Where attendance and media flow are read from. Absent: attendance stays unknown, and the full tier is kept to the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Attendance")]
    pub attendance: Option<Attendance>,

    /// When media counts as stalled.
    #[serde(default)]
    pub stall: Stall,

    /// The Services that presenters and viewers connect to.
    #[serde(default)]
    pub services: Services,

    /// How pods are protected from being disturbed.
    #[serde(default)]
    pub disruption: Disruption,
}

fn default_max_tier() -> Tier {
    Tier::T1M
}

fn default_max_pods() -> i32 {
    5000
}

/// Names of core/v1 PodTemplates in the operator's namespace. The first container of each must have a CPU
/// request: capacity is computed from it.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Templates {
    /// The template of SFUs.
    #[schemars(length(min = 1, max = 253))]
    pub sfu: String,

    /// The template of relays and mids. Needed unless `maxTier` is room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 253))]
    pub relay: Option<String>,
}

/// How pods are spread over zones.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = rules::rules(&[(
    "size(self.zoneNames) == 0 || size(self.zoneNames) == self.zones",
    "`zoneNames` must be empty or name exactly as many zones as `zones` says",
)])))]
pub struct Topology {
    /// The number of zones, 1 to 10. Relays and mids come in multiples of it.
    #[schemars(range(min = 1, max = 10))]
    pub zones: i32,

    /// Names of the zones. When given, each pod prefers one of them.
    #[schemars(
        length(max = 10),
        inner(length(min = 1, max = 63)),
        extend("x-kubernetes-list-type" = "set")
    )]
    pub zone_names: Vec<String>,

    /// The node label that holds the zone.
    #[schemars(length(min = 1, max = 317))]
    pub key: String,
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            zones: 3,
            zone_names: Vec::new(),
            key: "topology.kubernetes.io/zone".to_owned(),
        }
    }
}

/// How pods are protected from being disturbed.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Disruption {
    /// Create a PodDisruptionBudget per role.
    pub pod_disruption_budgets: bool,

    /// Annotate pods so that Karpenter and the cluster autoscaler leave their nodes alone.
    pub do_not_disrupt: bool,

    /// Tolerate not-ready and unreachable nodes without a time limit: the operator replaces a lost pod
    /// first and deletes it afterwards.
    pub tolerate_node_failure: bool,
}

impl Default for Disruption {
    fn default() -> Self {
        Self {
            pod_disruption_budgets: true,
            do_not_disrupt: true,
            tolerate_node_failure: true,
        }
    }
}
