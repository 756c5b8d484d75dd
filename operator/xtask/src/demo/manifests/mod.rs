//! What the demo applies.

use jiff::Timestamp;
use webinar_api::{Duration, Tier};

use crate::generated::OPERATOR_NAMESPACE;

/// Name of the class.
pub(super) const CLASS: &str = "demo";
/// Namespace of the event.
pub(super) const NAMESPACE: &str = "events";
/// Name of the event.
pub(super) const EVENT: &str = "demo-event";

/// The class, and the templates of its pods.
pub(super) const CLASS_YAML: &str = include_str!("class.yaml");

/// The operator's namespace and the event's.
pub(super) fn namespaces() -> String {
    [OPERATOR_NAMESPACE, NAMESPACE]
        .map(|name| format!("---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {name}\n"))
        .concat()
}

/// The event.
pub(super) fn event(tier: Tier, max_tier: Option<Tier>, start: Timestamp, duration: Duration) -> String {
    let may_grow = max_tier.map_or_else(String::new, |max| format!("  maxTier: {max}\n"));
    format!(
        "apiVersion: webinar-operator.io/v1alpha1\nkind: Webinar\nmetadata:\n  name: {EVENT}\n  \
         namespace: {NAMESPACE}\nspec:\n  tier: {tier}\n  startTime: \"{start}\"\n  duration: {duration}\n{may_grow}"
    )
}
