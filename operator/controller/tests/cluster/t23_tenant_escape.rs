//! 23 tenant-escape: what a tenant may write reaches nothing but the size, times and class of the tenant's own events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use webinar_api::{Phase, Webinar};
use webinar_testbed::audit::Records;

use crate::hostile::{Answer, Attack, Expected, Sender, attacks};
use crate::support::assertions::nothing_was_deleted;
use crate::support::manifests::{class, tiny, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, story};
use crate::support::tenant::{client_as, in_force, install_policies};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

/// `tenant` may write in the namespace `tenant` what editors of a namespace may, and more: ControllerRevisions, EndpointSlices
/// and PodTemplates, which the usual roles leave out. `keyholder` may also mark objects and write status there, as everyone who
/// edits a namespace could mark them if there were no policy on ownership.
const RIGHTS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: tenants}
rules:
- {apiGroups: [webinar-operator.io], resources: [webinars], verbs: ['*']}
- {apiGroups: [webinar-operator.io], resources: [webinarclasses], verbs: [use], resourceNames: [tenants]}
- {apiGroups: [''], resources: [pods, services, configmaps, podtemplates], verbs: ['*']}
- {apiGroups: [apps], resources: [controllerrevisions, replicasets], verbs: ['*']}
- {apiGroups: [policy], resources: [poddisruptionbudgets], verbs: ['*']}
- {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: ['*']}
- {apiGroups: [events.k8s.io], resources: [events], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: keyholders}
rules:
- {apiGroups: [webinar-operator.io], resources: [webinars/finalizers, webinars/status], verbs: ['*']}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: tenants, namespace: tenant}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tenants}
subjects: [{kind: User, name: tenant}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: tenants, namespace: keyholder}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: tenants}
subjects: [{kind: User, name: keyholder}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: keyholders, namespace: keyholder}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: keyholders}
subjects: [{kind: User, name: keyholder}]
";

#[test]
fn t23_nothing_that_a_tenant_writes_reaches_others() {
    let setting = Setting {
        nodes: 6,
        ..Setting::default()
    };
    story(setting, async |scene| {
        let attacks = attacks()?;
        ensure!(attacks.len() >= 40, "only {} hostile manifests", attacks.len());
        prepare(scene).await?;
        let process = scene.operator()?.pid();
        let neighbour = Fleet::complete(scene, "neighbour", "event", FLEET, SOON).await?;
        let phases = phases_of(scene, "neighbour");
        let moment = scene.mark().await?;

        let mut failures = play(scene, &attacks).await?;
        let records = scene.since(moment).await?;
        for attack in &attacks {
            let Expected::Harmless(holds) = &attack.expected else {
                continue;
            };
            for hold in holds {
                if let Err(error) = hold.check(scene, Some(&records)).await {
                    failures.push(format!("{}: {hold:?}: {error:#}", attack.name));
                }
            }
        }
        ensure!(failures.is_empty(), "{failures:#?}");
        outcome(scene, &records).await?;

        let after = Fleet::complete(scene, "neighbour", "event", FLEET, SOON).await?;
        ensure!(after.uids() == neighbour.uids(), "the neighbour lost pods");
        let seen = phases.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ensure!(
            !seen.is_empty() && seen.iter().all(|p| *p == Some(Phase::Live)),
            "the neighbour was {seen:?}"
        );
        ensure!(scene.operator()?.pid() == process, "another process");
        scene.operator_answers("/healthz").await?;
        still_serves(scene, "next").await?;
        // Another one reads everything that was written from the beginning.
        scene.kill_operator()?;
        scene.start_operator().await?;
        still_serves(scene, "last").await
    });
}

/// Who comes to the neighbour's namespace after the attacks is served.
async fn still_serves(scene: &mut Scene, name: &str) -> Result<()> {
    scene
        .apply(&webinar("neighbour", name, "tier: room, className: tiny"))
        .await?;
    scene
        .until("neighbour", name, "on air", SOON, |s| {
            s.phase == Some(Phase::Live)
        })
        .await?;
    scene.operator()?.process().check_running()
}

async fn prepare(scene: &mut Scene) -> Result<()> {
    for namespace in ["tenant", "keyholder", "neighbour"] {
        scene.namespace(namespace).await?;
    }
    scene.apply(RIGHTS).await?;
    let bounded = format!("{}  maxPods: 24\n", tiny());
    scene.apply(&class("tenants", &bounded)).await?;
    install_policies(scene).await?;
    let tenant: Api<Webinar> = Api::namespaced(client_as(scene, "tenant").await?, "tenant");
    let greedy = serde_json::from_value(serde_json::json!({
        "metadata": {"name": "greedy"}, "spec": {"tier": "1M", "className": "full"},
    }))?;
    // Until the policy is in force nothing may be stored that it refuses.
    let trial = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    in_force("the policy on use", "may not use", async || {
        tenant.create(&trial, &greedy).await
    })
    .await?;
    let own =
        |name: &str, spec: &str| webinar("tenant", name, &format!("className: tenants, tier: room{spec}"));
    scene.apply(&own("own", "")).await?;
    scene
        .apply(&own("ahead", ", startTime: '2150-01-01T00:00:00Z'"))
        .await?;
    scene
        .apply(&webinar("neighbour", "event", "tier: 10k, className: tiny"))
        .await?;
    scene.start_operator().await?;
    for (namespace, name) in [("neighbour", "event"), ("tenant", "own")] {
        scene
            .until(namespace, name, "on air", SOON, |s| s.phase == Some(Phase::Live))
            .await?;
    }
    Ok(())
}

/// Sends all of them, and returns what came of it against expectation.
async fn play(scene: &Scene, attacks: &[Attack]) -> Result<Vec<String>> {
    let mut clients = BTreeMap::new();
    for user in ["tenant", "keyholder"] {
        clients.insert(user, client_as(scene, user).await?);
    }
    let sender = Sender { scene, clients };
    let mut failures = Vec::new();
    for attack in attacks {
        if let Err(error) = one(&sender, attack).await {
            failures.push(format!("{}: {error:#}", attack.name));
        }
    }
    Ok(failures)
}

/// Sends the requests of one. What is harmless is accepted.
async fn one(sender: &Sender<'_>, attack: &Attack) -> Result<()> {
    let (last, before) = attack.requests.split_last().context("no request")?;
    for request in before {
        if let Answer::Refused(said) = sender.send(request).await? {
            anyhow::bail!("{} {} was refused: {said}", request.method, request.path);
        }
    }
    match (sender.send(last).await?, &attack.expected) {
        (Answer::Accepted, Expected::Harmless(_)) => Ok(()),
        (Answer::Accepted, Expected::Refused(_)) => anyhow::bail!("it was accepted"),
        (Answer::Refused(said), expected) => {
            let end: String = said.chars().take(400).collect();
            let Expected::Refused(words) = expected else {
                anyhow::bail!("it was refused: {end}");
            };
            ensure!(said.contains(words.as_str()), "{end}");
            Ok(())
        }
    }
}

/// The phases that a Webinar `event` is in from now on, as its status is written.
fn phases_of(scene: &Scene, namespace: &str) -> Arc<Mutex<Vec<Option<Phase>>>> {
    let phases = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&phases);
    let events = watcher(scene.webinars(namespace), watcher::Config::default());
    tokio::spawn(async move {
        let mut events = std::pin::pin!(events.default_backoff().applied_objects());
        while let Some(event) = events.next().await {
            if let Ok(webinar) = event {
                let phase = webinar.status.and_then(|s| s.phase);
                seen.lock().unwrap_or_else(PoisonError::into_inner).push(phase);
            }
        }
    });
    phases
}

/// The operator wrote only for Webinars, only in their namespaces, deleted nothing, and every pod that it made is the class's.
async fn outcome(scene: &Scene, records: &Records) -> Result<()> {
    for namespace in ["tenant", "neighbour"] {
        nothing_was_deleted(records, namespace)?;
    }
    let homes = ["tenant", "keyholder", "neighbour", "webinar-system", ""];
    let astray: Vec<_> = records
        .by(OPERATOR)
        .filter(|r| !homes.contains(&r.namespace.as_str()) && r.resource != "events")
        .collect();
    ensure!(astray.is_empty(), "{astray:?}");
    let to_neighbour: Vec<_> = records
        .by(OPERATOR)
        .filter(|r| r.namespace == "neighbour" && r.resource != "events" && r.resource != "webinars")
        .collect();
    ensure!(to_neighbour.is_empty(), "{to_neighbour:?}");

    // Whatever was sent, no event of theirs has another class than theirs, or is promised more than it allows.
    for namespace in ["tenant", "keyholder"] {
        for stored in scene.webinars(namespace).list(&ListParams::default()).await? {
            let class = stored.spec.class_name.as_deref();
            ensure!(
                class == Some("tenants"),
                "{} has class {class:?}",
                stored.name_any()
            );
            let pods: i32 = stored
                .status
                .iter()
                .flat_map(|s| &s.pools)
                .map(|p| p.desired)
                .sum();
            ensure!(pods <= 24, "{} is to have {pods} pods", stored.name_any());
        }
    }
    let made: Vec<(String, String)> = records
        .by(OPERATOR)
        .filter(|r| r.done() && r.verb == "create" && r.resource == "pods")
        .map(|r| (r.namespace.clone(), r.name.clone()))
        .collect();
    println!("the operator made {} pods", made.len());
    ensure!(!made.is_empty(), "no pod was made");
    let pods: Api<Pod> = Api::all(scene.control_plane.client());
    let mut seen = 0;
    for pod in pods.list(&ListParams::default()).await? {
        let key = (pod.namespace().unwrap_or_default(), pod.name_any());
        if made.contains(&key) {
            of_the_class(&pod).with_context(|| format!("{key:?}"))?;
            seen += 1;
        }
    }
    ensure!(seen == made.len(), "{seen} of {} pods are there", made.len());
    Ok(())
}

/// A pod has what the class's template and the operator give it, and nothing else.
fn of_the_class(pod: &Pod) -> Result<()> {
    let spec = pod.spec.as_ref().context("no spec")?;
    ensure!(
        spec.host_network != Some(true) && spec.host_pid != Some(true),
        "the host's"
    );
    ensure!(
        spec.service_account_name.as_deref() == Some("default"),
        "another account"
    );
    ensure!(spec.automount_service_account_token == Some(false), "a token");
    ensure!(spec.volumes.as_ref().is_none_or(Vec::is_empty), "volumes");
    let [container] = &spec.containers[..] else {
        anyhow::bail!("{} containers", spec.containers.len());
    };
    ensure!(
        container.image.as_deref() == Some("example.com/media:1"),
        "another image"
    );
    let foreign = container
        .env
        .iter()
        .flatten()
        .find(|e| !e.name.starts_with("WEBINAR_"));
    ensure!(foreign.is_none(), "{foreign:?}");
    Ok(())
}
