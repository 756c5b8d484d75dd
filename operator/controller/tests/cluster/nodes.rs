//! A cluster with too little room says so while there is time, and heals when it gets more.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_api::WebinarStatus;
use webinar_plan::{Role, grouped};
use webinar_testbed::NodeShape;
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::support::assertions::{nothing_was_replaced, pod_writes, seats, verdict};
use crate::support::manifests::webinar;
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Fleet, is_ready};

/// Machines for 34 pods each.
const NODES: u32 = 26;

/// And a small one, so that there is room for 900.
const SMALL: NodeShape = NodeShape {
    count: 1,
    cpu_millis: 16 * 15_000 + 500,
    memory_gib: 2_048,
    pods: 110,
    zones: Vec::new(),
    pulls: true,
};
const ROOM: usize = 900;
const PODS: usize = 1242;

/// A machine that comes is for pods that have waited a minute or more, and a good word waits as long as a bad one.
const LONG: Duration = Duration::from_secs(240);

#[test]
fn too_few_machines_are_told_of_before_the_start_and_more_of_them_help() {
    let setting = Setting {
        nodes: NODES,
        ..Setting::default()
    };
    story(setting, async |scene| {
        let small = NodeShape {
            zones: vec!["zone-c".to_owned()],
            ..SMALL
        };
        scene.control_plane.create_nodes(&small).await?;
        scene.namespace("crowded").await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let stopwatch = Stopwatch::start();
        let start = in_seconds(900);
        scene
            .apply(&webinar(
                "crowded",
                "keynote",
                &format!("tier: 1M, className: full, startTime: '{start}', readyBefore: 14m30s"),
            ))
            .await?;
        eventually("a full cluster", LONG, async || {
            let ready = ready(&Fleet::of(scene, "crowded", "keynote").await?);
            ensure!(ready == ROOM, "{ready} pods are Ready");
            Ok(())
        })
        .await?;
        println!("full after {:.0} s", stopwatch.elapsed().as_secs_f32());

        let full = the_truth(scene).await?;
        println!("told after {:.0} s", stopwatch.elapsed().as_secs_f32());
        let records = scene.since(moment).await?;
        let creates = pod_writes(&records, "create", "crowded", "keynote").len();
        ensure!(creates == PODS, "{creates} pods were created for {PODS} slots");

        let more = NodeShape {
            count: 12,
            cpu_millis: 512_000,
            memory_gib: 2_048,
            ..NodeShape::default()
        };
        let stopwatch = Stopwatch::start();
        scene.control_plane.create_nodes(&more).await?;
        let fleet = Fleet::complete(scene, "crowded", "keynote", [3, 27, 1212], LONG).await?;
        println!(
            "complete {:.0} s after the machines",
            stopwatch.elapsed().as_secs_f32()
        );
        let kept = full
            .uids()
            .into_iter()
            .all(|(slot, uid)| fleet.uids()[&slot] == uid);
        ensure!(kept, "a pod was replaced");
        recovered(scene).await?;
        println!("said so after {:.0} s", stopwatch.elapsed().as_secs_f32());
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, "crowded", "keynote")
    });
}

fn ready(fleet: &Fleet) -> usize {
    fleet.0.values().filter(|p| is_ready(p)).count()
}

/// Waits until the status tells of exactly the seats and relays that are missing.
async fn the_truth(scene: &Scene) -> Result<Fleet> {
    let fleet = Fleet::of(scene, "crowded", "keynote").await?;
    let relays = fleet.of_role(Role::Relay).filter(|(_, p)| is_ready(p)).count();
    let homeless = fleet.0.len() - ready(&fleet);
    let there = seats(scene, "full", relays).await?;
    let said = [
        format!("{homeless} relays are unschedulable (Insufficient cpu)."),
        format!(
            "{} of 1,000,000 seats will be missing at ",
            grouped(1_000_000 - there)
        ),
        format!("Add {homeless} machines with 15 free CPUs."),
    ];
    let at_risk = |s: &WebinarStatus, kind: &str, truth: &str, reason: &str| {
        let (is, why, message) = verdict(s, kind);
        is == truth && why == reason && said.iter().all(|part| message.contains(part))
    };
    let status = scene
        .until("crowded", "keynote", &said.join(" "), LONG, |s| {
            at_risk(s, "CapacityAtRisk", "True", "Unschedulable")
                && at_risk(s, "Ready", "False", "CapacityAtRisk")
        })
        .await?;
    println!("{}", verdict(&status, "CapacityAtRisk").2);
    let told = status.capacity.context("no capacity")?.ready;
    ensure!(u32::try_from(told)? == there, "{told} seats, and not {there}");
    told_once(scene, "Unschedulable", "Warning").await?;
    Ok(fleet)
}

/// Nobody touches the Webinar, and it says that all is well.
async fn recovered(scene: &Scene) -> Result<()> {
    let status = scene
        .until("crowded", "keynote", "on plan", LONG, |s| {
            verdict(s, "CapacityAtRisk").1 == "OnPlan" && verdict(s, "Ready").0 == "True"
        })
        .await?;
    ensure!(
        verdict(&status, "CapacityAtRisk").0 == "False" && verdict(&status, "CapacityReady").1 == "AllReady",
        "{status:?}"
    );
    told_once(scene, "OnPlan", "Normal").await
}

async fn told_once(scene: &Scene, reason: &str, type_: &str) -> Result<()> {
    eventually(&format!("an Event {reason}"), SOON, async || {
        let told = scene.events("crowded", "keynote", reason).await?;
        ensure!(told.len() == 1 && told[0].type_ == type_, "{told:?}");
        println!("{type_} {reason}: {}", told[0].note);
        Ok(())
    })
    .await
}
