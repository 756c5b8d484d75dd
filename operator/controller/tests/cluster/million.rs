//! A million people, at full size: 3 SFUs, 27 mids and 1212 relays.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, ResourceExt as _};
use tokio::sync::OnceCell;
use webinar_api::{Phase, WebinarStatus, labels};
use webinar_plan::{Role, Slot};
use webinar_testbed::audit::{Offset, Records};
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::ending::{given_back, stays_over};
use crate::support::assertions::{
    nothing_was_replaced, one_active_sfu, pod_writes, role_by_role, same, tree, verdict, viewers,
};
use crate::support::manifests::webinar;
use crate::support::random::Random;
use crate::support::scene::{OPERATOR, SOON, Scene, big_story, in_seconds};
use crate::support::world::{Counts, Fleet, Portrait};

const FULL: Counts = [3, 27, 1212];
const PODS: usize = 1242;

/// How long a ramp may take on a slow machine.
const RAMP: Duration = Duration::from_secs(300);

/// How long the garbage collector may take for a thousand pods on a slow machine while a thousand
/// others are created: it takes no more than its share of the API server.
const COLLECTED: Duration = Duration::from_secs(300);

/// What an undisturbed run looks like: the first story that needs it looks.
static UNDISTURBED: OnceCell<BTreeMap<Slot, Portrait>> = OnceCell::const_new();

#[test]
fn a_full_life_of_an_event() {
    big_story(async |scene| {
        scene.namespace("life").await?;
        let moment = scene.mark().await?;
        // The ramp begins within the class's waveInterval before now + 8 s, and the last wave is created 32 s later.
        let start = in_seconds(8 + 60 + 40);
        let manifest = webinar(
            "life",
            "keynote",
            &format!("tier: 1M, className: full, startTime: '{start}', readyBefore: 40s, duration: 1m"),
        );
        scene.kubectl_apply(&manifest).await?;
        let complete = scene
            .until("life", "keynote", "complete", RAMP, |s| {
                verdict(s, "CapacityReady").0 == "True"
            })
            .await?;
        let fleet = Fleet::complete(scene, "life", "keynote", FULL, RAMP).await?;
        UNDISTURBED.set(fleet.portraits()).ok();

        let records = scene.since(moment).await?;
        figures(scene, "1M from nothing to Armed", &records)?;
        nothing_was_replaced(&records, &fleet, "life", "keynote")?;
        let ramp = complete
            .schedule
            .and_then(|s| s.ramp_time)
            .context("no rampTime")?;
        in_waves(&records, "life", "keynote", ramp.0)?;
        tree(&fleet, "life", "keynote", 0)?;
        let active = one_active_sfu(scene, "life", "keynote", &fleet).await?;
        viewers(scene, "life", "keynote", &fleet, 6).await?;
        balanced(scene, &fleet).await?;

        lost_pods_are_replaced(scene, &fleet).await?;
        let settled = |s: &WebinarStatus| {
            s.pools
                .iter()
                .all(|p| p.created == p.desired && p.ready == p.desired)
        };
        let live = scene
            .until("life", "keynote", "Live and settled", RAMP, |s| {
                s.phase == Some(Phase::Live) && settled(s)
            })
            .await?;
        a_wiped_status_comes_back(scene, &live).await?;

        scene
            .until("life", "keynote", "Finished", RAMP, |s| {
                s.phase == Some(Phase::Finished)
            })
            .await?;
        let records = scene.since(moment).await?;
        figures(scene, "1M from nothing to Finished", &records)?;
        given_back(scene, "life", "keynote", &records, active).await?;
        let statuses = records
            .counts_by(OPERATOR)
            .get(&("patch".to_owned(), "webinars/status".to_owned()))
            .copied();
        // One of them is the answer to our wiping it.
        ensure!(
            statuses.is_some_and(|n| n < 60),
            "{statuses:?} status writes in a whole life"
        );
        stays_over(scene, "life", "keynote", &manifest).await
    });
}

/// Role by role, 300 at a time, eight seconds apart from `ramp` on.
fn in_waves(records: &Records, namespace: &str, webinar: &str, ramp: Timestamp) -> Result<()> {
    let creates = pod_writes(records, "create", namespace, webinar);
    ensure!(creates.len() == PODS, "{} creates", creates.len());
    role_by_role("creates", &creates, [Role::Sfu, Role::Mid, Role::Relay])?;
    let waves: Vec<_> = creates
        .chunks(300)
        .filter_map(|wave| Some((wave.first()?.time, wave.last()?.time)))
        .collect();
    let seconds: Vec<_> = waves
        .iter()
        .map(|(a, b)| [a, b].map(|t| t.duration_since(ramp).as_millis()))
        .collect();
    println!("waves, in milliseconds: {seconds:?}");
    for (wave, (first, _)) in (0..).zip(&waves) {
        let early = first.duration_since(ramp) < SignedDuration::from_secs(8 * wave);
        ensure!(!early, "wave {wave} is early: {seconds:?}");
    }
    Ok(())
}

async fn balanced(scene: &Scene, fleet: &Fleet) -> Result<()> {
    let zones = fleet.zones(scene, Role::Relay).await?;
    println!("relays by zone: {zones:?}");
    let (least, most) = (
        zones.values().min().context("none")?,
        zones.values().max().context("none")?,
    );
    ensure!(zones.len() == 3 && (most - least) * 20 <= *most, "{zones:?}");
    Ok(())
}

/// Forty pods die: their slots are refilled under new names, and nothing else moves.
async fn lost_pods_are_replaced(scene: &mut Scene, before: &Fleet) -> Result<()> {
    let lost = Random::new("lost pods").pick(before.names().into_iter().collect(), 40);
    let moment = scene.mark().await?;
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "life");
    let deletes = futures::stream::iter(&lost)
        .map(|(_, name)| async { pods.delete(name, &DeleteParams::default()).await });
    let failed = deletes
        .buffer_unordered(20)
        .filter(|done| std::future::ready(done.is_err()))
        .count()
        .await;
    ensure!(failed == 0, "{failed} deletes failed");
    let is_lost = |slot: &Slot| lost.iter().any(|(s, _)| s == slot);
    let stopwatch = Stopwatch::start();
    let after = eventually("the lost slots to be refilled", SOON, async || {
        let after = Fleet::complete(scene, "life", "keynote", FULL, SOON).await?;
        let old = lost
            .iter()
            .filter(|(slot, name)| after.0[slot].name_any() == *name)
            .count();
        ensure!(old == 0, "{old} of them are still there");
        Ok(after)
    })
    .await?;
    println!("40 pods replaced in {:.1} s", stopwatch.elapsed().as_secs_f32());

    let kept = |fleet: &Fleet| {
        fleet
            .uids()
            .into_iter()
            .filter(|(slot, _)| !is_lost(slot))
            .collect()
    };
    same("pods that were not lost", &kept(&after), &kept(before))?;
    let (old, new) = (before.uids(), after.uids());
    ensure!(
        lost.iter().all(|(slot, _)| old[slot] != new[slot]),
        "a UID came back"
    );
    tree(&after, "life", "keynote", 0)?;
    let records = scene.since(moment).await?;
    let mut created: Vec<Slot> = pod_writes(&records, "create", "life", "keynote")
        .iter()
        .map(|w| w.slot)
        .collect();
    created.sort_unstable();
    let mut wanted: Vec<Slot> = lost.iter().map(|(slot, _)| *slot).collect();
    wanted.sort_unstable();
    ensure!(created == wanted, "created {created:?}, lost {wanted:?}");
    let writes = records.writes_by(OPERATOR);
    // Others stand in for lost mids and SFUs until their successors are Ready: there and back again.
    let stands_in = |name: &str| {
        lost.iter().any(|(slot, _)| match slot.role {
            Role::Mid => name == format!("keynote-{slot}"),
            Role::Sfu => ["keynote-ingest", "keynote-origin"].contains(&name),
            Role::Relay => false,
        })
    };
    let rerouted = records
        .by(OPERATOR)
        .filter(|r| r.done() && r.verb == "patch" && r.resource == "services" && stands_in(&r.name))
        .count();
    let parents = lost.iter().filter(|(slot, _)| slot.role != Role::Relay).count();
    println!("{rerouted} Services of {parents} lost mids and SFUs were led elsewhere and back");
    ensure!(
        rerouted <= 2 * parents,
        "{rerouted} patches for {parents} of them"
    );
    ensure!(
        writes.delete == 0 && writes.patch + writes.update - rerouted <= 1,
        "more than the lost pods was touched: {writes:?}"
    );
    Ok(())
}

/// Status only mirrors: without it everything goes on.
async fn a_wiped_status_comes_back(scene: &mut Scene, before: &WebinarStatus) -> Result<()> {
    let moment = scene.mark().await?;
    let uids = Fleet::of(scene, "life", "keynote").await?.uids();
    scene
        .control_plane
        .kubectl([
            "patch",
            "webinar/keynote",
            "-n",
            "life",
            "--subresource=status",
            "--type=merge",
            "-p",
            r#"{"status":null}"#,
        ])
        .await?;
    let after = scene
        .until("life", "keynote", "told again", SOON, |s| s.phase.is_some())
        .await?;
    ensure!(
        essence(&after) == essence(before),
        "{after:#?}\nand not\n{before:#?}"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    let records = scene.since(moment).await?;
    let writes = records.writes_by(OPERATOR);
    ensure!(
        writes.status == 1 && writes.total() == writes.status + writes.events,
        "{writes:?}"
    );
    same(
        "the fleet",
        &Fleet::of(scene, "life", "keynote").await?.uids(),
        &uids,
    )
}

/// A status without the moments at which its judgements came about.
fn essence(status: &WebinarStatus) -> WebinarStatus {
    let mut status = status.clone();
    for condition in &mut status.conditions {
        condition.last_transition_time =
            k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(jiff::Timestamp::UNIX_EPOCH);
    }
    status
}

#[test]
fn an_event_of_ten_thousand_becomes_one_of_a_million() {
    big_story(async |scene| {
        scene.namespace("raised").await?;
        let moment = scene.mark().await?;
        let start = in_seconds(600);
        scene
            .apply(&webinar(
                "raised",
                "keynote",
                &format!("tier: 10k, className: full, startTime: '{start}', readyBefore: 9m30s"),
            ))
            .await?;
        scene
            .until("raised", "keynote", "Armed", RAMP, |s| {
                s.phase == Some(Phase::Armed)
            })
            .await?;
        let small = Fleet::complete(scene, "raised", "keynote", [2, 0, 15], SOON).await?;
        scene
            .control_plane
            .kubectl([
                "patch",
                "webinar/keynote",
                "-n",
                "raised",
                "--type=merge",
                "-p",
                r#"{"spec":{"tier":"1M"}}"#,
            ])
            .await?;
        let grown = |s: &WebinarStatus| {
            s.capacity.as_ref().is_some_and(|c| c.desired == 1_000_000) && s.phase == Some(Phase::Armed)
        };
        scene
            .until("raised", "keynote", "Armed for a million", RAMP, grown)
            .await?;
        let fleet = Fleet::complete(scene, "raised", "keynote", FULL, RAMP).await?;

        let kept = fleet
            .uids()
            .into_iter()
            .filter(|(slot, _)| small.0.contains_key(slot))
            .collect();
        same("the pods of 10k", &kept, &small.uids())?;
        tree(&fleet, "raised", "keynote", 15)?;
        one_active_sfu(scene, "raised", "keynote", &fleet).await?;
        viewers(scene, "raised", "keynote", &fleet, 6).await?;
        let records = scene.since(moment).await?;
        figures(scene, "10k, then 1M", &records)?;
        let deleted = records
            .iter()
            .filter(|r| r.done() && r.resource == "pods" && r.verb == "delete")
            .count();
        ensure!(deleted == 0, "{deleted} pods were deleted");
        nothing_was_replaced(&records, &fleet, "raised", "keynote")
    });
}

#[test]
fn an_event_deleted_in_its_ramp_leaves_nothing_and_its_namesake_gets_a_fleet_of_its_own() {
    big_story(async |scene| {
        scene.namespace("again").await?;
        let mut random = Random::new("deleted in the ramp");
        let moment = scene.mark().await?;
        let manifest = webinar("again", "keynote", "tier: 1M, className: full, readyBefore: 0s");
        scene.apply(&manifest).await?;
        let first = uid(scene).await?;
        let begun = usize::try_from(200 + random.below(800))?;
        created(scene, moment, begun).await?;
        println!("deleted after {begun} pods");
        scene
            .kubectl("delete webinar/keynote -n again --wait=false")
            .await?;
        let stopwatch = Stopwatch::start();
        scene.apply(&manifest).await?;
        let second = uid(scene).await?;
        ensure!(first != second, "it was not deleted");
        eventually("the end of everything of the first one", COLLECTED, async || {
            owned_by(scene, &first, 0).await
        })
        .await?;
        println!("collected in {:.1} s", stopwatch.elapsed().as_secs_f32());

        scene
            .until("again", "keynote", "ready", RAMP, |s| {
                verdict(s, "CapacityReady").0 == "True"
            })
            .await?;
        let fleet = Fleet::complete(scene, "again", "keynote", FULL, RAMP).await?;
        owned_by(scene, &second, PODS).await?;
        ensure!(
            fleet.names() == fleet.first_names("keynote", &second),
            "a pod was replaced"
        );
        let strangers = fleet
            .0
            .values()
            .filter(|p| p.owner_references().iter().any(|o| o.uid != second))
            .count();
        ensure!(strangers == 0, "{strangers} pods are not its own");
        tree(&fleet, "again", "keynote", 0)?;
        viewers(scene, "again", "keynote", &fleet, 6).await?;
        let deleted = scene.since(moment).await?.writes_by(OPERATOR).delete;
        ensure!(deleted == 0, "the operator deleted {deleted} objects");
        Ok(())
    });
}

#[test]
fn a_kill_in_the_ramp_changes_nothing() {
    big_story(async |scene| {
        let undisturbed = UNDISTURBED
            .get_or_try_init(async || {
                Ok::<_, anyhow::Error>(ramp(scene, "undisturbed", None).await?.portraits())
            })
            .await?;
        let kill_at = usize::try_from(Random::new("killed in the ramp").below(PODS as u64))?;
        let fleet = ramp(scene, "killed", Some(kill_at)).await?;
        same("the fleet", &fleet.portraits(), undisturbed)
    });
}

/// A ramp from nothing to ready; the operator is killed after this many pods.
async fn ramp(scene: &mut Scene, namespace: &str, kill_at: Option<usize>) -> Result<Fleet> {
    scene.namespace(namespace).await?;
    let moment = scene.mark().await?;
    scene
        .apply(&webinar(namespace, "keynote", "tier: 1M, className: full"))
        .await?;
    if let Some(pods) = kill_at {
        created(scene, moment, pods).await?;
        println!("killed after {pods} pods");
        scene.kill_operator()?;
        scene.start_operator().await?;
    }
    scene
        .until(namespace, "keynote", "ready", RAMP, |s| {
            verdict(s, "CapacityReady").0 == "True"
        })
        .await?;
    let fleet = Fleet::complete(scene, namespace, "keynote", FULL, RAMP).await?;
    let records = scene.since(moment).await?;
    nothing_was_replaced(&records, &fleet, namespace, "keynote")?;
    Ok(fleet)
}

/// Waits until the operator has created this many pods.
async fn created(scene: &Scene, moment: Offset, pods: usize) -> Result<()> {
    eventually(&format!("{pods} pods"), RAMP, async || {
        let counts = scene.control_plane.audit().since(moment)?.counts_by(OPERATOR);
        let seen = counts
            .get(&("create".to_owned(), "pods".to_owned()))
            .copied()
            .unwrap_or_default();
        ensure!(seen >= pods, "{seen}");
        Ok(())
    })
    .await
}

async fn uid(scene: &Scene) -> Result<String> {
    scene
        .webinars("again")
        .get("keynote")
        .await?
        .uid()
        .context("no UID")
}

/// So many pods carry the UID of their Webinar, and without them nothing else does.
async fn owned_by(scene: &Scene, uid: &str, pods: usize) -> Result<()> {
    let client = scene.control_plane.client();
    let its = ListParams::default().labels(&format!("{}={uid}", labels::WEBINAR_UID));
    let seen = Api::<Pod>::namespaced(client.clone(), "again")
        .list_metadata(&its)
        .await?
        .items
        .len();
    ensure!(seen == pods, "{seen} pods");
    if pods == 0 {
        let others = (
            Api::<Service>::namespaced(client.clone(), "again")
                .list_metadata(&its)
                .await?
                .items
                .len(),
            Api::<PodDisruptionBudget>::namespaced(client.clone(), "again")
                .list_metadata(&its)
                .await?
                .items
                .len(),
            Api::<ControllerRevision>::namespaced(client, "again")
                .list_metadata(&its)
                .await?
                .items
                .len(),
        );
        ensure!(others == (0, 0, 0), "Services, budgets, revisions: {others:?}");
    }
    Ok(())
}

/// Prints what it took.
fn figures(scene: &mut Scene, what: &str, records: &Records) -> Result<()> {
    let writes = records.writes_by(OPERATOR);
    println!("{what}: {writes:?}, {:?}", records.counts_by(OPERATOR));
    println!("writes ÷ pods: {:.3}", writes.total() as f64 / PODS as f64);
    let usage = scene.operator()?.usage()?;
    let mib = |bytes: u64| bytes / (1024 * 1024);
    println!(
        "the operator: {} MiB, at most {} MiB, {:.1} s of CPU",
        mib(usage.rss),
        mib(usage.peak_rss),
        usage.cpu_seconds
    );
    Ok(())
}
