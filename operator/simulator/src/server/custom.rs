//! Our own kinds: what their definitions drop, fill in and refuse.

use std::sync::LazyLock;

use kube::core::cel::apply_defaults;
use serde_json::{Map, Value};

use super::kind::Kind;
use super::refusal::Wrong;
use super::value::fields_mut;

struct Schemas {
    webinar: Value,
    class: Value,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let definitions = webinar_api::crds();
    let schema = |kind: Kind| {
        let found = definitions.iter().find(|d| d.spec.names.kind == kind.name());
        let version = found.and_then(|d| d.spec.versions.first());
        let schema = version.and_then(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref());
        serde_json::to_value(schema).unwrap_or_default()
    };
    Schemas {
        webinar: schema(Kind::Webinar),
        class: schema(Kind::WebinarClass),
    }
});

fn schema(kind: Kind) -> &'static Value {
    match kind {
        Kind::WebinarClass => &SCHEMAS.class,
        _ => &SCHEMAS.webinar,
    }
}

/// The object without fields that its definition does not have, and with its defaults.
pub(super) fn read(kind: Kind, mut object: Value) -> Value {
    let schema = schema(kind);
    let metadata = fields_mut(&mut object).remove("metadata").unwrap_or_default();
    let outer: Vec<(String, Value)> = ["kind", "apiVersion"]
        .iter()
        .filter_map(|key| fields_mut(&mut object).remove_entry(*key))
        .collect();
    prune(schema, &mut object);
    let mut object = apply_defaults(schema, &object);
    let fields = fields_mut(&mut object);
    fields.extend(outer);
    fields.insert("metadata".to_owned(), metadata);
    object
}

/// The default of the status.
pub(super) fn first_status(kind: Kind) -> Option<Value> {
    let status = &schema(kind)["properties"]["status"];
    let default = status.get("default")?;
    Some(apply_defaults(status, default))
}

/// Everything that is wrong with an object that was read. The words are our own check's, not the API server's.
pub(super) fn check(object: &Value) -> Vec<Wrong> {
    let refusals = webinar_api::check(object).err().unwrap_or_default();
    let wrong = refusals.into_iter().map(|refusal| {
        let missing = refusal
            .message
            .strip_prefix('`')
            .and_then(|m| m.strip_suffix("` must be set"));
        if let Some(missing) = missing {
            let dot = if refusal.path.is_empty() { "" } else { "." };
            return Wrong::required(format!("{}{dot}{missing}", refusal.path), "");
        }
        if refusal.path.is_empty() {
            return Wrong::invalid("<nil>", &Value::Null, refusal.message);
        }
        let value = object.pointer(&pointer(&refusal.path)).unwrap_or(&Value::Null);
        Wrong::invalid(refusal.path, value, refusal.message)
    });
    wrong.collect()
}

fn pointer(path: &str) -> String {
    let parts = path.split(['.', '[', ']']).filter(|p| !p.is_empty());
    parts.map(|part| format!("/{part}")).collect()
}

/// Drops fields that the schema does not know, and nulls where a value must be.
fn prune(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => prune_fields(schema, fields),
        Value::Array(items) => {
            let inner = &schema["items"];
            items.iter_mut().for_each(|item| prune(inner, item));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn prune_fields(schema: &Value, fields: &mut Map<String, Value>) {
    let known = schema.get("properties").and_then(Value::as_object);
    let others = schema.get("additionalProperties");
    let of = |key: &str| known.and_then(|k| k.get(key)).or(others);
    fields.retain(|key, value| {
        let Some(inner) = of(key) else { return false };
        !value.is_null() || inner.get("nullable") == Some(&Value::Bool(true))
    });
    for (key, value) in fields {
        if let Some(inner) = of(key) {
            prune(inner, value);
        }
    }
}
