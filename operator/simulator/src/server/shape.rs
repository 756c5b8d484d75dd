//! Objects as the API server reads them: without what it drops, with what it fills in.

use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::value::{default, fields_mut, meta_mut, part_mut};
use super::{custom, pods, services};

/// An object of a body, as it is understood.
pub(super) fn read(kind: Kind, mut object: Value) -> Value {
    let fields = fields_mut(&mut object);
    fields.insert("kind".to_owned(), kind.name().into());
    fields.insert("apiVersion".to_owned(), kind.api_version().into());
    tidy_metadata(meta_mut(&mut object));
    if kind.custom() {
        return custom::read(kind, object);
    }
    let known = own_fields(kind);
    let fields = fields_mut(&mut object);
    fields.retain(|key, _| known.is_empty() || known.contains(&key.as_str()) || ALL.contains(&key.as_str()));
    let mut data = fields.remove("data");
    drop_empty(&mut object);
    // Free-form: kept to the letter.
    if let Some(data) = data.take().filter(|d| !d.is_null()) {
        fields_mut(&mut object).insert("data".to_owned(), data);
    }
    fill_in(kind, &mut object);
    object
}

/// What every object may have.
const ALL: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// What objects of a kind may have beside [`ALL`]; none: anything.
fn own_fields(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Pod | Kind::Service | Kind::PodDisruptionBudget | Kind::Namespace | Kind::ResourceQuota => {
            &["spec", "status"]
        }
        Kind::Lease => &["spec"],
        Kind::ControllerRevision => &["data", "revision"],
        Kind::PodTemplate => &["template"],
        Kind::EndpointSlice => &["addressType", "endpoints", "ports"],
        Kind::Webinar | Kind::WebinarClass | Kind::Event => &[],
    }
}

/// Metadata never holds empty things, and nobody but the API server writes `managedFields`.
fn tidy_metadata(meta: &mut Map<String, Value>) {
    for key in ["managedFields", "selfLink"] {
        meta.remove(key);
    }
    meta.retain(|_, value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    });
    for reference in meta
        .get_mut("ownerReferences")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        fields_mut(reference).retain(|_, value| !value.is_null());
    }
}

/// Nulls and empty lists are as good as absent in the kinds that Kubernetes defines.
fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !(field.is_null() || field.as_array().is_some_and(Vec::is_empty)));
            fields.values_mut().for_each(drop_empty);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn fill_in(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Pod => {
            pods::fill_in(part_mut(object, "spec"));
            default(part_mut(object, "spec"), "enableServiceLinks", true);
        }
        Kind::PodTemplate => {
            let template = part_mut(object, "template");
            let meta = template.entry("metadata").or_insert_with(|| json!({}));
            fields_mut(meta).retain(|_, v| !v.as_object().is_some_and(Map::is_empty));
            let spec = template.entry("spec").or_insert_with(|| json!({}));
            pods::fill_in(fields_mut(spec));
        }
        Kind::Service => services::fill_in(object),
        Kind::EndpointSlice => {
            default(fields_mut(object), "endpoints", json!([]));
            for port in object["ports"].as_array_mut().into_iter().flatten() {
                let port = fields_mut(port);
                default(port, "name", "");
                default(port, "protocol", "TCP");
            }
        }
        Kind::Namespace => {
            default(fields_mut(object), "spec", json!({}));
            let name = super::value::name(object).to_owned();
            if !name.is_empty() {
                let labels = part_mut(&mut object["metadata"], "labels");
                labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
            }
        }
        Kind::Lease | Kind::ResourceQuota | Kind::PodDisruptionBudget => {
            default(fields_mut(object), "spec", json!({}));
        }
        Kind::ControllerRevision => default(fields_mut(object), "revision", 0),
        Kind::Event => default(fields_mut(object), "deprecatedSource", json!({})),
        Kind::Webinar | Kind::WebinarClass => {}
    }
    if kind.rules().status {
        default(fields_mut(object), "status", json!({}));
    }
}
