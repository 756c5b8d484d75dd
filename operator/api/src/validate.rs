//! Checks a manifest offline the way the API server would.

use std::fmt;
use std::sync::LazyLock;

use jsonschema::error::{ValidationError, ValidationErrorKind};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::core::cel::{CompiledSchema, ValidationErrors, Validator, apply_defaults, compile_schema};
use serde_json::{Map, Value, json};

use crate::{Duration, GROUP, VERSION, crds};

/// Why a manifest is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field, for example `spec.tier`. Empty when it is the whole object.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl Refusal {
    fn new(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.path, self.message)
        }
    }
}

impl std::error::Error for Refusal {}

/// Checks a Webinar or WebinarClass against its own definition: types, enums, ranges, patterns, unknown
/// fields and CEL rules, after filling in defaults. As on the API server, rules are judged only when the
/// rest is right.
///
/// # Errors
///
/// Everything that is wrong with the manifest.
pub fn check(manifest: &Value) -> Result<(), Vec<Refusal>> {
    let kind = kind_of(manifest).map_err(|refusal| vec![refusal])?;
    let manifest = apply_defaults(&kind.schema, &without_nulls(manifest));
    let mut refusals: Vec<Refusal> = kind
        .shape
        .iter_errors(&manifest)
        .map(|error| explain(&error))
        .collect();
    if manifest
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        refusals.push(Refusal::new("metadata.name", "must be set"));
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let errors = Validator::new().validate_compiled(&kind.rules, &manifest, None);
    let errors = errors.err().map_or_else(Vec::new, ValidationErrors::into_vec);
    if errors.is_empty() {
        return Ok(());
    }
    Err(errors
        .into_iter()
        .map(|error| Refusal::new(&error.field_path, error.message))
        .collect())
}

/// What one kind is checked against. Making it costs a hundred times as much as using it.
struct Kind {
    name: String,
    schema: Value,
    shape: jsonschema::Validator,
    rules: CompiledSchema,
}

static KINDS: LazyLock<Result<Vec<Kind>, String>> = LazyLock::new(|| crds().iter().map(Kind::new).collect());

impl Kind {
    fn new(crd: &CustomResourceDefinition) -> Result<Self, String> {
        let version = crd
            .spec
            .versions
            .first()
            .and_then(|version| version.schema.as_ref());
        let schema = serde_json::to_value(version.and_then(|v| v.open_api_v3_schema.as_ref()))
            .map_err(|error| format!("the schema can't be read: {error}"))?;
        let shape = jsonschema::validator_for(&strict(&schema))
            .map_err(|error| format!("the schema can't be used: {error}"))?;
        let rules = compile_schema(&schema);
        Ok(Self {
            name: crd.spec.names.kind.clone(),
            schema,
            shape,
            rules,
        })
    }
}

fn kind_of(manifest: &Value) -> Result<&'static Kind, Refusal> {
    let api_version = format!("{GROUP}/{VERSION}");
    if manifest["apiVersion"] != api_version {
        return Err(Refusal::new("apiVersion", format!("must be {api_version}")));
    }
    let kinds = KINDS.as_ref().map_err(|why| Refusal::new("", why.clone()))?;
    let kind = kinds.iter().find(|kind| manifest["kind"] == kind.name);
    kind.ok_or_else(|| Refusal::new("kind", "must be Webinar or WebinarClass"))
}

/// The API server drops a null where it is not allowed, before it fills in defaults.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .filter(|(_, field)| !field.is_null())
            .map(|(name, field)| (name.clone(), without_nulls(field)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// The structural schema as plain JSON Schema that refuses unknown fields.
fn strict(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(root) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for field in ["apiVersion", "kind"] {
            root.insert(field.to_owned(), json!({"type": "string"}));
        }
        root.insert("metadata".to_owned(), json!({"type": "object"}));
    }
    close(&mut schema);
    schema
}

/// Closes every object that names its fields, gives int-or-string fields their two types, and lets a set
/// have no duplicates.
fn close(schema: &mut Value) {
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    if keywords.get("x-kubernetes-int-or-string") == Some(&json!(true)) {
        keywords.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if keywords.get("x-kubernetes-list-type") == Some(&json!("set")) {
        keywords.insert("uniqueItems".to_owned(), Value::Bool(true));
    }
    if let Some(properties) = keywords.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
        keywords.insert("additionalProperties".to_owned(), Value::Bool(false));
    } else if let Some(values) = keywords.get_mut("additionalProperties") {
        close(values);
    }
    if let Some(items) = keywords.get_mut("items") {
        close(items);
    }
}

/// A schema error in words, with the path as it is written in Kubernetes.
fn explain(error: &ValidationError<'_>) -> Refusal {
    let mut path = String::new();
    for segment in error.instance_path().as_str().split('/').skip(1) {
        if segment.bytes().all(|byte| byte.is_ascii_digit()) {
            path.push_str(&format!("[{segment}]"));
        } else {
            path.push_str(if path.is_empty() { "" } else { "." });
            path.push_str(&segment.replace("~1", "/").replace("~0", "~"));
        }
    }
    let found = error.instance();
    let message = match error.kind() {
        ValidationErrorKind::Enum { options } => {
            let names: Vec<String> = options.as_array().into_iter().flatten().map(plain).collect();
            format!(
                "`{}` is not supported: must be one of {}",
                plain(found),
                names.join(", ")
            )
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().map(|name| format!("`{name}`")).collect();
            format!("unknown field {}", names.join(", "))
        }
        ValidationErrorKind::Required { property } => format!("`{}` must be set", plain(property)),
        ValidationErrorKind::Minimum { limit } => {
            format!("{found} is too small: must be at least {}", whole(limit))
        }
        ValidationErrorKind::Maximum { limit } => {
            format!("{found} is too large: must be at most {}", whole(limit))
        }
        ValidationErrorKind::Pattern { pattern } if pattern == Duration::PATTERN => plain(found)
            .parse::<Duration>()
            .map_or_else(|refusal| refusal.to_string(), |_| error.to_string()),
        _ => error.to_string(),
    };
    Refusal { path, message }
}

/// A string without its quotes, anything else as JSON.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A limit without `.0`: definitions hold limits as floating-point numbers.
fn whole(limit: &Value) -> String {
    limit
        .as_f64()
        .map_or_else(|| limit.to_string(), |limit| limit.to_string())
}
