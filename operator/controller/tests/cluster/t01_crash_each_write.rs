//! 01 crash-each-write: the operator is killed at every write of an event's life, and the life stays the same.
//!
//! Each process of the operator lives for one write only: it is killed right after it, or right before its second. So
//! every position in the life of the event is met, from the memory of the run to the last Service that goes.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Api;
use kube::api::ListParams;
use webinar_api::Phase;
use webinar_testbed::audit::Offset;
use webinar_testbed::proxy::{Fault, Hook, Pattern, Rule};
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::support::manifests::{CPU_15, class, template, webinar};
use crate::support::oracle::Deeds;
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};

/// Two SFUs and few relays, without mids: pods of 120 CPUs carry thousands.
const SMALL: &str = "
  templates: {sfu: media-sfu, relay: large-relay}
  maxTier: 10k
  topology: {zones: 1}
  sizing: {egressMbps: 100000}
  ramp:
    waveInterval: 1s
    safetyPercent: 100
    readyBefore: 0s
    settle: {nodeStartup: 0s, imagePull: 0s, podStartup: 5s, upstream: 0s, loadBalancer: 0s}
  live: {floorAfterStart: 0s, overrun: 0s, drainTimeout: 5s}
";

/// A life may take this long, most of it for starting the operator again.
const LIFE: Duration = Duration::from_secs(240);

/// More than a life has writes.
const LIMIT: usize = 250;

#[test]
fn t01_a_kill_after_every_write_changes_nothing() {
    story(setting(), async |scene| {
        let reference = undisturbed(scene).await?;
        let (deeds, kills) = disturbed(scene, "after", |hook| (Fault::KillAfter(hook), 1)).await?;
        println!("{kills} kills, one after each write; {} deeds", deeds.count());
        deeds.equal(&reference)
    });
}

#[test]
fn t01_a_kill_before_every_write_changes_nothing() {
    story(setting(), async |scene| {
        let reference = undisturbed(scene).await?;
        let (deeds, kills) = disturbed(scene, "before", |hook| (Fault::KillBefore(hook), 2)).await?;
        println!(
            "{kills} kills, one before each write but the first; {} deeds",
            deeds.count()
        );
        deeds.equal(&reference)
    });
}

fn setting() -> Setting {
    Setting {
        nodes: 6,
        proxied: true,
        operator_args: vec!["--lease-duration=6s".to_owned(), "--renew-deadline=4s".to_owned()],
        ..Setting::default()
    }
}

/// The same life without a fault.
async fn undisturbed(scene: &mut Scene) -> Result<Deeds> {
    scene
        .apply(&template("large-relay", &CPU_15.replace("15", "120")))
        .await?;
    scene.apply(&class("small", SMALL)).await?;
    scene.start_operator().await?;
    let moment = begin(scene, "undisturbed", -40).await?;
    over(scene, "undisturbed").await?;
    scene.kill_operator()?;
    let records = scene.since(moment).await?;
    let deeds = Deeds::of(&records, "undisturbed", "event");
    println!("the undisturbed life has {} deeds", deeds.count());
    ensure!(deeds.count() > 25, "{deeds:?}");
    Ok(deeds)
}

/// A life in which every process is killed at the write that `fault` says. Returns what was done, and how many died.
async fn disturbed(
    scene: &mut Scene,
    namespace: &str,
    fault: impl Fn(Hook) -> (Fault, u64),
) -> Result<(Deeds, usize)> {
    // Long enough on air for the ramp to be over before the end, however slowly it goes.
    let moment = begin(scene, namespace, 8).await?;
    let stopwatch = Stopwatch::start();
    let mut kills = 0;
    let mut worst = Duration::ZERO;
    loop {
        let (hook, mut holds) = Hook::hold();
        let (fault, nth) = fault(hook);
        let writes = Pattern::writes().except("leases");
        scene.proxy()?.script([Rule::new(writes, fault).nth(nth)]);
        let begun = Stopwatch::start();
        scene.spawn_operator()?;
        let held = tokio::select! {
            held = holds.next(LIFE) => Some(held?),
            over = over(scene, namespace) => { over?; None }
        };
        let Some(held) = held else {
            break;
        };
        scene.kill_operator()?;
        drop(held);
        kills += 1;
        worst = worst.max(begun.elapsed());
        ensure!(kills < LIMIT, "the operator doesn't come to an end");
        ensure!(
            stopwatch.elapsed() < LIFE,
            "{kills} kills, and the life isn't over"
        );
    }
    println!(
        "the longest time from a start to the next kill: {:.1} s",
        worst.as_secs_f32()
    );
    scene.proxy()?.lift();
    scene.kill_operator()?;
    let records = scene.since(moment).await?;
    Ok((Deeds::of(&records, namespace, "event"), kills))
}

/// An event of a minute that starts so many seconds from now.
async fn begin(scene: &mut Scene, namespace: &str, starts_in: i64) -> Result<Offset> {
    scene.namespace(namespace).await?;
    let moment = scene.mark().await?;
    let start = in_seconds(starts_in);
    let spec = format!("tier: 10k, className: small, startTime: '{start}', readyBefore: 0s, duration: 1m");
    scene.apply(&webinar(namespace, "event", &spec)).await?;
    Ok(moment)
}

/// The event is Finished, was complete, and everything is given back.
async fn over(scene: &Scene, namespace: &str) -> Result<()> {
    eventually("the end of the event", LIFE, async || {
        let status = scene.status(namespace, "event").await?;
        ensure!(status.phase == Some(Phase::Finished), "{:?}", status.phase);
        let outcome = status.outcome.context("no outcome")?;
        ensure!(outcome.ready_time.is_some(), "it never was complete");
        let client = scene.control_plane.client();
        let nothing = ListParams::default();
        let pods = Api::<Pod>::namespaced(client.clone(), namespace)
            .list(&nothing)
            .await?;
        let services = Api::<Service>::namespaced(client.clone(), namespace)
            .list(&nothing)
            .await?;
        let budgets = Api::<PodDisruptionBudget>::namespaced(client, namespace)
            .list(&nothing)
            .await?;
        let left = pods.items.len() + services.items.len() + budgets.items.len();
        ensure!(left == 0, "{left} objects are left");
        Ok(())
    })
    .await?;
    // What is still to be said is said within this time.
    tokio::time::sleep(SOON / 20).await;
    Ok(())
}
