//! 24 flood: one tenant has thousands of Webinars, and objects of nobody are labelled as ours. Meetings of a neighbour are
//! ready on time all the while, each Webinar costs a few writes, and the operator stays small.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use webinar_api::Webinar;
use webinar_testbed::audit::Records;
use webinar_testbed::proxy::{Fault, Pattern, Rule};
use webinar_testbed::wait::{Stopwatch, within};

use crate::support::assertions::verdict;
use crate::support::length::length;
use crate::support::manifests::{class, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::Fleet;

/// Every so many of the tenant's events are due at once, and a quota refuses their pods.
const DUE: usize = 50;

/// Requests of the tenant that are under way at once.
const IN_FLIGHT: usize = 16;

/// How long each status of the tenant takes in the cut-down story: hundreds then wait as long as thousands otherwise.
const SLOW: Duration = Duration::from_millis(1_500);

/// How long before its start a meeting is asked for, and how much of that its class takes for a pod.
const AHEAD: i64 = 20;
const MEETINGS: &str = "
  templates: {sfu: media-sfu}
  maxTier: room
  ramp:
    safetyPercent: 100
    readyBefore: 0s
    settle: {nodeStartup: 0s, imagePull: 0s, podStartup: 15s, upstream: 0s, loadBalancer: 0s}
";

/// Writes that one Webinar of the tenant may cost at most: for most a status and an Event; for those that are due, what
/// their run is made of, and words about what is refused.
const WRITES: usize = 4;

#[test]
fn t24_a_flood_of_one_tenant_delays_no_neighbour_and_is_held_in_little_memory() {
    let size = length(500, 10_000);
    let most_memory: u64 = length(128, 512) << 20;
    let setting = Setting {
        proxied: length(true, false),
        ..Setting::default()
    };
    story(setting, async |scene| {
        for namespace in ["tenant", "neighbour", "others"] {
            scene.namespace(namespace).await?;
        }
        scene.apply(&class("meetings", MEETINGS)).await?;
        scene
            .apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: none, namespace: tenant}, spec: {hard: {pods: '0'}}}")
            .await?;
        scene.refusing = true;
        scene.start_operator().await?;
        if let Ok(proxy) = scene.proxy() {
            let statuses = Pattern::resource("webinars/status").namespace("tenant");
            proxy.script([Rule::new(statuses, Fault::Delay(SLOW))]);
        }
        let moment = scene.mark().await?;
        let empty = scene.operator()?.usage()?.rss;
        let sample = sample(scene).await?;

        let stopwatch = Stopwatch::start();
        let over = AtomicBool::new(false);
        let flood = async {
            let told = flood(scene, size).await;
            over.store(true, Ordering::Relaxed);
            told
        };
        let (meetings, ()) = tokio::try_join!(meetings(scene, &over), flood)?;
        println!(
            "{size} Webinars in {:.1} s; {} meetings, each ready so many seconds before its start: {meetings:?}",
            stopwatch.elapsed().as_secs_f32(),
            meetings.len(),
        );
        let records = scene.since(moment).await?;
        few_writes(&records, size)?;
        let flooded = scene.operator()?.usage()?.rss;

        let wire = strangers(scene, &sample, size).await?;
        let after = scene.operator()?.usage()?;
        println!(
            "resident: {} MiB empty, {} MiB with {size} Webinars, {} MiB with {size} pods more, {} MiB at most",
            empty >> 20,
            flooded >> 20,
            after.rss >> 20,
            after.peak_rss >> 20
        );
        println!(
            "{size} pods of {:.1} MiB on the wire: {:.2} resident bytes for each",
            wire as f64 / f64::from(1 << 20),
            after.rss.saturating_sub(flooded) as f64 / wire as f64
        );
        ensure!(
            after.peak_rss <= most_memory,
            "{} MiB, and not {}",
            after.peak_rss >> 20,
            most_memory >> 20
        );
        Ok(())
    });
}

/// A pod as the operator makes them.
async fn sample(scene: &Scene) -> Result<Pod> {
    let manifest = webinar("neighbour", "first", "tier: room, className: meetings");
    scene.apply(&manifest).await?;
    let fleet = Fleet::complete(scene, "neighbour", "first", [1, 0, 0], SOON).await?;
    fleet.0.into_values().next().context("no pod")
}

/// The tenant applies its events as fast as it can, and waits until each has been judged.
async fn flood(scene: &Scene, size: usize) -> Result<()> {
    let webinars = scene.webinars("tenant");
    let later = in_seconds(30 * 24 * 3600).to_string();
    let start = |n: usize| (!n.is_multiple_of(DUE)).then_some(&later);
    let all = (0..size).map(|n| -> Result<Webinar> {
        Ok(serde_json::from_value(json!({
            "apiVersion": "webinar-operator.io/v1alpha1",
            "kind": "Webinar",
            "metadata": {"name": format!("event-{n}")},
            "spec": {"tier": "room", "className": "meetings", "startTime": start(n)},
        }))?)
    });
    let all: Vec<Webinar> = all.collect::<Result<_>>()?;
    let params = PostParams::default();
    let apply = async {
        stream::iter(&all)
            .map(|webinar| webinars.create(&params, webinar))
            .buffer_unordered(IN_FLIGHT)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(())
    };
    tokio::try_join!(apply, judged(scene, size)).map(|_| ())
}

/// Waits until the status of so many of the tenant's events says something.
async fn judged(scene: &Scene, size: usize) -> Result<()> {
    let mut silent: BTreeSet<String> = (0..size).map(|n| format!("event-{n}")).collect();
    let outcome = within("watching", length(SOON * 3, SOON * 30), async {
        let events = watcher(scene.webinars("tenant"), watcher::Config::default());
        let mut events = std::pin::pin!(events.default_backoff());
        while !silent.is_empty() {
            // The watcher tries again by itself after an error.
            if let Some(Ok(Event::Apply(webinar) | Event::InitApply(webinar))) = events.next().await
                && webinar.status.as_ref().is_some_and(|s| s.phase.is_some())
            {
                silent.remove(&webinar.name_any());
            }
        }
        Ok(())
    })
    .await;
    outcome.with_context(|| {
        format!(
            "{} of {size} are not judged, such as {:?}",
            silent.len(),
            silent.first()
        )
    })
}

/// The neighbour has one meeting after the other while the flood lasts. Returns how many seconds before its start each was
/// ready.
async fn meetings(scene: &Scene, over: &AtomicBool) -> Result<Vec<i64>> {
    let mut early = Vec::new();
    while early.is_empty() || !over.load(Ordering::Relaxed) {
        let name = format!("meeting-{}", early.len());
        let start = in_seconds(AHEAD);
        let spec = format!("tier: room, className: meetings, startTime: '{start}'");
        scene.apply(&webinar("neighbour", &name, &spec)).await?;
        scene
            .until("neighbour", &name, "ready", SOON * 2, |s| {
                verdict(s, "CapacityReady").1 == "AllReady"
            })
            .await?;
        let left = start.duration_since(in_seconds(0)).as_secs();
        ensure!(left >= 0, "{name} was ready {} s after its start", -left);
        early.push(left);
    }
    Ok(early)
}

/// What the tenant's events cost.
fn few_writes(records: &Records, size: usize) -> Result<()> {
    let of_tenant = || records.by(OPERATOR).filter(|r| r.namespace == "tenant");
    let refused = of_tenant().filter(|r| !r.done()).count();
    let done = of_tenant().count() - refused;
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    for record in of_tenant().filter(|r| r.done() && r.subresource == "status") {
        *statuses.entry(&record.name).or_default() += 1;
    }
    let most = statuses.values().max().copied().unwrap_or_default();
    println!(
        "{done} writes done and {refused} refused for {size} Webinars; no status more than {most} times"
    );
    ensure!(
        done + refused <= WRITES * size,
        "{done} writes and {refused} refused"
    );
    Ok(())
}

/// Pods like the sample, of nobody and for no node. Returns their size as the API server sends them.
async fn strangers(scene: &mut Scene, sample: &Pod, count: usize) -> Result<usize> {
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "others");
    let mut spec = sample.spec.clone().context("no spec")?;
    spec.node_name = None;
    spec.scheduler_name = Some("nobody".to_owned());
    let stranger = |n: usize| Pod {
        metadata: ObjectMeta {
            name: Some(format!("stranger-{n}")),
            labels: sample.metadata.labels.clone(),
            annotations: sample.metadata.annotations.clone(),
            ..ObjectMeta::default()
        },
        spec: Some(spec.clone()),
        status: None,
    };
    let params = PostParams::default();
    let all: Vec<Pod> = (0..count).map(stranger).collect();
    let stored: Vec<usize> = stream::iter(&all)
        .map(async |pod| -> Result<usize> {
            let stored = pods.create(&params, pod).await?;
            Ok(serde_json::to_vec(&stored)?.len())
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await?;
    // The operator has seen them when it has seen what came after them.
    let name = "afterwards";
    scene
        .apply(&webinar("neighbour", name, "tier: room, className: meetings"))
        .await?;
    Fleet::complete(scene, "neighbour", name, [1, 0, 0], SOON).await?;
    Ok(stored.into_iter().sum())
}
