//! Simulated nodes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{
    Node, NodeAddress, NodeCondition, NodeSpec, NodeStatus, NodeSystemInfo, Pod,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ControlPlane;
use crate::tools::Tool;
use crate::wait::within;

/// The annotation by which kwok knows its nodes.
pub(crate) const MANAGED: &str = "kwok.x-k8s.io/node";
/// The address of all nodes, outside of the pods' network.
pub(crate) const NODE_IP: &str = "10.63.0.1";
const ZONE: &str = "topology.kubernetes.io/zone";
const LOST: &str = "node-not-ready.stage.kwok.x-k8s.io";
const READY_DEADLINE: Duration = Duration::from_secs(120);
const IN_FLIGHT: usize = 32;
/// What the operating system and the kubelet keep for themselves.
const RESERVED_CPU_MILLIS: u32 = 500;
const RESERVED_MEMORY_GIB: u32 = 4;

/// Nodes to create, all alike but for their zones, which take turns.
#[derive(Debug, Clone)]
pub struct NodeShape {
    /// How many.
    pub count: u32,
    /// CPU capacity in thousandths of a core; 500 of them are not allocatable.
    pub cpu_millis: u32,
    /// Memory capacity in GiB; 4 of them are not allocatable.
    pub memory_gib: u32,
    /// Most pods on one node.
    pub pods: u32,
    /// Values of the zone label.
    pub zones: Vec<String>,
    /// Whether images can be pulled; if not, every pod there stays in `ImagePullBackOff` and the nodes are called
    /// `no-pull-…`.
    pub pulls: bool,
}

impl Default for NodeShape {
    /// 6 nodes over `zone-a`, `zone-b` and `zone-c`, of 16 CPU, 64 GiB and 110 pods each.
    fn default() -> Self {
        let zones = ["zone-a", "zone-b", "zone-c"].map(str::to_owned).to_vec();
        Self {
            count: 6,
            cpu_millis: 16_000,
            memory_gib: 64,
            pods: 110,
            zones,
            pulls: true,
        }
    }
}

impl ControlPlane {
    /// Creates nodes that are Ready from the start, and waits until their kubelets run, as their leases show. Their names,
    /// `node-0000` and so on, continue those of the existing ones. Returns the names.
    ///
    /// # Errors
    /// When the API server refuses one, or not all kubelets run within 2 minutes, telling how many do not.
    pub async fn create_nodes(&self, shape: &NodeShape) -> Result<Vec<String>> {
        let nodes: Api<Node> = Api::all(self.client());
        let prefix = if shape.pulls { "node-" } else { "no-pull-" };
        let existing = nodes.list_metadata(&ListParams::default()).await?;
        let numbers = existing
            .iter()
            .filter_map(|node| node.name_any().strip_prefix(prefix)?.parse::<u32>().ok());
        let first = numbers.max().map_or(0, |last| last + 1);
        let names: Vec<String> = (first..first + shape.count)
            .map(|number| format!("{prefix}{number:04}"))
            .collect();
        let zones = shape.zones.iter().cycle();
        let cordoned = self.pods_wait().await?;
        let wanted: Vec<Node> = names
            .iter()
            .zip(zones)
            .map(|(name, zone)| node(name, zone, shape, cordoned))
            .collect();
        stream::iter(&wanted)
            .map(|node| nodes_create(&nodes, node))
            .buffer_unordered(IN_FLIGHT)
            .try_collect::<Vec<()>>()
            .await?;
        let leases: Api<Lease> = Api::namespaced(self.client(), "kube-node-lease");
        seen("a lease", leases, &names, |_| true).await?;
        if cordoned {
            let patch = json!({"spec": {"unschedulable": null}});
            self.patch_nodes(&names, &patch).await?;
        }
        Ok(names)
    }

    /// Whether pods wait for a node. One that is bound before kwok has taken its node over can be left alone for ever, so
    /// these wait until it has.
    async fn pods_wait(&self) -> Result<bool> {
        let pods: Api<Pod> = Api::all(self.client());
        let homeless = ListParams::default().fields("spec.nodeName=").limit(1);
        Ok(!pods.list_metadata(&homeless).await?.items.is_empty())
    }

    /// Deletes all nodes of a zone, as a cloud does with machines that are gone for good. The pods on them are collected
    /// by the controller manager. Returns the names.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn remove_zone(&self, zone: &str) -> Result<Vec<String>> {
        let nodes: Api<Node> = Api::all(self.client());
        let names = zone_nodes(&nodes, zone).await?;
        nodes
            .delete_collection(&DeleteParams::default(), &in_zone(zone))
            .await?;
        Ok(names)
    }

    /// Makes all nodes of a zone lose contact: Ready becomes Unknown, and so the controller manager taints them. Their pods
    /// are not Ready any more. Returns the names of the nodes.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn lose_zone(&self, zone: &str) -> Result<Vec<String>> {
        let names = self.label_zone(zone, json!("true")).await?;
        self.take_for_not_ready(&names).await?;
        Ok(names)
    }

    /// The controller manager does this to pods when it declares a node Unknown itself, and not when it finds it so.
    async fn take_for_not_ready(&self, nodes: &[String]) -> Result<()> {
        let everywhere: Api<Pod> = Api::all(self.client());
        let on = |pod: &Pod| pod.spec.as_ref().and_then(|s| s.node_name.clone());
        let all = everywhere.list(&ListParams::default()).await?;
        let lost = all
            .items
            .into_iter()
            .filter(|p| on(p).is_some_and(|n| nodes.contains(&n)));
        let patch =
            Patch::Strategic(json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}));
        let (patch, params) = (&patch, &PatchParams::default());
        stream::iter(lost)
            .map(|pod| async move {
                let pods: Api<Pod> = Api::namespaced(self.client(), &pod.namespace().unwrap_or_default());
                match pods.patch_status(&pod.name_any(), params, patch).await {
                    // Somebody has taken it away meanwhile.
                    Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
                    done => done.map(|_| ()),
                }
            })
            .buffer_unordered(IN_FLIGHT)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(())
    }

    /// Undoes [`ControlPlane::lose_zone`] and waits until the nodes are Ready. Pods that were there stay not ready, as
    /// simulated kubelets do not report again: delete them.
    ///
    /// # Errors
    /// When the API server refuses or they are not Ready within 2 minutes.
    pub async fn heal_zone(&self, zone: &str) -> Result<Vec<String>> {
        let names = self.label_zone(zone, Value::Null).await?;
        seen("the state Ready", Api::all(self.client()), &names, is_ready).await?;
        Ok(names)
    }

    async fn label_zone(&self, zone: &str, value: Value) -> Result<Vec<String>> {
        let nodes: Api<Node> = Api::all(self.client());
        let names = zone_nodes(&nodes, zone).await?;
        let patch = json!({"metadata": {"labels": {LOST: value}}});
        self.patch_nodes(&names, &patch).await?;
        Ok(names)
    }

    async fn patch_nodes(&self, names: &[String], patch: &Value) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.client());
        let patch = Patch::Merge(patch);
        let params = PatchParams::default();
        stream::iter(names)
            .map(|name| nodes.patch_metadata(name, &params, &patch))
            .buffer_unordered(IN_FLIGHT)
            .try_collect::<Vec<_>>()
            .await?;
        Ok(())
    }
}

/// Waits until an object of each name was seen in the state asked for.
async fn seen<K>(what: &str, api: Api<K>, names: &[String], state: impl Fn(&K) -> bool) -> Result<()>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let mut missing: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let outcome = within("watching", READY_DEADLINE, async {
        let mut events = Box::pin(watcher(api, watcher::Config::default()).default_backoff());
        while !missing.is_empty() {
            // The watcher tries again by itself after an error.
            if let Some(Ok(Event::Apply(object) | Event::InitApply(object))) = events.next().await
                && state(&object)
            {
                missing.remove(object.name_any().as_str());
            }
        }
        Ok(())
    })
    .await;
    outcome.with_context(|| {
        let example = missing.first().copied().unwrap_or_default();
        format!(
            "{} of {} nodes have not reached {what}, {example} for one",
            missing.len(),
            names.len()
        )
    })
}

async fn nodes_create(nodes: &Api<Node>, node: &Node) -> Result<()> {
    nodes.create(&PostParams::default(), node).await?;
    Ok(())
}

async fn zone_nodes(nodes: &Api<Node>, zone: &str) -> Result<Vec<String>> {
    Ok(nodes
        .list_metadata(&in_zone(zone))
        .await?
        .iter()
        .map(ResourceExt::name_any)
        .collect())
}

fn in_zone(zone: &str) -> ListParams {
    ListParams::default().labels(&format!("{ZONE}={zone}"))
}

fn is_ready(node: &Node) -> bool {
    let conditions = node
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn node(name: &str, zone: &str, shape: &NodeShape, cordoned: bool) -> Node {
    // The controller manager adds the old names of os and arch if they are missing.
    let labels = [
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", "amd64"),
        ("beta.kubernetes.io/os", "linux"),
        ("beta.kubernetes.io/arch", "amd64"),
        (ZONE, zone),
    ];
    let size = |cpu_millis: u32, memory_gib: u32| {
        BTreeMap::from([
            ("cpu".to_owned(), Quantity(format!("{cpu_millis}m"))),
            ("memory".to_owned(), Quantity(format!("{memory_gib}Gi"))),
            ("pods".to_owned(), Quantity(shape.pods.to_string())),
        ])
    };
    Node {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(
                labels
                    .map(|(key, value)| (key.to_owned(), value.to_owned()))
                    .into(),
            ),
            annotations: Some([(MANAGED.to_owned(), "fake".to_owned())].into()),
            ..ObjectMeta::default()
        },
        spec: Some(NodeSpec {
            unschedulable: cordoned.then_some(true),
            ..NodeSpec::default()
        }),
        status: Some(NodeStatus {
            capacity: Some(size(shape.cpu_millis, shape.memory_gib)),
            allocatable: Some(size(
                shape.cpu_millis.saturating_sub(RESERVED_CPU_MILLIS),
                shape.memory_gib.saturating_sub(RESERVED_MEMORY_GIB),
            )),
            conditions: Some(vec![NodeCondition {
                type_: "Ready".to_owned(),
                status: "True".to_owned(),
                reason: Some("KubeletReady".to_owned()),
                ..NodeCondition::default()
            }]),
            addresses: Some(vec![
                NodeAddress {
                    type_: "InternalIP".to_owned(),
                    address: NODE_IP.to_owned(),
                },
                NodeAddress {
                    type_: "Hostname".to_owned(),
                    address: name.to_owned(),
                },
            ]),
            node_info: Some(NodeSystemInfo {
                architecture: "amd64".to_owned(),
                kubelet_version: format!("v{}", Tool::ApiServer.version()),
                operating_system: "linux".to_owned(),
                ..NodeSystemInfo::default()
            }),
            ..NodeStatus::default()
        }),
    }
}
