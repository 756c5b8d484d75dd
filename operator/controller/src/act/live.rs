//! What the API server says now of the Webinar that is written for, and of its pods. A cache may show another time, and
//! each cache another one.

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt as _};
use webinar_api::{Webinar, labels};

use crate::client::call;
use crate::error::Error;
use crate::ownership::{Owner, is_owned_by};

/// It is there: the very one that was judged, and nobody has deleted it. For one that is gone its children would be made
/// anew as fast as the garbage collector takes them.
///
/// # Errors
///
/// It is gone or another one, or the API server can't be asked.
pub(super) async fn still_there(client: &Client, owner: &Owner) -> Result<(), Error> {
    found(client, owner).await.map(|_| ())
}

/// It is there, and is asked for what was judged.
///
/// # Errors
///
/// As of [`still_there`], or its spec has changed.
pub(super) async fn still_so(client: &Client, owner: &Owner) -> Result<(), Error> {
    let found = found(client, owner).await?;
    let same = found.metadata.generation == owner.generation;
    same.then_some(()).ok_or_else(|| outdated(owner))
}

async fn found(client: &Client, owner: &Owner) -> Result<PartialObjectMeta<Webinar>, Error> {
    let what = || format!("look at Webinar {}/{}", owner.namespace, owner.name);
    let webinars: Api<Webinar> = Api::namespaced(client.clone(), &owner.namespace);
    let found = call(what, webinars.get_metadata_opt(&owner.name)).await?;
    let same = found
        .filter(|f| f.metadata.uid.as_ref() == Some(&owner.uid) && f.metadata.deletion_timestamp.is_none());
    same.ok_or_else(|| outdated(owner))
}

/// Pods that hold slots of `wanted`, which no cache has shown yet: made by a leader before us, or by hand.
///
/// # Errors
///
/// The API server can't be asked.
pub(super) async fn holders(
    client: &Client,
    owner: &Owner,
    wanted: &[Pod],
) -> Result<Vec<PartialObjectMeta<Pod>>, Error> {
    let Some(run) = wanted.first().and_then(|p| p.labels().get(labels::RUN)) else {
        return Ok(Vec::new());
    };
    let slots = wanted.iter().filter_map(|p| p.labels().get(labels::SLOT));
    let slots = slots.map(String::as_str).collect::<Vec<_>>().join(",");
    let (uid_key, run_key, slot_key) = (labels::WEBINAR_UID, labels::RUN, labels::SLOT);
    let in_slots = ListParams::default()
        .labels(&format!(
            "{uid_key}={},{run_key}={run},{slot_key} in ({slots})",
            owner.uid
        ))
        .fields("status.phase!=Failed,status.phase!=Succeeded");
    let what = || format!("look for pods of Webinar {}/{}", owner.namespace, owner.name);
    let pods: Api<Pod> = Api::namespaced(client.clone(), &owner.namespace);
    let found = call(what, pods.list_metadata(&in_slots)).await?;
    let holds = |p: &PartialObjectMeta<Pod>| is_owned_by(p, owner) && p.metadata.deletion_timestamp.is_none();
    Ok(found.items.into_iter().filter(holds).collect())
}

fn outdated(owner: &Owner) -> Error {
    Error::Outdated {
        what: format!("Webinar {}/{}", owner.namespace, owner.name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fake::{Fake, owner};
    use super::*;

    #[tokio::test]
    async fn only_the_very_webinar_that_was_judged_is_written_for() {
        let same = json!({"name": "event", "namespace": "events", "uid": "first", "generation": 2});
        let with = |field: &str, value: Value| {
            let mut other = same.clone();
            other[field] = value;
            Some(other)
        };
        for (what, webinar, there, so) in [
            ("as judged", Some(same.clone()), true, true),
            ("edited", with("generation", json!(3)), true, false),
            ("made anew", with("uid", json!("second")), false, false),
            (
                "going",
                with("deletionTimestamp", json!("2026-01-01T00:00:00Z")),
                false,
                false,
            ),
            ("gone", None, false, false),
        ] {
            let client = Fake::new(webinar.as_ref(), &[]).client();
            assert_eq!(still_there(&client, &owner()).await.is_ok(), there, "{what}");
            assert_eq!(still_so(&client, &owner()).await.is_ok(), so, "{what}");
        }
    }

    #[tokio::test]
    async fn slots_are_held_by_live_pods_of_the_webinar() {
        let pod = |name: &str, uid: &str, going: bool| {
            json!({
                "name": name,
                "deletionTimestamp": going.then_some("2026-01-01T00:00:00Z"),
                "ownerReferences": [
                    {"apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar", "name": "event", "uid": uid, "controller": true,
                     "blockOwnerDeletion": true}
                ],
            })
        };
        let pods = [
            pod("held", "first", false),
            pod("going", "first", true),
            pod("other", "second", false),
        ];
        let client = Fake::new(None, &pods).client();
        let wanted = json!({"metadata": {"labels": {labels::RUN: "1", labels::SLOT: "relay-1"}}});
        let wanted: Pod = serde_json::from_value(wanted).unwrap();
        let found = holders(&client, &owner(), &[wanted]).await.unwrap();
        let names: Vec<String> = found.iter().map(kube::ResourceExt::name_any).collect();
        assert_eq!(names, ["held"]);
        assert!(holders(&client, &owner(), &[]).await.unwrap().is_empty());
    }
}
