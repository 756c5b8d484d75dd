//! 02 time-travel: the operator starts again and is shown the past, by a second API server for which time stands still.
//! What has been made anew meanwhile, under the same names, is not touched.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Result, ensure};
use kube::ResourceExt as _;
use kube::api::DeleteParams;
use serde_json::json;
use webinar_api::{Phase, labels};
use webinar_plan::{Role, Slot};
use webinar_testbed::audit::{Offset, Record, Records};
use webinar_testbed::proxy::{Elsewhere, Fault, Pattern, Rule, Verb};
use webinar_testbed::wait::{Stopwatch, eventually, give_up};

use crate::support::assertions::{first_names, same, verdict};
use crate::support::belongings::Belongings;
use crate::support::losses::{lose, make_again, only_these_were_made, some_slots};
use crate::support::manifests::webinar;
use crate::support::oracle::Deeds;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

/// How long the operator has to do something wrong.
const A_MOMENT: Duration = Duration::from_secs(5);

/// Whose predecessor was over, and its Services were about to go.
const OVER: &str = "over";
/// Whose predecessor had lost pods.
const LOST: &str = "lost";
/// For whose predecessor more relays had been ordered.
const RAISED: &str = "raised";
/// Whose predecessor had been given another length.
const EDITED: &str = "edited";
const ANEW: [&str; 4] = [OVER, LOST, RAISED, EDITED];
/// Had none, and never meets a fault.
const CALM: &str = "calm";

/// Whose pods were cordoned when it was extended, and then made again by hand.
const AGAIN: &str = "again";
/// Which was extended before the first cordon, and nothing else has changed.
const EXTENDED: &str = "extended";
/// Pods that could still be cordoned.
const CORDONED: usize = 5;

#[test]
fn t02_an_event_made_anew_is_not_touched_for_what_its_predecessor_needed() {
    story(Setting::proxied(6), async |scene| {
        let lost = predecessors(scene).await?;
        let past = scene.control_plane.freeze().await?;
        let moment = scene.mark().await?;
        let before = made_anew(scene).await?;

        let old = Pattern::any().verbs([Verb::Get, Verb::List, Verb::Watch]);
        let read_old = Fault::ReadFrom(Elsewhere::past(&past)?);
        let restart = scene.mark().await?;
        scene.proxy()?.script([Rule::new(old.except("leases"), read_old)]);
        scene.start_operator().await?;
        tried(scene, restart, "everything that the past asks for", |records| {
            refused(records, OVER, "delete", "services")?;
            refused(records, RAISED, "patch", "poddisruptionbudgets")?;
            refused(records, EDITED, "patch", "controllerrevisions")?;
            only_these_were_made(records, [LOST, "event"], &lost)
        })
        .await?;
        eventually("the end of what a dead owner was given", SOON, async || {
            Belongings::of(scene, &ANEW).await?.same_as(&before)
        })
        .await?;
        tokio::time::sleep(A_MOMENT).await;
        Belongings::of(scene, &ANEW).await?.same_as(&before)?;
        let records = scene.since(restart).await?;
        nothing_was_written(&records, &[OVER, RAISED, EDITED])?;

        back_in_the_present(scene, &ANEW, &before).await?;
        let records = scene.since(restart).await?;
        only_these_were_made(&records, [LOST, "event"], &lost)?;
        let records = scene.since(moment).await?;
        let reference = Deeds::of(&records, CALM, "event");
        for namespace in [OVER, RAISED, EDITED] {
            Deeds::of(&records, namespace, "event").equal(&reference)?;
        }
        Ok(())
    });
}

#[test]
fn t02_pods_made_again_and_an_event_extended_are_not_touched_for_how_they_were() {
    story(Setting::proxied(6), async |scene| {
        let fleets = cordoned(scene).await?;
        let past = scene.control_plane.freeze().await?;
        let before = extended(scene, &fleets).await?;

        let read_old = Fault::ReadFrom(Elsewhere::past(&past)?);
        let lists = Pattern::any().verbs([Verb::List, Verb::Watch]).except("leases");
        // Single objects are read as they are, but for one event: UIDs and versions are all that protects its pods.
        let gets = Pattern::any().verbs([Verb::Get]).namespace(AGAIN);
        let restart = scene.mark().await?;
        let warned = outdated(scene)?;
        scene
            .proxy()?
            .script([lists, gets].map(|reads| Rule::new(reads, read_old.clone())));
        scene.start_operator().await?;
        tried(scene, restart, "to cordon and delete pods", |records| {
            refused(records, AGAIN, "patch", "pods")?;
            refused(records, AGAIN, "delete", "pods")
        })
        .await?;
        eventually("the extension to be noticed", SOON, async || {
            let records = scene.control_plane.audit().since(restart)?;
            nothing_was_written(&records, &[EXTENDED]).map_err(give_up)?;
            ensure!(outdated(scene)? > warned, "{warned} times before");
            Ok(())
        })
        .await?;
        tokio::time::sleep(A_MOMENT).await;
        Belongings::of(scene, &[AGAIN, EXTENDED])
            .await?
            .same_as(&before)?;
        let records = scene.since(restart).await?;
        nothing_was_written(&records, &[AGAIN, EXTENDED])?;

        back_in_the_present(scene, &[AGAIN, EXTENDED], &before).await?;
        let records = scene.since(restart).await?;
        for namespace in [AGAIN, EXTENDED] {
            only_these_were_made(&records, [namespace, "event"], &[].into())?;
        }
        Ok(())
    });
}

/// Four events as the operator is to see them later, each with something to do that is not done; the operator is dead.
/// Returns the slots that are empty.
async fn predecessors(scene: &mut Scene) -> Result<BTreeSet<Slot>> {
    let last_step = Pattern::resource("services").verbs([Verb::Delete]);
    scene
        .proxy()?
        .script([Rule::new(last_step.namespace(OVER), Fault::Drop)]);
    scene.start_operator().await?;
    for namespace in ANEW {
        scene.namespace(namespace).await?;
        begin(scene, namespace).await?;
    }
    scene.edit(OVER, "event", json!({"duration": "1m"})).await?;
    for namespace in [LOST, RAISED, EDITED] {
        settled(scene, namespace).await?;
    }
    let fleet = Fleet::of(scene, LOST, "event").await?;
    eventually("the end of the event", SOON, async || injected(scene, OVER)).await?;
    scene.kill_operator()?;

    let mut lost = some_slots(&fleet);
    // For a mid its stand-in is asked for first; that is refused, and then no pod is asked for.
    lost.retain(|slot| slot.role == Role::Relay);
    lose(scene, LOST, &fleet, &lost).await?;
    let floor = json!({"relays": 21, "reason": "they keep coming", "until": in_seconds(3600).to_string()});
    scene.edit(RAISED, "event", json!({"override": floor})).await?;
    scene.edit(EDITED, "event", json!({"duration": "3h"})).await?;
    Ok(lost)
}

/// They are deleted and made anew under the same names, with fleets of their own; the operator is dead again.
async fn made_anew(scene: &mut Scene) -> Result<Belongings> {
    for namespace in ANEW {
        scene
            .webinars(namespace)
            .delete("event", &DeleteParams::default())
            .await?;
    }
    eventually("the end of the predecessors", SOON, async || {
        Belongings::of(scene, &ANEW).await?.none()
    })
    .await?;
    scene.proxy()?.lift();
    scene.namespace(CALM).await?;
    scene.start_operator().await?;
    let stopwatch = Stopwatch::start();
    for namespace in [OVER, LOST, RAISED, EDITED, CALM] {
        begin(scene, namespace).await?;
    }
    for namespace in [OVER, LOST, RAISED, EDITED, CALM] {
        let fleet = settled(scene, namespace).await?;
        first_names(scene, &fleet, namespace, "event").await?;
    }
    println!("made anew in {:.1} s", stopwatch.elapsed().as_secs_f32());
    scene.kill_operator()?;
    Belongings::of(scene, &ANEW).await
}

/// Two events that are over, and pods of one of them are cordoned already; the operator is dead. Returns their fleets as
/// they were on air.
async fn cordoned(scene: &mut Scene) -> Result<[Fleet; 2]> {
    scene.start_operator().await?;
    for namespace in [AGAIN, EXTENDED] {
        scene.namespace(namespace).await?;
        begin(scene, namespace).await?;
    }
    let fleets = [settled(scene, AGAIN).await?, settled(scene, EXTENDED).await?];
    let patches = Pattern::resource("pods").verbs([Verb::Patch]);
    let deletes = Pattern::resource("pods").verbs([Verb::Delete]);
    scene.proxy()?.script([
        Rule::new(patches.clone().namespace(AGAIN), Fault::Drop).from(CORDONED as u64 + 1),
        Rule::new(patches.namespace(EXTENDED), Fault::Drop),
        Rule::new(deletes, Fault::Drop),
    ]);
    for namespace in [AGAIN, EXTENDED] {
        scene.edit(namespace, "event", json!({"duration": "1m"})).await?;
    }
    eventually("the first cordons", SOON, async || {
        injected(scene, AGAIN)?;
        injected(scene, EXTENDED)?;
        let pods = Fleet::of(scene, AGAIN, "event").await?.0;
        let cordoned = pods
            .values()
            .filter(|p| p.annotations().contains_key(labels::DRAIN_START));
        let count = cordoned.count();
        ensure!(count == CORDONED, "{count} pods");
        Ok(())
    })
    .await?;
    scene.kill_operator()?;
    Ok(fleets)
}

/// Both go on, one with pods that were made again under the same names; the operator is dead again.
async fn extended(scene: &mut Scene, [again, extended]: &[Fleet; 2]) -> Result<Belongings> {
    for namespace in [AGAIN, EXTENDED] {
        scene.edit(namespace, "event", json!({"duration": "2h"})).await?;
    }
    let slots = again.0.keys().copied().collect();
    lose(scene, AGAIN, again, &slots).await?;
    make_again(scene, AGAIN, again, &slots).await?;
    scene.proxy()?.lift();
    scene.start_operator().await?;
    let fleet = settled(scene, AGAIN).await?;
    same("the names", &fleet.names(), &again.names())?;
    let (old, new) = (again.uids(), fleet.uids());
    let kept = old.keys().filter(|slot| old.get(slot) == new.get(slot)).count();
    ensure!(kept == 0, "{kept} pods were not made again");
    let fleet = settled(scene, EXTENDED).await?;
    same("the pods", &fleet.uids(), &extended.uids())?;
    scene.kill_operator()?;
    Belongings::of(scene, &[AGAIN, EXTENDED]).await
}

/// An event that is on air for two hours.
async fn begin(scene: &Scene, namespace: &str) -> Result<()> {
    let start = in_seconds(-120);
    let spec = format!("tier: 10k, className: tiny, startTime: '{start}', duration: 2h");
    scene.apply(&webinar(namespace, "event", &spec)).await
}

/// Waits until the fleet is complete and the operator has said so.
async fn settled(scene: &Scene, namespace: &str) -> Result<Fleet> {
    let generation = scene.webinars(namespace).get("event").await?.metadata.generation;
    scene
        .until(namespace, "event", "on air and complete", SOON, |s| {
            s.phase == Some(Phase::Live)
                && s.observed_generation == generation
                && verdict(s, "CapacityReady").0 == "True"
        })
        .await?;
    Fleet::complete(scene, namespace, "event", FLEET, SOON).await
}

/// The operator sees how things are, and has nothing to do.
async fn back_in_the_present(scene: &mut Scene, namespaces: &[&str], before: &Belongings) -> Result<()> {
    let stopwatch = Stopwatch::start();
    scene.proxy()?.lift();
    for namespace in namespaces {
        settled(scene, namespace).await?;
    }
    println!(
        "back in the present after {:.1} s",
        stopwatch.elapsed().as_secs_f32()
    );
    tokio::time::sleep(A_MOMENT).await;
    Belongings::of(scene, namespaces).await?.same_as(before)
}

/// Waits until the operator's writes since `moment` are what is `wanted`.
async fn tried(
    scene: &mut Scene,
    moment: Offset,
    what: &str,
    wanted: impl Fn(&Records) -> Result<()>,
) -> Result<()> {
    let stopwatch = Stopwatch::start();
    eventually(what, SOON, async || {
        let records = scene.control_plane.audit().since(moment)?;
        wanted(&records)
    })
    .await?;
    let records = scene.since(moment).await?;
    let mut answers: BTreeMap<String, usize> = BTreeMap::new();
    for record in records.by(OPERATOR).filter(|r| r.resource != "leases") {
        let answer = format!("{} {} {}", record.verb, record.resource, record.code);
        *answers.entry(answer).or_default() += 1;
    }
    println!(
        "{:.1} s in the past: {answers:?}",
        stopwatch.elapsed().as_secs_f32()
    );
    Ok(())
}

/// The operator has asked for it and was refused.
fn refused(records: &Records, namespace: &str, verb: &str, resource: &str) -> Result<()> {
    let asked = |r: &&Record| r.namespace == namespace && r.verb == verb && r.resource == resource;
    let codes: Vec<u16> = records.by(OPERATOR).filter(asked).map(|r| r.code).collect();
    if codes.iter().any(|code| ![409, 422].contains(code)) {
        return Err(give_up(format!(
            "{verb} {resource} in {namespace} was answered with {codes:?}"
        )));
    }
    ensure!(!codes.is_empty(), "no {verb} of {resource} in {namespace}");
    Ok(())
}

/// In these namespaces the operator wrote nothing but Events, which nobody acts upon.
fn nothing_was_written(records: &Records, namespaces: &[&str]) -> Result<()> {
    let done: Vec<&Record> = records
        .by(OPERATOR)
        .filter(|r| r.done() && namespaces.contains(&r.namespace.as_str()) && r.resource != "events")
        .collect();
    ensure!(done.is_empty(), "{done:#?}");
    Ok(())
}

/// A fault has happened in this namespace.
fn injected(scene: &Scene, namespace: &str) -> Result<()> {
    let injected = scene.proxy()?.injected();
    ensure!(
        injected.iter().any(|fault| fault.request.namespace == namespace),
        "no fault in {namespace}: {injected:?}"
    );
    Ok(())
}

/// How often the operator noticed that the Webinar of [`EXTENDED`] had changed.
fn outdated(scene: &Scene) -> Result<usize> {
    let said = format!("Webinar {EXTENDED}/event is not as it was when this was decided");
    Ok(scene.log()?.matches(&said).count())
}
