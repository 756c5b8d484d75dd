//! 04 stale-cache-create: the operator is told nothing of its pods for a while, and asks for none twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use http::StatusCode;
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use webinar_plan::Slot;
use webinar_testbed::audit::Offset;
use webinar_testbed::http_get;
use webinar_testbed::proxy::{Answer, Fault, Pattern, Rule, Verb};
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::support::assertions::{first_names, nothing_was_deleted, nothing_was_replaced, same};
use crate::support::length::length;
use crate::support::losses::{lose, make_again, some_slots, succeeded};
use crate::support::manifests::{class, steps, webinar};
use crate::support::oracle::Deeds;
use crate::support::scene::{SOON, Scene, Setting, story};
use crate::support::world::{Counts, Fleet, slot_of_name};

const FLEET: Counts = [2, 3, 15];
const CALM: [&str; 2] = ["calm", "event"];
const HELD: [&str; 2] = ["held", "event"];

/// How long pods are not seen.
fn blind() -> Duration {
    Duration::from_secs(length(30, 600))
}

/// How often something changes meanwhile that makes the operator look again.
const RESTLESS: Duration = Duration::from_millis(500);

/// Looks at events that there are at least meanwhile, even on a slow machine.
const PASSES: u64 = 30;

fn hold() -> Rule {
    Rule::new(Pattern::resource("pods").verbs([Verb::Watch]), Fault::HoldWatch)
}

#[test]
fn t04_a_ramp_that_is_not_seen_creates_nothing_twice() {
    story(Setting::proxied(6), async |scene| {
        // Three waves, so that more is due before the first pods are seen.
        scene.apply(&class("steps", &steps())).await?;
        for [namespace, _] in [CALM, HELD] {
            scene.namespace(namespace).await?;
        }
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        scene
            .apply(&webinar(CALM[0], CALM[1], "tier: 10k, className: tiny"))
            .await?;
        Fleet::complete(scene, CALM[0], CALM[1], FLEET, SOON).await?;

        scene.proxy()?.script([hold()]);
        scene
            .apply(&webinar(HELD[0], HELD[1], "tier: 10k, className: steps"))
            .await?;
        eventually("the first wave", SOON, async || {
            let pods = Fleet::of(scene, HELD[0], HELD[1]).await?.0.len();
            ensure!(pods == 8, "{pods} pods");
            Ok(())
        })
        .await?;
        restless(scene).await?;
        let blind = asked(scene)?;
        ensure!(
            blind.len() == 8,
            "created without having seen the first wave: {blind:?}"
        );

        let stopwatch = Stopwatch::start();
        scene.proxy()?.lift();
        let fleet = Fleet::complete(scene, HELD[0], HELD[1], FLEET, SOON).await?;
        println!(
            "complete {:.1} s after it sees again",
            stopwatch.elapsed().as_secs_f32()
        );
        first_names(scene, &fleet, HELD[0], HELD[1]).await?;
        same("creates asked for", &asked(scene)?, &once(&fleet))?;
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, HELD[0], HELD[1])?;
        Deeds::of(&records, HELD[0], HELD[1]).equal(&Deeds::of(&records, CALM[0], CALM[1]))
    });
}

#[test]
fn t04_substitutes_that_are_not_seen_are_not_made_twice() {
    story(Setting::proxied(6), async |scene| {
        let Gaps { before, lost, moment } = gaps(scene).await?;
        scene.proxy()?.script([hold()]);
        let unseen = succeeded(scene, HELD, &before, &lost, SOON).await?;
        // One of them is lost, too, which is not seen either.
        let again = [*lost.first().context("no slots")?].into();
        lose(scene, HELD[0], &unseen, &again).await?;
        let made = asked(scene)?;
        restless(scene).await?;
        same("creates asked for meanwhile", &asked(scene)?, &made)?;

        let after = sees_again(scene, &unseen, &again).await?;
        same("the fleet", &after.portraits(), &before.portraits())?;
        let mut wanted = once(&before);
        for slot in lost.iter().chain(&again) {
            *wanted.entry(*slot).or_default() += 1;
        }
        same("creates asked for", &asked(scene)?, &wanted)?;
        let records = scene.since(moment).await?;
        nothing_was_deleted(&records, HELD[0])
    });
}

#[test]
fn t04_slots_that_were_filled_by_hand_unseen_get_no_second_pod() {
    story(Setting::proxied(6), async |scene| {
        let Gaps { before, lost, moment } = gaps(scene).await?;
        scene.proxy()?.script([refuse(), hold()]);
        make_again(scene, HELD[0], &before, &lost).await?;
        scene.proxy()?.script([hold()]);
        restless(scene).await?;

        let after = sees_again(scene, &before, &lost).await?;
        same("the names", &after.names(), &before.names())?;
        same("creates asked for", &asked(scene)?, &once(&before))?;
        let records = scene.since(moment).await?;
        nothing_was_deleted(&records, HELD[0])
    });
}

/// A fleet some of whose slots are empty: the operator knows, and can't help it.
struct Gaps {
    before: Fleet,
    lost: BTreeSet<Slot>,
    moment: Offset,
}

async fn gaps(scene: &mut Scene) -> Result<Gaps> {
    scene.namespace(HELD[0]).await?;
    scene.start_operator().await?;
    let moment = scene.mark().await?;
    scene
        .apply(&webinar(HELD[0], HELD[1], "tier: 10k, className: tiny"))
        .await?;
    let before = Fleet::complete(scene, HELD[0], HELD[1], FLEET, SOON).await?;
    scene.proxy()?.script([refuse()]);
    let lost = some_slots(&before);
    lose(scene, HELD[0], &before, &lost).await?;
    eventually("the losses to be seen", SOON, async || {
        let injected = scene.proxy()?.injected();
        // More than one pass asks for: by then all of them are seen.
        ensure!(injected.len() > lost.len(), "{injected:?}");
        Ok(())
    })
    .await?;
    Ok(Gaps { before, lost, moment })
}

/// No pod is created for the moment.
fn refuse() -> Rule {
    let creates = Pattern::resource("pods").verbs([Verb::Create]);
    Rule::new(
        creates,
        Fault::Answer(Answer::new(StatusCode::SERVICE_UNAVAILABLE)),
    )
}

/// The operator is told of everything, and other pods are in these slots.
async fn sees_again(scene: &mut Scene, before: &Fleet, others: &BTreeSet<Slot>) -> Result<Fleet> {
    let stopwatch = Stopwatch::start();
    let faults = scene.proxy()?.injected().len();
    scene.proxy()?.lift();
    let after = succeeded(scene, HELD, before, others, SOON).await?;
    println!(
        "{faults} faults; complete {:.1} s after it sees again",
        stopwatch.elapsed().as_secs_f32()
    );
    // Long enough for what is seen to be acted upon.
    tokio::time::sleep(RESTLESS * 6).await;
    Ok(after)
}

/// Whatever makes the operator look again changes all the time, while it is told nothing of its pods.
async fn restless(scene: &Scene) -> Result<()> {
    let before = passes(scene).await?;
    let stopwatch = Stopwatch::start();
    let mut turn = 0;
    while stopwatch.elapsed() < blind() {
        turn += 1;
        let patch = Patch::Merge(
            json!({"metadata": {"annotations": {"weather.example.com/turn": turn.to_string()}}}),
        );
        let params = PatchParams::default();
        scene
            .webinars(HELD[0])
            .patch_metadata(HELD[1], &params, &patch)
            .await?;
        let services: Api<Service> = Api::namespaced(scene.control_plane.client(), HELD[0]);
        services.patch_metadata("event-ingest", &params, &patch).await?;
        tokio::time::sleep(RESTLESS).await;
    }
    let passes = passes(scene).await? - before;
    println!("{passes} passes in {:?}, {turn} changes", blind());
    ensure!(passes >= PASSES, "{passes} passes");
    Ok(())
}

/// How often the operator has looked at a Webinar.
async fn passes(scene: &Scene) -> Result<u64> {
    let metrics = http_get(&scene.url("/metrics"), SOON).await?;
    let name = "webinar_operator_reconcile_seconds_count ";
    let count = metrics.lines().find_map(|line| line.strip_prefix(name));
    Ok(count.context("no passes are counted")?.parse()?)
}

/// How often the API server was asked for a pod of each slot, whatever it answered.
fn asked(scene: &Scene) -> Result<BTreeMap<Slot, usize>> {
    let mut asked = BTreeMap::new();
    for write in scene.proxy()?.writes() {
        let request = &write.request;
        let of_pods =
            request.verb == Verb::Create && request.resource == "pods" && request.namespace == HELD[0];
        let reached = write.status.is_some() && of_pods;
        if let Some(slot) = slot_of_name(&request.name, HELD[1]).filter(|_| reached) {
            *asked.entry(slot).or_default() += 1;
        }
    }
    Ok(asked)
}

/// Every slot once.
fn once(fleet: &Fleet) -> BTreeMap<Slot, usize> {
    fleet.0.keys().map(|slot| (*slot, 1)).collect()
}
