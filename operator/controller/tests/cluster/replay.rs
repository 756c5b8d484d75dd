//! What was decided in a real run can be decided again from captured states, to the word and to the pod.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use serde_json::{Value, json};
use webinar_api::{Phase, WebinarStatus, labels};
use webinar_plan::Role;
use webinar_testbed::audit::{Record, Records};
use webinar_testbed::wait::eventually;

use crate::support::manifests::{class, small_tree, templates, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::slot_of_name;

/// Two waves, so far apart that the status has settled between them: 2 SFUs, 3 mids and 7 relays, then 8 relays.
fn halves() -> String {
    small_tree(
        "waveSize: 12, waveInterval: 40s",
        "floorAfterStart: 0s, overrun: 0s, drainTimeout: 20s",
    )
}

const WAVE: SignedDuration = SignedDuration::from_secs(41);
const DRAIN: SignedDuration = SignedDuration::from_secs(21);

/// For what a run does next, and for its status to catch up.
const A_WHILE: Duration = Duration::from_secs(120);

/// Names that are spelt out before the rest is only counted.
const SPELT_OUT: usize = 12;

#[test]
fn a_real_run_is_replayed_from_captures_of_all_its_phases() {
    story(Setting::default(), async |scene| {
        scene.namespace("kept").await?;
        scene.apply(&class("halves", &halves())).await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        // The ramp takes two waves and five seconds; for this name it begins no earlier than that.
        let start = in_seconds(10 + 85 + 60);
        let spec =
            format!("tier: 10k, className: halves, startTime: '{start}', readyBefore: 60s, duration: 30m");
        scene.apply(&webinar("kept", "event", &spec)).await?;

        let scheduled = settled(scene, Phase::Scheduled, 0).await?;
        let between = settled(scene, Phase::Ramping, 12).await?;
        let armed = settled(scene, Phase::Armed, 20).await?;
        let now = in_seconds(0).to_string();
        scene.edit("kept", "event", json!({ "startTime": now })).await?;
        let live = settled(scene, Phase::Live, 20).await?;
        let long_ago = in_seconds(-3600).to_string();
        scene
            .edit("kept", "event", json!({ "startTime": long_ago }))
            .await?;
        let draining = cordoned(scene).await?;
        let finished = settled(scene, Phase::Finished, 0).await?;
        let records = scene.since(moment).await?;

        ramp_begins(scene, &scheduled, &between, &records)?;
        ramp_goes_on(scene, &between, &armed)?;
        drain_ends(scene, &draining, &records)?;
        for capture in [scheduled, between, armed, live, draining, finished] {
            same_again(scene, &capture)?;
        }
        Ok(())
    });
}

/// A state as people capture it.
struct Capture {
    file: PathBuf,
    at: Timestamp,
    status: WebinarStatus,
    pods: Vec<Pod>,
}

impl Capture {
    async fn take(scene: &Scene, phase: Phase) -> Result<Self> {
        let kinds = "webinars,pods,services,poddisruptionbudgets,controllerrevisions";
        let text = scene.kubectl(&format!("-n kept get {kinds} -o json")).await?;
        let file = scene.control_plane.work_dir().join(format!("{phase:?}.json"));
        std::fs::write(&file, &text)?;
        let state: Value = serde_json::from_str(&text)?;
        let items = state["items"].as_array().context("no list")?;
        let of_kind = |kind: &'static str| items.iter().filter(move |item| item["kind"] == kind);
        let webinar = of_kind("Webinar").next().context("no Webinar")?;
        let pods = of_kind("Pod").map(|pod| serde_json::from_value(pod.clone()));
        Ok(Self {
            file,
            at: in_seconds(0),
            status: serde_json::from_value(webinar["status"].clone())?,
            pods: pods.collect::<Result<_, _>>()?,
        })
    }

    /// Names of the pods of one role.
    fn names(&self, role: Role) -> BTreeSet<String> {
        let of_role = |name: &String| slot_of_name(name, "event").is_some_and(|slot| slot.role == role);
        self.pods.iter().map(Pod::name_any).filter(of_role).collect()
    }

    /// The status says so, and speaks of every pod there is.
    fn shows(&self, phase: Phase, pods: usize) -> Result<()> {
        let counted = |count: fn(&webinar_api::Pool) -> i32| self.status.pools.iter().map(count).sum::<i32>();
        let (created, ready) = (counted(|p| p.created), counted(|p| p.ready));
        let told = (usize::try_from(created)?, usize::try_from(ready)?);
        ensure!(
            self.status.phase == Some(phase) && told == (pods, pods) && self.pods.len() == pods,
            "{:?}, {} pods, and told are {told:?}",
            self.status.phase,
            self.pods.len()
        );
        Ok(())
    }
}

/// Waits until everything that is due has happened and the status has caught up.
async fn settled(scene: &Scene, phase: Phase, pods: usize) -> Result<Capture> {
    eventually(&format!("{phase:?} with {pods} pods"), A_WHILE, async || {
        let capture = Capture::take(scene, phase).await?;
        capture.shows(phase, pods)?;
        Ok(capture)
    })
    .await
}

/// Waits until every relay is out of its address; none may go yet.
async fn cordoned(scene: &Scene) -> Result<Capture> {
    eventually("a drain", SOON, async || {
        let capture = Capture::take(scene, Phase::Draining).await?;
        let drained = |pod: &&Pod| pod.annotations().contains_key(labels::DRAIN_START);
        let drained = capture.pods.iter().filter(drained).count();
        ensure!(
            capture.status.phase == Some(Phase::Draining) && drained == 15 && capture.pods.len() == 20,
            "{:?}, {drained} of {} pods are drained",
            capture.status.phase,
            capture.pods.len()
        );
        Ok(capture)
    })
    .await
}

/// What the `plan` command says about a capture.
struct Said {
    text: String,
    conditions: Vec<String>,
    /// By what is done: how many, and the first names.
    deeds: BTreeMap<String, (usize, BTreeSet<String>)>,
}

impl Said {
    fn of(scene: &Scene, capture: &Capture, at: Timestamp) -> Result<Self> {
        let manifests = scene.control_plane.work_dir().join("halves.yaml");
        std::fs::write(
            &manifests,
            format!("{}\n---{}", class("halves", &halves()), templates()),
        )?;
        let replay = Command::new(env!("CARGO_BIN_EXE_webinar-operator"))
            .args(["plan", "--at", &at.to_string(), "--state"])
            .arg(&capture.file)
            .arg("-f")
            .arg(&manifests)
            .output()?;
        let text = String::from_utf8(replay.stdout)?;
        let complaint = String::from_utf8_lossy(&replay.stderr);
        ensure!(replay.status.success(), "{text}{complaint}");
        let mut said = Self {
            text,
            conditions: Vec::new(),
            deeds: BTreeMap::new(),
        };
        for line in said.text.clone().lines().skip(1) {
            said.take(line.trim())?;
        }
        Ok(said)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        let first = line.split_whitespace().next().unwrap_or_default();
        match first {
            "sfu" | "mid" | "relay" | "next" => {}
            "remember" => _ = self.deeds.insert(squeezed(line), (1, BTreeSet::new())),
            "create" | "change" | "cordon" | "uncordon" | "delete" => {
                let (what, rest) = line.split_once(": ").context("nothing is named")?;
                let (count, names) = rest.split_once(": ").context("no number")?;
                let names = names
                    .split_once(" and ")
                    .map_or(names, |(spelt_out, _)| spelt_out);
                let names = names.split(", ").map(str::to_owned).collect();
                self.deeds.insert(squeezed(what), (count.parse()?, names));
            }
            _ => {
                ensure!(first.contains('='), "{line:?} is not understood");
                self.conditions.push(line.to_owned());
            }
        }
        Ok(())
    }

    /// This is done to exactly these.
    fn does(&self, what: &str, to: &BTreeSet<String>) -> Result<()> {
        let (count, names) = self
            .deeds
            .get(what)
            .with_context(|| format!("no {what:?}:\n{}", self.text))?;
        ensure!(
            *count == to.len() && names.len() == to.len().min(SPELT_OUT) && names.is_subset(to),
            "{what} {to:?}, and not:\n{}",
            self.text
        );
        println!("{what}: {count}");
        Ok(())
    }

    /// Nothing else is done than this many kinds of things.
    fn does_no_more_than(&self, kinds: usize) -> Result<()> {
        ensure!(self.deeds.len() == kinds, "more is done:\n{}", self.text);
        Ok(())
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At the instant of the capture nothing was to be done, and the verdicts are those of the status.
fn same_again(scene: &Scene, capture: &Capture) -> Result<()> {
    let said = Said::of(scene, capture, capture.at)?;
    let status = &capture.status;
    let phase = status.phase.context("no phase")?;
    let headline = format!(": {phase:?}, run {}", status.run.unwrap_or(0));
    let first = said.text.lines().next().unwrap_or_default();
    ensure!(first.ends_with(&headline), "{first:?}, and not {headline:?}");
    let told = status.conditions.iter();
    let told: Vec<String> = told
        .map(|c| format!("{}={} {}: {}", c.type_, c.status, c.reason, c.message))
        .collect();
    ensure!(
        said.conditions == told,
        "{:#?}\nand not\n{told:#?}",
        said.conditions
    );
    said.does_no_more_than(0)?;
    println!("{phase:?}: {}", told.first().map_or("", String::as_str));
    Ok(())
}

/// At the ramp time the first wave is created, with everything around it.
fn ramp_begins(scene: &Scene, scheduled: &Capture, between: &Capture, records: &Records) -> Result<()> {
    let schedule = scheduled.status.schedule.as_ref();
    let ramp = schedule
        .and_then(|s| s.ramp_time.as_ref())
        .context("no rampTime")?
        .0;
    let said = Said::of(scene, scheduled, ramp)?;
    for role in Role::ALL {
        said.does(&format!("create {role} pods"), &between.names(role))?;
    }
    for (what, resource) in [
        ("create Services", "services"),
        ("create budgets", "poddisruptionbudgets"),
    ] {
        said.does(what, &asked(records, "create", resource))?;
    }
    let begun = said
        .deeds
        .contains_key("remember begin ControllerRevision event-1");
    ensure!(begun, "{}", said.text);
    said.does_no_more_than(6)
}

/// At the next wave its pods are created.
fn ramp_goes_on(scene: &Scene, between: &Capture, armed: &Capture) -> Result<()> {
    let said = Said::of(scene, between, between.at.checked_add(WAVE)?)?;
    let (before, after) = (between.names(Role::Relay), armed.names(Role::Relay));
    said.does("create relay pods", &after.difference(&before).cloned().collect())?;
    said.does_no_more_than(1)
}

/// At the deadline of the drain the relays go, and nothing else.
fn drain_ends(scene: &Scene, draining: &Capture, records: &Records) -> Result<()> {
    let said = Said::of(scene, draining, draining.at.checked_add(DRAIN)?)?;
    let mut deleted = asked(records, "delete", "pods");
    deleted.retain(|name| slot_of_name(name, "event").is_some_and(|slot| slot.role == Role::Relay));
    ensure!(deleted == draining.names(Role::Relay), "{deleted:?}");
    said.does("delete pods", &deleted)?;
    said.does_no_more_than(1)
}

/// Names of objects that the operator has written.
fn asked(records: &Records, verb: &str, resource: &str) -> BTreeSet<String> {
    let wanted = |r: &&Record| r.done() && r.verb == verb && r.resource == resource && r.namespace == "kept";
    let names = records.by(OPERATOR).filter(wanted);
    names.map(|r| r.name.clone()).collect()
}
