//! 14 poisoned-object: a Webinar that can't be read troubles nobody but itself.

use anyhow::{Result, ensure};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::api::{DynamicObject, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use webinar_api::{crd_yaml, crds};
use webinar_testbed::http_get;
use webinar_testbed::wait::eventually;

use crate::support::manifests::webinar;
use crate::support::scene::{SOON, Scene, Setting, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

#[test]
fn t14_a_poisoned_webinar_is_told_of_and_its_neighbours_go_on() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        poison(scene).await?;
        scene.start_operator().await?;
        told(scene).await?;

        scene
            .apply(&webinar("events", "neighbour", "tier: 10k, className: tiny"))
            .await?;
        Fleet::complete(scene, "events", "neighbour", FLEET, SOON).await?;
        let metrics = http_get(&scene.url("/metrics"), SOON).await?;
        let counted = metrics
            .lines()
            .any(|l| l.starts_with("webinar_operator_reconcile_errors_total{error=\"unreadable\"} 1"));
        ensure!(counted, "the error is not counted once");

        // It is told of once, and heals when it is put right.
        scene
            .edit("events", "poisoned", json!({"tier": "10k", "className": "tiny"}))
            .await?;
        Fleet::complete(scene, "events", "poisoned", FLEET, SOON).await?;
        let events = scene.events("events", "poisoned", "Unreadable").await?;
        ensure!(events.len() == 1 && events[0].times == 1, "{events:?}");
        Ok(())
    });
}

/// Stores what the real definition would refuse: a tier that is no text.
async fn poison(scene: &Scene) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(scene.control_plane.client());
    let real = crds().remove(0);
    let mut lax = real.clone();
    for version in &mut lax.spec.versions {
        if let Some(schema) = &mut version.schema {
            schema.open_api_v3_schema = Some(JSONSchemaProps {
                type_: Some("object".to_owned()),
                x_kubernetes_preserve_unknown_fields: Some(true),
                ..JSONSchemaProps::default()
            });
        }
    }
    scene.apply(&crd_yaml(&lax)?).await?;
    let resource = kube::core::ApiResource::erase::<webinar_api::Webinar>(&());
    let webinars: Api<DynamicObject> =
        Api::namespaced_with(scene.control_plane.client(), "events", &resource);
    let poisoned = DynamicObject::new("poisoned", &resource)
        .within("events")
        .data(json!({"spec": {"tier": 7}}));
    eventually("the lax definition to be in force", SOON, async || match webinars
        .create(&PostParams::default(), &poisoned)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    })
    .await?;
    let stored = definitions.get(&real.name_any()).await?;
    let mut again = real;
    again.metadata.resource_version = stored.resource_version();
    definitions
        .replace(&again.name_any(), &PostParams::default(), &again)
        .await?;
    Ok(())
}

async fn told(scene: &Scene) -> Result<()> {
    eventually("a warning", SOON, async || {
        let events = scene.events("events", "poisoned", "Unreadable").await?;
        ensure!(events.len() == 1 && events[0].type_ == "Warning", "{events:?}");
        ensure!(events[0].note.contains("left alone"), "{events:?}");
        Ok(())
    })
    .await
}
