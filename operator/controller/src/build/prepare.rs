//! What has to be written: the plan's objects compared with the stored ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, TestOperation};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt as _};
use serde_json::json;
use webinar_api::labels;
use webinar_plan::{Drain, Entry, EntryKind, Memory, Plan, Removal, RemovalReason};

use super::{budget, pod, revision, service};
use crate::error::Error;
use crate::memory::{self, Pinned};
use crate::observe::Seen;
use crate::ownership::{Owner, called};

/// Everything to write, in the order in which it is written.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Prepared {
    /// The run's memory.
    pub(crate) revision: Option<RevisionWrite>,
    /// Services.
    pub(crate) services: Changes<Service>,
    /// Budgets.
    pub(crate) budgets: Changes<PodDisruptionBudget>,
    /// Pods to create.
    pub(crate) pods: Vec<Pod>,
    /// Pods to cordon.
    pub(crate) cordon: Vec<(String, Patch)>,
    /// Pods to declare lost.
    pub(crate) disown: Vec<(String, Patch)>,
    /// Pods to take back into their entry point.
    pub(crate) uncordon: Vec<(String, Patch)>,
    /// Pods to delete, and why.
    pub(crate) delete: Vec<(Named, RemovalReason)>,
    /// Memories to drop.
    pub(crate) forget: Vec<Named>,
}

impl Prepared {
    /// Nothing has to be written.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How the run's memory is written.
#[derive(Debug, PartialEq)]
pub(crate) enum RevisionWrite {
    /// The run begins.
    Create(Box<ControllerRevision>),
    /// Something new is to be remembered: a merge patch of annotations.
    Annotate {
        /// Name of the ControllerRevision.
        name: String,
        /// The patch, with the stored object's UID and resourceVersion.
        patch: serde_json::Value,
    },
}

/// An object to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) uid: String,
    /// The version that was judged, of a pod: one that has changed since is judged again first.
    pub(crate) version: Option<String>,
    /// Seconds that its shutdown may take, if not those of its spec.
    pub(crate) grace: Option<u32>,
}

/// What has to be written of one kind.
#[derive(Debug, PartialEq)]
pub(crate) struct Changes<K> {
    pub(crate) create: Vec<K>,
    pub(crate) apply: Vec<K>,
    pub(crate) delete: Vec<Named>,
}

impl<K> Default for Changes<K> {
    fn default() -> Self {
        Self {
            create: Vec::new(),
            apply: Vec::new(),
            delete: Vec::new(),
        }
    }
}

/// Compares `plan` with what was `seen`.
///
/// # Errors
///
/// When the memory can't be written as JSON.
pub(crate) fn prepare(
    owner: &Owner,
    seen: &Seen,
    pinned: Option<&Pinned>,
    plan: &Plan,
) -> Result<Prepared, Error> {
    let mut out = Prepared {
        forget: seen
            .revisions
            .iter()
            .filter(|r| u32::try_from(r.revision).is_ok_and(|run| plan.forget.contains(&run)))
            .filter_map(|r| named(r.as_ref()))
            .collect(),
        delete: plan.delete.iter().map(|r| (delete(seen, r), r.reason)).collect(),
        cordon: plan.cordon.iter().filter_map(|d| cordon(seen, d)).collect(),
        disown: plan.disown.iter().filter_map(|d| disown(seen, d)).collect(),
        uncordon: plan.uncordon.iter().filter_map(|n| uncordon(seen, n)).collect(),
        ..Prepared::default()
    };
    let json = |source| Error::Json {
        what: format!("the memory of {}/{}", owner.namespace, owner.name),
        source,
    };
    if let (Some(memory), Some(pinned)) = (&plan.memory, pinned) {
        let write = remember(owner, seen, pinned, memory).map_err(json)?;
        out.revision = write.filter(|write| match write {
            RevisionWrite::Create(revision) => due(plan, seen, revision.as_ref()),
            RevisionWrite::Annotate { .. } => true,
        });
    }
    let services = |entries: &[Entry]| -> Vec<Service> {
        let built = pinned.map(|pinned| entries.iter().filter_map(|e| service::build(owner, pinned, e)));
        built.into_iter().flatten().collect()
    };
    let Some(fixtures) = &plan.fixtures else {
        let rerouted = changes(&seen.services, services(&plan.reroute), service::leads_alike);
        out.services.apply = rerouted.apply;
        return Ok(out);
    };
    let services = services(&fixtures.entries);
    let budgets = fixtures
        .budgets
        .iter()
        .map(|b| budget::build(owner, *b))
        .collect();
    out.services = changes(&seen.services, services, service::same);
    out.services.create.retain(|service| due(plan, seen, service));
    out.budgets = changes(&seen.budgets, budgets, budget::same);
    out.budgets.create.retain(|budget| due(plan, seen, budget));

    if let (Some(memory), Some(pinned), Some(schedule)) = (&plan.memory, pinned, &plan.status.schedule) {
        let revision = revision::name(owner, memory.run);
        let common = pod::Common {
            owner,
            memory,
            pinned,
            schedule,
            revision: &revision,
        };
        out.pods = plan
            .create
            .iter()
            .filter_map(|new| pod::build(&common, new))
            .collect();
    }
    Ok(out)
}

/// It may be created now.
fn due<K: Resource<DynamicType = ()>>(plan: &Plan, seen: &Seen, object: &K) -> bool {
    let called = called(object);
    !plan.waits.contains(&called) && !seen.left_behind.contains(&called)
}

fn remember(
    owner: &Owner,
    seen: &Seen,
    pinned: &Pinned,
    wanted: &Memory,
) -> Result<Option<RevisionWrite>, serde_json::Error> {
    let name = revision::name(owner, wanted.run);
    let Some(stored) = seen.revisions.iter().find(|r| r.name_any() == name) else {
        return Ok(Some(RevisionWrite::Create(Box::new(revision::build(
            owner, wanted, pinned,
        )?))));
    };
    let annotations = memory::annotations(wanted)?;
    if service::holds(stored.metadata.annotations.as_ref(), Some(&annotations)) {
        return Ok(None);
    }
    // A moment that no longer holds (capacity that was complete before a raise) is taken back.
    let gone = memory::MOMENTS
        .iter()
        .filter(|key| !annotations.contains_key(**key));
    let mut patch: BTreeMap<&str, serde_json::Value> =
        gone.map(|key| (*key, serde_json::Value::Null)).collect();
    patch.extend(
        annotations
            .iter()
            .map(|(key, value)| (key.as_str(), json!(value))),
    );
    Ok(Some(RevisionWrite::Annotate {
        name,
        patch: json!({"metadata": {
            "uid": stored.metadata.uid,
            "resourceVersion": stored.metadata.resource_version,
            "annotations": patch,
        }}),
    }))
}

fn changes<K>(stored: &[Arc<K>], wanted: Vec<K>, same: impl Fn(&K, &K) -> bool) -> Changes<K>
where
    K: Resource + Clone,
{
    let mut rest: BTreeMap<String, &Arc<K>> = stored.iter().map(|k| (k.name_any(), k)).collect();
    let mut out = Changes::default();
    for mut object in wanted {
        match rest.remove(&object.name_any()) {
            None => out.create.push(object),
            Some(is) if is.meta().deletion_timestamp.is_some() || same(is, &object) => {}
            Some(is) => {
                object.meta_mut().uid = is.meta().uid.clone();
                if decides_who_is_active(&object) {
                    object.meta_mut().resource_version = is.meta().resource_version.clone();
                }
                out.apply.push(object);
            }
        }
    }
    out.delete = rest
        .into_values()
        .filter(|k| k.meta().deletion_timestamp.is_none())
        .filter_map(|k| named(k.as_ref()))
        .collect();
    out
}

/// The stage's Services are the record of which SFU is active: nobody's change of them is written over unseen.
fn decides_who_is_active<K: Resource>(object: &K) -> bool {
    let stage = [EntryKind::Ingest, EntryKind::Origin].map(|kind| kind.to_string());
    let entry = object.labels().get(labels::ENTRY);
    entry.is_some_and(|entry| stage.contains(entry))
}

fn named<K: Resource>(object: &K) -> Option<Named> {
    Some(Named {
        name: object.meta().name.clone()?,
        uid: object.meta().uid.clone()?,
        version: None,
        grace: None,
    })
}

fn seen_pod<'a>(seen: &'a Seen, uid: &str) -> Option<&'a Pod> {
    let pods = seen.pods.iter();
    pods.map(AsRef::as_ref)
        .find(|p| p.metadata.uid.as_deref() == Some(uid))
}

/// The pod as it was judged, with the shorter of both times for its shutdown.
fn delete(seen: &Seen, removal: &Removal) -> Named {
    let pod = seen_pod(seen, &removal.uid);
    let own = pod.and_then(|p| p.spec.as_ref()?.termination_grace_period_seconds);
    let most = removal.grace.map(|most| most.as_secs());
    Named {
        name: removal.name.clone(),
        uid: removal.uid.clone(),
        version: pod.and_then(|p| p.metadata.resource_version.clone()),
        grace: most
            .filter(|most| own.is_none_or(|own| own > *most))
            .and_then(|most| u32::try_from(most).ok()),
    }
}

/// What must hold for a patch of `pod` to be made: it is this very pod, and as it was judged.
fn unchanged(pod: &Pod) -> Vec<PatchOperation> {
    let test = |field: &str, value: &Option<String>| {
        PatchOperation::Test(TestOperation {
            path: PointerBuf::from_tokens(["metadata", field]),
            value: json!(value),
        })
    };
    vec![
        test("uid", &pod.metadata.uid),
        test("resourceVersion", &pod.metadata.resource_version),
    ]
}

/// Back into its entry point, its drain forgotten.
fn uncordon(seen: &Seen, named: &webinar_plan::Named) -> Option<(String, Patch)> {
    let pod = seen_pod(seen, &named.uid)?;
    let at = |tokens: [&str; 3]| PointerBuf::from_tokens(tokens);
    let mut steps = unchanged(pod);
    steps.push(PatchOperation::Add(AddOperation {
        path: at(["metadata", "labels", labels::ACCEPTING]),
        value: json!("true"),
    }));
    for key in [labels::DRAIN_START, labels::CORDONED_FOR] {
        if pod.annotations().contains_key(key) {
            steps.push(PatchOperation::Remove(RemoveOperation {
                path: at(["metadata", "annotations", key]),
            }));
        }
    }
    Some((named.name.clone(), Patch(steps)))
}

/// Out of its entry point, with the moment on record.
fn cordon(seen: &Seen, drain: &Drain) -> Option<(String, Patch)> {
    let pod = seen_pod(seen, &drain.uid)?;
    Some((drain.name.clone(), Patch(cordoned(pod, drain))))
}

/// Out of its slot and its entry point: no Service selects it, even if its node comes back.
fn disown(seen: &Seen, drain: &Drain) -> Option<(String, Patch)> {
    let pod = seen_pod(seen, &drain.uid)?;
    let slot = pod.labels().get(labels::SLOT)?;
    let at = |kind: &str, key: &str| PointerBuf::from_tokens(["metadata", kind, key]);
    let mut steps = cordoned(pod, drain);
    steps.push(PatchOperation::Remove(RemoveOperation {
        path: at("labels", labels::SLOT),
    }));
    steps.push(PatchOperation::Add(AddOperation {
        path: at("annotations", labels::LOST_SLOT),
        value: json!(slot),
    }));
    Some((drain.name.clone(), Patch(steps)))
}

fn cordoned(pod: &Pod, drain: &Drain) -> Vec<PatchOperation> {
    let at = |tokens: [&str; 3]| PointerBuf::from_tokens(tokens.iter().filter(|t| !t.is_empty()).copied());
    let mut steps = unchanged(pod);
    if pod.labels().contains_key(labels::ACCEPTING) {
        steps.push(PatchOperation::Remove(RemoveOperation {
            path: at(["metadata", "labels", labels::ACCEPTING]),
        }));
    }
    if pod.annotations().is_empty() {
        steps.push(PatchOperation::Add(AddOperation {
            path: at(["metadata", "annotations", ""]),
            value: json!({}),
        }));
    }
    let record = [
        (labels::DRAIN_START, json!(drain.started.to_string())),
        (labels::CORDONED_FOR, json!(drain.why.as_str())),
    ];
    for (key, value) in record {
        steps.push(PatchOperation::Add(AddOperation {
            path: at(["metadata", "annotations", key]),
            value,
        }));
    }
    steps
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use k8s_openapi::api::core::v1::PodSpec;
    use kube::api::ObjectMeta;
    use webinar_plan::{Role, Slot};

    use super::*;

    #[test]
    fn a_shutdown_is_made_shorter_and_never_longer() {
        let pod = |own| Pod {
            metadata: ObjectMeta {
                uid: Some("u".to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                termination_grace_period_seconds: Some(own),
                ..PodSpec::default()
            }),
            ..Pod::default()
        };
        let shutdown = |own, grace| {
            let seen = Seen {
                pods: vec![Arc::new(pod(own))],
                ..Seen::default()
            };
            let removal = Removal {
                name: "p".to_owned(),
                uid: "u".to_owned(),
                slot: Slot::new(Role::Relay, 0),
                grace,
                reason: RemovalReason::Drained,
            };
            delete(&seen, &removal).grace
        };
        let minute = Some(SignedDuration::from_mins(1));
        assert_eq!(shutdown(3600, minute), Some(60));
        assert_eq!(shutdown(30, minute), None);
        assert_eq!(shutdown(3600, None), None);
    }
}
