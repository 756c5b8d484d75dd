//! A Webinar of the lane: what it says of itself, its pods and its addresses.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::events::v1::Event as Told;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client, ResourceExt as _};
use webinar_api::{Phase, Webinar, WebinarStatus, labels};
use webinar_testbed::ControlPlane;
use webinar_testbed::wait::eventually;

use super::lane::NAMESPACE;

const GONE: Duration = Duration::from_secs(90);

/// One event.
#[derive(Clone)]
pub(super) struct Event {
    client: Client,
    pub(super) name: String,
}

impl Event {
    /// Applies it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(super) async fn apply(
        control_plane: &ControlPlane,
        name: &str,
        start: Timestamp,
        spec: &str,
    ) -> Result<Self> {
        let start = start.strftime("%Y-%m-%dT%H:%M:%SZ");
        let yaml = format!(
            "apiVersion: webinar-operator.io/v1alpha1\nkind: Webinar\nmetadata: {{name: {name}, namespace: \
             {NAMESPACE}}}\nspec: {{startTime: \"{start}\", {spec}}}\n"
        );
        control_plane.apply_yaml(&yaml).await?;
        Ok(Self {
            client: control_plane.client(),
            name: name.to_owned(),
        })
    }

    /// All that there are.
    pub(super) async fn all(control_plane: &ControlPlane) -> Result<Vec<Self>> {
        let client = control_plane.client();
        let events: Api<Webinar> = Api::namespaced(client.clone(), NAMESPACE);
        let all = events
            .list_metadata(&ListParams::default())
            .await?
            .items
            .into_iter();
        Ok(all
            .map(|event| Self {
                client: client.clone(),
                name: event.name_any(),
            })
            .collect())
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = kube::core::NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Its status.
    pub(super) async fn status(&self) -> Result<WebinarStatus> {
        let events: Api<Webinar> = self.api();
        events.get(&self.name).await?.status.context("no status yet")
    }

    /// One of its conditions.
    pub(super) async fn condition(&self, of: &str) -> Result<Condition> {
        let conditions = self.status().await?.conditions;
        let found = conditions.into_iter().find(|c| c.type_ == of);
        found.with_context(|| format!("no condition {of} yet"))
    }

    /// Waits until a condition has one of these reasons, and returns it.
    ///
    /// # Errors
    /// When it hasn't in time, with what it says instead.
    pub(super) async fn says(&self, of: &str, reasons: &[&str], deadline: Duration) -> Result<Condition> {
        let what = format!("{of} to be {}", reasons.join(" or "));
        eventually(&what, deadline, async || {
            let condition = self.condition(of).await?;
            ensure!(
                reasons.contains(&condition.reason.as_str()),
                "{}: {}",
                condition.reason,
                condition.message
            );
            Ok(condition)
        })
        .await
    }

    /// Waits for a phase.
    pub(super) async fn reaches(&self, phase: Phase, deadline: Duration) -> Result<()> {
        eventually(&format!("phase {phase:?}"), deadline, async || {
            let now = self.status().await?.phase;
            ensure!(now == Some(phase), "{now:?}");
            Ok(())
        })
        .await
    }

    /// Waits until every pod that is planned is Ready, spares included.
    pub(super) async fn is_whole(&self, deadline: Duration) -> Result<()> {
        eventually("a whole fleet", deadline, async || {
            let pools = self.status().await?.pools;
            let whole = !pools.is_empty() && pools.iter().all(|pool| pool.ready >= pool.desired);
            ensure!(whole, "{pools:?}");
            Ok(())
        })
        .await
    }

    fn selected(&self) -> ListParams {
        ListParams::default().labels(&format!("{}={}", labels::WEBINAR, self.name))
    }

    /// Its pods that are there, by slot.
    pub(super) async fn pods(&self) -> Result<BTreeMap<String, Pod>> {
        let pods: Api<Pod> = self.api();
        let all = pods.list(&self.selected()).await?.items.into_iter();
        Ok(all
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .filter_map(|pod| Some((pod.labels().get(labels::SLOT)?.clone(), pod)))
            .collect())
    }

    /// Its pods of a role.
    pub(super) async fn role(&self, role: &str) -> Result<BTreeMap<String, Pod>> {
        let prefix = format!("{role}-");
        let all = self.pods().await?.into_iter();
        Ok(all.filter(|(slot, _)| slot.starts_with(&prefix)).collect())
    }

    /// The pod in a slot.
    pub(super) async fn pod(&self, slot: &str) -> Result<Pod> {
        let pod = self.pods().await?.remove(slot);
        pod.with_context(|| format!("nothing in {slot}"))
    }

    /// Kills a pod's object at once, as a lost node's is in the end.
    pub(super) async fn force_delete(&self, pod: &Pod) -> Result<()> {
        let pods: Api<Pod> = self.api();
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            ..DeleteParams::default()
        };
        pods.delete(&pod.name_any(), &now).await?;
        Ok(())
    }

    /// One of its Services, by the end of its name.
    pub(super) async fn service(&self, suffix: &str) -> Result<Service> {
        let services: Api<Service> = self.api();
        Ok(services.get(&format!("{}-{suffix}", self.name)).await?)
    }

    /// A Service's address.
    pub(super) async fn address(&self, suffix: &str) -> Result<String> {
        let spec = self.service(suffix).await?.spec;
        let address = spec.and_then(|spec| spec.cluster_ip);
        address.with_context(|| format!("{suffix} has no address"))
    }

    /// The slot that a Service selects.
    pub(super) async fn selects(&self, suffix: &str) -> Result<String> {
        let selector = self.service(suffix).await?.spec.and_then(|spec| spec.selector);
        let slot = selector.and_then(|mut selector| selector.remove(labels::SLOT));
        slot.with_context(|| format!("{suffix} selects no slot"))
    }

    /// What it was told of, with this reason.
    pub(super) async fn told(&self, reason: &str) -> Result<Vec<Told>> {
        let events: Api<Told> = self.api();
        let all = events.list(&ListParams::default()).await?.items.into_iter();
        Ok(all
            .filter(|told| {
                told.reason.as_deref() == Some(reason)
                    && told.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(&self.name)
            })
            .collect())
    }

    /// Deletes it, and waits until its pods are gone.
    pub(super) async fn delete(self) -> Result<()> {
        let events: Api<Webinar> = self.api();
        events.delete(&self.name, &DeleteParams::default()).await?;
        let pods: Api<Pod> = self.api();
        eventually("the pods to go", GONE, async || {
            let left = pods.list_metadata(&self.selected()).await?.items.len();
            ensure!(left == 0, "{left} are there");
            Ok(())
        })
        .await
    }
}

/// The address of a pod.
pub(super) fn ip(pod: &Pod) -> Result<String> {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    ip.with_context(|| format!("{} has no address", pod.name_any()))
}

/// Whether a pod is Ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}
