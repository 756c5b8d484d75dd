//! The start or the end of an event is moved while its fleet comes up or is on air.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use webinar_api::{Phase, WebinarStatus, labels};
use webinar_plan::Role;
use webinar_testbed::audit::{Record, Records};
use webinar_testbed::wait::eventually;

use crate::ending::nothing_left;
use crate::support::assertions::{nothing_was_replaced, pod_writes, role_by_role, same, verdict};
use crate::support::manifests::{class, steps, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];
const FIRST_WAVE: usize = 8;
const DAY: i64 = 24 * 3600;

/// For a ramp that has yet to begin, or a fleet that is drained to zero.
const A_WHILE: Duration = Duration::from_secs(120);

#[test]
fn a_start_that_moves_in_the_ramp_keeps_the_fleet_or_gives_it_back() {
    story(Setting::default(), async |scene| {
        scene.apply(&class("steps", &steps())).await?;
        for namespace in ["near", "far", "watched"] {
            scene.namespace(namespace).await?;
        }
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let there: &Scene = scene;
        let (near, _, watched) = tokio::try_join!(by_little(there), by_a_day(there), watched(there))?;
        let kept = Fleet::of(scene, "watched", "talk").await?;
        same("the fleet that may be watched", &kept.uids(), &watched.uids())?;

        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &near, "near", "talk")?;
        waited_for_the_new_ramp(scene, &records).await?;
        nothing_was_replaced(&records, &watched, "watched", "talk")?;
        let created = pod_writes(&records, "create", "far", "talk").len();
        let deletes = pod_writes(&records, "delete", "far", "talk");
        ensure!(
            deletes.len() + 20 == created,
            "{} deletes, {created} creates",
            deletes.len()
        );
        role_by_role("deletes", &deletes, [Role::Relay, Role::Mid, Role::Sfu])
    });
}

/// Applies an event whose ramp begins in a few seconds, and waits for its first wave.
async fn first_wave(scene: &Scene, namespace: &str, spec: &str) -> Result<(Timestamp, Fleet)> {
    let start = in_seconds(96);
    let spec = format!("tier: 10k, className: steps, startTime: '{start}', readyBefore: 65s{spec}");
    scene.apply(&webinar(namespace, "talk", &spec)).await?;
    let fleet = eventually("the first wave", SOON, async || {
        let fleet = Fleet::of(scene, namespace, "talk").await?;
        ensure!(fleet.0.len() >= FIRST_WAVE, "{} pods", fleet.0.len());
        Ok(fleet)
    })
    .await?;
    ensure!(fleet.counts() != FLEET, "the ramp is over");
    Ok((start, fleet))
}

async fn by_little(scene: &Scene) -> Result<Fleet> {
    let (start, begun) = first_wave(scene, "near", "").await?;
    let later = start.checked_add(SignedDuration::from_secs(12))?;
    scene
        .edit("near", "talk", json!({"startTime": later.to_string()}))
        .await?;
    let status = scene
        .until("near", "talk", "Armed", A_WHILE, |s| {
            s.phase == Some(Phase::Armed)
        })
        .await?;
    let known = status.schedule.and_then(|s| s.start_time).context("no start")?;
    ensure!(known.0 == later, "{known:?}, and not {later}");
    let fleet = Fleet::complete(scene, "near", "talk", FLEET, SOON).await?;
    let uids = fleet.uids();
    let kept = begun.uids().into_iter().all(|(slot, uid)| uids[&slot] == uid);
    ensure!(kept, "a pod of the first wave was replaced");
    Ok(fleet)
}

/// What was not yet created when the operator saw the edit is created from the new ramp time on.
async fn waited_for_the_new_ramp(scene: &Scene, records: &Records) -> Result<()> {
    let schedule = scene
        .status("near", "talk")
        .await?
        .schedule
        .context("no schedule")?;
    let ramp = schedule.ramp_time.context("no rampTime")?.0;
    let remembered = |r: &&Record| {
        r.done() && r.verb == "patch" && r.resource == "controllerrevisions" && r.namespace == "near"
    };
    let edited = records
        .by(OPERATOR)
        .find(remembered)
        .context("the edit was not remembered")?
        .time;
    let creates = pod_writes(records, "create", "near", "talk");
    let after: Vec<Timestamp> = creates.iter().map(|w| w.time).filter(|t| *t > edited).collect();
    ensure!(!after.is_empty(), "everything was created before {edited}");
    // The API server tells its time in whole seconds.
    let sooner = ramp - jiff::SignedDuration::from_secs(1);
    let early = after.iter().filter(|t| **t < sooner).count();
    ensure!(
        early == 0,
        "{early} of {} pods were created before {ramp}",
        after.len()
    );
    println!("{} pods were created from the new ramp time on", after.len());
    Ok(())
}

async fn by_a_day(scene: &Scene) -> Result<()> {
    first_wave(scene, "far", "").await?;
    let tomorrow = in_seconds(DAY);
    scene
        .edit("far", "talk", json!({"startTime": tomorrow.to_string()}))
        .await?;
    let scheduled = |s: &WebinarStatus| s.phase == Some(Phase::Scheduled) && s.run == Some(1);
    let status = scene
        .until("far", "talk", "scheduled for tomorrow", A_WHILE, scheduled)
        .await?;
    println!("{}", verdict(&status, "Ready").2);
    ensure!(
        verdict(&status, "Ready").1 == "Scheduled" && verdict(&status, "CapacityReady").1 == "NotStarted",
        "{status:?}"
    );
    let schedule = status.schedule.context("no schedule")?;
    let ramp = schedule.ramp_time.context("no rampTime")?.0;
    let ahead = tomorrow.duration_since(ramp).as_secs();
    // Three waves, settling, readyBefore, and less than a waveInterval of jitter.
    let lead = 3 * 6 + 5 + 65;
    ensure!(
        (lead..lead + 6).contains(&ahead),
        "the ramp begins {ahead} s before the start"
    );
    nothing_left(scene, "far").await?;
    closed(scene).await?;
    let told = scene.events("far", "talk", "Draining").await?;
    ensure!(told.len() == 1 && told[0].type_ == "Normal", "{told:?}");

    let soon = in_seconds(96);
    scene
        .edit("far", "talk", json!({"startTime": soon.to_string()}))
        .await?;
    let complete = |s: &WebinarStatus| s.run == Some(2) && verdict(s, "CapacityReady").1 == "AllReady";
    let status = scene
        .until("far", "talk", "complete in its second run", A_WHILE, complete)
        .await?;
    ensure!(verdict(&status, "Ready").0 == "True", "{status:?}");
    let fleet = Fleet::complete(scene, "far", "talk", FLEET, SOON).await?;
    let of_second = |pod: &Pod| pod.labels().get(labels::RUN).map(String::as_str) == Some("2");
    let others = fleet.0.values().filter(|p| !of_second(p)).count();
    ensure!(others == 0, "{others} pods are not of the second run");
    Ok(())
}

/// The memory of the first run tells that it has finished without having been on air.
async fn closed(scene: &Scene) -> Result<()> {
    let revisions: Api<ControllerRevision> = Api::namespaced(scene.control_plane.client(), "far");
    let first = revisions.get("talk-1").await?;
    let has = |key| first.annotations().contains_key(key);
    ensure!(
        has(labels::FINISHED_AT) && !has(labels::LIVE_SINCE),
        "{:?}",
        first.annotations()
    );
    Ok(())
}

/// The same with an overrun: nobody can say who is watching, so the fleet stays at first, and its users are told.
async fn watched(scene: &Scene) -> Result<Fleet> {
    first_wave(scene, "watched", ", overrun: 10m").await?;
    let tomorrow = in_seconds(DAY);
    scene
        .edit("watched", "talk", json!({"startTime": tomorrow.to_string()}))
        .await?;
    let told = "The start was moved far away: capacity stays until ";
    let status = scene
        .until("watched", "talk", "told of", SOON, |s| {
            verdict(s, "Ready").2.contains(told)
        })
        .await?;
    println!("{}", verdict(&status, "Ready").2);
    Fleet::of(scene, "watched", "talk").await
}

#[test]
fn an_end_that_moves_into_the_past_cuts_nobody_off() {
    story(Setting::default(), async |scene| {
        for namespace in ["strict", "lenient"] {
            scene.namespace(namespace).await?;
        }
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let there: &Scene = scene;
        let (_, fleet) = tokio::try_join!(over_at_once(there), over_when_they_leave(there))?;
        let kept = Fleet::of(scene, "lenient", "talk").await?;
        same("the fleet that is watched", &kept.uids(), &fleet.uids())?;
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, "lenient", "talk")?;
        let deletes = pod_writes(&records, "delete", "strict", "talk");
        role_by_role("deletes", &deletes, [Role::Relay, Role::Mid, Role::Sfu])
    });
}

/// An event of half an hour is on air for a minute and a half, and is shortened to one minute.
async fn shortened(scene: &Scene, namespace: &str, overrun: &str) -> Result<(Timestamp, Fleet)> {
    let start = in_seconds(-90);
    let spec = format!("tier: 10k, className: tiny, startTime: '{start}', duration: 30m, overrun: {overrun}");
    scene.apply(&webinar(namespace, "talk", &spec)).await?;
    let fleet = Fleet::complete(scene, namespace, "talk", FLEET, SOON).await?;
    let live = |s: &WebinarStatus| s.phase == Some(Phase::Live) && verdict(s, "CapacityReady").0 == "True";
    scene.until(namespace, "talk", "Live", SOON, live).await?;
    // The operator goes by the API server's clock, of which it hears whole seconds.
    let edited = in_seconds(-1);
    scene.edit(namespace, "talk", json!({"duration": "1m"})).await?;
    Ok((edited, fleet))
}

/// Waits for this phase. Whenever one looks, the end is not before the edit. Returns the end.
async fn reached(
    scene: &Scene,
    namespace: &str,
    phase: Phase,
    edited: Timestamp,
) -> Result<(WebinarStatus, Timestamp)> {
    let end = |s: &WebinarStatus| Some(s.schedule.as_ref()?.end_time.as_ref()?.0);
    let early = |s: &WebinarStatus| end(s).is_some_and(|end| end < edited);
    let what = format!("{phase:?}");
    let status = scene
        .until(namespace, "talk", &what, A_WHILE, |s| {
            s.phase == Some(phase) || early(s)
        })
        .await?;
    let end = end(&status).context("no endTime")?;
    println!("shortened at {edited}, the end is at {end}");
    ensure!(end >= edited, "the end is at {end}, before the edit at {edited}");
    Ok((status, end))
}

async fn over_at_once(scene: &Scene) -> Result<()> {
    let (edited, _) = shortened(scene, "strict", "0s").await?;
    reached(scene, "strict", Phase::Finished, edited).await?;
    nothing_left(scene, "strict").await
}

async fn over_when_they_leave(scene: &Scene) -> Result<Fleet> {
    let (edited, fleet) = shortened(scene, "lenient", "5m").await?;
    let (status, end) = reached(scene, "lenient", Phase::Overrun, edited).await?;
    let (truth, reason, message) = verdict(&status, "Ready");
    println!("{message}");
    ensure!(truth == "True" && reason == "Overrun", "{status:?}");
    let release = status
        .schedule
        .and_then(|s| s.release_time)
        .context("no releaseTime")?
        .0;
    ensure!(
        release.duration_since(end) == SignedDuration::from_mins(5),
        "released at {release}, after an end at {end}"
    );
    Ok(fleet)
}
