//! An event that is weeks ahead costs nothing.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use sha2::{Digest as _, Sha256};
use webinar_testbed::wait::eventually;

use crate::support::assertions::verdict;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};

const WATCHED: Duration = Duration::from_secs(12);

/// The class and the Webinar that the documentation shows first.
const CLASS: &str = include_str!("../../../../charts/webinar-operator/files/presets/mediamtx.yaml");
const WEBINAR: &str = include_str!("../../../../examples/webinar-minimal.yaml");
const START: &str = "2027-03-04T17:00:00Z";

#[test]
fn the_smallest_manifest_is_scheduled_and_costs_nothing() {
    story(Setting::default(), async |scene| {
        scene.apply(CLASS).await?;
        scene.namespace("events").await?;
        let start = in_seconds(30 * 24 * 3600);
        ensure!(WEBINAR.contains(START), "the example starts at another time");
        let manifest = WEBINAR
            .replace(START, &start.to_string())
            .replace("metadata:", "metadata:\n  namespace: events");
        scene.kubectl_apply(&manifest).await?;

        let fresh = scene.status("events", "q3-keynote").await?;
        ensure!(
            fresh.observed_generation == Some(-1),
            "not in progress: {fresh:?}"
        );
        let printed = scene.kubectl("get webinars -n events").await?;
        println!("{printed}");

        let moment = scene.mark().await?;
        scene.start_operator().await?;
        let status = scene
            .until("events", "q3-keynote", "Scheduled", SOON, |s| {
                verdict(s, "Ready").1 == "Scheduled"
            })
            .await?;
        ensure!(
            verdict(&status, "Ready").0 == "True" && status.observed_generation == Some(1),
            "{status:?}"
        );
        ensure!(verdict(&status, "CapacityReady").1 == "NotStarted", "{status:?}");
        let schedule = status.schedule.context("no schedule")?;
        let ramp = schedule.ramp_time.context("no rampTime")?.0;
        ensure!(
            ramp == wanted_ramp(start)?,
            "{ramp}, and not {}",
            wanted_ramp(start)?
        );
        let printed = scene.kubectl("get webinars -n events").await?;
        println!("{printed}");
        ensure!(
            printed.contains("100k") && printed.contains("Scheduled") && printed.contains(&start.to_string()),
            "{printed}"
        );
        scene
            .kubectl("wait webinar/q3-keynote -n events --for=condition=Ready --timeout=5s")
            .await?;

        eventually("the one status and its Event", SOON, async || {
            let writes = scene.control_plane.audit().since(moment)?.writes_by(OPERATOR);
            ensure!(writes.events == 1, "{writes:?}");
            Ok(())
        })
        .await?;
        let counts = scene.since(moment).await?.counts_by(OPERATOR);
        println!("writes until Scheduled: {counts:?}");
        let of_webinar = counts.get(&("patch".to_owned(), "webinars/status".to_owned()));
        ensure!(of_webinar == Some(&1), "{counts:?}");

        stays_quiet(scene).await?;
        // Git applies the same manifest again and again.
        scene.kubectl_apply(&manifest).await?;
        stays_quiet(scene).await?;
        let pods: Api<Pod> = Api::all(scene.control_plane.client());
        let pods = pods.list(&ListParams::default()).await?.items;
        ensure!(pods.is_empty(), "{} pods", pods.len());
        let usage = scene.operator()?.usage()?;
        println!("the idle operator: {usage:?}");
        Ok(())
    });
}

/// `startTime − readyBefore − lead − jitter`, by the documented defaults: 10m, and 878 s for 100k.
fn wanted_ramp(start: Timestamp) -> Result<Timestamp> {
    let hash = Sha256::digest(b"events/q3-keynote");
    let jitter = u64::from_be_bytes(hash[..8].try_into()?) % 180;
    let lead = SignedDuration::from_secs(600 + 878 + i64::try_from(jitter)?);
    Ok(start.checked_sub(lead)?)
}

async fn stays_quiet(scene: &mut Scene) -> Result<()> {
    let moment = scene.mark().await?;
    tokio::time::sleep(WATCHED).await;
    let records = scene.since(moment).await?;
    let writes: Vec<_> = records.by(OPERATOR).collect();
    ensure!(writes.is_empty(), "{writes:?}");
    Ok(())
}
