//! Events that were over before the operator saw them.

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use webinar_api::Phase;
use webinar_testbed::audit::{Offset, Record};
use webinar_testbed::wait::eventually;

use crate::support::assertions::verdict;
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};

const WATCHED: Duration = Duration::from_secs(4);

#[test]
fn a_past_event_is_told_of_once_however_often_it_is_applied() {
    let setting = Setting {
        nodes: 0,
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("events").await?;
        let moment = scene.mark().await?;
        // One that was over when it was applied, and one that ends while nobody looks.
        let (over, end) = (in_seconds(-7200), in_seconds(14));
        let start = in_seconds(14 - 60);
        let manifests = [
            webinar("events", "archived", &spec(&format!("startTime: '{over}'"))),
            webinar("events", "missed", &spec(&format!("startTime: '{start}'"))),
        ];
        apply(scene, &manifests).await?;
        eventually("the end", SOON, async || {
            ensure!(in_seconds(0) > end, "{end} has not come");
            Ok(())
        })
        .await?;
        scene.start_operator().await?;
        for name in ["archived", "missed"] {
            expired(scene, name).await?;
        }
        told(scene).await?;
        apply(scene, &manifests).await?;
        tokio::time::sleep(WATCHED).await;
        scene.kill_operator()?;
        apply(scene, &manifests).await?;
        scene.start_operator().await?;
        tokio::time::sleep(WATCHED).await;
        for name in ["archived", "missed"] {
            written_once(scene, moment, name).await?;
        }
        told(scene).await?;
        let pods: Api<Pod> = Api::all(scene.control_plane.client());
        let pods = pods.list_metadata(&ListParams::default()).await?.items.len();
        ensure!(pods == 0, "{pods} pods");
        Ok(())
    });
}

fn spec(start: &str) -> String {
    format!("tier: 10k, className: tiny, duration: 1m, {start}")
}

/// As Git does.
async fn apply(scene: &Scene, manifests: &[String]) -> Result<()> {
    scene.kubectl_apply(&manifests.join("\n---\n")).await?;
    Ok(())
}

async fn expired(scene: &Scene, name: &str) -> Result<()> {
    let status = scene
        .until("events", name, "Expired", SOON, |s| {
            s.phase == Some(Phase::Expired)
        })
        .await?;
    let (truth, reason, message) = verdict(&status, "Ready");
    println!("{name}: {message}");
    ensure!(truth == "True" && reason == "Expired", "{status:?}");
    ensure!(
        verdict(&status, "CapacityAtRisk").1 == "OnPlan" && status.run.is_none(),
        "{status:?}"
    );
    Ok(())
}

/// Whoever applies an archive is not alarmed; whoever was let down is, once.
async fn told(scene: &Scene) -> Result<()> {
    eventually("the Events", SOON, async || {
        for (name, reason, type_, events) in [
            ("archived", "Expired", "Normal", 1),
            ("archived", "Missed", "Warning", 0),
            ("missed", "Expired", "Normal", 1),
            ("missed", "Missed", "Warning", 1),
        ] {
            let told = scene.events("events", name, reason).await?;
            let as_wanted = told.iter().all(|e| e.type_ == type_ && e.times == 1);
            ensure!(told.len() == events && as_wanted, "{name}, {reason}: {told:?}");
        }
        Ok(())
    })
    .await
}

/// One status, and nothing else but Events.
async fn written_once(scene: &mut Scene, moment: Offset, name: &str) -> Result<()> {
    let records = scene.since(moment).await?;
    let of_webinar = |r: &&Record| r.resource == "webinars" && r.name == name;
    let statuses: Vec<&Record> = records.by(OPERATOR).filter(of_webinar).collect();
    ensure!(
        statuses.len() == 1 && statuses[0].subresource == "status" && statuses[0].done(),
        "{statuses:?}"
    );
    let others =
        |r: &&Record| r.namespace == "events" && !["webinars", "events"].contains(&r.resource.as_str());
    let others: Vec<&Record> = records.by(OPERATOR).filter(others).collect();
    ensure!(others.is_empty(), "{others:?}");
    Ok(())
}
