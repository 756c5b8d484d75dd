//! 12 ownership: labels and names make nothing ours. What belongs to others is neither adopted nor changed nor deleted, and
//! people are told of it.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use webinar_api::labels;
use webinar_plan::{Role, Slot, incarnation};
use webinar_testbed::audit::Records;
use webinar_testbed::http_get;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{endpoints, verdict};
use crate::support::losses::{only_these_were_made, succeeded};
use crate::support::manifests::webinar;
use crate::support::oracle::Deeds;
use crate::support::scene::{ENDPOINTS, OPERATOR, SOON, Scene, Setting, story};
use crate::support::world::{Counts, Fleet, is_ready};

const FLEET: Counts = [2, 3, 15];

/// With pods of others in its namespace, and without.
const CROWDED: &str = "crowded";
const ALONE: &str = "alone";

/// May create pods in its namespace, and nothing else.
const TENANT: &str = "--as=system:serviceaccount:crowded:tenant";
const TENANT_RIGHTS: &str = "
apiVersion: v1
kind: ServiceAccount
metadata: {name: tenant, namespace: crowded}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: tenant, namespace: crowded}
rules: [{apiGroups: [''], resources: [pods], verbs: [create, get, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: tenant, namespace: crowded}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: tenant}
subjects: [{kind: ServiceAccount, name: tenant, namespace: crowded}]
";

/// Of an event that was deleted without its pods, and of one that was never stored: no Service of ours selects them.
const RELIC: &str = "relic";
const REHEARSAL: &str = "rehearsal";
/// Labelled to the last letter like a relay.
const COPIES: [&str; 3] = ["copy", "copy-of-another-owner", "copy-with-a-forged-owner"];

fn setting() -> Setting {
    Setting {
        admission_plugins: vec!["OwnerReferencesPermissionEnforcement".to_owned()],
        ..Setting::default()
    }
}

#[test]
fn t12_pods_of_others_with_our_labels_are_told_of_and_left_alone() {
    story(setting(), async |scene| {
        for namespace in [ALONE, CROWDED] {
            scene.namespace(namespace).await?;
            scene
                .apply(&webinar(namespace, "event", "tier: 10k, className: tiny"))
                .await?;
        }
        look_alikes(scene).await?;
        let before = theirs(scene).await?;
        let moment = scene.mark().await?;
        scene.start_operator().await?;
        for namespace in [ALONE, CROWDED] {
            Fleet::complete(scene, namespace, "event", FLEET, SOON).await?;
        }
        let records = scene.since(moment).await?;
        Deeds::of(&records, CROWDED, "event").equal(&Deeds::of(&records, ALONE, "event"))?;
        told(scene, 4).await?;
        not_selected(scene).await?;

        let orphan = orphaned(scene).await?;
        told(scene, 5).await?;
        let records = scene.since(moment).await?;
        let all = COPIES.into_iter().chain([RELIC, REHEARSAL]);
        untouched(&records, &all.map(str::to_owned).collect())?;
        ensure!(
            theirs(scene).await? == before,
            "a pod of another owner has changed"
        );
        outlive(scene, &orphan).await
    });
}

/// Pods of others, all Ready, before the operator looks for the first time.
async fn look_alikes(scene: &Scene) -> Result<()> {
    scene.apply(TENANT_RIGHTS).await?;
    scene
        .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: other, namespace: crowded}}")
        .await?;
    let maps: Api<ConfigMap> = Api::namespaced(scene.control_plane.client(), CROWDED);
    let other = maps.get("other").await?.uid().context("no UID")?;
    let uid = scene
        .webinars(CROWDED)
        .get("event")
        .await?
        .uid()
        .context("no UID")?;
    let of_map =
        json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": other, "controller": true}]);
    let forged = |blocks: bool| {
        json!([{
            "apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar", "name": "event", "uid": uid,
            "controller": true, "blockOwnerDeletion": blocks,
        }])
    };
    let none = json!([]);
    let long_gone = "11111111-2222-3333-4444-555555555555";
    let [copy, of_another, with_a_forged] = COPIES;
    for (name, uid, owners) in [
        (copy, Some(uid.as_str()), &none),
        (of_another, Some(uid.as_str()), &of_map),
        (with_a_forged, Some(uid.as_str()), &forged(false)),
        (RELIC, Some(long_gone), &none),
        (REHEARSAL, None, &none),
    ] {
        by_tenant(scene, &look_alike(name, uid, owners)).await?;
    }
    // Who may not change the Webinar's finalizers can't forge the whole reference.
    let refused = by_tenant(scene, &look_alike("perfect", Some(&uid), &forged(true))).await;
    let refused = format!("{:#}", refused.err().context("a perfect copy was accepted")?);
    ensure!(refused.contains("cannot set blockOwnerDeletion"), "{refused}");
    eventually("look-alikes that are Ready", SOON, async || {
        let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), CROWDED);
        let all = pods.list(&ListParams::default()).await?;
        let ready = all.iter().filter(|p| is_ready(p)).count();
        ensure!(ready == 5, "{ready} of {}", all.items.len());
        Ok(())
    })
    .await
}

/// A pod with the labels of relay 0.
fn look_alike(name: &str, uid: Option<&str>, owners: &serde_json::Value) -> serde_json::Value {
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": CROWDED,
            "ownerReferences": owners,
            "labels": {
                labels::WEBINAR: "event",
                labels::RUN: "1",
                labels::ROLE: "relay",
                labels::SLOT: "relay-0",
                labels::SHARD: "0",
                labels::ACCEPTING: "true",
                labels::APP_MANAGED_BY: "webinar-operator",
            },
        },
        "spec": {"containers": [{"name": "media", "image": "example.com/other:1"}]},
    });
    if let Some(uid) = uid {
        pod["metadata"]["labels"][labels::WEBINAR_UID] = json!(uid);
    }
    pod
}

async fn by_tenant(scene: &Scene, pod: &serde_json::Value) -> Result<()> {
    let file = scene.control_plane.work_dir().join("look-alike.json");
    std::fs::write(&file, pod.to_string())?;
    let file = file.display().to_string();
    let create = ["create", "-f", &file, TENANT];
    scene.control_plane.kubectl(create).await.map(|_| ())
}

/// What must not change of the look-alikes.
async fn theirs(scene: &Scene) -> Result<Vec<ObjectMeta>> {
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), CROWDED);
    let mut metadata = Vec::new();
    for name in COPIES.into_iter().chain([RELIC, REHEARSAL]) {
        let found = pods.get_metadata(name).await?.metadata;
        metadata.push(ObjectMeta {
            name: found.name,
            uid: found.uid,
            labels: found.labels,
            annotations: found.annotations,
            owner_references: found.owner_references,
            deletion_timestamp: found.deletion_timestamp,
            ..ObjectMeta::default()
        });
    }
    Ok(metadata)
}

/// The metric counts so many, and there is one warning, said once, that names them.
async fn told(scene: &Scene, strangers: usize) -> Result<()> {
    let series = format!("webinar_foreign_pods{{namespace=\"{CROWDED}\",name=\"event\"}} {strangers}.0");
    eventually(&series, SOON, async || {
        let metrics = http_get(&scene.url("/metrics"), SOON).await?;
        let said: Vec<&str> = metrics.lines().filter(|l| l.contains("foreign_pods{")).collect();
        ensure!(said.contains(&series.as_str()), "{said:?}");
        Ok(())
    })
    .await?;
    eventually("one warning", SOON, async || {
        let events = scene.events(CROWDED, "event", "ForeignPods").await?;
        ensure!(
            events.len() == 1 && events[0].type_ == "Warning" && events[0].times == 1,
            "{events:?}"
        );
        ensure!(
            events[0].note.contains("copy") && events[0].note.contains("1 more"),
            "{events:?}"
        );
        Ok(())
    })
    .await?;
    let of_others = scene.events(ALONE, "event", "ForeignPods").await?;
    ensure!(of_others.is_empty(), "{of_others:?}");
    Ok(())
}

/// Viewers are led to every relay, and to no pod of another event of this name.
async fn not_selected(scene: &Scene) -> Result<()> {
    let fleet = Fleet::of(scene, CROWDED, "event").await?;
    let relays = fleet.of_role(Role::Relay).map(|(_, pod)| pod.name_any());
    let relays: BTreeSet<String> = relays.collect();
    eventually("endpoints of every relay", ENDPOINTS, async || {
        let served = endpoints(scene, CROWDED, "event-viewers-0").await?;
        let served: BTreeSet<String> = served.into_iter().filter_map(|e| e.target_ref?.name).collect();
        ensure!(served.is_superset(&relays), "{served:?}");
        ensure!(
            !served.contains(RELIC) && !served.contains(REHEARSAL),
            "{served:?}"
        );
        Ok(())
    })
    .await
}

/// A relay of ours loses its owner: its slot is filled anew, and it is left to itself. Returns its name.
async fn orphaned(scene: &mut Scene) -> Result<String> {
    let before = Fleet::of(scene, CROWDED, "event").await?;
    let slot = Slot::new(Role::Relay, 3);
    let orphan = before.0.get(&slot).context("no relay-3")?.name_any();
    let moment = scene.mark().await?;
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), CROWDED);
    let patch = json!({"metadata": {"ownerReferences": null}});
    pods.patch(&orphan, &PatchParams::default(), &Patch::Merge(&patch))
        .await?;
    let lost = BTreeSet::from([slot]);
    succeeded(scene, [CROWDED, "event"], &before, &lost, SOON).await?;
    let records = scene.since(moment).await?;
    untouched(&records, &BTreeSet::from([orphan.clone()]))?;
    only_these_were_made(&records, [CROWDED, "event"], &lost)?;
    Ok(orphan)
}

/// The operator asked for no write of an object with one of these names.
fn untouched(records: &Records, names: &BTreeSet<String>) -> Result<()> {
    let writes: Vec<_> = records.by(OPERATOR).filter(|r| names.contains(&r.name)).collect();
    ensure!(writes.is_empty(), "{writes:?}");
    Ok(())
}

/// With the event go its own pods, and nobody else's.
async fn outlive(scene: &Scene, orphan: &str) -> Result<()> {
    scene
        .kubectl(&format!("delete webinar/event -n {CROWDED}"))
        .await?;
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), CROWDED);
    // The forged reference is good enough for the garbage collector.
    let stay = BTreeSet::from([COPIES[0], COPIES[1], RELIC, REHEARSAL, orphan].map(str::to_owned));
    eventually("the end of the event's own pods", SOON, async || {
        let left = pods.list(&ListParams::default()).await?;
        let left: BTreeSet<String> = left.iter().map(kube::ResourceExt::name_any).collect();
        ensure!(left == stay, "{left:?}");
        Ok(())
    })
    .await
}

#[test]
fn t12_names_that_others_have_are_told_of_and_left_to_them() {
    story(setting(), async |scene| {
        scene.namespace("events").await?;
        let names = ["service", "budget", "revision", "pod", "fine"];
        for name in names {
            scene
                .apply(&webinar("events", name, "tier: 10k, className: tiny"))
                .await?;
        }
        let taken = take_names(scene).await?;
        let moment = scene.mark().await?;
        scene.start_operator().await?;
        Fleet::complete(scene, "events", "fine", FLEET, SOON).await?;
        for (webinar, kind, name) in &taken {
            let told = scene
                .until("events", webinar, "in conflict over a name", SOON, |s| {
                    verdict(s, "Ready").1 == "NameConflict"
                })
                .await?;
            let (is, _, message) = verdict(&told, "Ready");
            println!("{message}");
            ensure!(
                is == "False" && message.contains(&format!("{kind} {name} belongs to another owner")),
                "{message}"
            );
        }
        let records = scene.since(moment).await?;
        let names: BTreeSet<&str> = taken.iter().map(|(_, _, name)| name.as_str()).collect();
        let done: Vec<_> = records
            .by(OPERATOR)
            .filter(|r| names.contains(r.name.as_str()) && r.done())
            .collect();
        ensure!(done.is_empty(), "{done:?}");
        for name in &names {
            let tries = records
                .by(OPERATOR)
                .filter(|r| r.verb == "create" && r.name == *name)
                .count();
            ensure!((1..=2).contains(&tries), "{name} was tried {tries} times");
        }

        let client = scene.control_plane.client();
        give_back::<Service>(&Api::namespaced(client.clone(), "events"), "service-viewers-0").await?;
        give_back::<PodDisruptionBudget>(&Api::namespaced(client.clone(), "events"), "budget-relay").await?;
        give_back::<ControllerRevision>(&Api::namespaced(client.clone(), "events"), "revision-1").await?;
        give_back::<Pod>(&Api::namespaced(client, "events"), &taken[3].2).await?;
        for (webinar, ..) in &taken {
            // A name is tried again after a minute.
            Fleet::complete(scene, "events", webinar, FLEET, SOON * 2).await?;
        }
        Ok(())
    });
}

/// Somebody else has a name that each of these Webinars needs. Returns Webinar, kind and name.
async fn take_names(scene: &Scene) -> Result<Vec<(&'static str, &'static str, String)>> {
    let uid = scene
        .webinars("events")
        .get("pod")
        .await?
        .uid()
        .context("no UID")?;
    let slot = Slot::new(Role::Relay, 0);
    let pod = format!("pod-{slot}-{}", incarnation(&uid, 1, slot, None));
    let meta = |name: &str, webinar: &str| {
        format!(
            "{{name: {name}, namespace: events, labels: {{{}: webinar-operator, {}: {webinar}, marked: by-others}}}}",
            labels::APP_MANAGED_BY,
            labels::WEBINAR
        )
    };
    let objects = [
        format!(
            "{{apiVersion: v1, kind: Service, metadata: {}, spec: {{selector: {{app: other}}, ports: [{{port: 80}}]}}}}",
            meta("service-viewers-0", "service")
        ),
        format!(
            "{{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {}, spec: {{minAvailable: 1, selector: {{matchLabels: {{app: other}}}}}}}}",
            meta("budget-relay", "budget")
        ),
        format!(
            "{{apiVersion: apps/v1, kind: ControllerRevision, metadata: {}, revision: 1, data: {{app: other}}}}",
            meta("revision-1", "revision")
        ),
        format!(
            "{{apiVersion: v1, kind: Pod, metadata: {}, spec: {{containers: [{{name: web, image: 'example.com/web:1'}}]}}}}",
            meta(&pod, "pod")
        ),
    ];
    scene.apply(&objects.join("\n---\n")).await?;
    Ok(vec![
        ("service", "Service", "service-viewers-0".to_owned()),
        ("budget", "PodDisruptionBudget", "budget-relay".to_owned()),
        ("revision", "ControllerRevision", "revision-1".to_owned()),
        ("pod", "Pod", pod),
    ])
}

/// The object is still its owner's, who removes it.
async fn give_back<K>(api: &Api<K>, name: &str) -> Result<()>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    let found = api.get_metadata(name).await?.metadata;
    let marked = found.labels.as_ref().is_some_and(|l| l.contains_key("marked"));
    ensure!(
        marked && found.owner_references.is_none() && found.deletion_timestamp.is_none(),
        "{name} was changed: {found:?}"
    );
    let at_once = DeleteParams::default().grace_period(0);
    api.delete(name, &at_once).await?;
    Ok(())
}
