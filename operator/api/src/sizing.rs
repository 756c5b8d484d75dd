//! How many pods a number of attendees needs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Tier, rules};

/// Load per viewer, what a pod can carry, and head-room.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = rules::rules(&[
    (
        "self.hardUtilizationPercent >= self.maxCPUUtilizationPercent",
        "`hardUtilizationPercent` must not be below `maxCPUUtilizationPercent`",
    ),
    (
        "self.hardUtilizationPercent >= self.maxEgressUtilizationPercent",
        "`hardUtilizationPercent` must not be below `maxEgressUtilizationPercent`",
    ),
])))]
pub struct Sizing {
    /// The load of one viewer.
    pub viewer: Viewer,

    /// Packets per second that one vCPU forwards. A property of the media server: calibrate it.
    /// Default: LiveKit's livestream benchmark as reproduced by an outside user.
    #[serde(rename = "packetsPerSecondPerCPU")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub packets_per_second_per_cpu: i32,

    /// Planned CPU use in percent. Default: just under two thirds, so that two of three zones can carry
    /// the event.
    #[serde(rename = "maxCPUUtilizationPercent")]
    #[schemars(range(min = 1, max = 100))]
    pub max_cpu_utilization_percent: i32,

    /// Network limit of a relay's machine in Mbit/s. Default: EC2's limit to the internet below 32 vCPUs.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub egress_mbps: i32,

    /// Planned network use in percent. Default: assumed.
    #[schemars(range(min = 1, max = 100))]
    pub max_egress_utilization_percent: i32,

    /// CPU and network use in percent that a pod may reach in need. Not below the planned ones.
    /// Default: assumed.
    #[schemars(range(min = 1, max = 100))]
    pub hard_utilization_percent: i32,

    /// The most viewers per relay, whatever the arithmetic says. Absent: no such limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 1_000_000))]
    pub max_viewers_per_relay: Option<i32>,

    /// How unevenly viewers may be placed, in percent. Default: assumed.
    #[schemars(range(min = 0, max = 100))]
    pub imbalance_percent: i32,

    /// Relays beyond the need.
    pub spares: Spares,

    /// Planned children per parent: how many relays fail together with their mid.
    #[schemars(range(min = 1, max = 1000))]
    pub fan_out: i32,

    /// The load of the stage.
    pub stage: Stage,

    /// SFUs.
    pub sfu: SfuSizing,
}

impl Default for Sizing {
    fn default() -> Self {
        Self {
            viewer: Viewer::default(),
            packets_per_second_per_cpu: 19_000,
            max_cpu_utilization_percent: 65,
            egress_mbps: 5000,
            max_egress_utilization_percent: 75,
            hard_utilization_percent: 95,
            max_viewers_per_relay: None,
            imbalance_percent: 10,
            spares: Spares::default(),
            fan_out: 50,
            stage: Stage::default(),
            sfu: SfuSizing::default(),
        }
    }
}

/// The load of one viewer.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Viewer {
    /// Downstream per viewer on the wire in kbit/s. Default: a mix of 1080p, 720p, 360p and audio; LiveKit's
    /// livestream benchmark had 1420.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub bitrate_kbps: i32,

    /// Packets per second to one viewer. Default: LiveKit's livestream benchmark had 187.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub packets_per_second: i32,
}

impl Default for Viewer {
    fn default() -> Self {
        Self {
            bitrate_kbps: 1500,
            packets_per_second: 200,
        }
    }
}

/// Relays beyond the need: the larger of the two.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Spares {
    /// At least this many relays. Default: assumed.
    #[schemars(range(min = 0, max = 1000))]
    pub min: i32,

    /// This share of the relays that carry the audience, in percent. Default: assumed.
    #[schemars(range(min = 0, max = 100))]
    pub percent: i32,
}

impl Default for Spares {
    fn default() -> Self {
        Self { min: 2, percent: 2 }
    }
}

/// The load of the stage. Defaults: arithmetic for 1080p simulcast, three cameras, a screen share and
/// four voices.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Stage {
    /// Packets per second of one copy of the stage, as pulled by a child.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub packets_per_second: i32,

    /// Bitrate of one copy of the stage in kbit/s.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub bitrate_kbps: i32,

    /// Packets per second that one person on stage costs the SFU: upstream and nine tiles.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub packets_per_second_per_panelist: i32,
}

impl Default for Stage {
    fn default() -> Self {
        Self {
            packets_per_second: 1220,
            bitrate_kbps: 9000,
            packets_per_second_per_panelist: 940,
        }
    }
}

/// SFUs.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SfuSizing {
    /// SFUs per tier, each 1 to 10. They are for redundancy: one event lives on one SFU.
    pub counts: SfuCounts,
}

/// SFUs per tier. A tier that is left out keeps its default.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SfuCounts {
    /// SFUs for `room`.
    #[schemars(range(min = 1, max = 10))]
    pub room: i32,
    /// SFUs for `10k`.
    #[serde(rename = "10k")]
    #[schemars(range(min = 1, max = 10))]
    pub t10k: i32,
    /// SFUs for `50k`.
    #[serde(rename = "50k")]
    #[schemars(range(min = 1, max = 10))]
    pub t50k: i32,
    /// SFUs for `100k`.
    #[serde(rename = "100k")]
    #[schemars(range(min = 1, max = 10))]
    pub t100k: i32,
    /// SFUs for `250k`.
    #[serde(rename = "250k")]
    #[schemars(range(min = 1, max = 10))]
    pub t250k: i32,
    /// SFUs for `500k`.
    #[serde(rename = "500k")]
    #[schemars(range(min = 1, max = 10))]
    pub t500k: i32,
    /// SFUs for `1M`.
    #[serde(rename = "1M")]
    #[schemars(range(min = 1, max = 10))]
    pub t1m: i32,
}

impl Default for SfuCounts {
    fn default() -> Self {
        Self {
            room: 1,
            t10k: 2,
            t50k: 2,
            t100k: 3,
            t250k: 3,
            t500k: 3,
            t1m: 3,
        }
    }
}

impl SfuCounts {
    /// SFUs for one tier.
    #[must_use]
    pub const fn of(&self, tier: Tier) -> i32 {
        match tier {
            Tier::Room => self.room,
            Tier::T10k => self.t10k,
            Tier::T50k => self.t50k,
            Tier::T100k => self.t100k,
            Tier::T250k => self.t250k,
            Tier::T500k => self.t500k,
            Tier::T1M => self.t1m,
        }
    }
}
