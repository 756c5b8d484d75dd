//! After the event everything is given back.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::ListParams;
use webinar_api::Phase;
use webinar_plan::{Role, Slot};
use webinar_testbed::audit::Records;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{one_active_sfu, pod_writes, role_by_role, tree, verdict, viewers};
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::Fleet;

#[test]
fn a_short_event_from_ramp_to_release_under_owner_reference_enforcement() {
    let setting = Setting {
        admission_plugins: vec!["OwnerReferencesPermissionEnforcement".to_owned()],
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("events").await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        // Started 45 s ago: everything is due at once, and the end is near.
        let start = in_seconds(-45);
        let manifest = webinar(
            "events",
            "short",
            &format!("tier: 10k, className: tiny, duration: 1m, startTime: '{start}'"),
        );
        scene.kubectl_apply(&manifest).await?;

        let fleet = Fleet::complete(scene, "events", "short", [2, 3, 15], SOON).await?;
        tree(&fleet, "events", "short", 0)?;
        let active = one_active_sfu(scene, "events", "short", &fleet).await?;
        viewers(scene, "events", "short", &fleet, 1).await?;

        scene
            .until("events", "short", "Finished", Duration::from_secs(60), |s| {
                s.phase == Some(Phase::Finished)
            })
            .await?;
        let records = scene.since(moment).await?;
        given_back(scene, "events", "short", &records, active).await?;
        stays_over(scene, "events", "short", &manifest).await
    });
}

/// Drained leaf-first to zero, addresses and budgets gone, the outcome on record.
pub(crate) async fn given_back(
    scene: &Scene,
    namespace: &str,
    name: &str,
    records: &Records,
    active: Slot,
) -> Result<()> {
    let deletes = pod_writes(records, "delete", namespace, name);
    role_by_role("deletes", &deletes, [Role::Relay, Role::Mid, Role::Sfu])?;
    let ended = deletes
        .iter()
        .find(|w| w.slot == active)
        .context("the active SFU stays")?
        .time;
    let last = deletes.last().map_or(ended, |w| w.time);
    ensure!(
        last <= ended,
        "{active} was deleted at {ended}, active as it was; the last delete was at {last}"
    );

    nothing_left(scene, namespace).await?;
    let status = scene.status(namespace, name).await?;
    ensure!(
        verdict(&status, "Ready").0 == "True" && verdict(&status, "Ready").1 == "Finished",
        "{status:?}"
    );
    ensure!(verdict(&status, "CapacityReady").1 == "Released", "{status:?}");
    let outcome = status.outcome.unwrap_or_default();
    ensure!(
        outcome.ready_time.is_some() && outcome.ready_lead_seconds.is_some(),
        "{outcome:?}"
    );
    println!("outcome: {outcome:?}");
    Ok(())
}

/// Waits until no pod, Service or budget is left.
pub(crate) async fn nothing_left(scene: &Scene, namespace: &str) -> Result<()> {
    let client = scene.control_plane.client();
    let (pods, services, budgets): (Api<Pod>, Api<Service>, Api<PodDisruptionBudget>) = (
        Api::namespaced(client.clone(), namespace),
        Api::namespaced(client.clone(), namespace),
        Api::namespaced(client, namespace),
    );
    eventually("an empty namespace", SOON, async || {
        let all = ListParams::default();
        let left = (
            pods.list_metadata(&all).await?.items.len(),
            services.list_metadata(&all).await?.items.len(),
            budgets.list_metadata(&all).await?.items.len(),
        );
        ensure!(left == (0, 0, 0), "pods, Services, budgets: {left:?}");
        Ok(())
    })
    .await
}

/// The manifest of a finished event is applied again: nothing is written.
pub(crate) async fn stays_over(scene: &mut Scene, namespace: &str, name: &str, manifest: &str) -> Result<()> {
    // The last Event may still be on its way.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let moment = scene.mark().await?;
    let before = scene.webinars(namespace).get(name).await?;
    scene.kubectl_apply(manifest).await?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    let records = scene.since(moment).await?;
    let writes: Vec<_> = records.by(OPERATOR).collect();
    ensure!(writes.is_empty(), "{writes:?}");
    let after = scene.webinars(namespace).get(name).await?;
    ensure!(
        before.metadata.resource_version == after.metadata.resource_version,
        "the Webinar was changed"
    );
    Ok(())
}
