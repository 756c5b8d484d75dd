//! From what was seen to what is decided upon: one typed input, or a sentence that says what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::ResourceExt as _;
use webinar_api::{Webinar, labels};
use webinar_plan as plan;
use webinar_plan::{Parent, PodTrouble, Reason, Role, Slot};

use crate::convert;
use crate::memory::Pinned;
use crate::neighbours::neighbours;
use crate::observe::Seen;
use crate::ownership::Owner;
use crate::ruling::{Rule, ruling};

/// The input of a decision, with the class and templates that everything is built from.
#[derive(Debug)]
pub(crate) struct Validated {
    /// What is decided upon. `recent` and `signals` are still empty.
    pub(crate) input: plan::Input,
    /// Class and templates in force. Absent when there is no usable class.
    pub(crate) pinned: Option<Pinned>,
}

/// Turns what was seen at `now` into the input of a decision.
pub(crate) fn validate(webinar: &Webinar, owner: &Owner, seen: &Seen, now: Timestamp) -> Validated {
    let Rule {
        memory,
        ruling,
        last_class,
        superseded,
    } = ruling(webinar, seen);
    let (class, pinned) = match ruling {
        Ok((pinned, class)) => (Ok(class), Some(pinned)),
        Err(finding) => (Err(finding), None),
    };
    let neighbours = match &class {
        Ok(class) if class.max_total_pods.is_some() => {
            neighbours(webinar, class, &seen.everyone, &seen.platform, now)
        }
        _ => Vec::new(),
    };
    let input = plan::Input {
        now,
        skew: jiff::SignedDuration::ZERO,
        webinar: plan::Webinar {
            namespace: owner.namespace.clone(),
            name: owner.name.clone(),
            uid: owner.uid.clone(),
            created: webinar.creation_timestamp().map_or(now, |t| t.0),
            deleting: webinar.metadata.deletion_timestamp.is_some(),
            refused_since: refused_since(webinar),
            phase_told: webinar
                .status
                .as_ref()
                .and_then(|s| s.phase)
                .and_then(convert::phase),
        },
        spec: convert::spec(&webinar.spec),
        orders: convert::orders(&webinar.spec),
        class,
        superseded,
        last_class,
        memory,
        remembered_runs: seen
            .revisions
            .iter()
            .filter_map(|r| u32::try_from(r.revision).ok())
            .collect(),
        pods: seen.pods.iter().filter_map(|p| pod(p)).collect(),
        strangers: seen.strangers.iter().filter_map(|p| stranger(p)).collect(),
        active_sfu: seen.services.iter().find_map(|s| active_sfu(owner, s)),
        neighbours,
        signals: BTreeMap::new(),
        routes: plan::Routes {
            stand_ins: seen.services.iter().filter_map(|s| stand_in(owner, s)).collect(),
            ingest: led_to(owner, seen, plan::EntryKind::Ingest),
            origin: led_to(owner, seen, plan::EntryKind::Origin),
        },
        recent: plan::Recent::default(),
    };
    Validated { input, pinned }
}

/// The label by which an EndpointSlice names its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Since when the status says that the Webinar can't be served.
fn refused_since(webinar: &Webinar) -> Option<Timestamp> {
    let ready = webinar
        .status
        .as_ref()?
        .conditions
        .iter()
        .find(|c| c.type_ == "Ready")?;
    let refusals = [
        Reason::ClassNotFound,
        Reason::ClassNotAccepted,
        Reason::TierNotAllowed,
        Reason::NameConflict,
    ];
    let refused = ready.status == "False" && refusals.iter().any(|r| r.as_str() == ready.reason);
    refused.then_some(ready.last_transition_time.0)
}

/// A pod as decisions see it. `None` for a pod whose labels don't say what it is.
fn pod(pod: &Pod) -> Option<plan::Pod> {
    let label = |key: &str| pod.labels().get(key).map(String::as_str);
    let annotation = |key: &str| pod.annotations().get(key).map(String::as_str);
    let created = pod.creation_timestamp()?.0;
    let status = pod.status.as_ref();
    let phase = status.and_then(|s| s.phase.as_deref());
    Some(plan::Pod {
        name: pod.name_any(),
        uid: pod.uid()?,
        run: label(labels::RUN)?.parse().ok()?,
        slot: label(labels::SLOT)
            .or(annotation(labels::LOST_SLOT))?
            .parse()
            .ok()?,
        parent: label(labels::PARENT).and_then(parent),
        accepting: label(labels::ACCEPTING) == Some("true"),
        created,
        scheduled: scheduled(pod),
        ready: condition(pod, "Ready").is_some_and(|(is, _, _)| is),
        was_ready: was_ready(pod),
        ended: matches!(phase, Some("Succeeded" | "Failed")),
        cut_off: cut_off(pod),
        lost: label(labels::SLOT).is_none(),
        terminating: pod.metadata.deletion_timestamp.as_ref().map(|t| t.0),
        drain_started: annotation(labels::DRAIN_START).and_then(|t| t.parse().ok()),
        cordoned_for: cordoned_for(annotation(labels::CORDONED_FOR)),
        trouble: trouble(pod, created),
    })
}

/// An annotation that says nothing we know means the strictest: it goes, and not before its time.
fn cordoned_for(said: Option<&str>) -> plan::Cordon {
    let known = plan::Cordon::ALL.into_iter().find(|c| Some(c.as_str()) == said);
    known.unwrap_or_default()
}

fn stranger(pod: &Pod) -> Option<plan::Stranger> {
    Some(plan::Stranger {
        name: pod.name_any(),
        created: pod.creation_timestamp()?.0,
    })
}

/// Reads back [`crate::build::pod::parent_label`].
fn parent(text: &str) -> Option<Parent> {
    if text == "origin" {
        return Some(Parent::Origin);
    }
    let slot: Slot = text.parse().ok()?;
    (slot.role == Role::Mid).then_some(Parent::Mid(slot.index))
}

fn condition<'a>(
    pod: &'a Pod,
    kind: &str,
) -> Option<(
    bool,
    Option<&'a Time>,
    &'a k8s_openapi::api::core::v1::PodCondition,
)> {
    let found = pod
        .status
        .as_ref()?
        .conditions
        .as_ref()?
        .iter()
        .find(|c| c.type_ == kind)?;
    Some((found.status == "True", found.last_transition_time.as_ref(), found))
}

/// When the scheduler found a machine.
fn scheduled(pod: &Pod) -> Option<Timestamp> {
    let (is, since, _) = condition(pod, "PodScheduled")?;
    since.filter(|_| is).map(|t| t.0)
}

/// The pod is or once was Ready. A kubelet writes the first `Ready=False` as it starts the pod; one that
/// is younger than that tells of a pod that was Ready before.
fn was_ready(pod: &Pod) -> bool {
    const SLACK: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);
    let Some((is, since, _)) = condition(pod, "Ready") else {
        return false;
    };
    let began = pod.status.as_ref().and_then(|s| s.start_time.as_ref());
    match (since, began) {
        (Some(since), Some(began)) => is || since.0.duration_since(began.0) > SLACK,
        _ => true,
    }
}

/// The node's controller has set `Ready` to False over the kubelet's head: the containers were Ready when it was last
/// heard of.
fn cut_off(pod: &Pod) -> bool {
    let is = |kind| condition(pod, kind).map(|(is, _, _)| is);
    is("Ready") == Some(false) && is("ContainersReady") == Some(true)
}

fn trouble(pod: &Pod, created: Timestamp) -> Option<PodTrouble> {
    if let Some((false, since, said)) = condition(pod, "PodScheduled")
        && said.reason.as_deref() == Some("Unschedulable")
    {
        return Some(PodTrouble {
            reason: Reason::Unschedulable,
            message: why_unschedulable(said.message.as_deref().unwrap_or_default()),
            since: since.map_or(created, |t| t.0),
        });
    }
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let waiting = statuses.iter().find_map(|s| s.state.as_ref()?.waiting.as_ref())?;
    let pulling = [
        "ImagePullBackOff",
        "ErrImagePull",
        "InvalidImageName",
        "ErrImageNeverPull",
    ];
    let reason = waiting.reason.as_deref().filter(|r| pulling.contains(r))?;
    Some(PodTrouble {
        reason: Reason::ImagePull,
        message: reason.to_owned(),
        since: condition(pod, "ContainersReady")
            .and_then(|(_, since, _)| since)
            .map_or(created, |t| t.0),
    })
}

/// The scheduler's sentence without its changing numbers: `0/9 nodes are available: 9 Insufficient cpu. …`
/// becomes `Insufficient cpu`.
fn why_unschedulable(message: &str) -> String {
    let reasons = message.split_once("available: ").map_or(message, |(_, r)| r);
    let first = reasons.split(['.', ',']).next().unwrap_or_default();
    let words = first
        .trim()
        .trim_start_matches(|c: char| c.is_ascii_digit())
        .trim();
    words.chars().take(120).collect()
}

/// The SFU that the `ingest` Service selects.
fn active_sfu(owner: &Owner, service: &Service) -> Option<u32> {
    if service.name_any() != format!("{}-{}", owner.name, plan::EntryKind::Ingest) {
        return None;
    }
    let slot = selected(service)?;
    (slot.role == Role::Sfu).then_some(slot.index)
}

/// The mid that a mid's Service selects instead of its own, if it does.
fn stand_in(owner: &Owner, service: &Service) -> Option<(u32, u32)> {
    let name = service.name_any();
    let own: Slot = name.strip_prefix(&owner.name)?.strip_prefix('-')?.parse().ok()?;
    let selected = selected(service)?;
    let mids = own.role == Role::Mid && selected.role == Role::Mid;
    (mids && own != selected).then_some((own.index, selected.index))
}

/// UIDs of the pods that an address leads to.
fn led_to(owner: &Owner, seen: &Seen, kind: plan::EntryKind) -> BTreeSet<String> {
    let service = format!("{}-{kind}", owner.name);
    let of_service = |slice: &&Arc<EndpointSlice>| slice.labels().get(SERVICE_NAME) == Some(&service);
    let slices = seen.slices.iter().filter(of_service);
    let ready = |e: &&Endpoint| e.conditions.as_ref().and_then(|c| c.ready) != Some(false);
    slices
        .flat_map(|s| s.endpoints.iter().filter(ready))
        .filter_map(|e| e.target_ref.as_ref()?.uid.clone())
        .collect()
}

/// The slot that a Service selects.
fn selected(service: &Service) -> Option<Slot> {
    let selector = service.spec.as_ref()?.selector.as_ref()?;
    selector.get(labels::SLOT)?.parse().ok()
}

/// A condition of `kind` in `conditions`.
pub(crate) fn find<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|c| c.type_ == kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedulers_sentence_loses_its_numbers() {
        let said =
            "0/1300 nodes are available: 1300 Insufficient cpu. preemption: 0/1300 nodes are available.";
        assert_eq!(why_unschedulable(said), "Insufficient cpu");
        assert_eq!(why_unschedulable("no nodes"), "no nodes");
        assert_eq!(why_unschedulable(""), "");
    }

    /// A pod that started at 12:00:00Z with this `Ready` condition.
    fn started(ready: Option<(&str, &str)>) -> Pod {
        let conditions: Vec<_> = ready
            .iter()
            .map(
                |(is, since)| serde_json::json!({"type": "Ready", "status": is, "lastTransitionTime": since}),
            )
            .collect();
        serde_json::from_value(serde_json::json!({
            "metadata": {"name": "keynote-relay-0-abcde"},
            "status": {"startTime": "2027-03-04T12:00:00Z", "conditions": conditions},
        }))
        .expect("a pod")
    }

    #[test]
    fn a_pod_that_is_not_ready_now_may_have_been() {
        let cases = [
            (None, false),
            (Some(("True", "2027-03-04T12:00:30Z")), true),
            // What the kubelet writes as it starts the pod.
            (Some(("False", "2027-03-04T12:00:00Z")), false),
            (Some(("False", "2027-03-04T12:00:02Z")), false),
            // It went back from True.
            (Some(("False", "2027-03-04T12:10:00Z")), true),
        ];
        for (condition, was) in cases {
            assert_eq!(was_ready(&started(condition)), was, "{condition:?}");
        }
        let mut silent = started(Some(("False", "2027-03-04T12:00:00Z")));
        silent.status.as_mut().expect("a status").start_time = None;
        assert!(was_ready(&silent), "nobody can say: viewers may be there");
    }

    #[test]
    fn parents_read_back_what_is_written() {
        for is in [Parent::Origin, Parent::Mid(4)] {
            assert_eq!(parent(&crate::build::pod::parent_label(is)), Some(is));
        }
        assert_eq!(parent("relay-1"), None);
    }
}
