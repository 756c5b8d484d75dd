//! How many attendees an event is planned for.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The number of attendees a Webinar is ready for. Ordered from small to large.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tier {
    /// Up to 50 people on one server.
    #[serde(rename = "room")]
    Room,
    /// 10,000 attendees.
    #[serde(rename = "10k")]
    T10k,
    /// 50,000 attendees.
    #[serde(rename = "50k")]
    T50k,
    /// 100,000 attendees.
    #[serde(rename = "100k")]
    T100k,
    /// 250,000 attendees.
    #[serde(rename = "250k")]
    T250k,
    /// 500,000 attendees.
    #[serde(rename = "500k")]
    T500k,
    /// 1,000,000 attendees.
    #[serde(rename = "1M")]
    T1M,
}

impl Tier {
    /// Every tier, from the smallest to the largest.
    pub const ALL: [Self; 7] = [
        Self::Room,
        Self::T10k,
        Self::T50k,
        Self::T100k,
        Self::T250k,
        Self::T500k,
        Self::T1M,
    ];

    /// How many attendees the tier serves.
    #[must_use]
    pub const fn attendees(self) -> u32 {
        match self {
            Self::Room => 50,
            Self::T10k => 10_000,
            Self::T50k => 50_000,
            Self::T100k => 100_000,
            Self::T250k => 250_000,
            Self::T500k => 500_000,
            Self::T1M => 1_000_000,
        }
    }

    /// The name as written in a manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::T10k => "10k",
            Self::T50k => "50k",
            Self::T100k => "100k",
            Self::T250k => "250k",
            Self::T500k => "500k",
            Self::T1M => "1M",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no tier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a tier: use room, 10k, 50k, 100k, 250k, 500k or 1M")]
pub struct ParseTierError(String);

impl FromStr for Tier {
    type Err = ParseTierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|tier| tier.as_str() == text)
            .ok_or_else(|| ParseTierError(text.to_owned()))
    }
}

impl JsonSchema for Tier {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tier".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // CEL rules look tiers up; without maxLength the API server estimates their cost too high.
        json_schema!({"type": "string", "enum": Self::ALL.map(Self::as_str), "maxLength": 4})
    }
}
