//! Applies YAML of any kinds.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kube::api::{DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::discovery::{self, Scope};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use crate::wait::eventually;

const MANAGER: &str = "webinar-testbed";
const KIND_DEADLINE: Duration = Duration::from_secs(10);

/// See [`ControlPlane::apply_yaml`](crate::ControlPlane::apply_yaml); works with any client.
///
/// # Errors
/// When the text is no YAML, a kind is unknown after 10 s, or the API server refuses an object, naming it.
pub async fn apply_yaml(client: &Client, yaml: &str) -> Result<Vec<DynamicObject>> {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(yaml).map_err(|error| anyhow!("reading YAML: {error}"))?;
    let mut applied = Vec::new();
    for document in documents.into_iter().filter(|document| !document.is_null()) {
        let object: DynamicObject = serde_json::from_value(document).context("reading an object")?;
        let name = object.name_any();
        let kind = object
            .types
            .as_ref()
            .with_context(|| format!("{name:?} has no kind"))?;
        let gvk = GroupVersionKind::try_from(kind).with_context(|| format!("the kind of {name:?}"))?;
        applied.push(
            apply(client, &gvk, &object)
                .await
                .with_context(|| format!("applying {} {name}", gvk.kind))?,
        );
    }
    Ok(applied)
}

async fn apply(client: &Client, gvk: &GroupVersionKind, object: &DynamicObject) -> Result<DynamicObject> {
    // Found anew for each object: a definition just applied takes a moment to be served.
    let (resource, capabilities) = eventually(&format!("the kind {}", gvk.kind), KIND_DEADLINE, async || {
        Ok(discovery::pinned_kind(client, gvk).await?)
    })
    .await?;
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Cluster => Api::all_with(client.clone(), &resource),
        Scope::Namespaced => {
            let namespace = object.metadata.namespace.as_deref().unwrap_or("default");
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
    };
    let params = PatchParams::apply(MANAGER).force();
    Ok(api
        .patch(&object.name_any(), &params, &Patch::Apply(object))
        .await?)
}
