//! CEL rules used in several places. A message says what must hold and back-quotes the field.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::Tier;

/// A duration field must lie between two bounds, both included.
pub(crate) fn within(field: &str, min: &str, max: &str) -> Rule {
    Rule::new(format!(
        "duration(self) >= duration('{min}') && duration(self) <= duration('{max}')"
    ))
    .message(format!("`{field}` must be between {min} and {max}").as_str())
}

/// The same as [`within`], as a schema extension for types that do not derive `KubeSchema`.
pub(crate) fn bounds(field: &str, min: &str, max: &str) -> Value {
    json!([within(field, min, max)])
}

/// A list of rules as a schema extension: pairs of expression and message.
pub(crate) fn rules(pairs: &[(&str, &str)]) -> Value {
    pairs.iter().map(|pair| json!(Rule::from(*pair))).collect()
}

/// A time must be readable by every client. The API server alone would admit more, and one object that a
/// client can't decode stops its whole watch.
pub(crate) fn timestamp(field: &str) -> Rule {
    const DATE: &str = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";
    const TIME: &str = "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?";
    const OFFSET: &str = "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
    Rule::new(format!(
        "self.matches('^{DATE}T{TIME}{OFFSET}$') && timestamp(self) >= timestamp('2000-01-01T00:00:00Z') \
         && timestamp(self) < timestamp('2200-01-01T00:00:00Z')"
    ))
    .message(
        format!(
            "`{field}` must be a time with an offset, from 2000 to 2199, with at most 9 fractional digits, \
             for example 2027-03-04T17:00:00Z"
        )
        .as_str(),
    )
}

/// `maxTier` must not be below `tier`. The order comes from a map literal, because the API server
/// estimates `indexOf` on a list as too costly.
pub(crate) fn max_tier_covers_tier() -> Rule {
    let order: Vec<String> = Tier::ALL
        .iter()
        .enumerate()
        .map(|(i, tier)| format!("'{tier}': {i}"))
        .collect();
    let order = format!("{{{}}}", order.join(", "));
    Rule::new(format!(
        "!has(self.maxTier) || {order}[self.maxTier] >= {order}[self.tier]"
    ))
    .message("`maxTier` must not be below `tier`")
    .field_path(".maxTier")
}

/// A list of conditions. Written by hand because the upstream descriptions are long.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": {"type": "string", "maxLength": 316, "description": "What is judged."},
                "status": {
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds."
                },
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "description": "Why, in one word for machines."
                },
                "message": {
                    "type": "string",
                    "maxLength": 32768,
                    "description": "Why, in whole sentences with the numbers and the next step."
                },
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When `status` last changed."
                },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The generation of the object this was said about."
                }
            }
        }
    })
}

/// The type behind [`conditions`].
pub(crate) type Conditions = Vec<Condition>;
