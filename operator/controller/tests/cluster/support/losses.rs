//! Pods that are taken away, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, ResourceExt as _};
use webinar_plan::{Role, Slot};
use webinar_testbed::audit::Records;
use webinar_testbed::wait::eventually;

use super::assertions::{nothing_was_deleted, pod_writes, same};
use super::scene::Scene;
use super::world::{Counts, Fleet, is_ready};

/// The first mid and the first two relays.
pub(crate) fn some_slots(fleet: &Fleet) -> BTreeSet<Slot> {
    let first = |role, count| fleet.of_role(role).map(|(slot, _)| *slot).take(count);
    first(Role::Mid, 1).chain(first(Role::Relay, 2)).collect()
}

/// Takes the pods of these slots away at once, behind the operator's back.
pub(crate) async fn lose(
    scene: &Scene,
    namespace: &str,
    fleet: &Fleet,
    slots: &BTreeSet<Slot>,
) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), namespace);
    let at_once = DeleteParams::default().grace_period(0);
    for slot in slots {
        let name = fleet.0.get(slot).context("an empty slot")?.name_any();
        pods.delete(&name, &at_once).await?;
    }
    Ok(())
}

/// Makes the pods of these slots again by hand, under their old names, as from a backup.
pub(crate) async fn make_again(
    scene: &Scene,
    namespace: &str,
    fleet: &Fleet,
    slots: &BTreeSet<Slot>,
) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), namespace);
    for slot in slots {
        let mut pod = fleet.0.get(slot).context("an empty slot")?.clone();
        pod.metadata.uid = None;
        pod.metadata.resource_version = None;
        pod.metadata.creation_timestamp = None;
        pod.metadata.managed_fields = None;
        pod.status = Some(PodStatus::default());
        pod.spec.as_mut().context("no spec")?.node_name = None;
        pods.create(&PostParams::default(), &pod).await?;
    }
    Ok(())
}

/// Waits until the fleet is complete and Ready again, with other pods in these slots and the same ones in all others.
pub(crate) async fn succeeded(
    scene: &Scene,
    [namespace, webinar]: [&str; 2],
    before: &Fleet,
    lost: &BTreeSet<Slot>,
    deadline: Duration,
) -> Result<Fleet> {
    let counts: Counts = before.counts();
    eventually("successors of the lost pods", deadline, async || {
        let after = Fleet::of(scene, namespace, webinar).await?;
        let ready = after.0.values().filter(|p| is_ready(p)).count();
        ensure!(
            after.counts() == counts && ready == after.0.len(),
            "{:?}, {ready} Ready",
            after.counts()
        );
        let (old, new) = (before.uids(), after.uids());
        let others: BTreeSet<Slot> = old.keys().filter(|s| old.get(s) != new.get(s)).copied().collect();
        ensure!(others == *lost, "other pods are in {others:?}");
        Ok(after)
    })
    .await
}

/// Since the loss, one pod was created for each lost slot, and nothing else was created or deleted.
pub(crate) fn only_these_were_made(
    records: &Records,
    [namespace, webinar]: [&str; 2],
    slots: &BTreeSet<Slot>,
) -> Result<()> {
    let created = pod_writes(records, "create", namespace, webinar);
    let mut counted = BTreeMap::new();
    for write in created {
        *counted.entry(write.slot).or_insert(0) += 1;
    }
    same(
        "pods created",
        &counted,
        &slots.iter().map(|slot| (*slot, 1)).collect(),
    )?;
    nothing_was_deleted(records, namespace)
}
