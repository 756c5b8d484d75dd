//! A Webinar's fleet as the API server has it.

use std::sync::Arc;

use serde_json::Value;
use webinar_api::labels;
use webinar_plan::Tier;

use crate::server::Kind;
use crate::world::{DEFAULT_CLASS, Key, OPERATOR_NAMESPACE, World, label, owner, text};

/// A run's memory, as far as invariants need it.
#[derive(Debug, Clone, Default)]
pub(super) struct Run {
    pub(super) begun: Option<jiff::Timestamp>,
    pub(super) number: u64,
    pub(super) tier: Option<Tier>,
    pub(super) max_tier: Option<Tier>,
    pub(super) ready: bool,
    pub(super) live: bool,
    pub(super) start: Option<jiff::Timestamp>,
    pub(super) draining: Option<jiff::Timestamp>,
    pub(super) finished: Option<jiff::Timestamp>,
    /// Its start is too far away to keep anything for it.
    pub(super) postponed: Option<jiff::Timestamp>,
    /// The planned end.
    pub(super) end: Option<jiff::Timestamp>,
}

impl Run {
    /// What a ControllerRevision remembers.
    pub(super) fn of(revision: &Value) -> Self {
        let annotation = |key: &str| revision["metadata"]["annotations"].get(key)?.as_str();
        let accepted = annotation(labels::ACCEPTED_SPEC);
        let accepted: Value = accepted
            .and_then(|a| serde_json::from_str(a).ok())
            .unwrap_or_default();
        let tier = |field: &str| accepted[field].as_str()?.parse().ok();
        let start = accepted["start"]
            .as_str()
            .and_then(|t| t.parse::<jiff::Timestamp>().ok());
        let duration = accepted["duration"]
            .as_str()
            .and_then(|d| d.parse::<jiff::SignedDuration>().ok());
        Self {
            begun: text(revision, "/metadata/creationTimestamp").and_then(|t| t.parse().ok()),
            number: revision["revision"].as_u64().unwrap_or(0),
            tier: tier("tier"),
            max_tier: tier("maxTier"),
            ready: annotation(labels::READY_AT).is_some(),
            live: annotation(labels::LIVE_SINCE).is_some(),
            start,
            draining: annotation(labels::DRAINING_SINCE).and_then(|t| t.parse().ok()),
            finished: annotation(labels::FINISHED_AT).and_then(|t| t.parse().ok()),
            postponed: annotation(labels::POSTPONED_AT).and_then(|t| t.parse().ok()),
            end: start
                .zip(duration)
                .and_then(|(start, duration)| start.checked_add(duration).ok()),
        }
    }

    /// It was begun and neither drains nor is over.
    pub(super) fn serves(&self) -> bool {
        self.draining.is_none() && self.finished.is_none()
    }
}

/// A pod that takes viewers, or runs and might.
pub(super) fn takes_viewers(pod: &Value) -> bool {
    label(pod, labels::ROLE) == Some("relay")
        && label(pod, labels::ACCEPTING) == Some("true")
        && is_alive(pod)
        && is_ready(pod)
}

pub(super) fn is_alive(pod: &Value) -> bool {
    pod["metadata"].get("deletionTimestamp").is_none()
        && !matches!(text(pod, "/status/phase"), Some("Failed" | "Succeeded"))
}

pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|c| c["type"] == "Ready" && c["status"] == "True")
}

impl World {
    /// Pods of a Webinar, by its UID.
    pub(super) fn pods_of<'a>(&'a self, uid: &'a str) -> impl Iterator<Item = &'a Arc<Value>> {
        self.server.all(Kind::Pod).filter(move |p| owner(p) == Some(uid))
    }

    /// The latest run of a Webinar, by its UID.
    pub(super) fn run_of(&self, uid: &str) -> Option<Run> {
        let runs = self
            .server
            .all(Kind::ControllerRevision)
            .filter(|r| owner(r) == Some(uid));
        runs.max_by_key(|r| r["revision"].as_u64())
            .map(|run| Run::of(run))
    }

    /// What a Webinar asks for can't be had: of its class, or at all.
    pub(super) fn refused(&self, webinar: &Key) -> bool {
        let Some(found) = self.server.get(Kind::Webinar, &webinar.0, &webinar.1) else {
            return true;
        };
        let name = text(found, "/spec/className").unwrap_or(DEFAULT_CLASS);
        let Some(class) = self.server.get(Kind::WebinarClass, "", name) else {
            return true;
        };
        let tier = |object: &Value, field: &str| text(object, field)?.parse::<Tier>().ok();
        let (asked, most) = (tier(found, "/spec/tier"), tier(class, "/spec/maxTier"));
        let wider = tier(found, "/spec/maxTier").or(asked);
        let template = |field: &str| {
            let name = text(class, field).unwrap_or_default();
            self.server
                .get(Kind::PodTemplate, OPERATOR_NAMESPACE, name)
                .is_some()
        };
        asked.is_none()
            || asked.max(wider) > most
            || !template("/spec/templates/sfu")
            || !template("/spec/templates/relay")
    }

    /// The Webinar of a UID.
    pub(super) fn webinar_of(&self, uid: &str) -> Option<&Arc<Value>> {
        self.server
            .all(Kind::Webinar)
            .find(|w| text(w, "/metadata/uid") == Some(uid))
    }
}
