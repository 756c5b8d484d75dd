//! Whose an object is: by owner reference and UID, never by labels or names.

use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt as _};
use webinar_api::{GROUP, Webinar, labels};

/// The Webinar as the owner of what is built for it.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Namespace of everything that is built.
    pub(crate) namespace: String,
    /// Name of the Webinar.
    pub(crate) name: String,
    /// UID of the Webinar.
    pub(crate) uid: String,
    /// Version of its spec.
    pub(crate) generation: Option<i64>,
}

impl Owner {
    /// `None` for an object that was never stored.
    pub(crate) fn of(webinar: &Webinar) -> Option<Self> {
        let meta = webinar.meta();
        Some(Self {
            namespace: meta.namespace.clone()?,
            name: meta.name.clone()?,
            uid: meta.uid.clone()?,
            generation: meta.generation,
        })
    }

    /// The reference that makes the garbage collector take everything with the Webinar.
    pub(crate) fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: Webinar::api_version(&()).into_owned(),
            kind: Webinar::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}

/// The Webinar is the controller of `object`, and blocks on it: where the API server enforces permissions on owner
/// references, only who may change the Webinar's finalizers can write that. It asks about the kind and name that are
/// written there, and so a reference with its UID and another kind or name is worth nothing.
pub(crate) fn is_owned_by<K: Resource>(object: &K, owner: &Owner) -> bool {
    object.owner_references().iter().any(|o| {
        let whole = o.controller == Some(true) && o.block_owner_deletion == Some(true);
        whole && o.uid == owner.uid && o.name == owner.name && is_webinar(o)
    })
}

/// It names the kind of ours, in whichever version.
fn is_webinar(reference: &OwnerReference) -> bool {
    let group = reference.api_version.split_once('/').map(|(group, _)| group);
    reference.kind == Webinar::kind(&()) && group == Some(GROUP)
}

/// Owned by a Webinar of the same name that is gone: the garbage collector is about to take it.
pub(crate) fn is_owned_by_namesake<K: Resource>(object: &K, owner: &Owner) -> bool {
    object
        .owner_references()
        .iter()
        .any(|o| o.controller == Some(true) && is_webinar(o) && o.name == owner.name && o.uid != owner.uid)
}

/// As refusals name an object.
pub(crate) fn called<K: Resource<DynamicType = ()>>(object: &K) -> String {
    format!("{} {}", K::kind(&()), object.name_any())
}

/// It belongs to this Webinar, or is labelled as if it did.
pub(crate) fn concerns(pod: &Pod, owner: &Owner) -> bool {
    pod.metadata.namespace.as_ref() == Some(&owner.namespace)
        && (is_owned_by(pod, owner) || is_labelled(pod, owner))
}

/// A Webinar's own pods, and those of others that carry its labels.
pub(crate) fn told_apart(pods: Vec<Arc<Pod>>, owner: &Owner) -> (Vec<Arc<Pod>>, Vec<Arc<Pod>>) {
    let (own, others): (Vec<_>, Vec<_>) = pods.into_iter().partition(|pod| is_owned_by(pod.as_ref(), owner));
    let strangers = others.into_iter().filter(|pod| is_stranger(pod, owner));
    (own, strangers.collect())
}

/// It carries a Webinar's labels, and its end is not in sight.
fn is_stranger(pod: &Pod, owner: &Owner) -> bool {
    is_labelled(pod, owner) && pod.metadata.deletion_timestamp.is_none() && !is_owned_by_namesake(pod, owner)
}

/// Its labels name this Webinar, by its UID or by its name.
fn is_labelled(pod: &Pod, owner: &Owner) -> bool {
    let says = |key: &str, value: &String| pod.labels().get(key) == Some(value);
    says(labels::WEBINAR_UID, &owner.uid) || says(labels::WEBINAR, &owner.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner {
            namespace: "events".to_owned(),
            name: "keynote".to_owned(),
            uid: "uid-1".to_owned(),
            generation: None,
        }
    }

    /// A pod of `namespace` with the UID label, and one owner reference unless it is null.
    fn pod(namespace: &str, uid: &str, owner: serde_json::Value) -> Arc<Pod> {
        let owners: Vec<_> = [owner].into_iter().filter(|o| !o.is_null()).collect();
        let pod = serde_json::json!({"metadata": {
            "name": "keynote-relay-0-abcde", "namespace": namespace, "ownerReferences": owners,
            "labels": {labels::WEBINAR: "keynote", labels::WEBINAR_UID: uid},
        }});
        Arc::new(serde_json::from_value(pod).expect("a pod"))
    }

    fn reference(uid: &str, controller: bool, blocks: bool) -> serde_json::Value {
        serde_json::json!({
            "apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar", "name": "keynote", "uid": uid,
            "controller": controller, "blockOwnerDeletion": blocks,
        })
    }

    #[test]
    fn labels_make_no_pod_our_own() {
        let web = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "uid-9", "controller": true,
        });
        let none = serde_json::Value::Null;
        let with = |field: &str, value: &str| {
            let mut reference = reference("uid-1", true, true);
            reference[field] = value.into();
            reference
        };
        for (pod, own, strange) in [
            (pod("events", "uid-1", reference("uid-1", true, true)), 1, 0),
            (pod("events", "uid-1", none.clone()), 0, 1),
            (pod("events", "uid-0", none.clone()), 0, 1),
            (pod("events", "uid-1", web), 0, 1),
            (pod("events", "uid-1", reference("uid-1", false, true)), 0, 1),
            (pod("events", "uid-1", reference("uid-1", true, false)), 0, 1),
            // Who may change the finalizers of another kind, or of one Webinar, has no right to this one.
            (pod("events", "uid-1", with("kind", "ConfigMap")), 0, 1),
            (pod("events", "uid-1", with("apiVersion", "example.com/v1")), 0, 1),
            (
                pod("events", "uid-1", with("apiVersion", "webinar-operator.io")),
                0,
                1,
            ),
            (pod("events", "uid-1", with("name", "their-own")), 0, 1),
            (
                pod("events", "uid-1", with("apiVersion", "webinar-operator.io/v1")),
                1,
                0,
            ),
            // The garbage collector is about to take it.
            (pod("events", "uid-0", reference("uid-0", true, true)), 0, 0),
            (pod("elsewhere", "uid-1", none), 0, 0),
        ] {
            let near = Some(&pod).filter(|pod| concerns(pod, &owner()));
            let (ours, strangers) = told_apart(near.cloned().into_iter().collect(), &owner());
            assert_eq!((ours.len(), strangers.len()), (own, strange), "{pod:?}");
        }
    }
}
