//! 17 node-zone-loss: pods whose nodes no longer answer are replaced, and nobody is cut off before the time of a drain.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;
use webinar_api::{Phase, labels};
use webinar_testbed::audit::Offset;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{endpoints, pod_writes, verdict};
use crate::support::manifests::{class, small_tree, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

#[test]
fn t17_a_lost_node_and_a_lost_zone_are_replaced() {
    story(nine_nodes(), async |scene| {
        let before = armed(scene).await?;
        for place in ["kubernetes.io/hostname", "topology.kubernetes.io/zone"] {
            let lost = pods_of(scene, place, &before).await?;
            println!("{place} of {} pods", lost.len());
            replaced(scene, &lost).await?;
        }
        Ok(())
    });
}

#[test]
fn t17_when_every_node_is_silent_nothing_is_taken_away() {
    story(nine_nodes(), async |scene| {
        let before = armed(scene).await?;
        let moment = scene.mark().await?;
        let all: BTreeSet<String> = before.names().into_values().collect();
        cut_off(scene, &all).await?;
        let told = scene
            .until("events", "event", "short of seats", SOON, |s| {
                verdict(s, "CapacityAtRisk").1 == "PodsLost"
            })
            .await?;
        let (_, _, message) = verdict(&told, "CapacityAtRisk");
        ensure!(message.contains("kept in their places"), "{message}");
        nothing_was_changed(scene, moment).await?;
        let after = Fleet::of(scene, "events", "event").await?;
        ensure!(after.uids() == before.uids(), "another fleet");
        Ok(())
    });
}

#[test]
fn t17_nodes_that_fall_silent_one_after_the_other_and_come_back_cost_nobody_anything() {
    story(nine_nodes(), async |scene| {
        let before = armed(scene).await?;
        let moment = scene.mark().await?;
        for is in ["False", "True"] {
            for name in before.names().into_values() {
                ready(scene, &[name].into(), is).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        // Longer than a node that stays silent is waited for.
        tokio::time::sleep(Duration::from_secs(40)).await;
        nothing_was_changed(scene, moment).await?;
        let after = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        ensure!(after.uids() == before.uids(), "another fleet");
        Ok(())
    });
}

fn nine_nodes() -> Setting {
    Setting {
        nodes: 9,
        ..Setting::default()
    }
}

/// The operator has written to no pod since.
async fn nothing_was_changed(scene: &mut Scene, moment: Offset) -> Result<()> {
    let records = scene.since(moment).await?;
    let changes: Vec<_> = records.by(OPERATOR).filter(|r| r.resource == "pods").collect();
    ensure!(changes.is_empty(), "something was changed: {changes:?}");
    Ok(())
}

async fn armed(scene: &mut Scene) -> Result<Fleet> {
    scene.namespace("events").await?;
    // On air for long, with time for those who are cut off.
    let steady = small_tree("waveInterval: 1s", "drainTimeout: 20s");
    scene.apply(&class("steady", &steady)).await?;
    scene.start_operator().await?;
    scene
        .apply(&webinar("events", "event", "tier: 10k, className: steady"))
        .await?;
    scene
        .until("events", "event", "ready and on air", SOON, |s| {
            verdict(s, "CapacityReady").0 == "True" && s.phase == Some(Phase::Live)
        })
        .await?;
    Fleet::complete(scene, "events", "event", FLEET, SOON).await
}

/// The lost pods leave every entry point after half a minute, get successors at once, and go when the time of a drain is
/// over: their nodes are simulated, so nobody tells of viewers.
async fn replaced(scene: &mut Scene, lost: &BTreeSet<String>) -> Result<()> {
    let moment = scene.mark().await?;
    let before = Fleet::of(scene, "events", "event").await?;
    cut_off(scene, lost).await?;
    let after = eventually("successors of the lost pods", SOON * 2, async || {
        let after = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        let old = after
            .names()
            .into_values()
            .filter(|name| lost.contains(name))
            .count();
        ensure!(old == 0, "{old} are still in their slots");
        Ok(after)
    })
    .await?;
    let kept = |fleet: &Fleet| -> BTreeSet<String> {
        fleet
            .names()
            .into_values()
            .filter(|n| !lost.contains(n))
            .collect()
    };
    ensure!(
        kept(&after).is_superset(&kept(&before)),
        "another pod was replaced too"
    );

    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "events");
    for name in lost {
        let pod = pods
            .get(name)
            .await
            .context("a lost pod was not given its time")?;
        ensure!(
            !pod.labels().contains_key(labels::ACCEPTING) && !pod.labels().contains_key(labels::SLOT),
            "{name} is still selected: {:?}",
            pod.labels()
        );
        ensure!(pod.metadata.deletion_timestamp.is_none(), "{name} goes at once");
    }
    // A relay among them comes back: it stays out.
    let relay = lost.iter().find(|name| name.contains("-relay-"));
    let back: BTreeSet<String> = relay.into_iter().cloned().collect();
    ready(scene, &back, "True").await?;
    let served: BTreeSet<String> = endpoints(scene, "events", "event-viewers-0")
        .await?
        .into_iter()
        .filter_map(|e| e.target_ref?.name)
        .collect();
    ensure!(served.is_disjoint(lost), "viewers are led to a lost pod");

    // It doesn't tell who is on it, so it is kept; the others go.
    eventually("the end of the lost pods", SOON, async || {
        let left = pods.list_metadata(&ListParams::default()).await?;
        let left: BTreeSet<String> = left.items.iter().map(ResourceExt::name_any).collect();
        let left: BTreeSet<String> = left.intersection(lost).cloned().collect();
        ensure!(left == back, "{left:?} are there, and {back:?} came back");
        Ok(())
    })
    .await?;
    let records = scene.since(moment).await?;
    let created = pod_writes(&records, "create", "events", "event").len();
    ensure!(
        created == lost.len(),
        "{created} pods for {} lost ones",
        lost.len()
    );
    let deleted = pod_writes(&records, "delete", "events", "event").len();
    ensure!(
        deleted == lost.len() - back.len(),
        "{deleted} of {} were deleted",
        lost.len()
    );
    Ok(())
}

/// Pods on nodes that share the label of the first relay's node.
async fn pods_of(scene: &Scene, label: &str, fleet: &Fleet) -> Result<BTreeSet<String>> {
    let nodes: Api<Node> = Api::all(scene.control_plane.client());
    let nodes = nodes.list(&ListParams::default()).await?;
    let place = |pod: &Pod| {
        let name = pod.spec.as_ref()?.node_name.clone()?;
        let node = nodes.iter().find(|n| n.name_any() == name)?;
        node.labels().get(label).cloned()
    };
    // As they are now: some may have been replaced since.
    let now = Fleet::of(scene, "events", "event").await?;
    let first = now.0.values().last().context("no pods")?;
    let lost = now.0.values().filter(|p| place(p) == place(first));
    ensure!(now.0.len() == fleet.0.len(), "the fleet is not complete");
    Ok(lost.map(ResourceExt::name_any).collect())
}

/// What the node controller does to pods of a node that it no longer hears of.
async fn cut_off(scene: &Scene, pods: &BTreeSet<String>) -> Result<()> {
    ready(scene, pods, "False").await
}

async fn ready(scene: &Scene, names: &BTreeSet<String>, is: &str) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "events");
    let patch = json!({"status": {"conditions": [{"type": "Ready", "status": is}]}});
    let (params, patch) = (PatchParams::default(), Patch::Strategic(&patch));
    let all = names.iter().map(|name| pods.patch_status(name, &params, &patch));
    futures::future::try_join_all(all).await?;
    Ok(())
}
