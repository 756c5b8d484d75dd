//! Reading and changing objects as JSON.

use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Map, Value};

type Fields = Map<String, Value>;

static NOTHING: LazyLock<Fields> = LazyLock::new(Fields::new);

/// The fields of `value`; none if it has none.
pub(super) fn fields(value: &Value) -> &Fields {
    value.as_object().unwrap_or(&NOTHING)
}

/// The fields of `value[key]`; none if there are none.
pub(super) fn part<'a>(value: &'a Value, key: &str) -> &'a Fields {
    value.get(key).map_or(&NOTHING, fields)
}

/// An object's metadata.
pub(super) fn meta(object: &Value) -> &Fields {
    part(object, "metadata")
}

/// An object's metadata to be changed.
pub(super) fn meta_mut(object: &mut Value) -> &mut Fields {
    part_mut(object, "metadata")
}

/// The fields of `value[key]` to be changed; it is made if it isn't there.
pub(super) fn part_mut<'a>(value: &'a mut Value, key: &str) -> &'a mut Fields {
    let part = fields_mut(value).entry(key).or_insert(Value::Null);
    fields_mut(part)
}

/// The fields of `value` to be changed. Whatever else it was is lost.
pub(super) fn fields_mut(value: &mut Value) -> &mut Fields {
    if !value.is_object() {
        *value = Value::Object(Fields::new());
    }
    match value {
        Value::Object(fields) => fields,
        _ => unreachable!("it was just made an object"),
    }
}

/// A text of the metadata; empty if it isn't there.
pub(super) fn said<'a>(object: &'a Value, key: &str) -> &'a str {
    text(meta(object), key)
}

/// A text; empty if it isn't there.
pub(super) fn text<'a>(fields: &'a Fields, key: &str) -> &'a str {
    fields.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// An object's name.
pub(super) fn name(object: &Value) -> &str {
    said(object, "name")
}

/// An object's UID.
pub(super) fn uid(object: &Value) -> &str {
    said(object, "uid")
}

/// An object's resourceVersion.
pub(super) fn version(object: &Value) -> &str {
    said(object, "resourceVersion")
}

/// Somebody has deleted it, and it is still there.
pub(super) fn is_going(object: &Value) -> bool {
    meta(object).contains_key("deletionTimestamp")
}

/// Somebody wants to do something before it goes.
pub(super) fn has_finalizers(object: &Value) -> bool {
    let finalizers = meta(object).get("finalizers").and_then(Value::as_array);
    finalizers.is_some_and(|f| !f.is_empty())
}

/// Seconds that a deletion under way leaves.
pub(super) fn grace(object: &Value) -> Option<i64> {
    meta(object).get("deletionGracePeriodSeconds")?.as_i64()
}

/// A time as metadata has it: whole seconds.
pub(super) fn time(at: Timestamp) -> Value {
    at.strftime("%FT%TZ").to_string().into()
}

/// Sets `key` to `value`, or takes it away.
pub(super) fn set(fields: &mut Fields, key: &str, value: Option<Value>) {
    match value {
        Some(value) => _ = fields.insert(key.to_owned(), value),
        None => _ = fields.remove(key),
    }
}

/// Fills a field in that isn't there.
pub(super) fn default(fields: &mut Fields, key: &str, value: impl Into<Value>) {
    if !fields.contains_key(key) {
        fields.insert(key.to_owned(), value.into());
    }
}
