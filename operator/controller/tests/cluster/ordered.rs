//! What people order holds at once and no longer than they say: to stand still, to keep more relays.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde_json::json;
use webinar_api::{Phase, Role, WebinarStatus};
use webinar_testbed::audit::Records;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{nothing_was_replaced, pod_writes, same, verdict};
use crate::support::manifests::{class, steps, webinar};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];
const FIRST_WAVE: usize = 8;

/// Longer than the ramp still takes.
const STILL: Duration = Duration::from_secs(15);

const REASON: &str = "they keep coming";

#[test]
fn a_ramp_stands_still_while_suspended_and_a_floor_goes_by_itself() {
    story(Setting::default(), async |scene| {
        scene.apply(&class("steps", &steps())).await?;
        for namespace in ["paused", "raised"] {
            scene.namespace(namespace).await?;
        }
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let there: &Scene = scene;
        let (paused, raised) = tokio::try_join!(suspended_in_the_ramp(there), a_floor_for_a_while(there))?;
        let records = scene.since(moment).await?;
        paused.stood_still(&records)?;
        nothing_was_replaced(&records, &paused.complete, "paused", "talk")?;
        nothing_was_replaced(&records, &raised, "raised", "talk")
    });
}

/// A run that was suspended between its first wave and its last.
struct Paused {
    from: Timestamp,
    until: Timestamp,
    complete: Fleet,
}

impl Paused {
    fn stood_still(&self, records: &Records) -> Result<()> {
        let creates = pod_writes(records, "create", "paused", "talk");
        let meanwhile = creates
            .iter()
            .filter(|w| w.time >= self.from && w.time < self.until)
            .count();
        ensure!(meanwhile == 0, "{meanwhile} pods were created while suspended");
        let before = creates.iter().filter(|w| w.time < self.from).count();
        println!("{before} of {} pods were created before the pause", creates.len());
        Ok(())
    }
}

async fn suspended_in_the_ramp(scene: &Scene) -> Result<Paused> {
    let start = in_seconds(150);
    let spec = format!("tier: 10k, className: steps, startTime: '{start}', readyBefore: 120s");
    scene.apply(&webinar("paused", "talk", &spec)).await?;
    eventually("the first wave", SOON, async || {
        let there = Fleet::of(scene, "paused", "talk").await?.0.len();
        ensure!(there >= FIRST_WAVE, "{there} pods");
        Ok(())
    })
    .await?;
    scene.edit("paused", "talk", json!({"suspend": true})).await?;
    let status = scene
        .until("paused", "talk", "suspended", SOON, |s| {
            verdict(s, "Ready").1 == "Suspended"
        })
        .await?;
    println!("{}", verdict(&status, "Ready").2);
    let from = in_seconds(1);
    ensure!(
        verdict(&status, "Ready").0 == "True" && verdict(&status, "CapacityAtRisk").1 == "OnPlan",
        "{status:?}"
    );
    let before = Fleet::of(scene, "paused", "talk").await?;
    ensure!(before.counts() != FLEET, "the ramp is over");

    tokio::time::sleep(STILL).await;
    let after = Fleet::of(scene, "paused", "talk").await?;
    same("the fleet that stands still", &after.uids(), &before.uids())?;
    let until = in_seconds(0);
    scene.edit("paused", "talk", json!({"suspend": false})).await?;
    let complete = Fleet::complete(scene, "paused", "talk", FLEET, SOON).await?;
    scene
        .until("paused", "talk", "complete", SOON, |s| {
            verdict(s, "CapacityReady").1 == "AllReady" && verdict(s, "Ready").1 != "Suspended"
        })
        .await?;
    let uids = complete.uids();
    let kept = before.uids().into_iter().all(|(slot, uid)| uids[&slot] == uid);
    ensure!(kept, "a pod was replaced");
    Ok(Paused {
        from,
        until,
        complete,
    })
}

/// One relay more than the tier needs, for half a minute and on air. It stays: nobody can say who is watching.
async fn a_floor_for_a_while(scene: &Scene) -> Result<Fleet> {
    let start = in_seconds(-5);
    let spec = format!("tier: 10k, className: tiny, startTime: '{start}', duration: 30m");
    scene.apply(&webinar("raised", "talk", &spec)).await?;
    Fleet::complete(scene, "raised", "talk", FLEET, SOON).await?;
    let until = in_seconds(30);
    let floor = json!({"relays": 16, "reason": REASON, "until": until.to_string()});
    scene.edit("raised", "talk", json!({"override": floor})).await?;
    let fleet = Fleet::complete(scene, "raised", "talk", [2, 3, 16], SOON).await?;
    let status = scene
        .until("raised", "talk", "raised", SOON, |s| {
            verdict(s, "Ready").2.contains(REASON)
        })
        .await?;
    println!("{}", verdict(&status, "Ready").2);

    let over = |s: &WebinarStatus| !verdict(s, "Ready").2.contains(REASON);
    let status = scene
        .until("raised", "talk", "as before", Duration::from_secs(150), over)
        .await?;
    ensure!(in_seconds(0) >= until, "the floor was gone before {until}");
    println!("{}", verdict(&status, "Ready").2);
    let relays = status.pools.iter().find(|p| p.role == Role::Relay);
    ensure!(
        status.phase == Some(Phase::Live) && relays.is_some_and(|p| p.desired == 15 && p.ready == 16),
        "{status:?}"
    );
    let generation = scene.webinars("raised").get("talk").await?.metadata.generation;
    ensure!(
        generation == Some(2),
        "somebody touched the Webinar: {generation:?}"
    );
    let kept = Fleet::of(scene, "raised", "talk").await?;
    same("the fleet that may be watched", &kept.uids(), &fleet.uids())?;
    Ok(kept)
}
