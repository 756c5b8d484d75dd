//! 15 upgrade-skew: a webinar goes on air through a change of the operator's version, there and back.
//!
//! There is no release yet, hence no program of a release to start. What stands for it are the objects in `recorded/`, which an
//! earlier build of the operator left behind in the middle of an event. They are put into etcd as they were, with their UIDs,
//! and with all their times moved to now; only the managed fields of pods are left out. That shows the way there. Of the way
//! back it shows that whatever an earlier build finds in its own objects, it finds in those that the present one writes,
//! in the same form. What it can't show is what an earlier program does with fields that were added since.
//!
//! With `WEBINAR_PREVIOUS=<program>` an earlier program takes part itself, at the end. With `WEBINAR_RECORD=1` besides, the
//! objects are recorded anew by it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::{Value, json};
use webinar_api::{Phase, labels};
use webinar_testbed::audit::{Offset, Records};

use crate::recorded::{self, Object};
use crate::support::assertions::{nothing_was_deleted, verdict};
use crate::support::manifests::{CPU_15, class, template, tiny, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, now, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

#[test]
fn t15_what_an_earlier_operator_left_on_air_stays_on_air() {
    let previous = std::env::var_os("WEBINAR_PREVIOUS").map(PathBuf::from);
    if let Some(previous) = previous
        .as_deref()
        .filter(|_| std::env::var_os("WEBINAR_RECORD").is_some())
    {
        story(Setting::default(), async |scene| record(scene, previous).await);
    }
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        let objects = recorded::objects(now())?;
        for object in &objects {
            scene.control_plane.lay(&object.key()?, &object.0).await?;
        }
        let before = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        let moment = scene.mark().await?;
        scene.start_operator().await?;
        takes_over(scene, moment, &before, 90).await?;
        still_mends(scene, &before).await?;
        can_be_read_by_the_earlier_one(scene, &objects).await?;

        let Some(previous) = &previous else {
            println!("no earlier program took part");
            return Ok(());
        };
        let before = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        let moment = scene.mark().await?;
        scene.kill_operator()?;
        scene.binary.clone_from(previous);
        scene.start_operator().await?;
        takes_over(scene, moment, &before, 120).await
    });
}

/// An operator that has just started judges the event as it is, follows an edit, and touches no pod.
async fn takes_over(scene: &mut Scene, moment: Offset, before: &Fleet, minutes: i64) -> Result<()> {
    scene
        .edit("events", "event", json!({"duration": format!("{minutes}m")}))
        .await?;
    let stored = scene.webinars("events").get("event").await?;
    let generation = stored.metadata.generation;
    let length = SignedDuration::from_mins(minutes);
    let status = scene
        .until("events", "event", "followed in its edit", SOON, |s| {
            let schedule = s.schedule.as_ref();
            let planned = schedule.and_then(|s| {
                let (start, end) = (s.start_time.as_ref()?.0, s.end_time.as_ref()?.0);
                Some(end.duration_since(start))
            });
            s.observed_generation == generation && planned == Some(length)
        })
        .await?;
    let (ready, _, message) = verdict(&status, "Ready");
    ensure!(ready == "True" && status.phase == Some(Phase::Live), "{status:?}");
    ensure!(verdict(&status, "CapacityReady").1 == "AllReady", "{status:?}");
    ensure!(status.run == Some(1), "run {:?}", status.run);
    let pools: Vec<i32> = status.pools.iter().map(|p| p.ready).collect();
    ensure!(pools.iter().sum::<i32>() == 20, "{pools:?}");
    println!("{message}");

    let after = Fleet::of(scene, "events", "event").await?;
    ensure!(after.uids() == before.uids(), "pods were replaced");
    let records = scene.since(moment).await?;
    let pods = of_pods(&records);
    ensure!(pods == 0, "{pods} writes of pods");
    nothing_was_deleted(&records, "events")?;
    println!("it wrote {:?}", records.counts_by(OPERATOR));
    Ok(())
}

fn of_pods(records: &Records) -> usize {
    let of_pods = |r: &&webinar_testbed::audit::Record| r.resource == "pods";
    records.by(OPERATOR).filter(of_pods).count()
}

/// The fleet is its own: a relay that is lost is replaced, and no other.
async fn still_mends(scene: &mut Scene, before: &Fleet) -> Result<()> {
    let (slot, lost) = before.0.iter().next_back().context("no pod")?;
    let name = lost.metadata.name.clone().context("no name")?;
    let moment = scene.mark().await?;
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "events");
    pods.delete(&name, &DeleteParams::default().grace_period(0))
        .await?;
    let after = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
    let (is, was) = (after.uids(), before.uids());
    let changed: Vec<_> = is
        .iter()
        .filter(|(s, uid)| was.get(s) != Some(uid))
        .map(|(s, _)| s)
        .collect();
    ensure!(changed == [slot], "{changed:?} were replaced");
    let pods = of_pods(&scene.since(moment).await?);
    ensure!(pods == 1, "{pods} writes of pods");
    Ok(())
}

/// Every field in objects of the earlier format is in those of an event that the present operator makes from nothing, and in
/// what it has written of the recorded event's memory.
async fn can_be_read_by_the_earlier_one(scene: &Scene, recorded: &[Object]) -> Result<()> {
    scene
        .apply(&webinar("events", "fresh", "tier: 10k, className: recorded"))
        .await?;
    Fleet::complete(scene, "events", "fresh", FLEET, SOON).await?;
    scene
        .until("events", "fresh", "on air", SOON, |s| {
            s.phase == Some(Phase::Live) && verdict(s, "CapacityReady").1 == "AllReady"
        })
        .await?;
    let memory = recorded::written(scene, "event").await?;
    let fresh = recorded::written(scene, "fresh").await?;
    let mut compared = 0;
    let mut missing = Vec::new();
    for was in recorded.iter().filter(|o| o.label(labels::WEBINAR).is_some()) {
        let alike = |all: &[Object]| all.iter().find(|o| o.place() == was.place()).cloned();
        let is = alike(&fresh).with_context(|| format!("nothing is {:?}", was.place()))?;
        missing.extend(recorded::missing(&was.0, &is.0));
        compared += 1;
        if was.0["kind"] == "ControllerRevision" {
            let is = alike(&memory).context("no memory")?;
            missing.extend(recorded::missing(&was.0, &is.0));
        }
    }
    let status = |o: &&Object| o.0["kind"] == "Webinar";
    let was = recorded.iter().find(status).context("no Webinar")?;
    let is = scene.webinars("events").get("fresh").await?;
    missing.extend(recorded::missing(
        &json!({"status": was.0["status"]}),
        &serde_json::to_value(is)?,
    ));
    ensure!(missing.is_empty(), "an earlier operator would miss {missing:#?}");
    println!("{compared} objects have all that they had");
    ensure!(compared > 20, "only {compared} objects were compared");
    Ok(())
}

/// Lets an earlier program bring an event on air, and writes down what is there.
async fn record(scene: &mut Scene, previous: &Path) -> Result<()> {
    scene.namespace("events").await?;
    for role in ["sfu", "relay"] {
        scene
            .apply(&template(&format!("recorded-{role}"), CPU_15))
            .await?;
    }
    let spec = tiny().replace("media-", "recorded-");
    scene.apply(&class("recorded", &spec)).await?;
    previous.clone_into(&mut scene.binary);
    scene.start_operator().await?;
    scene
        .apply(&webinar("events", "event", "tier: 10k, className: recorded"))
        .await?;
    Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
    scene
        .until("events", "event", "on air", SOON, |s| {
            s.phase == Some(Phase::Live) && verdict(s, "CapacityReady").1 == "AllReady"
        })
        .await?;
    // What is written last is written by then.
    scene.mark().await?;
    recorded::record(scene).await
}

/// Whoever records looks at a diff, so a field that is lost must be seen without one too.
#[test]
fn t15_a_field_that_is_gone_or_has_another_form_is_missed() {
    let was =
        json!({"metadata": {"labels": {"a": "x", "b": "2"}, "annotations": {"spec": "{\"tier\": \"10k\"}"}}});
    assert_eq!(recorded::missing(&was, &was), Vec::<String>::new());
    let mut more = was.clone();
    more["metadata"]["labels"]["c"] = Value::from("new");
    more["metadata"]["annotations"]["spec"] = Value::from("{\"tier\": \"1M\", \"more\": 1}");
    assert_eq!(recorded::missing(&was, &more), Vec::<String>::new());
    let mut fewer = was.clone();
    fewer["metadata"]["labels"] = json!({"a": "x"});
    fewer["metadata"]["annotations"]["spec"] = Value::from("{\"size\": \"10k\"}");
    let missed = recorded::missing(&was, &fewer);
    assert_eq!(missed.len(), 2, "{missed:?}");
    fewer["metadata"]["labels"] = json!({"a": 1, "b": "2"});
    fewer["metadata"]["annotations"]["spec"] = Value::from("{\"tier\": 10}");
    assert_eq!(recorded::missing(&was, &fewer).len(), 2);
}
