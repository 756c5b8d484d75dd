//! The pods of a Webinar, by slot.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use webinar_api::labels;
use webinar_plan::{Role, Slot, incarnation};
use webinar_testbed::wait::eventually;

use super::scene::Scene;

/// The live pods of one Webinar: one in each slot.
#[derive(Debug, Clone)]
pub(crate) struct Fleet(pub(crate) BTreeMap<Slot, Pod>);

/// What a pod of an undisturbed run looks like: labels, annotations and environment, without UIDs, namespaces and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Portrait {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
}

/// SFUs, mids and relays.
pub(crate) type Counts = [usize; 3];

impl Fleet {
    /// The pods that a Webinar owns. Fails when two live ones are in a slot.
    pub(crate) async fn of(scene: &Scene, namespace: &str, webinar: &str) -> Result<Self> {
        let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), namespace);
        let ours = ListParams::default().labels(&format!("{}={webinar}", labels::WEBINAR));
        let mut fleet = BTreeMap::new();
        for pod in pods.list(&ours).await? {
            if !is_owned(&pod, webinar) {
                continue;
            }
            let lost = pod.annotations().contains_key(labels::LOST_SLOT);
            if lost || pod.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let slot = slot(&pod)?;
            let name = pod.name_any();
            if let Some(other) = fleet.insert(slot, pod) {
                anyhow::bail!("{slot} is held by {} and {name}", other.name_any());
            }
        }
        Ok(Self(fleet))
    }

    /// Waits until exactly these pods are there, all Ready.
    pub(crate) async fn complete(
        scene: &Scene,
        namespace: &str,
        webinar: &str,
        counts: Counts,
        deadline: Duration,
    ) -> Result<Self> {
        let what = format!("{counts:?} pods of {namespace}/{webinar}");
        eventually(&what, deadline, async || {
            let fleet = Self::of(scene, namespace, webinar).await?;
            let (seen, ready) = (fleet.counts(), fleet.0.values().filter(|p| is_ready(p)).count());
            ensure!(
                seen == counts && ready == fleet.0.len(),
                "{seen:?}, {ready} Ready"
            );
            Ok(fleet)
        })
        .await
    }

    /// How many of each role.
    pub(crate) fn counts(&self) -> Counts {
        Role::ALL.map(|role| self.of_role(role).count())
    }

    /// The pods of one role.
    pub(crate) fn of_role(&self, role: Role) -> impl Iterator<Item = (&Slot, &Pod)> {
        self.0.iter().filter(move |(slot, _)| slot.role == role)
    }

    /// UIDs by slot.
    pub(crate) fn uids(&self) -> BTreeMap<Slot, String> {
        self.0
            .iter()
            .map(|(slot, pod)| (*slot, pod.uid().unwrap_or_default()))
            .collect()
    }

    /// Names by slot.
    pub(crate) fn names(&self) -> BTreeMap<Slot, String> {
        self.0.iter().map(|(slot, pod)| (*slot, pod.name_any())).collect()
    }

    /// The names of a fleet in which no pod was ever replaced.
    pub(crate) fn first_names(&self, webinar: &str, webinar_uid: &str) -> BTreeMap<Slot, String> {
        let name = |slot: Slot| format!("{webinar}-{slot}-{}", incarnation(webinar_uid, 1, slot, None));
        self.0.keys().map(|slot| (*slot, name(*slot))).collect()
    }

    /// What the pods look like.
    pub(crate) fn portraits(&self) -> BTreeMap<Slot, Portrait> {
        self.0.iter().map(|(slot, pod)| (*slot, portrait(pod))).collect()
    }

    /// How many pods of a role each zone has.
    pub(crate) async fn zones(&self, scene: &Scene, role: Role) -> Result<BTreeMap<String, usize>> {
        let nodes: Api<Node> = Api::all(scene.control_plane.client());
        let nodes = nodes.list(&ListParams::default()).await?;
        let zone_of: BTreeMap<String, String> = nodes
            .iter()
            .map(|n| {
                (
                    n.name_any(),
                    n.labels()
                        .get("topology.kubernetes.io/zone")
                        .cloned()
                        .unwrap_or_default(),
                )
            })
            .collect();
        let mut zones = BTreeMap::new();
        for (slot, pod) in self.of_role(role) {
            let node = pod.spec.as_ref().and_then(|s| s.node_name.as_ref());
            let node = node.with_context(|| format!("{slot} is on no node"))?;
            let zone = zone_of.get(node).with_context(|| format!("{node} has no zone"))?;
            *zones.entry(zone.clone()).or_default() += 1;
        }
        Ok(zones)
    }
}

/// The Webinar of this name is the pod's owner, as the operator writes it.
fn is_owned(pod: &Pod, webinar: &str) -> bool {
    pod.owner_references().iter().any(|o| {
        let whole = o.controller == Some(true) && o.block_owner_deletion == Some(true);
        whole && o.kind == "Webinar" && o.name == webinar
    })
}

/// The slot in a pod's labels.
fn slot(pod: &Pod) -> Result<Slot> {
    let slot = pod.labels().get(labels::SLOT).and_then(|s| s.parse().ok());
    slot.with_context(|| format!("{} is in no slot", pod.name_any()))
}

/// The slot in the name of a pod of `webinar`, such as `q3-keynote-relay-231-abcde`.
pub(crate) fn slot_of_name(name: &str, webinar: &str) -> Option<Slot> {
    let (slot, _incarnation) = name.strip_prefix(webinar)?.strip_prefix('-')?.rsplit_once('-')?;
    slot.parse().ok()
}

/// The value of a pod's environment variable. An empty one is stored as no value.
pub(crate) fn env<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let container = pod.spec.as_ref()?.containers.first()?;
    let found = container.env.iter().flatten().find(|e| e.name == name)?;
    Some(found.value.as_deref().unwrap_or_default())
}

/// The pod's condition `Ready` is True.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|c| c.type_ == "Ready" && c.status == "True")
}

fn portrait(pod: &Pod) -> Portrait {
    let uid = pod.labels().get(labels::WEBINAR_UID).cloned().unwrap_or_default();
    let namespace = format!(".{}.svc", pod.namespace().unwrap_or_default());
    let masked = |text: &str| {
        text.replace(&uid, "<uid>")
            .replace(&namespace, ".<namespace>.svc")
    };
    let mask = |map: &BTreeMap<String, String>| map.iter().map(|(k, v)| (k.clone(), masked(v))).collect();
    let containers = pod.spec.iter().flat_map(|s| &s.containers);
    let env = containers
        .flat_map(|c| c.env.iter().flatten())
        .map(|e| (e.name.clone(), masked(e.value.as_deref().unwrap_or_default())));
    let differs = ["WEBINAR_NAMESPACE", "WEBINAR_START_TIME", "WEBINAR_END_TIME"];
    let mut labels: BTreeMap<String, String> = mask(pod.labels());
    // Written by the API server when the pod is bound.
    labels.remove("topology.kubernetes.io/zone");
    Portrait {
        labels,
        annotations: mask(pod.annotations()),
        env: env
            .filter(|(name, _)| !differs.contains(&name.as_str()))
            .collect(),
    }
}
