//! One field as a row of a table.

use serde_json::{Map, Value};
use webinar_api::Duration;

/// What a field without an entry shows.
const NOTHING: &str = "–";

/// Where an object is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    kind: String,
    path: String,
}

impl Anchor {
    pub(super) fn new(kind: &str, path: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            path: path.to_owned(),
        }
    }

    /// A field's object: `suffix` says whether it is an item of a list.
    pub(super) fn below(&self, field: &str, suffix: &str) -> Self {
        Self::new(&self.kind, &format!("{}.{field}{suffix}", self.path))
    }

    /// The heading.
    pub(super) fn title(&self) -> String {
        format!("{} `{}`", self.kind, self.path)
    }

    fn link(&self, words: &str) -> String {
        format!("[{words}](#{})", anchor_of(&self.title()))
    }
}

/// The address of a heading within its page: lower case, without punctuation, hyphens for spaces.
pub(super) fn anchor_of(title: &str) -> String {
    let kept = title.chars().filter_map(|c| match c {
        ' ' | '-' => Some('-'),
        c if c.is_alphanumeric() || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

/// Text for a cell of a table: one line, `|` escaped.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => NOTHING.to_owned(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    };
    text.replace('|', "\\|")
}

/// In the style of code.
pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A description outside of a table, if there is one.
pub(super) fn paragraph(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.is_empty() { text } else { text + "\n\n" }
}

/// A string that is a length of time.
fn is_duration(field: &Value) -> bool {
    field["pattern"] == Duration::PATTERN
}

/// A schema without what each place says of it in its own words: two that are the same need one table.
pub(super) fn same(schema: &Value) -> String {
    let mut schema = schema.clone();
    if let Some(keywords) = schema.as_object_mut() {
        keywords.remove("description");
        keywords.remove("default");
    }
    schema.to_string()
}

/// The object with fields of its own that a field holds, itself or as items, and what that adds to the path.
pub(super) fn object_in(field: &Value) -> Option<(&Value, &'static str)> {
    if field["properties"].is_object() {
        Some((field, ""))
    } else if field["items"]["properties"].is_object() {
        Some((&field["items"], "[]"))
    } else {
        None
    }
}

/// The row of one field. `place` is where the object that it holds is described.
pub(super) fn row(name: &str, field: &Value, required: bool, place: Option<&Anchor>) -> String {
    format!(
        "| `{name}` | {} | {} | {} | {} |\n",
        type_of(field, place),
        default_of(field, required),
        allowed(field),
        cell(&field["description"])
    )
}

fn type_of(field: &Value, place: Option<&Anchor>) -> String {
    if let Some(place) = place {
        return match field["type"].as_str() {
            Some("array") => format!("list of {}", place.link("objects")),
            _ => place.link("object"),
        };
    }
    if field["x-kubernetes-int-or-string"] == true {
        return "integer or string".to_owned();
    }
    match field["type"].as_str().unwrap_or("any") {
        "array" => format!("list of {}", plural(&type_of(&field["items"], None))),
        "object" => format!(
            "map of string to {}",
            type_of(&field["additionalProperties"], None)
        ),
        _ if field["format"] == "date-time" => "time".to_owned(),
        _ if is_duration(field) => "duration".to_owned(),
        other => other.to_owned(),
    }
}

fn plural(word: &str) -> String {
    match word.split_once(' ') {
        Some((first, rest)) => format!("{first}s {rest}"),
        None => format!("{word}s"),
    }
}

fn default_of(field: &Value, required: bool) -> String {
    match field.get("default") {
        _ if required => "required".to_owned(),
        None => NOTHING.to_owned(),
        Some(default) if *default == from_fields(field) => "from its fields".to_owned(),
        Some(Value::String(text)) => code(text),
        Some(Value::Array(list)) if list.is_empty() => "empty".to_owned(),
        Some(Value::Object(map)) if map.is_empty() => "empty".to_owned(),
        Some(other) => code(&cell(other)),
    }
}

/// What an object would be if only its fields had defaults.
fn from_fields(field: &Value) -> Value {
    let fields = field["properties"].as_object().into_iter().flatten();
    let defaults = fields.filter_map(|(name, field)| Some((name.clone(), field.get("default")?.clone())));
    let defaults: Map<String, Value> = defaults.collect();
    if defaults.is_empty() {
        Value::Null
    } else {
        defaults.into()
    }
}

/// What the schema admits, apart from rules.
fn allowed(field: &Value) -> String {
    let mut said = Vec::new();
    if let Some(options) = field["enum"].as_array() {
        let options: Vec<String> = options.iter().map(|o| code(&cell(o))).collect();
        said.push(options.join(", "));
    } else if !is_duration(field) {
        said.extend(range(field, "minimum", "maximum", ""));
        said.extend(range(field, "minLength", "maxLength", " characters"));
        if let Some(pattern) = field["pattern"].as_str() {
            said.push(format!("matches `{}`", pattern.replace('|', "\\|")));
        }
    }
    said.extend(range(field, "minItems", "maxItems", ""));
    said.extend(range(field, "minProperties", "maxProperties", " entries"));
    match field["x-kubernetes-list-type"].as_str() {
        Some("set") => said.push("no item twice".to_owned()),
        Some("map") => {
            let keys = field["x-kubernetes-list-map-keys"]
                .as_array()
                .into_iter()
                .flatten();
            let keys: Vec<String> = keys.map(|key| code(&cell(key))).collect();
            said.push(format!("one for each {}", keys.join(", ")));
        }
        _ => {}
    }
    for inner in ["items", "additionalProperties"] {
        let inner = &field[inner];
        if inner.is_object() && object_in(field).is_none() {
            let each = allowed(inner);
            if each != NOTHING {
                said.push(format!("each: {each}"));
            }
        }
    }
    if said.is_empty() {
        NOTHING.to_owned()
    } else {
        said.join("; ")
    }
}

fn range(field: &Value, least: &str, most: &str, unit: &str) -> Option<String> {
    match (whole(&field[least]), whole(&field[most])) {
        (None, None) => None,
        (Some(least), None) => Some(format!("at least {least}{unit}")),
        (None, Some(most)) => Some(format!("at most {most}{unit}")),
        (Some(least), Some(most)) => Some(format!("{least} to {most}{unit}")),
    }
}

/// A limit without `.0`: definitions hold limits as floating-point numbers.
fn whole(limit: &Value) -> Option<String> {
    limit.as_f64().map(|limit| limit.to_string())
}

/// The rules of one schema, each as a row of a table.
pub(super) fn rules_of(schema: &Value, subject: &str) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten();
    let row = |rule: &Value| {
        format!(
            "| {subject} | {} | `{}` |\n",
            cell(&rule["message"]),
            cell(&rule["rule"])
        )
    };
    rules.map(row).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cells(field: &Value) -> String {
        row("f", field, false, None)
    }

    #[test]
    fn limits_are_said_in_words() {
        for (field, said) in [
            (
                json!({"type": "integer", "minimum": 1.0, "maximum": 50000.0}),
                "1 to 50000",
            ),
            (
                json!({"type": "string", "maxLength": 63}),
                "at most 63 characters",
            ),
            (
                json!({"type": "string", "enum": ["a", "b"], "maxLength": 1}),
                "`a`, `b`",
            ),
            (
                json!({"type": "string", "pattern": "^(a|b)$"}),
                r"matches `^(a\|b)$`",
            ),
            (
                json!({"type": "array", "maxItems": 3, "x-kubernetes-list-type": "set", "items": {"type": "string", "minLength": 1}}),
                "at most 3; no item twice; each: at least 1 characters",
            ),
            (json!({"type": "boolean"}), "–"),
        ] {
            assert_eq!(allowed(&field), said);
        }
    }

    #[test]
    fn a_default_is_shown_or_comes_from_the_fields() {
        let inner = json!({"a": {"default": 1}, "b": {"default": false}});
        for (field, said) in [
            (json!({"default": "1h"}), "`1h`"),
            (json!({"default": false}), "`false`"),
            (json!({"default": []}), "empty"),
            (
                json!({"default": {"a": 1, "b": false}, "properties": inner}),
                "from its fields",
            ),
            (
                json!({"default": {"a": 2, "b": false}, "properties": inner}),
                r#"`{"a":2,"b":false}`"#,
            ),
            (json!({}), "–"),
        ] {
            assert_eq!(default_of(&field, false), said);
        }
        assert_eq!(default_of(&json!({"default": 1}), true), "required");
    }

    #[test]
    fn types_have_names_that_people_use() {
        assert_eq!(
            cells(&json!({"type": "string", "format": "date-time", "description": "One\n| two."})),
            "| `f` | time | – | – | One \\| two. |\n"
        );
        let map =
            json!({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}});
        assert_eq!(type_of(&map, None), "map of string to list of strings");
        let duration = json!({"type": "string", "maxLength": 28, "pattern": Duration::PATTERN});
        assert_eq!(cells(&duration), "| `f` | duration | – | – | – |\n");
        assert_eq!(
            type_of(&json!({"x-kubernetes-int-or-string": true}), None),
            "integer or string"
        );
    }
}
