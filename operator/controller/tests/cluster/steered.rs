//! People steer a run, and what was decided can be decided again from a captured state.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::support::assertions::verdict;
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::Fleet;

const NAMES: [&str; 3] = ["relay-3", "relay-11", "mid-1"];

#[test]
fn suspended_resumed_raised_by_hand_and_replayed() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        scene
            .apply(&webinar(
                "events",
                "steered",
                "tier: 10k, className: tiny, suspend: true",
            ))
            .await?;
        scene
            .until("events", "steered", "suspended", SOON, |s| {
                verdict(s, "Ready").1 == "Suspended"
            })
            .await?;
        let records = scene.since(moment).await?;
        let created = records.writes_by(OPERATOR).create;
        ensure!(created == 0, "{created} objects were created while suspended");

        patch(scene, r#"{"spec":{"suspend":false}}"#).await?;
        Fleet::complete(scene, "events", "steered", [2, 3, 15], SOON).await?;

        let until = in_seconds(300);
        let floor = format!(
            r#"{{"spec":{{"override":{{"relays":21,"reason":"they keep coming","until":"{until}"}}}}}}"#
        );
        patch(scene, &floor).await?;
        let fleet = Fleet::complete(scene, "events", "steered", [2, 3, 21], SOON).await?;
        let status = scene.status("events", "steered").await?;
        let (_, _, message) = verdict(&status, "Ready");
        ensure!(
            message.contains("they keep coming"),
            "the reason is shown: {message}"
        );

        patch(scene, r#"{"spec":{"override":null,"suspend":true}}"#).await?;
        scene
            .until("events", "steered", "suspended again", SOON, |s| {
                verdict(s, "Ready").1 == "Suspended"
            })
            .await?;
        let kept = Fleet::of(scene, "events", "steered").await?;
        ensure!(
            kept.uids() == fleet.uids(),
            "a floor that goes takes no pod with it"
        );

        patch(scene, r#"{"spec":{"suspend":false}}"#).await?;
        scene
            .until("events", "steered", "resumed", SOON, |s| {
                verdict(s, "Ready").1 != "Suspended"
            })
            .await?;
        replayed(scene).await
    });
}

async fn patch(scene: &Scene, patch: &str) -> Result<()> {
    scene
        .control_plane
        .kubectl([
            "-n",
            "events",
            "patch",
            "webinar",
            "steered",
            "--type=merge",
            "-p",
            patch,
        ])
        .await?;
    Ok(())
}

/// Without some of its pods, the captured state leads to the very pods that the operator made.
async fn replayed(scene: &Scene) -> Result<()> {
    let kinds = "webinars,pods,services,poddisruptionbudgets,controllerrevisions";
    let state = scene.kubectl(&format!("-n events get {kinds} -o json")).await?;
    let mut state: Value = serde_json::from_str(&state)?;
    let items = state["items"].as_array_mut().context("a list")?;
    let is_missing = |item: &Value| {
        let slot = item["metadata"]["labels"]["webinar-operator.io/slot"].as_str();
        item["kind"] == "Pod" && slot.is_some_and(|s| NAMES.contains(&s))
    };
    let missing: Vec<String> = items
        .iter()
        .filter(|item| is_missing(item))
        .filter_map(|item| item["metadata"]["name"].as_str().map(str::to_owned))
        .collect();
    ensure!(missing.len() == NAMES.len(), "{missing:?}");
    items.retain(|item| !is_missing(item));
    let file = scene.control_plane.work_dir().join("state.json");
    std::fs::write(&file, state.to_string())?;

    let replay = Command::new(env!("CARGO_BIN_EXE_webinar-operator"))
        .args(["plan", "--at", &in_seconds(0).to_string(), "--state"])
        .arg(&file)
        .output()?;
    let said = String::from_utf8(replay.stdout)?;
    ensure!(
        replay.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&replay.stderr)
    );
    for name in &missing {
        ensure!(said.contains(name), "{name} is not created again:\n{said}");
    }
    // Another mid stands in for the one that is missing.
    let stands_in =
        |line: &str| line.trim_start().starts_with("change") && line.ends_with("1: steered-mid-1");
    let services: Vec<&str> = said.lines().filter(|line| line.contains("Services")).collect();
    ensure!(services.len() == 1 && stands_in(services[0]), "{services:?}");
    for unchanged in ["budgets", "cordon", "delete"] {
        ensure!(
            !said.contains(unchanged),
            "{unchanged}: nothing else is to be done:\n{said}"
        );
    }
    Ok(())
}
