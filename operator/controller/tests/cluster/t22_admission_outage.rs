//! 22 admission-outage: what must be refused is refused without the operator, and somebody else's webhook that fails costs a
//! few requests and no pods.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};
use webinar_api::{Phase, Webinar};
use webinar_testbed::audit::{Offset, Records};
use webinar_testbed::wait::eventually;

use crate::support::assertions::{nothing_was_deleted, verdict};
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::tenant::{client_as, in_force, install_policies, refusal};
use crate::support::world::{Counts, Fleet};

const ROOM: Counts = [1, 0, 0];
const FLEET: Counts = [2, 3, 15];

/// `events` may edit Webinars, and use no class.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: edits-webinars}
rules: [{apiGroups: [webinar-operator.io], resources: [webinars], verbs: ['*']}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: edits-webinars}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edits-webinars}
subjects: [{kind: User, name: team}]
";

/// What the API server must refuse by itself, and in which words: schema, rules on it, the policy on use.
fn bad() -> [(&'static str, Value, &'static str); 7] {
    [
        ("no tier", json!({}), "spec.tier: Required value"),
        (
            "an unknown tier",
            json!({"tier": "1m"}),
            "supported values: \"room\"",
        ),
        (
            "a ceiling below the tier",
            json!({"tier": "100k", "maxTier": "50k"}),
            "`maxTier` must not be below `tier`",
        ),
        (
            "an endless event",
            json!({"tier": "room", "duration": "99999h"}),
            "`duration` must be between 1m and 72h",
        ),
        (
            "a start of no calendar",
            json!({"tier": "room", "startTime": "9999-12-31T23:59:59Z"}),
            "startTime",
        ),
        (
            "an override without a reason",
            json!({"tier": "room", "override": {"relays": 5, "until": "2199-01-01T00:00:00Z"}}),
            "spec.override.reason: Required value",
        ),
        (
            "a class without `use`",
            json!({"tier": "room", "className": "tiny"}),
            "team may not use WebinarClass tiny",
        ),
    ]
}

#[test]
fn t22_bad_webinars_are_refused_without_the_operator_and_a_failing_webhook_costs_no_pods() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        scene.apply(RIGHTS).await?;
        install_policies(scene).await?;
        scene.start_operator().await?;
        scene
            .apply(&webinar("events", "on-air", "tier: room, className: tiny"))
            .await?;
        let before = Fleet::complete(scene, "events", "on-air", ROOM, SOON).await?;
        scene
            .until("events", "on-air", "on air", SOON, |s| {
                s.phase == Some(Phase::Live)
            })
            .await?;

        scene.kill_operator()?;
        refused_without_the_operator(scene).await?;

        let start = in_seconds(180);
        let spec = format!("tier: 10k, className: tiny, startTime: '{start}', readyBefore: 3m");
        scene.apply(&webinar("events", "event", &spec)).await?;
        fail_webhook(scene).await?;
        let moment = scene.mark().await?;
        scene.start_operator().await?;
        no_churn(scene, moment).await?;

        let webhooks: Api<ValidatingWebhookConfiguration> = Api::all(scene.control_plane.client());
        webhooks.delete("foreign", &DeleteParams::default()).await?;
        Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        scene
            .until("events", "event", "on plan", SOON, |s| {
                verdict(s, "CapacityAtRisk").1 == "OnPlan" && verdict(s, "CapacityReady").0 == "True"
            })
            .await?;
        let after = Fleet::of(scene, "events", "on-air").await?;
        ensure!(after.uids() == before.uids(), "what was on air lost pods");
        nothing_was_deleted(&scene.since(moment).await?, "events")
    });
}

/// By schema, rules and policies, for whom the operator need not be there.
async fn refused_without_the_operator(scene: &Scene) -> Result<()> {
    let team: Api<Webinar> = Api::namespaced(client_as(scene, "team").await?, "events");
    let trial = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let new = |spec: &Value| -> Result<kube::api::DynamicObject> {
        let kind = json!({"apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar"});
        let mut object = kind;
        object["metadata"] = json!({"name": "new", "namespace": "events"});
        object["spec"] = spec.clone();
        Ok(serde_json::from_value(object)?)
    };
    // Typed clients could not even say some of it.
    let untyped: Api<kube::api::DynamicObject> = Api::namespaced_with(
        client_as(scene, "team").await?,
        "events",
        &kube::core::ApiResource::erase::<Webinar>(&()),
    );
    let named = new(&json!({"tier": "room", "className": "tiny"}))?;
    in_force("the policy on use", "may not use", async || {
        untyped.create(&trial, &named).await
    })
    .await?;
    for (what, spec, words) in bad() {
        let said = refusal(what, untyped.create(&trial, &new(&spec)?).await)?;
        ensure!(said.contains(words), "{what}: {said}");
    }
    // What is right passes, so that it is not everything that is refused.
    untyped.create(&trial, &new(&json!({"tier": "room"}))?).await?;

    let gone = DeleteParams {
        dry_run: true,
        ..DeleteParams::default()
    };
    in_force("the policy on deletes", "is Live with", async || {
        team.delete("on-air", &gone).await
    })
    .await
}

/// Somebody's webhook that every new pod in `events` has to pass, and at whose address nobody is.
async fn fail_webhook(scene: &Scene) -> Result<()> {
    scene
        .apply(
            "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: foreign}
webhooks:
- name: pods.foreign.example.com
  admissionReviewVersions: [v1]
  sideEffects: None
  failurePolicy: Fail
  timeoutSeconds: 1
  clientConfig: {url: 'https://127.0.0.1:1/pods'}
  namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: events}}
  rules: [{apiGroups: [''], apiVersions: [v1], resources: [pods], operations: [CREATE]}]
",
        )
        .await?;
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(scene.control_plane.client(), "events");
    let pod = serde_json::from_value(json!({
        "metadata": {"name": "probe"},
        "spec": {"containers": [{"name": "media", "image": "example.com/media:1"}]},
    }))?;
    let trial = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    in_force("the webhook", "failed calling webhook", async || {
        pods.create(&trial, &pod).await
    })
    .await
}

/// The condition says why, and a pod is asked for now and then, later each time.
async fn no_churn(scene: &mut Scene, moment: Offset) -> Result<()> {
    let told = scene
        .until("events", "event", "refused", SOON, |s| {
            let (is, reason, message) = verdict(s, "CapacityAtRisk");
            (is, reason) == ("True", "PodsRejected") && message.contains("failed calling webhook")
        })
        .await?;
    let (_, _, message) = verdict(&told, "CapacityAtRisk");
    println!("{message}");
    for words in [
        "an admission webhook fails for",
        "pods.foreign.example.com",
        "Repair the webhook",
    ] {
        ensure!(message.contains(words), "{message}");
    }
    ensure!(
        verdict(&told, "Ready") == ("False", "CapacityAtRisk", verdict(&told, "Ready").2),
        "{told:?}"
    );

    // After five seconds it is tried again with one pod, and the next time is ten seconds later.
    eventually("another try", SOON, async || {
        let records = scene.control_plane.audit().since(moment)?;
        ensure!(tries(&records) >= 2, "{} tries", tries(&records));
        Ok(())
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let records = scene.since(moment).await?;
    let tries = tries(&records);
    println!("{tries} creates of pods, all refused");
    ensure!(tries == 2, "{tries} creates of pods");
    let pods_made = records
        .by(OPERATOR)
        .filter(|r| r.done() && r.verb == "create" && r.resource == "pods")
        .count();
    ensure!(pods_made == 0, "{pods_made} pods passed");
    // What else was written was written once: memory, Services and budgets, and the status as it came to be.
    let mut made: Vec<(&str, &str)> = records
        .by(OPERATOR)
        .filter(|r| r.done() && r.verb == "create" && r.resource != "events")
        .map(|r| (r.resource.as_str(), r.name.as_str()))
        .collect();
    let all = made.len();
    made.sort_unstable();
    made.dedup();
    ensure!(all == made.len() && all > 0, "made twice: {made:?}");
    let statuses = records.writes_by(OPERATOR).status;
    ensure!(statuses <= 6, "{statuses} statuses were written");
    nothing_was_deleted(&records, "events").context("while the webhook failed")
}

/// How often the operator asked for a pod.
fn tries(records: &Records) -> usize {
    records
        .by(OPERATOR)
        .filter(|r| r.verb == "create" && r.resource == "pods")
        .count()
}
