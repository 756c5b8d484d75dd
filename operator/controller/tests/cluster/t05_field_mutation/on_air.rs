//! The same of Webinars that get pods: a field that is edited before its time makes what a fresh Webinar gets; one that is
//! edited on air does what is documented for it, throws nobody out, and can be taken back.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use serde_json::{Value, json};
use webinar_testbed::wait::eventually;

use super::likeness::Likeness;
use crate::support::assertions::nothing_was_deleted;
use crate::support::manifests::class;
use crate::support::scene::{Scene, Setting, in_seconds, story};

/// A relay carries thousands: 2 SFUs, and 4 relays for 10k or 8 for 50k.
const CLASS: &str = "
  templates: {sfu: media-sfu, relay: media-relay}
  maxTier: 100k
  topology: {zones: 1}
  sizing: {viewer: {bitrateKbps: 150, packetsPerSecond: 20}}
  ramp: {waveInterval: 1s, safetyPercent: 100, readyBefore: 0s, settle:
    {nodeStartup: 0s, imagePull: 0s, podStartup: 5s, upstream: 0s, loadBalancer: 0s}}
  live: {floorAfterStart: 0s, overrun: 30m, drainTimeout: 5s}
";

/// From the creation to the start, seconds.
const STARTS_IN: i64 = 25;

const PATIENCE: Duration = Duration::from_secs(90);

/// What an edit does on air.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnAir {
    /// What it would have done before.
    Obeyed,
    /// The same, but pods that it adds stay when it is taken back: nobody says that they are empty.
    Grows,
    /// It is told of, and every pod stays until the end.
    Held,
    /// Nothing until the next run, and `PendingChanges` says so.
    Waits,
    /// Nothing.
    Ignored,
    /// Nothing but what is said.
    Suspended,
}

/// A field, another value for it, and what that does on air.
fn edits(start: i64) -> Vec<(&'static str, Value, OnAir)> {
    let order = json!({"relays": 9, "reason": "all hands", "until": "2150-01-01T00:00:00Z"});
    vec![
        ("tier", json!("50k"), OnAir::Grows),
        ("tier", json!("room"), OnAir::Held),
        // The stage is made for as many as may come: there is one more SFU.
        ("maxTier", json!("100k"), OnAir::Grows),
        (
            "startTime",
            json!(in_seconds(start + 10).to_string()),
            OnAir::Obeyed,
        ),
        ("startTime", Value::Null, OnAir::Ignored),
        ("duration", json!("45m"), OnAir::Obeyed),
        ("className", json!("other"), OnAir::Waits),
        ("panelists", json!(20), OnAir::Waits),
        ("readyBefore", json!("3s"), OnAir::Obeyed),
        ("overrun", json!("20m"), OnAir::Obeyed),
        ("release", json!("AfterPeak"), OnAir::Obeyed),
        ("override", order, OnAir::Grows),
        ("suspend", json!(true), OnAir::Suspended),
    ]
}

#[test]
fn t05_an_edit_before_the_ramp_is_as_if_it_had_always_been_so_and_one_on_air_throws_nobody_out() {
    let setting = Setting {
        nodes: 12,
        ..Setting::default()
    };
    story(setting, async |scene| {
        for name in ["early", "fresh", "late"] {
            scene.namespace(name).await?;
        }
        for name in ["small", "other"] {
            scene.apply(&class(name, CLASS)).await?;
        }
        scene.start_operator().await?;
        let base = json!({
            "tier": "10k", "maxTier": "50k", "startTime": in_seconds(STARTS_IN).to_string(), "duration": "1h",
            "className": "small", "panelists": 10, "release": "Never", "suspend": false,
        });
        let edits = edits(STARTS_IN);
        every_field_has_an_edit(&edits)?;
        let moment = scene.mark().await?;
        let scene = &*scene;
        each(&edits, async |n, edit| book(scene, n, edit, &base).await).await?;
        each(&edits, async |n, edit| early_is_as_fresh(scene, n, edit).await).await?;
        println!("edited before the ramp: as fresh ones");
        each(&edits, async |n, edit| {
            on_air_and_back(scene, n, edit, &base).await
        })
        .await?;
        println!("edited on air and back");
        let records = scene.control_plane.audit().since(moment)?;
        nothing_was_deleted(&records, "late")
    });
}

type Edit = (&'static str, Value, OnAir);

fn every_field_has_an_edit(edits: &[Edit]) -> Result<()> {
    let definition = super::definition("Webinar")?;
    let fields = definition["properties"].as_object().context("no fields")?;
    let defined: BTreeSet<&str> = fields.keys().map(String::as_str).collect();
    let edited: BTreeSet<&str> = edits.iter().map(|(field, ..)| *field).collect();
    ensure!(defined == edited, "{defined:?} are defined, {edited:?} edited");
    Ok(())
}

async fn each(edits: &[Edit], what: impl AsyncFn(usize, &Edit) -> Result<()>) -> Result<()> {
    let wrong: Vec<Option<String>> = futures::stream::iter(edits.iter().enumerate())
        .map(async |(n, edit)| {
            let (field, value, _) = edit;
            let went = what(n, edit).await;
            went.err().map(|e| format!("{field} = {value}: {e:#}"))
        })
        .buffer_unordered(edits.len())
        .collect()
        .await;
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn name(n: usize) -> String {
    format!("event-{n}")
}

/// With the field as it is edited.
fn edited((field, value, _): &Edit, base: &Value) -> Value {
    let mut spec = base.clone();
    json_patch::merge(&mut spec, &json!({ *field: value }));
    spec
}

/// A Webinar as the base and one edited at once, and one that never was different.
async fn book(scene: &Scene, n: usize, edit: &Edit, base: &Value) -> Result<()> {
    let manifest = |namespace: &str, spec: &Value| {
        json!({
            "apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar",
            "metadata": {"name": name(n), "namespace": namespace}, "spec": spec,
        })
        .to_string()
    };
    scene.apply(&manifest("late", base)).await?;
    scene.apply(&manifest("early", base)).await?;
    scene
        .until("early", &name(n), "seen", PATIENCE, |s| {
            s.observed_generation == Some(1)
        })
        .await?;
    let (field, value, _) = edit;
    scene.edit("early", &name(n), json!({ *field: value })).await?;
    scene.apply(&manifest("fresh", &edited(edit, base))).await
}

async fn early_is_as_fresh(scene: &Scene, n: usize, (field, value, on_air): &Edit) -> Result<()> {
    eventually("what a fresh one has", PATIENCE, async || {
        let fresh = Likeness::of(scene, "fresh", &name(n)).await?;
        if *on_air == OnAir::Suspended {
            ensure!(
                fresh.reason() == "Suspended" && fresh.uids().is_empty(),
                "{fresh:?}"
            );
        } else {
            fresh.live()?;
        }
        let early = Likeness::of(scene, "early", &name(n)).await?;
        if (*field, value.is_null()) == ("startTime", true) {
            // They count from their creations.
            early.timeless().same(&fresh.timeless())
        } else {
            early.same(&fresh)
        }
    })
    .await
}

async fn on_air_and_back(scene: &Scene, n: usize, edit: &Edit, base: &Value) -> Result<()> {
    let (field, value, on_air) = edit;
    let look = async || Likeness::of(scene, "late", &name(n)).await;
    let before = eventually("the event on air", PATIENCE, async || {
        let seen = look().await?;
        seen.live()?;
        Ok(seen)
    })
    .await?;
    let fresh = Likeness::of(scene, "fresh", &name(n)).await?;
    scene.edit("late", &name(n), json!({ *field: value })).await?;
    let after = eventually("what the edit does", PATIENCE, async || {
        let seen = look().await?;
        seen.current()?;
        seen.keeps(&before)?;
        let pending = seen.said("PendingChanges");
        match on_air {
            OnAir::Obeyed | OnAir::Grows => {
                seen.live()?;
                // What pods were told when they began stays with them.
                seen.by_slot().same(&fresh.by_slot())?;
                ensure!(pending["reason"] == "None", "{pending}");
            }
            OnAir::Waits => {
                let says = pending["message"].as_str().unwrap_or_default();
                ensure!(
                    pending["reason"] == "LiveFreeze" && says.contains(&format!("`{field}`")),
                    "{pending}"
                );
                seen.without("PendingChanges")
                    .same(&before.without("PendingChanges"))?;
            }
            OnAir::Held => {
                let capacity = seen.said("CapacityReady");
                ensure!(
                    seen.reason() == "Live" && capacity["reason"] == "AllReady",
                    "{capacity}"
                );
                ensure!(seen.uids() == before.uids(), "other pods");
            }
            OnAir::Ignored => seen.same(&before)?,
            OnAir::Suspended => ensure!(
                seen.reason() == "Suspended" && seen.uids() == before.uids(),
                "{seen:?}"
            ),
        }
        Ok(seen)
    })
    .await?;
    let back = json!({ *field: base.get(*field).unwrap_or(&Value::Null) });
    scene.edit("late", &name(n), back).await?;
    eventually("what there was before the edit", PATIENCE, async || {
        let seen = look().await?;
        seen.current()?;
        ensure!(seen.reason() == "Live", "{}", seen.reason());
        if *on_air == OnAir::Grows {
            ensure!(seen.status("tier") == before.status("tier"), "{seen:?}");
            return seen.keeps(&after);
        }
        ensure!(seen.uids() == before.uids(), "other pods");
        seen.same(&before)
    })
    .await
}
