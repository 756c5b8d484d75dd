//! 08 watch-loss: a watch falls silent, can't be opened, or has missed too much. The operator notices by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use webinar_plan::Slot;
use webinar_testbed::audit::Offset;
use webinar_testbed::proxy::{Fault, Pattern, Rule, Verb};
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::support::assertions::{first_names, nothing_was_replaced};
use crate::support::losses::{lose, only_these_were_made, some_slots, succeeded};
use crate::support::manifests::webinar;
use crate::support::scene::{SOON, Scene, Setting, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

/// A silent watch is given up after 60 s; the rest is for a busy machine. Without that it takes five minutes.
const NOTICED: Duration = Duration::from_secs(100);

fn pod_watches() -> Pattern {
    Pattern::resource("pods").verbs([Verb::Watch])
}

#[test]
fn t08_a_watch_that_falls_silent_is_noticed() {
    story(Setting::proxied(3), async |scene| {
        let Unseen {
            before,
            lost,
            moment,
            silent,
        } = lost_unseen(scene).await?;

        // Long enough for what was seen at once to be acted upon.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let records = scene.since(moment).await?;
        only_these_were_made(&records, ["events", "event"], &[].into()).context("the watch is not silent")?;

        succeeded(scene, ["events", "event"], &before, &lost, NOTICED).await?;
        println!(
            "replaced after {:.1} s of silence",
            silent.elapsed().as_secs_f32()
        );
        let records = scene.since(moment).await?;
        only_these_were_made(&records, ["events", "event"], &lost)
    });
}

#[test]
fn t08_a_first_list_that_hangs_is_asked_for_again() {
    story(Setting::proxied(3), async |scene| {
        // The operator streams its lists: the first list is a watch.
        scene
            .proxy()?
            .script([Rule::new(pod_watches(), Fault::Hang).times(2)]);
        scene.namespace("events").await?;
        let moment = scene.mark().await?;
        scene
            .apply(&webinar("events", "event", "tier: 10k, className: tiny"))
            .await?;
        let stopwatch = Stopwatch::start();
        scene.spawn_operator()?;
        eventually("the second try to hang", SOON, async || injected(scene, 2)).await?;
        println!("asked again after {:.1} s", stopwatch.elapsed().as_secs_f32());
        scene.operator()?.process().check_running()?;
        scene.operator_answers("/healthz").await?;
        ensure!(
            scene.operator_answers("/readyz").await.is_err(),
            "ready without having seen the pods"
        );
        let records = scene.since(moment).await?;
        only_these_were_made(&records, ["events", "event"], &[].into())
            .context("something was done without having seen the pods")?;

        scene.operator_ready(SOON).await?;
        println!("ready after {:.1} s", stopwatch.elapsed().as_secs_f32());
        let fleet = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, "events", "event")?;
        first_names(scene, &fleet, "events", "event").await
    });
}

#[test]
fn t08_what_a_watch_has_missed_is_found_in_a_new_list() {
    story(Setting::proxied(3), async |scene| {
        let Unseen {
            before, lost, moment, ..
        } = lost_unseen(scene).await?;
        // The frozen watch breaks; where it left off is no longer known, for a while not even for a new list.
        let stopwatch = Stopwatch::start();
        scene
            .proxy()?
            .script([Rule::new(pod_watches(), Fault::Gone).times(3)]);
        succeeded(scene, ["events", "event"], &before, &lost, SOON).await?;
        println!(
            "replaced {:.1} s after the watch broke",
            stopwatch.elapsed().as_secs_f32()
        );
        injected(scene, 4)?;
        let records = scene.since(moment).await?;
        only_these_were_made(&records, ["events", "event"], &lost)
    });
}

/// What was lost behind a watch that had fallen silent.
struct Unseen {
    before: Fleet,
    lost: BTreeSet<Slot>,
    /// When it was lost.
    moment: Offset,
    silent: Stopwatch,
}

/// A complete fleet whose pods' watch falls silent, and then loses some of them.
async fn lost_unseen(scene: &mut Scene) -> Result<Unseen> {
    scene.start_operator().await?;
    let before = complete(scene).await?;
    scene
        .proxy()?
        .script([Rule::new(pod_watches(), Fault::FreezeWatch).times(1)]);
    injected(scene, 1)?;
    let moment = scene.mark().await?;
    let lost = some_slots(&before);
    let silent = Stopwatch::start();
    lose(scene, "events", &before, &lost).await?;
    Ok(Unseen {
        before,
        lost,
        moment,
        silent,
    })
}

async fn complete(scene: &mut Scene) -> Result<Fleet> {
    scene.namespace("events").await?;
    scene
        .apply(&webinar("events", "event", "tier: 10k, className: tiny"))
        .await?;
    let fleet = Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
    first_names(scene, &fleet, "events", "event").await?;
    Ok(fleet)
}

fn injected(scene: &Scene, count: usize) -> Result<()> {
    let injected = scene.proxy()?.injected();
    ensure!(injected.len() == count, "{count} faults wanted: {injected:?}");
    Ok(())
}
