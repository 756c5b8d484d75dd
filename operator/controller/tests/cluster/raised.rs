//! More people are expected, and the start is too near: that is told at once, and until they can come.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use serde_json::json;
use webinar_api::{Phase, WebinarStatus};
use webinar_plan::grouped;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{nothing_was_replaced, same, seats, verdict};
use crate::support::manifests::{CPU_15, class, template_that_takes, webinar};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};
use crate::support::world::Fleet;

/// A class that gives pods 150 s to become Ready, for viewers of whom a relay carries thousands: 2 SFUs, and 6 relays for
/// 10k or 15 for 50k.
const CAUTIOUS: &str = "
  templates: {sfu: media-sfu, relay: slow-relay}
  sizing: {viewer: {bitrateKbps: 300, packetsPerSecond: 40}}
  ramp:
    waveInterval: 1s
    safetyPercent: 100
    readyBefore: 0s
    settle: {nodeStartup: 0s, imagePull: 0s, podStartup: 150s, upstream: 0s, loadBalancer: 0s}
  live: {floorAfterStart: 0s, overrun: 0s, drainTimeout: 5s}
";

/// A good word may wait as long as a bad one.
const A_WHILE: Duration = Duration::from_secs(180);

#[test]
fn a_tier_raised_two_minutes_before_the_start_is_too_late_until_its_pods_are_ready() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        scene
            .apply(&template_that_takes("8s", "slow-relay", CPU_15))
            .await?;
        scene.apply(&class("cautious", CAUTIOUS)).await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let small = armed(scene).await?;
        brought_forward(scene).await?;

        scene.edit("events", "talk", json!({"tier": "50k"})).await?;
        too_late(scene).await?;
        let fleet = Fleet::complete(scene, "events", "talk", [2, 0, 15], SOON).await?;
        on_plan(scene).await?;
        let kept = fleet
            .uids()
            .into_iter()
            .filter(|(slot, _)| small.0.contains_key(slot));
        same("the pods of 10k", &kept.collect(), &small.uids())?;
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, "events", "talk")
    });
}

/// The fleet of 10k stands long before its start.
async fn armed(scene: &Scene) -> Result<Fleet> {
    let start = in_seconds(600);
    let spec = format!("tier: 10k, className: cautious, startTime: '{start}', readyBefore: 9m");
    scene.apply(&webinar("events", "talk", &spec)).await?;
    scene
        .until("events", "talk", "Armed", SOON, |s| s.phase == Some(Phase::Armed))
        .await?;
    Fleet::complete(scene, "events", "talk", [2, 0, 6], SOON).await
}

/// A start that comes near is no trouble for a fleet that stands.
async fn brought_forward(scene: &Scene) -> Result<()> {
    let start = in_seconds(120);
    scene
        .edit(
            "events",
            "talk",
            json!({"startTime": start.to_string(), "readyBefore": "0s"}),
        )
        .await?;
    let status = scene
        .until("events", "talk", "brought forward", SOON, |s| starts_at(s, start))
        .await?;
    ensure!(
        verdict(&status, "Ready").1 == "Armed" && verdict(&status, "CapacityAtRisk").1 == "OnPlan",
        "{status:?}"
    );
    Ok(())
}

fn starts_at(status: &WebinarStatus, start: Timestamp) -> bool {
    let known = status.schedule.as_ref().and_then(|s| s.start_time.as_ref());
    known.is_some_and(|t| t.0 == start)
}

/// The seats that are missing are told, to the last one.
async fn too_late(scene: &Scene) -> Result<()> {
    let status = scene
        .until("events", "talk", "too late", SOON, |s| {
            verdict(s, "CapacityAtRisk").0 == "True"
        })
        .await?;
    let (_, reason, message) = verdict(&status, "CapacityAtRisk");
    println!("{message}");
    let there = seats(scene, "cautious", 6).await?;
    let missing = format!("{} of 50,000 seats will be missing at ", grouped(50_000 - there));
    ensure!(
        reason == "TooLate" && message.contains(&missing),
        "{reason}, and not {missing:?}: {message}"
    );
    let told = status.capacity.as_ref().context("no capacity")?;
    ensure!(
        told.desired == 50_000 && u32::try_from(told.ready)? == there,
        "{told:?}, and not {there} seats"
    );
    ensure!(
        verdict(&status, "Ready") == ("False", "CapacityAtRisk", message),
        "{status:?}"
    );
    eventually("a warning", SOON, async || {
        let warned = scene.events("events", "talk", "TooLate").await?;
        ensure!(warned.len() == 1 && warned[0].type_ == "Warning", "{warned:?}");
        // The numbers are in the condition, where they are kept up to date.
        let numbers = warned[0].note.contains(|c: char| c.is_ascii_digit());
        ensure!(
            warned[0].note.contains("CapacityAtRisk") && !numbers,
            "{warned:?}"
        );
        Ok(())
    })
    .await
}

async fn on_plan(scene: &Scene) -> Result<()> {
    let status = scene
        .until("events", "talk", "full", A_WHILE, |s| {
            verdict(s, "CapacityAtRisk").1 == "OnPlan" && verdict(s, "Ready").0 == "True"
        })
        .await?;
    ensure!(
        verdict(&status, "CapacityAtRisk").0 == "False" && verdict(&status, "CapacityReady").1 == "AllReady",
        "{status:?}"
    );
    let ready = status.capacity.context("no capacity")?.ready;
    ensure!(ready == 50_000, "{ready} seats");
    Ok(())
}
