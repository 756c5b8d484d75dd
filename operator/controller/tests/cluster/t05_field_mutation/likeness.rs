//! What two Webinars with the same spec have in common.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use webinar_api::labels;
use webinar_plan::Slot;

use crate::support::scene::Scene;
use crate::support::world::Fleet;

/// Pods by slot, Services and budgets by name, and the status, without what differs between any two: UIDs, addresses, times
/// of the judgement and the namespace.
#[derive(Debug, Clone)]
pub(super) struct Likeness {
    parts: BTreeMap<String, Value>,
    uids: BTreeMap<Slot, String>,
    generations: [Option<i64>; 2],
}

impl Likeness {
    pub(super) async fn of(scene: &Scene, namespace: &str, name: &str) -> Result<Self> {
        let webinar = scene.webinars(namespace).get(name).await?;
        let status = webinar.status.clone().unwrap_or_default();
        let generations = [webinar.metadata.generation, status.observed_generation];
        let fleet = Fleet::of(scene, namespace, name).await?;
        let mut parts = BTreeMap::new();
        for (slot, portrait) in fleet.portraits() {
            parts.insert(format!("pod {slot}"), json!(format!("{portrait:?}")));
        }
        let ours = ListParams::default().labels(&format!("{}={name}", labels::WEBINAR));
        let services: Api<Service> = Api::namespaced(scene.control_plane.client(), namespace);
        for service in services.list(&ours).await? {
            let spec = service.spec.clone().context("no spec")?;
            let ports = spec.ports.map(|ports| {
                ports
                    .into_iter()
                    .map(|mut port| {
                        port.node_port = None;
                        port
                    })
                    .collect::<Vec<_>>()
            });
            let what = json!({"type": spec.type_, "selector": spec.selector, "ports": ports, "annotations": service.annotations()});
            parts.insert(format!("service {}", service.name_any()), what);
        }
        let budgets: Api<PodDisruptionBudget> = Api::namespaced(scene.control_plane.client(), namespace);
        for budget in budgets.list(&ours).await? {
            parts.insert(
                format!("budget {}", budget.name_any()),
                serde_json::to_value(&budget.spec)?,
            );
        }
        let uid = webinar.metadata.uid.unwrap_or_default();
        let status = serde_json::to_value(status)?;
        for (field, value) in status.as_object().context("no status")? {
            match field.as_str() {
                // Of each Webinar alone.
                "observedGeneration" | "revision" | "outcome" => {}
                "conditions" => {
                    for condition in value.as_array().into_iter().flatten() {
                        let mut condition = condition.clone();
                        let fields = condition.as_object_mut().context("no condition")?;
                        fields.remove("lastTransitionTime");
                        fields.remove("observedGeneration");
                        parts.insert(
                            format!("condition {}", condition["type"].as_str().unwrap_or_default()),
                            condition,
                        );
                    }
                }
                _ => _ = parts.insert(format!("status {field}"), value.clone()),
            }
        }
        for value in parts.values_mut() {
            let text = value.to_string().replace(&uid, "<uid>");
            *value = serde_json::from_str(&text)?;
        }
        Ok(Self {
            parts,
            uids: fleet.uids(),
            generations,
        })
    }

    pub(super) fn uids(&self) -> &BTreeMap<Slot, String> {
        &self.uids
    }

    /// What a condition says.
    pub(super) fn said(&self, kind: &str) -> &Value {
        self.parts
            .get(&format!("condition {kind}"))
            .unwrap_or(&Value::Null)
    }

    /// A field of the status.
    pub(super) fn status(&self, field: &str) -> &Value {
        self.parts.get(&format!("status {field}")).unwrap_or(&Value::Null)
    }

    /// Where the event stands.
    pub(super) fn reason(&self) -> &str {
        self.said("Ready")["reason"].as_str().unwrap_or_default()
    }

    /// The status is of what is asked for now.
    pub(super) fn current(&self) -> Result<()> {
        let [asked, told] = self.generations;
        ensure!(asked == told, "generation {asked:?}, and {told:?} is told of");
        Ok(())
    }

    /// On air with everything that is wanted.
    pub(super) fn live(&self) -> Result<()> {
        self.current()?;
        let capacity = self.said("CapacityReady");
        ensure!(
            self.reason() == "Live" && capacity["reason"] == "AllReady",
            "{} {capacity}",
            self.reason()
        );
        for pool in self.status("pools").as_array().into_iter().flatten() {
            ensure!(
                pool["desired"] == pool["ready"] && pool["draining"] == 0,
                "{pool}"
            );
        }
        Ok(())
    }

    /// Every pod that was there still is.
    pub(super) fn keeps(&self, before: &Self) -> Result<()> {
        for (slot, uid) in &before.uids {
            ensure!(self.uids.get(slot) == Some(uid), "{slot} is not what it was");
        }
        Ok(())
    }

    /// With pods that are there, and not what they are like.
    pub(super) fn by_slot(&self) -> Self {
        let mut other = self.clone();
        let pods = other
            .parts
            .iter_mut()
            .filter(|(name, _)| name.starts_with("pod "));
        pods.for_each(|(_, pod)| *pod = Value::Null);
        other
    }

    /// All but a condition.
    pub(super) fn without(&self, kind: &str) -> Self {
        let mut other = self.clone();
        other.parts.remove(&format!("condition {kind}"));
        other
    }

    /// All but the times, and the sentences with times.
    pub(super) fn timeless(&self) -> Self {
        let mut other = self.clone();
        other.parts.remove("status schedule");
        for value in other.parts.values_mut() {
            if let Some(condition) = value.as_object_mut() {
                condition.remove("message");
            }
        }
        other
    }

    pub(super) fn same(&self, other: &Self) -> Result<()> {
        let names = self.parts.keys().chain(other.parts.keys());
        for name in names {
            let (is, should) = (self.parts.get(name), other.parts.get(name));
            ensure!(is == should, "{name} is {is:?} and not {should:?}");
        }
        Ok(())
    }
}
