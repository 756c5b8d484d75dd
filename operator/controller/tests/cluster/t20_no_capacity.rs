//! 20 no-capacity: full nodes, and 30 % of the pods can't pull their image. How many seats will be missing is said before the
//! start, with the cause; pods are not made again and again; and each cause heals by itself once it is removed.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use webinar_plan::{Role, Slot, grouped};
use webinar_testbed::NodeShape;
use webinar_testbed::audit::Records;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{pod_writes, seats, verdict};
use crate::support::manifests::{OPERATOR_NAMESPACE, class, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet, env, is_ready};

const FLEET: Counts = [2, 3, 15];
const SLOTS: u32 = 20;

/// Machines for all but two pods at first.
const ROOM: u32 = 18;

/// 30 % of the slots: a mid and five relays.
const WITHOUT_IMAGE: usize = 6;

/// What there may be beyond one pod for each slot: two substitutes for late relays, and another try for the late mid.
const SUBSTITUTES: usize = 2;
const TRIES: usize = 1;

/// What is wrong counts as missing after a minute, and a good word waits as long.
const LONG: Duration = Duration::from_secs(150);

/// By this label simulated kubelets know which images they can't pull.
const NO_IMAGE: &str = "pod-image-pull-failed.stage.kwok.x-k8s.io";

/// In three waves, of which the first has all parents.
const CLASS: &str = "
  templates: {sfu: media-sfu, relay: without-image}
  maxTier: 10k
  sizing: {fanOut: 8}
  ramp:
    {waveSize: 8, waveInterval: 6s, safetyPercent: 100, readyBefore: 0s,
    settle: {nodeStartup: 0s, imagePull: 0s, podStartup: 5s, upstream: 0s, loadBalancer: 0s}}
";

#[test]
fn t20_full_nodes_and_missing_images_are_told_of_in_time_and_make_no_churn() {
    let setting = Setting {
        nodes: 0,
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("events").await?;
        scene.apply(&template()).await?;
        scene.apply(&class("short", CLASS)).await?;
        nodes_for(scene, ROOM).await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let start = in_seconds(300);
        let spec = format!("tier: 10k, className: short, startTime: '{start}', readyBefore: 4m40s");
        scene.apply(&webinar("events", "event", &spec)).await?;
        let stuck = most_images_come(scene).await?;
        no_room_is_told(scene).await?;

        nodes_for(scene, SLOTS).await?;
        no_image_is_told(scene, &stuck).await?;

        let fleet = eventually("images for everyone", LONG, async || {
            let fleet = all_images_come(scene).await?;
            let ready = fleet.0.values().filter(|p| is_ready(p)).count();
            let [sfus, mids, relays] = fleet.counts();
            ensure!(
                [sfus, mids] == FLEET[..2] && relays >= FLEET[2] && ready == fleet.0.len(),
                "{:?}, {ready} Ready",
                fleet.counts()
            );
            Ok(fleet)
        })
        .await?;
        scene
            .until("events", "event", "on plan", LONG, |s| {
                verdict(s, "CapacityAtRisk").1 == "OnPlan" && verdict(s, "Ready").0 == "True"
            })
            .await?;
        ensure!(in_seconds(0) < start, "the event began before it was well");
        ensure!(
            fleet.counts()[2] <= FLEET[2] + SUBSTITUTES,
            "{:?}",
            fleet.counts()
        );
        let records = scene.since(moment).await?;
        no_churn(&records)
    });
}

/// What relays and mids are made of: an image that can't be pulled for now.
fn template() -> String {
    format!(
        "
apiVersion: v1
kind: PodTemplate
metadata: {{name: without-image, namespace: {OPERATOR_NAMESPACE}}}
template:
  metadata:
    labels: {{{NO_IMAGE}: 'true'}}
  spec:
    containers:
    - name: media
      image: example.com/media:1
      ports: [{{name: rtsp, containerPort: 8554}}]
      resources: {{requests: {{cpu: '15'}}}}
"
    )
}

/// One more machine, for so many pods of 15 CPUs.
async fn nodes_for(scene: &Scene, pods: u32) -> Result<()> {
    let shape = NodeShape {
        count: 1,
        cpu_millis: pods * 15_000 + 500,
        memory_gib: 2_048,
        ..NodeShape::default()
    };
    scene.control_plane.create_nodes(&shape).await.map(|_| ())
}

/// Once every machine is full, all but 30 % of the slots get their image. Returns those that don't.
async fn most_images_come(scene: &Scene) -> Result<BTreeSet<Slot>> {
    let fleet = eventually("full machines", SOON, async || {
        let fleet = Fleet::of(scene, "events", "event").await?;
        let housed = fleet.0.values().filter(|p| has_node(p)).count();
        ensure!(
            fleet.counts() == FLEET && housed == ROOM as usize,
            "{:?}, {housed} on machines",
            fleet.counts()
        );
        Ok(fleet)
    })
    .await?;
    let housed = |role| {
        let pods = fleet.of_role(role);
        pods.filter(|(_, pod)| has_node(pod)).map(|(slot, _)| *slot)
    };
    let stuck: BTreeSet<Slot> = housed(Role::Mid)
        .take(1)
        .chain(housed(Role::Relay).take(WITHOUT_IMAGE - 1))
        .collect();
    let fine = |(slot, pod): &(&Slot, &Pod)| !stuck.contains(slot) && has_node(pod);
    for (_, pod) in fleet.0.iter().filter(fine) {
        image_comes(scene, pod).await?;
    }
    Ok(stuck)
}

async fn all_images_come(scene: &Scene) -> Result<Fleet> {
    let fleet = Fleet::of(scene, "events", "event").await?;
    for pod in fleet.0.values() {
        image_comes(scene, pod).await?;
    }
    Ok(fleet)
}

async fn image_comes(scene: &Scene, pod: &Pod) -> Result<()> {
    if pod.labels().contains_key(NO_IMAGE) {
        let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "events");
        let patch = Patch::Merge(json!({"metadata": {"labels": {NO_IMAGE: null}}}));
        pods.patch(&pod.name_any(), &PatchParams::default(), &patch)
            .await?;
    }
    Ok(())
}

fn has_node(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|s| s.node_name.is_some())
}

/// Exactly the seats that no Ready relay under a Ready mid gives are said to be missing at the start, and what would help.
async fn no_room_is_told(scene: &Scene) -> Result<()> {
    eventually("the truth about full machines", LONG, async || {
        let fleet = Fleet::of(scene, "events", "event").await?;
        let there = seats(scene, "short", serving(&fleet)).await?;
        let status = scene.status("events", "event").await?;
        let (is, reason, message) = verdict(&status, "CapacityAtRisk");
        ensure!((is, reason) == ("True", "Unschedulable"), "{reason}: {message}");
        for part in [
            "2 relays are unschedulable (Insufficient cpu).".to_owned(),
            format!("{} of 10,000 seats will be missing at ", grouped(10_000 - there)),
            "Add 2 machines with 15 free CPUs.".to_owned(),
        ] {
            ensure!(message.contains(&part), "no {part:?} in {message}");
        }
        ensure!(verdict(&status, "Ready").1 == "CapacityAtRisk", "{status:?}");
        println!("{message}");
        Ok(())
    })
    .await
}

/// Relays that are Ready, as the mid is that they pull from.
fn serving(fleet: &Fleet) -> usize {
    let mids = fleet.of_role(Role::Mid).filter(|(_, pod)| is_ready(pod));
    let mids: BTreeSet<String> = mids.map(|(slot, _)| format!("event-{slot}.events.svc")).collect();
    let relays = fleet.of_role(Role::Relay).filter(|(_, pod)| is_ready(pod));
    relays
        .filter(|(_, pod)| env(pod, "WEBINAR_UPSTREAM").is_some_and(|up| mids.contains(up)))
        .count()
}

/// With room for all, the image is what is missing; substitutes for those who wait for it change nothing in that.
async fn no_image_is_told(scene: &Scene, stuck: &BTreeSet<Slot>) -> Result<()> {
    let status = scene
        .until("events", "event", "short of images", LONG, |s| {
            verdict(s, "CapacityAtRisk").1 == "ImagePull"
        })
        .await?;
    let (is, _, message) = verdict(&status, "CapacityAtRisk");
    println!("{message}");
    ensure!(
        is == "True"
            && message.contains("can't pull the image (ImagePullBackOff)")
            && message.contains("of 10,000 seats will be missing at ")
            && message.contains("Check the image's name and its registry."),
        "{message}"
    );
    eventually("substitutes", LONG, async || {
        let fleet = Fleet::of(scene, "events", "event").await?;
        let relays = fleet.counts()[2];
        ensure!(relays == FLEET[2] + SUBSTITUTES, "{relays} relays");
        let waiting = stuck
            .iter()
            .filter(|slot| fleet.0.get(slot).is_some_and(|p| !is_ready(p)));
        ensure!(waiting.count() == WITHOUT_IMAGE, "{:?}", fleet.counts());
        Ok(())
    })
    .await
}

/// One pod for each slot, and those that are allowed beyond; few words.
fn no_churn(records: &Records) -> Result<()> {
    let created = pod_writes(records, "create", "events", "event").len();
    let deleted = pod_writes(records, "delete", "events", "event").len();
    let writes = records.writes_by(OPERATOR);
    println!("{created} pods created, {deleted} deleted; all writes: {writes:?}");
    ensure!(
        created <= SLOTS as usize + SUBSTITUTES + TRIES && deleted <= SUBSTITUTES + TRIES,
        "{created} pods created and {deleted} deleted"
    );
    ensure!(
        writes.status <= 40 && writes.events <= 20 && writes.refused == 0,
        "{writes:?}"
    );
    Ok(())
}
