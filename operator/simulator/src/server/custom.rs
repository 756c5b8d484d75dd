//! Our own kinds: what their definitions drop, fill in and refuse.

use std::sync::LazyLock;

use jsonschema::Validator;
use jsonschema::error::ValidationErrorKind;
use kube::core::cel::apply_defaults;
use serde_json::{Map, Value};

use super::kind::Kind;
use super::refusal::Wrong;
use super::value::fields_mut;

struct Definition {
    schema: Value,
    /// None if the definition's own schema can't be used, which its own tests would tell.
    status: Option<Validator>,
}

struct Definitions {
    webinar: Definition,
    class: Definition,
}

static DEFINITIONS: LazyLock<Definitions> = LazyLock::new(|| {
    let definitions = webinar_api::crds();
    let definition = |kind: Kind| {
        let found = definitions.iter().find(|d| d.spec.names.kind == kind.name());
        let version = found.and_then(|d| d.spec.versions.first());
        let schema = version.and_then(|v| v.schema.as_ref()?.open_api_v3_schema.as_ref());
        let schema = serde_json::to_value(schema).unwrap_or_default();
        Definition {
            status: jsonschema::validator_for(&schema["properties"]["status"]).ok(),
            schema,
        }
    };
    Definitions {
        webinar: definition(Kind::Webinar),
        class: definition(Kind::WebinarClass),
    }
});

fn definition(kind: Kind) -> &'static Definition {
    match kind {
        Kind::WebinarClass => &DEFINITIONS.class,
        _ => &DEFINITIONS.webinar,
    }
}

fn schema(kind: Kind) -> &'static Value {
    &definition(kind).schema
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

/// Everything that is wrong with a status. No rule is about it.
pub(super) fn check_status(kind: Kind, object: &Value) -> Vec<Wrong> {
    let status = object.get("status").unwrap_or(&Value::Null);
    let errors = definition(kind).status.iter().flat_map(|v| v.iter_errors(status));
    let wrong = errors.map(|error| {
        let mut field = "status".to_owned();
        for part in error.instance_path().as_str().split('/').skip(1) {
            if part.bytes().all(|b| b.is_ascii_digit()) {
                field.push_str(&format!("[{part}]"));
            } else {
                field.push_str(&format!(".{part}"));
            }
        }
        if let ValidationErrorKind::Required { property } = error.kind() {
            let property = property.as_str().unwrap_or_default();
            return Wrong::required(format!("{field}.{property}"), "");
        }
        Wrong::invalid(field, error.instance(), error.to_string())
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
