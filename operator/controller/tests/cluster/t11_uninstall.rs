//! 11 uninstall: `helm uninstall`, then namespaces are deleted, then the definitions.
//! Nothing is stuck, and until its namespace goes an event on air goes on.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use webinar_api::{Phase, crds};
use webinar_testbed::audit::Records;
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::ending::nothing_left;
use crate::support::assertions::nothing_was_deleted;
use crate::support::manifests::{OPERATOR_NAMESPACE, webinar};
use crate::support::release::Helm;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

/// With an event on air, with one that is weeks ahead, and with none.
const NAMESPACES: [&str; 3] = ["live", "idle", "empty"];

/// The garbage collector may fail to look for new kinds once.
const COLLECTED: Duration = Duration::from_secs(120);

#[test]
fn t11_after_an_uninstall_namespaces_go_with_and_without_a_live_event() {
    story(Setting::bare(3), async |scene| {
        let helm = install(scene).await?;
        let before = on_air(scene).await?;
        let moment = scene.mark().await?;
        uninstall(scene, &helm).await?;
        let after = Fleet::complete(scene, "live", "event", FLEET, SOON).await?;
        ensure!(after.uids() == before.uids(), "the event on air lost pods");
        let records = scene.since(moment).await?;
        nothing_was_deleted(&records, "live")?;

        let stopwatch = Stopwatch::start();
        for namespace in NAMESPACES.into_iter().chain([OPERATOR_NAMESPACE]) {
            delete(scene, &format!("namespace {namespace}")).await?;
        }
        for namespace in NAMESPACES.into_iter().chain([OPERATOR_NAMESPACE]) {
            gone(scene, namespace).await?;
        }
        let took = stopwatch.elapsed();
        println!("every namespace is gone after {:.1} s", took.as_secs_f32());
        ensure!(took <= SOON, "every namespace is gone only after {took:?}");
        Ok(())
    });
}

#[test]
fn t11_with_the_definitions_go_the_events_and_their_pods() {
    story(Setting::bare(3), async |scene| {
        let helm = install(scene).await?;
        on_air(scene).await?;
        kind_is_collected(scene).await?;
        uninstall(scene, &helm).await?;
        let stopwatch = Stopwatch::start();
        for crd in crds() {
            delete(scene, &format!("crd {}", crd.name_any())).await?;
        }
        let definitions: Api<CustomResourceDefinition> = Api::all(scene.control_plane.client());
        for crd in crds() {
            let name = crd.name_any();
            eventually(&format!("the end of {name}"), SOON, async || {
                let left = definitions.get_opt(&name).await?.map(|d| d.metadata.finalizers);
                ensure!(left.is_none(), "its finalizers: {left:?}");
                Ok(())
            })
            .await?;
        }
        nothing_left(scene, "live").await?;
        let revisions: Api<ControllerRevision> = Api::namespaced(scene.control_plane.client(), "live");
        eventually("the end of what runs remembered", SOON, async || {
            let left = revisions.list_metadata(&ListParams::default()).await?.items;
            ensure!(left.is_empty(), "{left:?}");
            Ok(())
        })
        .await?;
        println!(
            "everything is gone after {:.1} s",
            stopwatch.elapsed().as_secs_f32()
        );
        for namespace in NAMESPACES {
            delete(scene, &format!("namespace {namespace}")).await?;
            gone(scene, namespace).await?;
        }
        Ok(())
    });
}

#[test]
fn t11_a_namespace_goes_while_the_operator_looks_on() {
    story(Setting::default(), async |scene| {
        scene.start_operator().await?;
        on_air(scene).await?;
        // What it tries to create in a namespace that is going is refused.
        scene.refusing = true;
        let moment = scene.mark().await?;
        let stopwatch = Stopwatch::start();
        delete(scene, "namespace live").await?;
        gone(scene, "live").await?;
        println!(
            "the namespace is gone after {:.1} s",
            stopwatch.elapsed().as_secs_f32()
        );
        let records = scene.since(moment).await?;
        gave_up(&records)?;
        // Its neighbours are served as before.
        scene
            .apply(&webinar("empty", "event", "tier: 10k, className: tiny"))
            .await?;
        Fleet::complete(scene, "empty", "event", FLEET, SOON)
            .await
            .map(|_| ())
    });
}

/// One event on air and one weeks ahead, both without anything that holds up their end.
async fn on_air(scene: &Scene) -> Result<Fleet> {
    for namespace in NAMESPACES {
        scene.namespace(namespace).await?;
    }
    let start = in_seconds(30 * 24 * 3600);
    for (namespace, spec) in [
        ("live", "tier: 10k, className: tiny".to_owned()),
        (
            "idle",
            format!("tier: 10k, className: tiny, startTime: '{start}'"),
        ),
    ] {
        scene.apply(&webinar(namespace, "event", &spec)).await?;
    }
    for (namespace, what, phase) in [
        ("live", "on air", Phase::Live),
        ("idle", "weeks ahead", Phase::Scheduled),
    ] {
        scene
            .until(namespace, "event", what, SOON, |s| s.phase == Some(phase))
            .await?;
    }
    let fleet = Fleet::complete(scene, "live", "event", FLEET, SOON).await?;
    for pod in fleet.0.values() {
        ensure!(pod.finalizers().is_empty(), "{:?}", pod.finalizers());
    }
    for namespace in ["live", "idle"] {
        let event = scene.webinars(namespace).get("event").await?;
        ensure!(event.finalizers().is_empty(), "{:?}", event.finalizers());
    }
    Ok(fleet)
}

/// Waits until the garbage collector takes what a Webinar owns. It looks for new kinds twice a minute, and what belongs to
/// a kind that goes before it was found is never collected.
async fn kind_is_collected(scene: &Scene) -> Result<()> {
    let uid = scene.webinars("idle").get("event").await?.uid();
    let uid = uid.context("no UID")?;
    scene
        .apply(&format!(
            "
apiVersion: v1
kind: ConfigMap
metadata:
  name: owned
  namespace: idle
  ownerReferences: [{{apiVersion: webinar-operator.io/v1alpha1, kind: Webinar, name: event, uid: {uid}}}]
"
        ))
        .await?;
    scene.kubectl("delete webinar/event -n idle").await?;
    let maps: Api<ConfigMap> = Api::namespaced(scene.control_plane.client(), "idle");
    eventually("the garbage collector", COLLECTED, async || {
        let left = maps.get_metadata_opt("owned").await?;
        ensure!(left.is_none(), "what the Webinar owned is there");
        Ok(())
    })
    .await
}

/// A release, with the classes of stories in place of its own.
async fn install(scene: &mut Scene) -> Result<Helm> {
    scene.namespace(OPERATOR_NAMESPACE).await?;
    let helm = Helm::new().await?;
    helm.deploy(scene, "install", &["--set=preset=none"]).await?;
    scene.prepare().await?;
    Ok(helm)
}

/// The operator's pod still runs for a moment while what it needs is taken away.
async fn uninstall(scene: &mut Scene, helm: &Helm) -> Result<()> {
    scene.refusing = true;
    helm.run(scene, "uninstall", &[]).await?;
    scene.kubectl("delete webinarclass --all").await?;
    scene.stop_operator().await
}

async fn delete(scene: &Scene, what: &str) -> Result<()> {
    scene
        .kubectl(&format!("delete {what} --wait=false"))
        .await
        .map(|_| ())
}

/// Waits until a namespace is gone, and says what holds it up.
async fn gone(scene: &Scene, name: &str) -> Result<()> {
    let client = scene.control_plane.client();
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let pods: Api<Pod> = Api::namespaced(client, name);
    eventually(&format!("the end of namespace {name}"), SOON, async || {
        let Some(namespace) = namespaces.get_opt(name).await? else {
            return Ok(());
        };
        let held_up = namespace.status.and_then(|s| s.conditions).unwrap_or_default();
        let held_up: Vec<_> = held_up.into_iter().filter_map(|c| c.message).collect();
        let pods = pods.list_metadata(&ListParams::default()).await?.items.len();
        anyhow::bail!("{pods} pods, {held_up:?}")
    })
    .await
}

/// Nothing was created in the namespace that was going, and it was not tried all the time.
fn gave_up(records: &Records) -> Result<()> {
    let tries: Vec<_> = records
        .by(OPERATOR)
        .filter(|r| r.namespace == "live" && r.verb == "create")
        .collect();
    let done = tries
        .iter()
        .filter(|r| r.done() && r.resource != "events")
        .count();
    println!("{} creates were tried and {done} done", tries.len());
    ensure!(done == 0 && tries.len() < 60, "{tries:?}");
    Ok(())
}
