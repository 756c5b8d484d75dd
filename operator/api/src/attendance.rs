//! Where the numbers of the data plane come from, and when media counts as stalled.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Duration;
use crate::rules::{self, bounds};

/// Where attendance and media flow are read from: one of `podMetrics` and `prometheus`.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = rules::rules(&[(
    "has(self.podMetrics) != has(self.prometheus)",
    "`attendance` must have one of `podMetrics` and `prometheus`",
)])))]
pub struct Attendance {
    /// Ask every pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PodMetrics")]
    pub pod_metrics: Option<PodMetrics>,

    /// Ask a Prometheus server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Prometheus")]
    pub prometheus: Option<Prometheus>,
}

/// Every running pod is asked over HTTP, at its own IP, in the Prometheus text format.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PodMetrics {
    /// The port, 1 to 65535.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,

    /// Path and query.
    #[serde(default = "default_path")]
    #[schemars(length(max = 200), regex(pattern = r"^/[!-~]*$"))]
    pub path: String,

    /// Who is connected: a gauge.
    pub viewers: Figure,

    /// Bytes received so far: a counter. Without it nobody can say whether media flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Figure")]
    pub bytes_in: Option<Figure>,

    /// Bytes sent so far: a counter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Figure")]
    pub bytes_out: Option<Figure>,
}

fn default_path() -> String {
    "/metrics".to_owned()
}

/// A figure made of series: the sum of some, without others.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Figure {
    /// Series to add up. Labels that are not matched are summed over.
    #[schemars(length(min = 1, max = 8))]
    pub sum: Vec<Series>,

    /// Series to take away, for servers that count who came and who left.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub minus: Vec<Series>,
}

/// The series of one metric.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// The metric's name.
    #[schemars(length(max = 200), regex(pattern = r"^[a-zA-Z_:][a-zA-Z0-9_:]*$"))]
    pub metric: String,

    /// Labels that must have one of these values. Absent: every series of the metric.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "matches")]
    pub r#match: BTreeMap<String, Vec<String>>,
}

fn matches(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "description": "Labels that must have one of these values. Absent: every series of the metric.",
        "type": "object",
        "maxProperties": 8,
        "additionalProperties": {
            "type": "array",
            "minItems": 1,
            "maxItems": 16,
            "items": {"type": "string", "maxLength": 200},
        },
    })
}

/// A Prometheus server is asked. It must label each result with `pod`.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Prometheus {
    /// The server's address, for example http://prometheus.monitoring.svc:9090.
    #[schemars(length(max = 500), regex(pattern = r"^https?://[!-~]+$"))]
    pub url: String,

    /// How often that server asks the pods, 1s to 5m. What the operator notices, it notices two intervals and ten seconds late.
    #[serde(default = "default_interval")]
    #[schemars(extend("x-kubernetes-validations" = bounds("scrapeInterval", "1s", "5m")))]
    pub scrape_interval: Duration,

    /// What to ask.
    pub queries: Queries,
}

fn default_interval() -> Duration {
    Duration::from_secs(15)
}

/// One query for each figure. `$namespace` and `$webinar` stand for the Webinar's namespace and name.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queries {
    /// Who is connected, by `pod`.
    #[schemars(length(min = 1, max = 1000))]
    pub viewers: String,

    /// Bytes received so far, by `pod`: a counter, not a rate. Without it nobody can say whether media flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 1000))]
    pub bytes_in: Option<String>,

    /// Bytes sent so far, by `pod`: a counter, not a rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 1000))]
    pub bytes_out: Option<String>,
}

/// When media counts as stalled.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stall {
    /// Below this rate the active SFU receives nothing, 1 to 100000 kbit/s. Sound alone can average 3.
    #[schemars(range(min = 1, max = 100_000))]
    pub floor_kbps: i32,

    /// How long nothing must arrive, 4s to 5m.
    #[schemars(extend("x-kubernetes-validations" = bounds("after", "4s", "5m")))]
    pub after: Duration,

    /// How long the active SFU may not answer before nobody can say whether media flows, 5s to 5m.
    #[schemars(extend("x-kubernetes-validations" = bounds("noSignalAfter", "5s", "5m")))]
    pub no_signal_after: Duration,

    /// How long a standby must have received media before it may take over, 0s to 5m.
    #[schemars(extend("x-kubernetes-validations" = bounds("standbyAfter", "0s", "5m")))]
    pub standby_after: Duration,
}

impl Default for Stall {
    fn default() -> Self {
        Self {
            floor_kbps: 2,
            after: Duration::from_secs(8),
            no_signal_after: Duration::from_secs(20),
            standby_after: Duration::from_secs(10),
        }
    }
}
