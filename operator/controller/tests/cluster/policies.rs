//! The chart's policies: who may delete a Webinar and when, who may name a class, and what the operator's label is worth.
//! The API server decides all of it by itself, with the operator there or not.

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams, PropagationPolicy};
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use webinar_api::{Phase, Webinar, WebinarClass, labels};
use webinar_testbed::wait::eventually;

use crate::support::manifests::{class, tiny, webinar};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};
use crate::support::tenant::{client_as, in_force, install_policies, refusal};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

/// `alice` and `bob` edit Webinars in `events` and `other`. In `events` alice may use the class `tiny`; carol may use every
/// class everywhere.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: edits-webinars}
rules: [{apiGroups: [webinar-operator.io], resources: [webinars], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: uses-tiny}
rules: [{apiGroups: [webinar-operator.io], resources: [webinarclasses], resourceNames: [tiny], verbs: [use]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: uses-every-class}
rules: [{apiGroups: [webinar-operator.io], resources: [webinarclasses], verbs: [use]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: edits-webinars}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edits-webinars}
subjects: [{kind: User, name: alice}, {kind: User, name: bob}, {kind: User, name: carol}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: uses-every-class}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: uses-every-class}
subjects: [{kind: User, name: carol}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: uses-tiny, namespace: events}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: uses-tiny}
subjects: [{kind: User, name: alice}]
";

#[test]
fn the_policies_decide_with_the_operator_there_or_not() {
    story(Setting::default(), async |scene| {
        prepare(scene).await?;
        class_use(scene).await?;
        on_air(scene).await?;
        deleting(scene).await?;
        ownership(scene).await?;
        scene.kill_operator()?;
        class_use(scene).await?;
        deleting(scene).await?;
        by_what_is_told(scene).await?;
        collected(scene).await?;
        with_its_namespace(scene).await
    });
}

async fn prepare(scene: &mut Scene) -> Result<()> {
    for namespace in ["events", "other"] {
        scene.namespace(namespace).await?;
    }
    scene.apply(RIGHTS).await?;
    scene.apply(&class("open", &tiny())).await?;
    scene
        .kubectl("annotate webinarclass open webinar-operator.io/is-default-class=true")
        .await?;
    install_policies(scene).await?;
    let bob = webinars(scene, "bob", "events").await?;
    in_force("the policy on use", "may not use", async || {
        bob.create(&dry_run(), &named("first", Some("tiny"))).await
    })
    .await
}

async fn webinars(scene: &Scene, user: &str, namespace: &str) -> Result<Api<Webinar>> {
    Ok(Api::namespaced(client_as(scene, user).await?, namespace))
}

fn named(name: &str, class: Option<&str>) -> Webinar {
    let spec =
        json!({"tier": "10k", "className": class, "startTime": in_seconds(30 * 24 * 3600).to_string()});
    let mut webinar = json!({"metadata": {"name": name}, "spec": spec});
    if class.is_none() {
        webinar["spec"]
            .as_object_mut()
            .expect("a spec")
            .remove("className");
    }
    serde_json::from_value(webinar).expect("a Webinar")
}

fn dry_run() -> PostParams {
    PostParams {
        dry_run: true,
        ..PostParams::default()
    }
}

/// A named class needs the verb `use`, where the Webinar is, and only when it is named anew.
async fn class_use(scene: &Scene) -> Result<()> {
    let alice = webinars(scene, "alice", "events").await?;
    let alice_elsewhere = webinars(scene, "alice", "other").await?;
    let bob = webinars(scene, "bob", "events").await?;
    let carol = webinars(scene, "carol", "other").await?;
    let new = |class| named("new", class);

    alice.create(&dry_run(), &new(Some("tiny"))).await?;
    carol.create(&dry_run(), &new(Some("full"))).await?;
    bob.create(&dry_run(), &new(None)).await?;
    for (who, api, class) in [
        ("alice, for another class", &alice, "full"),
        ("alice, in another namespace", &alice_elsewhere, "tiny"),
        ("bob", &bob, "tiny"),
        ("bob, for the default class by its name", &bob, "open"),
        ("bob, for a class that is not there", &bob, "gold"),
    ] {
        let said = refusal(who, api.create(&dry_run(), &new(Some(class))).await)?;
        let namespace = if who.contains("another namespace") {
            "other"
        } else {
            "events"
        };
        let wanted = format!("may not use WebinarClass {class} in namespace {namespace}");
        ensure!(
            said.contains(&wanted) && said.contains("leave out `className`"),
            "{who}: {said}"
        );
    }
    // Applied from a file, as GitOps does.
    let apply = PatchParams::apply("gitops").force();
    let mut manifest = new(Some("tiny"));
    manifest.metadata.namespace = Some("events".to_owned());
    let manifest = serde_json::to_value(&manifest)?;
    let mut manifest_of_kind = json!({"apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar"});
    for key in ["metadata", "spec"] {
        manifest_of_kind[key] = manifest[key].clone();
    }
    let applied = bob.patch("new", &apply, &Patch::Apply(&manifest_of_kind)).await;
    let said = refusal("bob's apply", applied)?;
    ensure!(said.contains("bob may not use WebinarClass tiny"), "{said}");

    // Others may edit it, drop its class, and not take it back.
    alice
        .create(&PostParams::default(), &named("theirs", Some("tiny")))
        .await?;
    edit(&bob, "theirs", json!({"duration": "90m", "className": "tiny"})).await?;
    let said = refusal(
        "another class",
        edit(&bob, "theirs", json!({"className": "full"})).await,
    )?;
    ensure!(said.contains("bob may not use WebinarClass full"), "{said}");
    edit(&bob, "theirs", json!({"className": null})).await?;
    let said = refusal(
        "a class",
        edit(&bob, "theirs", json!({"className": "tiny"})).await,
    )?;
    ensure!(said.contains("bob may not use WebinarClass tiny"), "{said}");
    edit(&alice, "theirs", json!({"className": "tiny"})).await?;
    bob.delete("theirs", &DeleteParams::default()).await?;
    Ok(())
}

async fn edit(api: &Api<Webinar>, name: &str, spec: Value) -> Result<Webinar, kube::Error> {
    let patch = Patch::Merge(json!({ "spec": spec }));
    api.patch(name, &PatchParams::default(), &patch).await
}

/// The operator works under the policies as without them.
async fn on_air(scene: &mut Scene) -> Result<()> {
    scene.start_operator().await?;
    scene
        .apply(&webinar("events", "event", "tier: 10k, className: tiny"))
        .await?;
    Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
    scene
        .until("events", "event", "on air", SOON, |s| {
            s.phase == Some(Phase::Live)
        })
        .await?;
    let classes: Api<WebinarClass> = Api::all(scene.control_plane.client());
    eventually("the default class to say whom it serves", SOON, async || {
        let status = classes.get("open").await?.status.unwrap_or_default();
        let said = status.conditions.first().map(|c| c.message.as_str());
        ensure!(
            said.is_some_and(|m| m.contains("and so is open to everyone")),
            "{said:?}"
        );
        Ok(())
    })
    .await
}

/// What is on air stays, whichever way it is deleted; what is weeks ahead goes.
async fn deleting(scene: &Scene) -> Result<()> {
    let alice = webinars(scene, "alice", "events").await?;
    let trial = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    in_force("the policy on deletes", "would take all its pods", async || {
        alice.delete("event", &trial).await
    })
    .await?;
    let said = refusal(
        "a delete on air",
        alice.delete("event", &DeleteParams::default()).await,
    )?;
    println!("{said}");
    for words in [
        "Webinar events/event is Live with an unknown number of viewers",
        "kubectl annotate webinar event -n events webinar-operator.io/allow-delete=true",
    ] {
        ensure!(said.contains(words), "{said}");
    }
    let at_once = DeleteParams::default().grace_period(0);
    refusal("a delete by force", alice.delete("event", &at_once).await)?;
    alice
        .create(&PostParams::default(), &named("ahead", None))
        .await?;
    let (deleting, everything) = (DeleteParams::default(), ListParams::default());
    let all = alice.delete_collection(&deleting, &everything).await;
    let said = refusal("deletes of everything", all)?;
    ensure!(said.contains("Webinar events/event is Live"), "{said}");
    // The others may be gone by then, as with every collection.
    match alice.delete("ahead", &DeleteParams::default()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let there = alice.get("event").await?;
    ensure!(there.metadata.deletion_timestamp.is_none(), "{there:?}");
    let fleet = Fleet::of(scene, "events", "event").await?;
    ensure!(fleet.counts() == FLEET, "{:?}", fleet.counts());

    // Annotated it may go, though never without its pods. A Webinar's own annotation counts alone.
    annotate(&alice, "event", "false").await?;
    refusal(
        "a delete that is not allowed",
        alice.delete("event", &trial).await,
    )?;
    annotate(&alice, "event", "true").await?;
    alice.delete("event", &trial).await?;
    let orphaning = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Orphan),
        ..trial.clone()
    };
    let said = refusal(
        "a delete without the pods",
        alice.delete("event", &orphaning).await,
    )?;
    ensure!(
        said.contains("without its pods, which nobody would ever remove"),
        "{said}"
    );
    // As it was asked for before there were policies of propagation.
    let body =
        json!({"kind": "DeleteOptions", "apiVersion": "v1", "orphanDependents": true, "dryRun": ["All"]});
    let request = http::Request::delete(format!("{}/event", alice.resource_url()))
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&body)?)?;
    let client = alice.clone().into_client();
    let said = refusal("a delete without the pods", client.request_text(request).await)?;
    ensure!(said.contains("without its pods"), "{said}");
    let finalizers = |list: Value| Patch::Merge(json!({"metadata": {"finalizers": list}}));
    let unchanged = PatchParams::default();
    alice
        .patch("event", &unchanged, &finalizers(json!(["orphan"])))
        .await?;
    let said = refusal("a delete without the pods", alice.delete("event", &trial).await)?;
    ensure!(said.contains("without its pods"), "{said}");
    alice.patch("event", &unchanged, &finalizers(json!([]))).await?;
    annotate(&alice, "event", "no").await
}

async fn annotate(api: &Api<Webinar>, name: &str, value: &str) -> Result<()> {
    let patch =
        Patch::Merge(json!({"metadata": {"annotations": {"webinar-operator.io/allow-delete": value}}}));
    api.patch(name, &PatchParams::default(), &patch).await?;
    Ok(())
}

/// The operator's label is for who may change the finalizers of Webinars.
async fn ownership(scene: &Scene) -> Result<()> {
    scene
        .apply(
            "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: edits-pods}
rules: [{apiGroups: ['', apps, policy], resources: [pods, services, controllerrevisions, poddisruptionbudgets], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: edits-pods, namespace: events}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edits-pods}
subjects: [{kind: User, name: bob}]
",
        )
        .await?;
    let bob = client_as(scene, "bob").await?;
    let pods: Api<Pod> = Api::namespaced(bob.clone(), "events");
    let labelled = pod(&json!({labels::WEBINAR_UID: "u", "app": "web"}));
    in_force("the policy on ownership", "may not mark it", async || {
        pods.create(&dry_run(), &labelled).await
    })
    .await?;
    for (plural, object) in [
        (
            "services",
            json!({"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}),
        ),
        (
            "poddisruptionbudgets",
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "spec": {"minAvailable": 1}}),
        ),
        (
            "controllerrevisions",
            json!({"apiVersion": "apps/v1", "kind": "ControllerRevision", "revision": 1, "data": {}}),
        ),
    ] {
        let said = refusal(plural, create_marked(&bob, object).await)?;
        ensure!(said.contains("bob may not mark it"), "{plural}: {said}");
    }
    // Later it is the same.
    pods.create(&PostParams::default(), &pod(&json!({"app": "web"})))
        .await?;
    let label = |key: &str, value: Value| Patch::Merge(json!({"metadata": {"labels": {key: value}}}));
    let params = PatchParams::default();
    let marked = pods
        .patch("web", &params, &label(labels::WEBINAR_UID, json!("u")))
        .await;
    let said = refusal("a label given later", marked)?;
    ensure!(said.contains("may not mark it"), "{said}");
    pods.patch("web", &params, &label(labels::WEBINAR, json!("event")))
        .await?;
    pods.delete("web", &DeleteParams::default().grace_period(0))
        .await?;

    // What the operator has made may be labelled by others, only not moved to another event; its memory is its own.
    let fleet = Fleet::of(scene, "events", "event").await?;
    let relay = fleet.0.values().last().context("no pod")?.name_any();
    pods.patch(&relay, &params, &label("mesh", json!("on"))).await?;
    let moved = pods
        .patch(&relay, &params, &label(labels::WEBINAR_UID, json!("u")))
        .await;
    refusal("a pod moved to another event", moved)?;
    let revisions: Api<k8s_openapi::api::apps::v1::ControllerRevision> = Api::namespaced(bob, "events");
    let forged = Patch::Merge(json!({"metadata": {"annotations": {labels::MOST_RELAYS: "4000"}}}));
    let said = refusal(
        "a forged memory",
        revisions.patch("event-1", &params, &forged).await,
    )?;
    ensure!(said.contains("may not mark it"), "{said}");
    Ok(())
}

fn pod(labels: &Value) -> Pod {
    let pod = json!({
        "metadata": {"name": "web", "labels": labels},
        "spec": {"containers": [{"name": "web", "image": "example.com/web:1"}]},
    });
    serde_json::from_value(pod).expect("a pod")
}

async fn create_marked(client: &Client, mut object: Value) -> Result<(), kube::Error> {
    use kube::core::{ApiResource, DynamicObject, GroupVersionKind, TypeMeta};
    object["metadata"] = json!({"name": "marked", "labels": {labels::WEBINAR_UID: "u"}});
    let object: DynamicObject = serde_json::from_value(object).map_err(kube::Error::SerdeError)?;
    let types = object.types.clone().unwrap_or_else(TypeMeta::list::<Pod>);
    let gvk = GroupVersionKind::try_from(&types).expect("a kind");
    let resource = ApiResource::from_gvk(&gvk);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), "events", &resource);
    api.create(&dry_run(), &object).await.map(|_| ())
}

/// Phase and attendance decide, as the status tells them. The operator is down, so that admin may write it.
async fn by_what_is_told(scene: &Scene) -> Result<()> {
    let alice = webinars(scene, "alice", "events").await?;
    alice.create(&PostParams::default(), &named("told", None)).await?;
    let trial = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    // Nobody has looked at it yet.
    alice.delete("told", &trial).await?;
    for (phase, viewers, may_go) in [
        ("Scheduled", None, true),
        ("Ramping", Some(0), true),
        ("Armed", Some(7), false),
        ("Live", None, false),
        ("Live", Some(0), false),
        ("Overrun", Some(0), false),
        ("Draining", Some(7), false),
        ("Draining", Some(0), true),
        ("Draining", None, true),
        // Counted last when it ended.
        ("Finished", Some(7), true),
        ("Expired", None, true),
    ] {
        let attendance = viewers.map(|n| json!({"current": n, "peak": n}));
        let status = json!({"status": {"phase": phase, "attendance": attendance}});
        scene
            .webinars("events")
            .patch_status("told", &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        let outcome = alice.delete("told", &trial).await;
        ensure!(
            outcome.is_ok() == may_go,
            "{phase} with {viewers:?} viewers: {:?}",
            outcome.err().map(|e| e.to_string())
        );
        if let Err(kube::Error::Api(said)) = outcome {
            let viewers = viewers.map_or("an unknown number of".to_owned(), |n: i32| n.to_string());
            ensure!(
                said.message
                    .contains(&format!("is {phase} with {viewers} viewers")),
                "{}",
                said.message
            );
        }
    }
    Ok(())
}

/// A Webinar that has an owner goes with it, once it is over.
async fn collected(scene: &Scene) -> Result<()> {
    let owners: Api<ConfigMap> = Api::namespaced(scene.control_plane.client(), "events");
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "series"}});
    let owner = owners
        .create(&PostParams::default(), &serde_json::from_value(owner)?)
        .await?;
    let webinars = scene.webinars("events");
    let owned = json!({"metadata": {"ownerReferences": [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "series", "uid": owner.uid()}
    ]}});
    webinars
        .patch("told", &PatchParams::default(), &Patch::Merge(&owned))
        .await?;
    owners.delete("series", &DeleteParams::default()).await?;
    eventually("the end of what has no owner any more", SOON, async || {
        ensure!(webinars.get_opt("told").await?.is_none(), "it is there");
        Ok(())
    })
    .await
}

/// With its namespace goes an event on air.
async fn with_its_namespace(scene: &Scene) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(scene.control_plane.client());
    ensure!(
        scene.status("events", "event").await?.phase == Some(Phase::Live),
        "the event is not on air"
    );
    namespaces.delete("events", &DeleteParams::default()).await?;
    eventually("the end of the namespace", SOON, async || {
        let left = namespaces.get_opt("events").await?;
        ensure!(
            left.is_none(),
            "{:?}",
            left.and_then(|n| n.status).map(|s| s.conditions)
        );
        Ok(())
    })
    .await
}
