//! 03 missed-edges: what changed and changed back while no watch told of it leaves no trace. Only the end state counts.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use webinar_plan::Slot;
use webinar_testbed::audit::Offset;
use webinar_testbed::proxy::{Fault, Pattern, Rule, Verb};
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::support::assertions::{first_names, same, verdict};
use crate::support::losses::{lose, make_again, only_these_were_made, some_slots, succeeded};
use crate::support::manifests::{class, tiny, webinar};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

const EVENT: [&str; 2] = ["events", "event"];
const FLEET: Counts = [2, 3, 15];

/// How long the operator has to do something wrong.
const A_MOMENT: Duration = Duration::from_secs(5);

/// What changes unseen.
const WATCHED: [&str; 2] = ["webinars", "pods"];

fn watches(resource: &str, fault: Fault) -> Rule {
    Rule::new(Pattern::resource(resource).verbs([Verb::Watch]), fault)
}

#[test]
fn t03_edges_that_never_arrive_leave_no_trace() {
    story(Setting::proxied(3), async |scene| {
        let wide = tiny().replace("maxTier: 10k", "maxTier: 50k");
        scene.apply(&class("wide", &wide)).await?;
        scene.namespace("events").await?;
        scene.start_operator().await?;
        scene
            .apply(&webinar("events", "event", "tier: 10k, className: wide"))
            .await?;
        let before = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        ready(scene).await?;
        first_names(scene, &before, "events", "event").await?;

        let moment = scene.mark().await?;
        scene
            .proxy()?
            .script(WATCHED.map(|resource| watches(resource, Fault::FreezeWatch)));
        let Changed { lost, returned } = meanwhile(scene, &before, moment).await?;
        // The frozen watches break, and where they left off is no longer known.
        let frozen = scene.proxy()?.injected();
        scene.proxy()?.script(WATCHED.map(|resource| {
            let frozen = frozen.iter().filter(|f| f.request.resource == resource);
            watches(resource, Fault::Gone).times(frozen.count() as u64)
        }));
        let stopwatch = Stopwatch::start();
        let others: BTreeSet<Slot> = lost.iter().copied().chain([returned]).collect();
        let after = succeeded(scene, EVENT, &before, &others, SOON).await?;
        ready(scene).await?;
        println!(
            "everything is as before after {:.1} s",
            stopwatch.elapsed().as_secs_f32()
        );
        tokio::time::sleep(A_MOMENT).await;
        let records = scene.since(moment).await?;
        only_these_were_made(&records, EVENT, &lost)?;
        same("the fleet", &after.portraits(), &before.portraits())?;
        a_fresh_operator_agrees(scene, &after).await
    });
}

/// It finds nothing to do.
async fn a_fresh_operator_agrees(scene: &mut Scene, fleet: &Fleet) -> Result<()> {
    scene.kill_operator()?;
    let moment = scene.mark().await?;
    scene.start_operator().await?;
    tokio::time::sleep(A_MOMENT).await;
    let records = scene.since(moment).await?;
    only_these_were_made(&records, EVENT, &[].into()).context("a fresh operator")?;
    let fresh = Fleet::of(scene, "events", "event").await?;
    same("the pods", &fresh.uids(), &fleet.uids())
}

/// Slots by what became of their pods.
struct Changed {
    lost: BTreeSet<Slot>,
    returned: Slot,
}

/// More seats are asked for and no longer; two pods are lost, one of a third slot is lost and made again by hand, and one
/// is not Ready for a moment.
async fn meanwhile(scene: &mut Scene, before: &Fleet, moment: Offset) -> Result<Changed> {
    scene.edit("events", "event", json!({"tier": "50k"})).await?;
    let mut lost = some_slots(before);
    lose(scene, "events", before, &lost).await?;
    let returned = lost.pop_last().context("no slots")?;
    make_again(scene, "events", before, &[returned].into()).await?;
    let blinking = before.0.iter().find(|(slot, _)| !lost.contains(slot));
    blink(scene, &blinking.context("no pods")?.1.name_any()).await?;
    tokio::time::sleep(A_MOMENT).await;
    scene.edit("events", "event", json!({"tier": "10k"})).await?;
    let records = scene.since(moment).await?;
    only_these_were_made(&records, EVENT, &[].into()).context("the watches are not silent")?;
    Ok(Changed { lost, returned })
}

async fn blink(scene: &Scene, name: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "events");
    for is in ["False", "True"] {
        let now = in_seconds(0).to_string();
        let patch = json!({"status": {"conditions": [
            {"type": "Ready", "status": is, "lastTransitionTime": now}
        ]}});
        pods.patch_status(name, &PatchParams::default(), &Patch::Strategic(&patch))
            .await?;
    }
    Ok(())
}

/// The operator has seen the last edit, and all pods.
async fn ready(scene: &Scene) -> Result<()> {
    eventually("the operator to have seen everything", SOON, async || {
        let webinar = scene.webinars("events").get("event").await?;
        let generation = webinar.metadata.generation;
        let status = webinar.status.unwrap_or_default();
        ensure!(
            status.observed_generation == generation && verdict(&status, "CapacityReady").0 == "True",
            "{generation:?}: {status:?}"
        );
        Ok(())
    })
    .await
}
