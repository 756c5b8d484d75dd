//! When capacity comes and goes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, rules::bounds};

/// How capacity is brought up before the start.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ramp {
    /// Pods created at once, 1 to 10000. Managed control planes and node autoscalers dislike big jumps.
    #[schemars(range(min = 1, max = 10_000))]
    pub wave_size: i32,

    /// Time between waves, 1s to 1h.
    #[schemars(extend("x-kubernetes-validations" = bounds("waveInterval", "1s", "1h")))]
    pub wave_interval: Duration,

    /// How much longer than computed the ramp is given, in percent, 100 to 1000.
    #[schemars(range(min = 100, max = 1000))]
    pub safety_percent: i32,

    /// How long before the start everything must be ready, 0s to 24h. Absent: 10m, 15m from `250k`, 0s for
    /// `room`. The Webinar's value wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Duration",
        extend("x-kubernetes-validations" = bounds("readyBefore", "0s", "24h"))
    )]
    pub ready_before: Option<Duration>,

    /// How long the last pod takes from its creation until viewers reach it.
    pub settle: Settle,
}

impl Default for Ramp {
    fn default() -> Self {
        Self {
            wave_size: 300,
            wave_interval: Duration::from_mins(3),
            safety_percent: 150,
            ready_before: None,
            settle: Settle::default(),
        }
    }
}

/// How long the last pod takes from its creation until viewers reach it. Each part 0s to 1h.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Settle {
    /// A new machine joins the cluster.
    #[schemars(extend("x-kubernetes-validations" = bounds("nodeStartup", "0s", "1h")))]
    pub node_startup: Duration,

    /// The image is pulled.
    #[schemars(extend("x-kubernetes-validations" = bounds("imagePull", "0s", "1h")))]
    pub image_pull: Duration,

    /// The pod becomes Ready.
    #[schemars(extend("x-kubernetes-validations" = bounds("podStartup", "0s", "1h")))]
    pub pod_startup: Duration,

    /// The pod gets the stage from its parent.
    #[schemars(extend("x-kubernetes-validations" = bounds("upstream", "0s", "1h")))]
    pub upstream: Duration,

    /// The load balancer sends it viewers.
    #[schemars(extend("x-kubernetes-validations" = bounds("loadBalancer", "0s", "1h")))]
    pub load_balancer: Duration,
}

impl Default for Settle {
    fn default() -> Self {
        Self {
            node_startup: Duration::from_mins(4),
            image_pull: Duration::from_secs(60),
            pod_startup: Duration::from_secs(5),
            upstream: Duration::from_secs(10),
            load_balancer: Duration::from_secs(90),
        }
    }
}

/// What holds during and after the event.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Live {
    /// How long after the start the full tier is kept in any case, 0s to 72h.
    #[schemars(extend("x-kubernetes-validations" = bounds("floorAfterStart", "0s", "72h")))]
    pub floor_after_start: Duration,

    /// How long past the planned end capacity stays while people are still watching, 0s to 72h.
    /// The Webinar's value wins.
    #[schemars(extend("x-kubernetes-validations" = bounds("overrun", "0s", "72h")))]
    pub overrun: Duration,

    /// How long a pod waits for its viewers to leave after the event, 1s to 24h.
    #[schemars(extend("x-kubernetes-validations" = bounds("drainTimeout", "1s", "24h")))]
    pub drain_timeout: Duration,

    /// The share of seats in use at which the fleet grows, in percent, 10 to 100.
    #[schemars(range(min = 10, max = 100))]
    pub grow_at_percent: i32,

    /// How long the audience must have needed less before relays are drained on air, 0s to 24h.
    #[schemars(extend("x-kubernetes-validations" = bounds("shrinkAfter", "0s", "24h")))]
    pub shrink_after: Duration,

    /// Time between two drains on air, each of a tenth of the relays at most, 1s to 24h.
    #[schemars(extend("x-kubernetes-validations" = bounds("shrinkInterval", "1s", "24h")))]
    pub shrink_interval: Duration,

    /// How long nobody must have watched after the planned end before everything is given back, 0s to 1h.
    #[schemars(extend("x-kubernetes-validations" = bounds("goneAfter", "0s", "1h")))]
    pub gone_after: Duration,

    /// Viewers that one relay can take in each second, 1 to 1000. What a join gate is told follows from it.
    #[schemars(range(min = 1, max = 1000))]
    pub joins_per_second_per_relay: i32,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            floor_after_start: Duration::from_mins(15),
            overrun: Duration::from_mins(120),
            drain_timeout: Duration::from_mins(10),
            grow_at_percent: 80,
            shrink_after: Duration::from_mins(10),
            shrink_interval: Duration::from_mins(5),
            gone_after: Duration::from_mins(2),
            joins_per_second_per_relay: 10,
        }
    }
}
