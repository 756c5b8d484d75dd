//! 18 drain-pdb: draining a node that serves viewers finishes, and never takes more than the budget allows.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_api::Phase;
use webinar_plan::Role;

use crate::support::assertions::verdict;
use crate::support::manifests::webinar;
use crate::support::scene::{SOON, Scene, Setting, story};
use crate::support::world::{Counts, Fleet, is_ready};

const FLEET: Counts = [2, 3, 15];

/// Budgets of 2 SFUs, 3 mids and 15 relays: one of each may be away.
const AT_LEAST: Counts = [1, 2, 14];

#[test]
fn t18_a_drained_node_is_emptied_one_pod_at_a_time() {
    let setting = Setting {
        nodes: 9,
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("events").await?;
        scene.start_operator().await?;
        scene
            .apply(&webinar(
                "events",
                "event",
                "tier: 10k, className: tiny, overrun: 1h",
            ))
            .await?;
        scene
            .until("events", "event", "ready and on air", SOON, |s| {
                verdict(s, "CapacityReady").0 == "True" && s.phase == Some(Phase::Live)
            })
            .await?;
        let fleet = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        let (node, pods) = busiest(&fleet)?;
        println!("draining {node} with {pods} pods");
        let drain = format!("drain {node} --ignore-daemonsets --delete-emptydir-data --force --timeout=120s");
        let mut least = FLEET;
        tokio::select! {
            drained = scene.kubectl(&drain) => drained.map(|_| ())?,
            worst = watched(scene, &mut least) => worst?,
        }
        println!("at least {least:?} were Ready");
        let after = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        let left = after
            .0
            .values()
            .filter(|p| p.spec.as_ref().and_then(|s| s.node_name.as_ref()) == Some(&node))
            .count();
        ensure!(left == 0, "{left} pods are on the drained node");
        Ok(())
    });
}

/// The node with the most pods.
fn busiest(fleet: &Fleet) -> Result<(String, usize)> {
    let mut nodes: BTreeMap<String, usize> = BTreeMap::new();
    for pod in fleet.0.values() {
        let node = pod.spec.as_ref().and_then(|s| s.node_name.clone());
        *nodes.entry(node.context("a pod on no node")?).or_default() += 1;
    }
    nodes.into_iter().max_by_key(|(_, n)| *n).context("no nodes")
}

/// Looks all the time, and fails when fewer are Ready than the budgets say.
async fn watched(scene: &Scene, least: &mut Counts) -> Result<()> {
    loop {
        let fleet = Fleet::of(scene, "events", "event").await?;
        for (i, role) in Role::ALL.into_iter().enumerate() {
            let ready = fleet.of_role(role).filter(|(_, p)| is_ready(p)).count();
            least[i] = least[i].min(ready);
            ensure!(
                ready >= AT_LEAST[i],
                "{ready} of {role} are Ready, {} must be",
                AT_LEAST[i]
            );
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
