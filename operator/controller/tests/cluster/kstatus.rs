//! What GitOps tools see of an event, moment by moment: objects as the API server gives them, judged by Argo CD's rules and
//! by Flux's own libraries.
//!
//! The same objects lie in `tests/recorded/` for tests without a control plane. They are recorded anew by
//! `WEBINAR_RECORD=1 cargo test -p webinar-operator --test cluster kstatus::moments`, and this fails when they no longer look as recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use webinar_api::WebinarStatus;

use crate::judges::{MOMENTS, flux, flux_verdict, health, record, recorded, repository, run_lua, script};
use crate::support::assertions::verdict;
use crate::support::manifests::{class, template_that_takes, webinar};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};

/// With this set the objects are recorded.
const RECORD: &str = "WEBINAR_RECORD";

/// What the operator waits for before it says that a person is needed, and a moment more.
const STALLED: Duration = Duration::from_secs(80);

const RELEASED_AT_ONCE: &str = "overrun: 0s, drainTimeout: 5s";

/// A class for rooms whose pods are planned to take `startup`.
fn rooms(name: &str, template: &str, startup: &str, live: &str) -> String {
    class(
        name,
        &format!(
            "
  templates: {{sfu: {template}}}
  maxTier: room
  ramp:
    {{waveInterval: 1s, safetyPercent: 100, readyBefore: 0s,
    settle: {{nodeStartup: 0s, imagePull: 0s, podStartup: {startup}, upstream: 0s, loadBalancer: 0s}}}}
  live: {{floorAfterStart: 0s, {live}}}
"
        ),
    )
}

/// The objects, by moment.
struct Seen(BTreeMap<&'static str, Value>);

impl Seen {
    async fn take(&mut self, moment: &'static str, scene: &Scene, object: &str) -> Result<()> {
        let text = scene.kubectl(&format!("get {object} -n events -o json")).await?;
        self.0.insert(moment, serde_json::from_str(&text)?);
        Ok(())
    }

    /// Takes a Webinar of this name once `wanted` holds of its status.
    async fn once(
        &mut self,
        moment: &'static str,
        scene: &Scene,
        deadline: Duration,
        wanted: impl Fn(&WebinarStatus) -> bool,
    ) -> Result<()> {
        scene.until("events", moment, moment, deadline, wanted).await?;
        self.take(moment, scene, &format!("webinar/{moment}")).await
    }
}

#[test]
fn moments() {
    story(Setting::default(), async |scene| {
        let seen = play(scene).await?;
        let recording = std::env::var_os(RECORD).is_some();
        let objects: Vec<Value> = seen.0.values().cloned().collect();
        let kstatus = flux(&["status"], &objects).await?;
        for ((name, object), by_flux) in seen.0.iter().zip(&kstatus) {
            let expected = MOMENTS
                .iter()
                .find(|m| m.name == *name)
                .with_context(|| format!("{name} is not in the table"))?;
            let (status, message) = health(object)?;
            println!("{name}: {}, {status}: {message}", by_flux.status);
            ensure!(
                by_flux.status == expected.kstatus && status == expected.health,
                "{by_flux:?} and {status} for {object:#}"
            );
            if recording {
                record(name, object)?;
            } else {
                let (is, was) = (shape(object), shape(&recorded(name)?));
                ensure!(
                    is == was,
                    "{name} is {is:#}\nand was recorded as {was:#}\nRecord anew with {RECORD}=1 if this is meant"
                );
            }
        }
        ensure!(seen.0.len() == MOMENTS.len(), "some moments were not seen");
        Ok(())
    });
}

async fn play(scene: &mut Scene) -> Result<Seen> {
    let mut seen = Seen(BTreeMap::new());
    scene.namespace("events").await?;
    scene
        .apply(&template_that_takes("10m", "late-sfu", "requests: {cpu: '15'}"))
        .await?;
    for (name, template, startup, live) in [
        ("quick", "media-sfu", "5s", RELEASED_AT_ONCE),
        ("late", "late-sfu", "5m", RELEASED_AT_ONCE),
        ("patient", "media-sfu", "5s", "overrun: 1h, drainTimeout: 1h"),
        ("lingering", "media-sfu", "5s", "overrun: 0s, drainTimeout: 1h"),
        ("bare", "missing-sfu", "5s", RELEASED_AT_ONCE),
    ] {
        scene.apply(&rooms(name, template, startup, live)).await?;
    }
    seen.take("class-just-applied", scene, "webinarclass/quick")
        .await?;
    scene
        .apply(&room("just-applied", "quick", "duration: 60m"))
        .await?;
    seen.take("just-applied", scene, "webinar/just-applied").await?;

    scene.start_operator().await?;
    // These two take longest.
    scene
        .apply("{apiVersion: v1, kind: Service, metadata: {name: name-conflict-ingest, namespace: events}, spec: {ports: [{port: 1}]}}")
        .await?;
    for (name, class) in [("name-conflict", "quick"), ("needs-a-person", "gold")] {
        scene.apply(&room(name, class, "duration: 60m")).await?;
    }
    scene
        .until("events", "needs-a-person", "refused", SOON, |s| {
            verdict(s, "Ready").0 == "False"
        })
        .await?;
    seen.take("refused", scene, "webinar/needs-a-person").await?;

    // On their way at once: over in a few seconds, begun, planned just so that pods are due, or too late.
    for (name, class, seconds, spec) in [
        ("overrun", "patient", -52, "duration: 1m"),
        ("draining", "lingering", -52, "duration: 1m"),
        ("finished", "quick", -52, "duration: 1m"),
        ("expired", "quick", -86_400, "duration: 1m"),
        ("live", "quick", -30, "duration: 60m"),
        ("armed", "quick", 615, "readyBefore: 10m"),
        ("ramping", "late", 315, "duration: 60m"),
        ("seats-missing", "late", 240, "duration: 60m"),
        ("scheduled", "quick", 30 * 86_400, "duration: 60m"),
        ("suspended", "quick", 30 * 86_400, "duration: 60m"),
    ] {
        let start = in_seconds(seconds);
        scene
            .apply(&room(name, class, &format!("{spec}, startTime: '{start}'")))
            .await?;
    }

    let ready = |s: &WebinarStatus, reason: &str| verdict(s, "Ready").1 == reason;
    for (name, reason) in [
        ("scheduled", "Scheduled"),
        ("expired", "Expired"),
        ("seats-missing", "CapacityAtRisk"),
    ] {
        seen.once(name, scene, SOON, |s| ready(s, reason)).await?;
    }
    seen.once("live", scene, SOON, |s| {
        ready(s, "Live") && verdict(s, "CapacityReady").1 == "AllReady"
    })
    .await?;
    for name in ["just-applied", "scheduled", "live"] {
        scene
            .kubectl(&format!(
                "wait --for=condition=Ready webinar/{name} -n events --timeout=10s"
            ))
            .await?;
    }
    suspended(scene, &mut seen).await?;
    for (name, reason) in [
        ("ramping", "Ramping"),
        ("armed", "Armed"),
        ("overrun", "Overrun"),
        ("draining", "Draining"),
        ("finished", "Finished"),
    ] {
        seen.once(name, scene, SOON, |s| ready(s, reason)).await?;
    }
    seen.take("class-accepted", scene, "webinarclass/quick").await?;
    seen.take("class-not-accepted", scene, "webinarclass/bare")
        .await?;
    for name in ["name-conflict", "needs-a-person"] {
        seen.once(name, scene, STALLED, |s| verdict(s, "Stalled").0 == "True")
            .await?;
    }
    deleted(scene, &mut seen).await?;

    scene.kill_operator()?;
    scene
        .edit("events", "scheduled", json!({"duration": "90m"}))
        .await?;
    seen.take("edited", scene, "webinar/scheduled").await?;
    Ok(seen)
}

fn room(name: &str, class: &str, rest: &str) -> String {
    webinar("events", name, &format!("tier: room, className: {class}, {rest}"))
}

/// By the action that people find in Argo CD.
async fn suspended(scene: &Scene, seen: &mut Seen) -> Result<()> {
    scene
        .until("events", "suspended", "scheduled", SOON, |s| {
            verdict(s, "Ready").1 == "Scheduled"
        })
        .await?;
    let text = scene.kubectl("get webinar/suspended -n events -o json").await?;
    let after = run_lua(
        &script("Webinar/actions/suspend/action.lua")?,
        &serde_json::from_str(&text)?,
    )?;
    scene.edit("events", "suspended", after["spec"].clone()).await?;
    seen.once("suspended", scene, SOON, |s| verdict(s, "Ready").1 == "Suspended")
        .await
}

/// Held by a finalizer of somebody else, for long enough to look.
async fn deleted(scene: &Scene, seen: &mut Seen) -> Result<()> {
    let webinars = scene.webinars("events");
    for finalizers in [json!(["example.com/hold"]), Value::Null] {
        let held = finalizers.is_array();
        let patch = json!({"metadata": {"finalizers": finalizers}});
        webinars
            .patch("live", &PatchParams::default(), &Patch::Merge(patch))
            .await?;
        if held {
            scene
                .kubectl("delete webinar/live -n events --wait=false")
                .await?;
            seen.take("being-deleted", scene, "webinar/live").await?;
        }
    }
    Ok(())
}

/// What must not change unnoticed: fields and judgements, but no times and no numbers.
fn shape(object: &Value) -> Value {
    let status = &object["status"];
    let generation = &object["metadata"]["generation"];
    let fields: Vec<&String> = status.as_object().map(|s| s.keys().collect()).unwrap_or_default();
    let conditions: Vec<Value> = status["conditions"]
        .as_array()
        .map(|all| {
            all.iter()
                .map(|c| json!([c["type"], c["status"], c["reason"]]))
                .collect()
        })
        .unwrap_or_default();
    json!({
        "kind": object["kind"],
        "goes": object["metadata"]["deletionTimestamp"].is_string(),
        "observed": status["observedGeneration"] == *generation,
        "phase": status["phase"],
        "fields": fields,
        "conditions": conditions,
    })
}

#[tokio::test]
async fn recorded_objects_are_judged_as_the_table_says() -> Result<()> {
    let objects = MOMENTS
        .iter()
        .map(|m| recorded(m.name))
        .collect::<Result<Vec<Value>>>()?;
    let kstatus = flux(&["status"], &objects).await?;
    let expressions = flux(&["health", "examples/flux/webinars.yaml"], &objects).await?;
    for ((moment, kstatus), expressions) in MOMENTS.iter().zip(&kstatus).zip(&expressions) {
        assert_eq!(
            (kstatus.status.as_str(), expressions.status.as_str()),
            (moment.kstatus, moment.expressions),
            "{}: {}",
            moment.name,
            kstatus.message
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_manifests_for_flux_have_the_fields_of_its_api() -> Result<()> {
    for name in ["operator", "webinars"] {
        let path = repository().join(format!("examples/flux/{name}.yaml"));
        let text = std::fs::read_to_string(&path)?;
        flux_verdict(&["decode"], &text)
            .await
            .with_context(|| name.to_owned())?;
        let misspelt = text.replacen("interval:", "intervall:", 1);
        let refusal = flux_verdict(&["decode"], &misspelt)
            .await
            .err()
            .context("accepted")?;
        ensure!(format!("{refusal:#}").contains("intervall"), "{refusal:#}");
    }
    Ok(())
}

#[test]
fn the_patch_for_argocd_leaves_its_other_settings_alone() {
    let setting = Setting {
        nodes: 0,
        prepared: false,
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("argocd").await?;
        scene
            .apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: argocd-cm, namespace: argocd}, data: {url: 'https://argocd.example.com'}}")
            .await?;
        let file = repository().join("examples/argocd/argocd-cm.yaml");
        scene
            .kubectl(&format!(
                "patch configmap argocd-cm -n argocd --type merge --patch-file {}",
                file.display()
            ))
            .await?;
        let text = scene.kubectl("get configmap/argocd-cm -n argocd -o json").await?;
        let data = serde_json::from_str::<Value>(&text)?["data"].clone();
        ensure!(data["url"] == "https://argocd.example.com", "{data:#}");
        let health = &data["resource.customizations.health.webinar-operator.io_Webinar"];
        ensure!(*health == script("Webinar/health.lua")?, "{data:#}");
        Ok(())
    });
}
