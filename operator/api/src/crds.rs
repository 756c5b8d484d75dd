//! The CustomResourceDefinitions.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps,
};
use kube::CustomResourceExt;

use crate::{Webinar, WebinarClass};

/// A definition could not be written as YAML.
#[derive(Debug, thiserror::Error)]
#[error("the definition can't be written as YAML: {0}")]
pub struct YamlError(#[from] serde_saphyr::ser::Error);

/// The definitions of every kind in this crate.
#[must_use]
pub fn crds() -> Vec<CustomResourceDefinition> {
    [Webinar::crd(), WebinarClass::crd()]
        .map(without_null_status)
        .into()
}

/// The derived root type lets `status` be null, and the API server would then store the null in place of
/// the default.
fn without_null_status(mut crd: CustomResourceDefinition) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let schema = version
            .schema
            .as_mut()
            .and_then(|schema| schema.open_api_v3_schema.as_mut());
        if let Some(status) = schema.and_then(status_of) {
            status.nullable = None;
        }
    }
    crd
}

fn status_of(schema: &mut JSONSchemaProps) -> Option<&mut JSONSchemaProps> {
    schema.properties.as_mut()?.get_mut("status")
}

/// A definition as YAML. The same definition always gives the same text.
///
/// # Errors
///
/// When the serializer refuses the definition.
pub fn crd_yaml(crd: &CustomResourceDefinition) -> Result<String, YamlError> {
    Ok(serde_saphyr::to_string(crd)?)
}
