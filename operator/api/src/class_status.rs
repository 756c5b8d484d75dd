//! What the operator says about a WebinarClass.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Tier,
    rules::{self, Conditions},
};

/// Whether the class can be used, and what each tier would need.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("default" = {"observedGeneration": -1}))]
pub struct WebinarClassStatus {
    /// The generation of the spec the rest speaks for. -1: the operator has not looked yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i64", range(min = -1))]
    pub observed_generation: Option<i64>,

    /// Planned viewers per relay, computed from the relay template's CPU request and `sizing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub viewers_per_relay: Option<i32>,

    /// Pods each tier would need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["tier".into()]))]
    pub tiers: Vec<TierPlan>,

    /// The judgement: `Accepted`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "rules::conditions")]
    pub conditions: Conditions,
}

/// The pods one tier would need. Counts are absent for a tier that can't be served.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TierPlan {
    /// The tier.
    pub tier: Tier,

    /// SFU pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub sfu: Option<i32>,

    /// Mid pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub mid: Option<i32>,

    /// Relay pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub relay: Option<i32>,

    /// All pods together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0))]
    pub pods: Option<i32>,

    /// Why the tier can't be served, with the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub message: Option<String>,
}
