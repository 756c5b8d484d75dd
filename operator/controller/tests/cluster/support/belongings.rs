//! Everything that belongs to a Webinar, as people see it in YAML.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use webinar_api::{Webinar, labels};

use super::scene::Scene;

/// The Webinar and its pods, Services, budgets and memories by kind and name, without what the rest of the world writes
/// into them: status and versions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Belongings(BTreeMap<String, Value>);

impl Belongings {
    /// Those of the Webinar `event`, or of former ones of this name, in these namespaces.
    pub(crate) async fn of(scene: &Scene, namespaces: &[&str]) -> Result<Self> {
        let mut found = Self(BTreeMap::new());
        for namespace in namespaces {
            let everything = ListParams::default();
            let ours = ListParams::default().labels(&format!("{}=event", labels::WEBINAR));
            found.add::<Webinar>(scene, namespace, &everything).await?;
            found.add::<Pod>(scene, namespace, &ours).await?;
            found.add::<Service>(scene, namespace, &ours).await?;
            found.add::<PodDisruptionBudget>(scene, namespace, &ours).await?;
            found.add::<ControllerRevision>(scene, namespace, &ours).await?;
        }
        Ok(found)
    }

    async fn add<K>(&mut self, scene: &Scene, namespace: &str, which: &ListParams) -> Result<()>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(scene.control_plane.client(), namespace);
        for object in api.list(which).await? {
            let key = format!("{} {namespace}/{}", K::kind(&()), object.name_any());
            let mut object = serde_json::to_value(object)?;
            let fields = object.as_object_mut().context("no object")?;
            fields.remove("status");
            let metadata = fields.get_mut("metadata").and_then(Value::as_object_mut);
            let metadata = metadata.context("no metadata")?;
            metadata.remove("resourceVersion");
            metadata.remove("managedFields");
            self.0.insert(key, object);
        }
        Ok(())
    }

    /// Nothing is left.
    pub(crate) fn none(&self) -> Result<()> {
        let left: Vec<&String> = self.0.keys().collect();
        ensure!(left.is_empty(), "{left:?} are left");
        Ok(())
    }

    /// The same objects, and everything in them is as it was.
    pub(crate) fn same_as(&self, before: &Self) -> Result<()> {
        let keys: BTreeSet<&String> = self.0.keys().chain(before.0.keys()).collect();
        let differ: Vec<&String> = keys
            .into_iter()
            .filter(|key| self.0.get(*key) != before.0.get(*key))
            .collect();
        if let Some(first) = differ.first() {
            let (is, was) = (self.0.get(*first), before.0.get(*first));
            anyhow::bail!("{differ:?} are not as before, the first for one:\n{is:#?}\nand not\n{was:#?}");
        }
        Ok(())
    }
}
