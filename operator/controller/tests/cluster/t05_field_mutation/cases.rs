//! From a field and what may be in it to specs, and what must come of each.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value, json};

use super::fields::{Domain, Field, Without};

const DURATION: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";

/// One spec.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The field that was changed, as a JSON pointer.
    pub(super) at: String,
    /// What was done to it.
    pub(super) what: String,
    pub(super) spec: Value,
    /// It follows the case in which the field is taken away, and has null in its place.
    pub(super) is_null: bool,
    /// What a refusal says, in one of these wordings; none when it is accepted.
    pub(super) refused: Option<Vec<String>>,
}

impl Case {
    /// For people.
    pub(super) fn name(&self) -> String {
        format!("{} {}", path(&self.at), self.what)
    }

    /// A refusal is of this field and says what may be in it.
    pub(super) fn explains(&self, message: &str) -> Result<()> {
        let wordings = self.refused.as_deref().context("it was to be accepted")?;
        let message = plain(message);
        let said = wordings.iter().any(|w| message.contains(&plain(w)));
        ensure!(said, "{}: says {message:?} and none of {wordings:?}", self.name());
        Ok(())
    }
}

/// A JSON pointer into a spec as the API server writes it.
pub(super) fn path(at: &str) -> String {
    format!("spec{}", at.replace('/', ".").replace("~1", "/"))
}

/// Entries of lists and maps are written in several ways.
fn plain(text: &str) -> String {
    text.replace(['[', '.'], ".").replace([']', '"', '\\'], "")
}

/// All fields that a definition has, as JSON pointers. Entries of lists and maps are looked for in the samples.
pub(super) fn pointers(schema: &Value, samples: &[Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(schema, "", samples, &mut found);
    found.remove("");
    found
}

fn walk(schema: &Value, at: &str, samples: &[Value], found: &mut BTreeSet<String>) {
    found.insert(at.to_owned());
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{at}/{name}"), samples, found);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{at}/0"), samples, found);
    }
    if let Some(values) = schema.get("additionalProperties").filter(|v| v.is_object()) {
        let maps = samples.iter().filter_map(|s| s.pointer(at)?.as_object());
        let key = maps
            .flat_map(Map::keys)
            .next()
            .map_or("<no sample>", String::as_str);
        walk(
            values,
            &format!("{at}/{}", key.replace('/', "~1")),
            samples,
            found,
        );
    }
}

/// All cases of a field, in the first sample that has it.
pub(super) fn of(field: &Field, samples: &[Value]) -> Result<Vec<Case>> {
    let sample = samples.iter().find(|s| s.pointer(&field.at).is_some());
    let mut spec = sample
        .with_context(|| format!("no sample has {}", field.at))?
        .clone();
    json_patch::merge(&mut spec, &field.beside);
    let mut cases = without(field, &spec)?;
    for value in accepted(&field.domain) {
        cases.push(set(field, &spec, value, None)?);
    }
    for (value, wordings) in refused(field) {
        cases.push(set(field, &spec, value, Some(wordings))?);
    }
    if let Domain::Group(_) | Domain::Ruled(_) = &field.domain {
        let mut more = spec.clone();
        let group = more.pointer_mut(&field.at).and_then(Value::as_object_mut);
        group
            .context("no object")?
            .insert("nonsense".to_owned(), json!(1));
        cases.push(Case {
            at: field.at.clone(),
            what: "with an unknown field".to_owned(),
            spec: more,
            is_null: false,
            refused: Some(vec![format!("unknown field \"{}.nonsense\"", path(&field.at))]),
        });
    }
    Ok(cases)
}

/// Several accepted cases in one, each of another field at the top of the spec: no rule is about two of those that are kept.
/// There are as many as the field with the most cases has.
pub(super) fn together(sample: &Value, cases: &[&Case]) -> Vec<Case> {
    let mut by_field: BTreeMap<&str, Vec<&Case>> = BTreeMap::new();
    for &case in cases {
        let top = case.at.split('/').nth(1).unwrap_or_default();
        by_field.entry(top).or_default().push(case);
    }
    let most = by_field.values().map(Vec::len).max().unwrap_or_default();
    let nth = |n: usize| {
        let mut spec = sample.clone();
        let mut ats = Vec::new();
        let mut whats = Vec::new();
        for (top, cases) in &by_field {
            let Some(case) = cases.get(n) else { continue };
            match case.spec.get(top) {
                Some(value) => spec[*top] = value.clone(),
                None => _ = spec.as_object_mut().and_then(|spec| spec.remove(*top)),
            }
            ats.push(case.at.as_str());
            whats.push(case.name());
        }
        Case {
            at: ats.join(","),
            what: format!("({})", whats.join("; ")),
            spec,
            is_null: false,
            refused: None,
        }
    };
    (0..most).map(nth).collect()
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 40 {
        return format!(
            "{}… ({} bytes)",
            text.chars().take(24).collect::<String>(),
            text.len()
        );
    }
    text
}

fn set(field: &Field, spec: &Value, value: Value, refused: Option<Vec<String>>) -> Result<Case> {
    let what = format!("= {}", short(&value));
    let mut spec = spec.clone();
    // Beside what else there must be it may be missing.
    let (parent, name) = field.at.rsplit_once('/').context("no pointer")?;
    match spec.pointer_mut(parent).context("no parent")? {
        Value::Object(map) => _ = map.insert(name.replace("~1", "/"), value),
        Value::Array(list) => list[name.parse::<usize>()?] = value,
        other => anyhow::bail!("{parent} is {other}"),
    }
    Ok(Case {
        at: field.at.clone(),
        what,
        spec,
        is_null: false,
        refused,
    })
}

/// Taken away, and null: which means the same, but in a list.
fn without(field: &Field, spec: &Value) -> Result<Vec<Case>> {
    let refused = match field.without {
        Without::Accepted => None,
        Without::Required => Some(vec![format!("{}: Required value", path(&field.at))]),
        Without::Ruled(sentence) => Some(vec![sentence.to_owned()]),
        Without::Entry => {
            let null = format!("{} in body must be of type", path(&field.at));
            return Ok(vec![set(field, spec, Value::Null, Some(vec![null]))?]);
        }
    };
    let null = set(field, spec, Value::Null, refused.clone())?;
    let mut gone = null.spec.clone();
    let (parent, name) = field.at.rsplit_once('/').context("no pointer")?;
    let parent = gone.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.context("no parent")?.remove(&name.replace("~1", "/"));
    let gone = Case {
        what: "taken away".to_owned(),
        spec: gone,
        ..null.clone()
    };
    Ok(vec![
        gone,
        Case {
            is_null: true,
            ..null
        },
    ])
}

/// So long a text with this beginning.
fn text(length: usize, beginning: &str) -> Value {
    let rest = length.saturating_sub(beginning.len());
    json!(format!("{beginning}{}", "a".repeat(rest)))
}

fn list(length: usize, item: fn(usize) -> Value) -> Value {
    (0..length).map(item).collect()
}

fn map(length: usize, item: fn() -> Value) -> Value {
    (0..length)
        .map(|n| (format!("k{n}"), item()))
        .collect::<Map<_, _>>()
        .into()
}

/// What may be in a field, its bounds above all.
fn accepted(domain: &Domain) -> Vec<Value> {
    match domain {
        Domain::OneOf(values) => values.iter().map(|v| json!(v)).collect(),
        Domain::Whole(from, to) => vec![json!(from), json!(to)],
        Domain::Span(from, to) => vec![json!(from), json!(to)],
        Domain::Time => vec![
            json!("2000-01-01T00:00:00Z"),
            json!("2199-12-31T23:59:59.999999999Z"),
        ],
        Domain::Switch => vec![json!(true), json!(false)],
        Domain::Text(from, to, beginning) | Domain::Pattern(from, to, beginning, _) => {
            vec![text(*from, beginning), text(*to, beginning)]
        }
        Domain::AnyText => vec![json!(""), text(5000, "")],
        Domain::Port => vec![json!(1), json!(65_535), text(1, ""), text(15, "")],
        Domain::List(from, to, item) => vec![list(*from, *item), list(*to, *item)],
        Domain::Map(most, item) => vec![map(0, *item), map(*most, *item)],
        Domain::Group([]) => vec![json!({})],
        Domain::Group(_) | Domain::Ruled(_) => Vec::new(),
    }
}

/// What may not: one past each bound, nothing, another type. With each what the refusal says.
fn refused(field: &Field) -> Vec<(Value, Vec<String>)> {
    let path = path(&field.at);
    let name = path.rsplit('.').next().unwrap_or_default();
    let one = |value: Value, wording: String| (value, vec![format!("{path}{wording}")]);
    let no_type = |value: Value, kind: &str| one(value, format!(" in body must be of type {kind}"));
    let too_long = |most: &usize| format!(": Too long: may not be more than {most} bytes");
    match &field.domain {
        Domain::OneOf(values) => {
            let listed: Vec<String> = values.iter().map(|v| format!("\"{v}\"")).collect();
            let no = |value: &str| {
                one(
                    json!(value),
                    format!(
                        ": Unsupported value: \"{value}\": supported values: {}",
                        listed.join(", ")
                    ),
                )
            };
            let other_case = values[0].to_uppercase();
            let other = if values.contains(&other_case.as_str()) {
                "tcp"
            } else {
                &other_case
            };
            vec![no(""), no(other), no("2M"), no_type(json!(1), "string")]
        }
        Domain::Whole(from, to) => vec![
            one(
                json!(from - 1),
                format!(" in body should be greater than or equal to {from}"),
            ),
            one(
                json!(to + 1),
                format!(" in body should be less than or equal to {to}"),
            ),
            one(
                json!(1_i64 << 40),
                format!(" in body should be less than or equal to {to}"),
            ),
            no_type(json!("1"), "integer"),
            no_type(json!(""), "integer"),
            no_type(json!(1.5), "int32"),
        ],
        Domain::Span(from, to) => {
            let outside = || vec![format!("`{name}` must be between {from} and {to}")];
            let garbled = || format!(" in body should match '{DURATION}'");
            let below = match *from {
                "1s" => Some("999ms"),
                "4s" => Some("3s999ms"),
                "5s" => Some("4s999ms"),
                "1m" => Some("59s999ms"),
                _ => None,
            };
            let mut cases: Vec<_> = below.into_iter().map(|b| (json!(b), outside())).collect();
            cases.extend([
                (json!(format!("{to}1ms")), outside()),
                (json!("99999h"), outside()),
                one(json!(""), garbled()),
                one(json!("1d"), garbled()),
                one(json!("-1s"), garbled()),
                no_type(json!(60), "string"),
            ]);
            cases
        }
        Domain::Time => {
            let rule = || {
                vec![format!(
                    "`{name}` must be a time with an offset, from 2000 to 2199"
                )]
            };
            let mut cases: Vec<_> = [
                "1999-12-31T23:59:59.999999999Z",
                "2200-01-01T00:00:00Z",
                "2100-01-01T00:00:00.0000000001Z",
                "2100-01-01",
                "tomorrow",
                "",
            ]
            .map(|t| (json!(t), rule()))
            .to_vec();
            cases.push(no_type(json!(4_102_444_800_i64), "string"));
            cases
        }
        Domain::Switch => vec![
            no_type(json!("true"), "boolean"),
            no_type(json!(""), "boolean"),
            no_type(json!(1), "boolean"),
        ],
        Domain::Text(from, to, beginning) => {
            let mut cases = vec![
                one(text(to + 1, beginning), too_long(to)),
                no_type(json!(7), "string"),
            ];
            if *from > 0 {
                cases.push((
                    json!(""),
                    vec![
                        format!("{path} in body should be at least {from} chars long"),
                        format!("`{name}` must not be empty"),
                    ],
                ));
            }
            cases
        }
        Domain::Pattern(_, to, beginning, wrong) => vec![
            one(text(to + 1, beginning), too_long(to)),
            one(json!(""), " in body should ".to_owned()),
            one(json!(wrong), " in body should match '^".to_owned()),
            no_type(json!(7), "string"),
        ],
        Domain::AnyText => vec![no_type(json!(7), "string")],
        Domain::Port => vec![
            one(
                json!(0),
                " in body should be greater than or equal to 1".to_owned(),
            ),
            one(
                json!(65_536),
                " in body should be less than or equal to 65535".to_owned(),
            ),
            one(json!(""), " in body should match '^".to_owned()),
            one(json!("no_port"), " in body should match '^".to_owned()),
            one(text(16, ""), too_long(&15)),
            no_type(json!(true), "integer,string"),
        ],
        Domain::List(from, to, item) => {
            let mut cases = vec![
                one(
                    list(to + 1, *item),
                    format!(": Too many: {}: must have at most {to} items", to + 1),
                ),
                no_type(json!({}), "array"),
            ];
            if *from > 0 {
                cases.push(one(
                    json!([]),
                    format!(" in body should have at least {from} items"),
                ));
            }
            cases
        }
        Domain::Map(most, item) => vec![
            one(
                map(most + 1, *item),
                format!(": Too many: {}: must have at most {most} items", most + 1),
            ),
            no_type(json!([]), "object"),
        ],
        Domain::Group(needed) => {
            let mut cases = vec![no_type(json!("x"), "object"), no_type(json!([]), "object")];
            cases.extend(
                needed
                    .iter()
                    .map(|name| one(json!({}), format!(".{name}: Required value"))),
            );
            cases
        }
        Domain::Ruled(sentence) => vec![
            (json!({}), vec![(*sentence).to_owned()]),
            no_type(json!("x"), "object"),
        ],
    }
}
