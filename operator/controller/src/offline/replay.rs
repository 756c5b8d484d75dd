//! What the operator would do at an instant, given a captured state: the same decision, in words.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use webinar_api::Webinar;
use webinar_plan::{Plan, Role};

use super::contract::readable;
use super::manifests::Manifests;
use super::read::Document;
use crate::build::prepare;
use crate::neighbours::Everyone;
use crate::observe::Seen;
use crate::ownership::{Owner, concerns, is_owned_by, told_apart};
use crate::validate::validate;

/// Names of pods that are spelt out before the rest is only counted.
const SPELT_OUT: usize = 12;

/// A captured cluster state, as `kubectl get webinars,pods,services,poddisruptionbudgets,controllerrevisions
/// -o json` prints it.
#[derive(Debug, Default)]
pub(crate) struct State {
    webinars: Vec<Webinar>,
    pods: Vec<Arc<Pod>>,
    services: Vec<Arc<Service>>,
    budgets: Vec<Arc<PodDisruptionBudget>>,
    revisions: Vec<Arc<ControllerRevision>>,
}

impl State {
    /// Reads a captured state. Objects of other kinds are passed over.
    ///
    /// # Errors
    ///
    /// An object of these kinds can't be read; the message says where it stands.
    pub(crate) fn read(documents: &[Document]) -> Result<Self, String> {
        let mut out = Self::default();
        for document in documents {
            match document.kind() {
                "Webinar" => out.webinars.push(object(document)?),
                "Pod" => out.pods.push(Arc::new(object(document)?)),
                "Service" => out.services.push(Arc::new(object(document)?)),
                "PodDisruptionBudget" => out.budgets.push(Arc::new(object(document)?)),
                "ControllerRevision" => out.revisions.push(Arc::new(object(document)?)),
                _ => {}
            }
        }
        Ok(out)
    }

    fn guarded(&self) -> Vec<Arc<DeserializeGuard<Webinar>>> {
        let webinars = self.webinars.iter().cloned();
        webinars.map(|w| Arc::new(DeserializeGuard(Ok(w)))).collect()
    }

    /// What belongs to `owner`, with classes and templates from `manifests`.
    fn seen(&self, owner: &Owner, manifests: &Manifests) -> Seen {
        let mut revisions = owned(&self.revisions, owner);
        revisions.sort_by_key(|r| std::cmp::Reverse(r.revision));
        let pods = self.pods.iter().filter(|pod| concerns(pod, owner));
        let (pods, strangers) = told_apart(pods.cloned().collect(), owner);
        Seen {
            slices: Vec::new(),
            pods,
            strangers,
            services: owned(&self.services, owner),
            budgets: owned(&self.budgets, owner),
            revisions,
            // Rules what is written, not what is decided.
            left_behind: BTreeSet::new(),
            pinned: None,
            platform: manifests.platform.clone(),
            everyone: Everyone {
                webinars: self.guarded(),
                revisions: self.revisions.clone(),
            },
        }
    }
}

fn object<T: DeserializeOwned>(document: &Document) -> Result<T, String> {
    serde_json::from_value(document.value.clone()).map_err(|error| format!("{}: {error}", document.origin))
}

fn owned<K: Resource>(all: &[Arc<K>], owner: &Owner) -> Vec<Arc<K>> {
    all.iter()
        .filter(|o| is_owned_by(o.as_ref(), owner))
        .cloned()
        .collect()
}

/// Decides about every Webinar of `state` at `at`, and says what would be done and why.
///
/// # Errors
///
/// There is no Webinar in the state, or an object of it was never stored.
pub(crate) fn replay(state: &State, manifests: &Manifests, at: Timestamp) -> Result<String, String> {
    if state.webinars.is_empty() {
        return Err("there is no Webinar in the captured state".to_owned());
    }
    let mut out = String::new();
    for webinar in &state.webinars {
        let owner = Owner::of(webinar).ok_or_else(|| {
            format!(
                "Webinar {} has no UID: capture it from a cluster",
                webinar.name_any()
            )
        })?;
        let seen = state.seen(&owner, manifests);
        let validated = validate(webinar, &owner, &seen, at);
        let plan = webinar_plan::plan(&validated.input);
        let writes =
            prepare::prepare(&owner, &seen, validated.pinned.as_ref(), &plan).map_err(|e| e.to_string())?;
        if !out.is_empty() {
            out.push('\n');
        }
        // Writing to a String can't fail.
        let _ = tell(&mut out, &owner, at, &plan, &writes);
    }
    Ok(out)
}

fn tell(
    out: &mut String,
    owner: &Owner,
    at: Timestamp,
    plan: &Plan,
    writes: &prepare::Prepared,
) -> std::fmt::Result {
    let status = &plan.status;
    let phase = status.phase.map_or("no phase", webinar_plan::Phase::as_str);
    writeln!(
        out,
        "{}/{} at {}: {phase}, run {}",
        owner.namespace,
        owner.name,
        readable(at),
        status.run
    )?;
    for condition in &status.conditions {
        writeln!(
            out,
            "  {}={} {}: {}",
            condition.kind.as_str(),
            condition.truth.as_str(),
            condition.reason,
            condition.message
        )?;
    }
    for pool in &status.pools {
        writeln!(
            out,
            "  {:<5} {} of {} exist, {} are Ready, {} draining",
            pool.role, pool.created, pool.desired, pool.ready, pool.draining
        )?;
    }
    match &writes.revision {
        Some(prepare::RevisionWrite::Create(revision)) => writeln!(
            out,
            "  remember  begin ControllerRevision {}",
            revision.name_any()
        )?,
        Some(prepare::RevisionWrite::Annotate { name, .. }) => {
            writeln!(out, "  remember  annotate ControllerRevision {name}")?;
        }
        None => {}
    }
    let names = |what: &str, names: Vec<String>, out: &mut String| list(out, what, &names);
    let of = |services: &[Service]| {
        services
            .iter()
            .map(kube::ResourceExt::name_any)
            .collect::<Vec<_>>()
    };
    names("create    Services", of(&writes.services.create), out)?;
    names("change    Services", of(&writes.services.apply), out)?;
    let budgets = |b: &[PodDisruptionBudget]| b.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>();
    names("create    budgets", budgets(&writes.budgets.create), out)?;
    names("change    budgets", budgets(&writes.budgets.apply), out)?;
    for role in Role::ALL {
        let new = plan
            .create
            .iter()
            .filter(|p| p.slot.role == role)
            .map(|p| p.name.clone());
        names(&format!("create    {role} pods"), new.collect(), out)?;
    }
    names(
        "cordon    pods",
        plan.cordon.iter().map(|d| d.name.clone()).collect(),
        out,
    )?;
    names(
        "lost      pods",
        plan.disown.iter().map(|d| d.name.clone()).collect(),
        out,
    )?;
    names(
        "uncordon  pods",
        plan.uncordon.iter().map(|n| n.name.clone()).collect(),
        out,
    )?;
    names(
        "delete    pods",
        plan.delete.iter().map(|d| d.name.clone()).collect(),
        out,
    )?;
    let gone = |g: &[prepare::Named]| g.iter().map(|n| n.name.clone()).collect::<Vec<_>>();
    names("delete    Services", gone(&writes.services.delete), out)?;
    names("delete    budgets", gone(&writes.budgets.delete), out)?;
    names("delete    ControllerRevisions", gone(&writes.forget), out)?;
    match plan.next_wake {
        Some(wake) => writeln!(out, "  next look {}", readable(wake)),
        None => writeln!(out, "  next look when something changes"),
    }
}

fn list(out: &mut String, what: &str, names: &[String]) -> std::fmt::Result {
    if names.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "  {what}: {}: {}",
        names.len(),
        names[..names.len().min(SPELT_OUT)].join(", ")
    )?;
    match names.len().saturating_sub(SPELT_OUT) {
        0 => writeln!(out),
        more => writeln!(out, " and {more} more"),
    }
}
