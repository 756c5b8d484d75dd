//! Which UID and which version of the model is which of the real server, and what else may differ.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The real server's clock has whole seconds, and time passes between both calls.
const SECONDS_APART: i64 = 2;

/// What may differ, and why. Printed with each run.
pub(crate) const MASK: &[&str] = &[
    "metadata.uid and every mention of it: must be the same pair each time",
    "metadata.resourceVersion and every mention of it: must be the same pair each time, and in the same order",
    "a list's resourceVersion: on the real server everybody's writes count, so it must only be there",
    "metadata.managedFields: the model keeps them elsewhere; what they decide is compared",
    "times: at most 2 s apart, as the two are not asked in the same moment",
    "spec.clusterIP, spec.clusterIPs and nodePort of Services: both must have one, drawn at random",
    "null, which is as good as absent",
    "refused Webinars and WebinarClasses: the words may differ, and the real server may name more fields, as it goes on to judge rules when a number is too small",
    "the difference that the real server prints after `pod updates may not change fields`",
    "whole objects that a sentence quotes, which the real server prints by its own inner names",
    "causes that the real server tells twice",
    "the words of a body that can't be read (400)",
];

/// Pairs of the model's and the real server's names for the same thing.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    uids: BTreeMap<String, String>,
    real_uids: BTreeMap<String, String>,
    versions: BTreeMap<u64, u64>,
}

impl Pairs {
    /// The real server's UID.
    pub(crate) fn uid(&self, model: &str) -> Option<&str> {
        self.uids.get(model).map(String::as_str)
    }

    /// The real server's version.
    pub(crate) fn version(&self, model: u64) -> Option<u64> {
        self.versions.get(&model).copied()
    }

    fn same_uid(&mut self, model: &str, real: &str) -> bool {
        match (self.uids.get(model), self.real_uids.get(real)) {
            (Some(known), _) => known == real,
            (None, Some(_)) => false,
            (None, None) => {
                self.uids.insert(model.to_owned(), real.to_owned());
                self.real_uids.insert(real.to_owned(), model.to_owned());
                true
            }
        }
    }

    /// Both name the same version: known as a pair, or new and between its neighbours.
    fn same_version(&mut self, model: &str, real: &str) -> bool {
        let (Ok(model), Ok(real)) = (model.parse(), real.parse()) else {
            return false;
        };
        if let Some(known) = self.versions.get(&model) {
            return *known == real;
        }
        let below = self.versions.range(..model).next_back();
        let above = self.versions.range(model..).next();
        let fits = below.is_none_or(|(_, r)| *r < real) && above.is_none_or(|(_, r)| *r > real);
        if fits {
            self.versions.insert(model, real);
        }
        fits
    }

    /// Sentences that differ in UIDs and versions alone.
    fn same_sentence(&mut self, model: &str, real: &str) -> bool {
        let (model, real) = (essence(model), essence(real));
        let about_versions = model.contains("ResourceVersion");
        let (is, should) = (words(&model), words(&real));
        is.len() == should.len()
            && is
                .iter()
                .zip(&should)
                .all(|(m, r)| m == r || self.uid(m) == Some(r) || (about_versions && self.same_version(m, r)))
    }
}

/// A sentence without the object that it quotes, which the real server prints by its own inner names, and without the
/// difference between two pods.
fn essence(text: &str) -> String {
    let mut out = text.to_owned();
    if let Some(end) = out.find(NO_SUCH_UPDATE) {
        out.truncate(end + NO_SUCH_UPDATE.len());
    }
    if let (Some(from), Some(to)) = (out.find("Invalid value: {"), out.find("}: ")) {
        out.replace_range(from + "Invalid value: ".len()..to + 1, "…");
    }
    out
}

const NO_SUCH_UPDATE: &str = "(allow it to be set to 1 if it was previously negative)";

/// Letters, digits and hyphens in a row, and everything between.
fn words(text: &str) -> Vec<&str> {
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut out = Vec::new();
    let mut from = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        if last.is_some_and(|l| l != inside(c)) {
            out.push(&text[from..at]);
            from = at;
        }
        last = Some(inside(c));
    }
    out.push(&text[from..]);
    out
}

/// One comparison.
pub(crate) struct Comparison<'a> {
    pub(crate) pairs: &'a mut Pairs,
    /// Refusals may use other words.
    pub(crate) other_words: bool,
    pub(crate) found: Vec<String>,
}

impl Comparison<'_> {
    /// Everything that differs.
    pub(crate) fn compare(&mut self, model: &Value, real: &Value) {
        let status = real.get("kind") == Some(&"Status".into());
        let list = real.get("items").is_some();
        self.walk(&mut Vec::new(), model, real, status, list);
    }

    fn differ(&mut self, path: &[String], model: &Value, real: &Value) {
        self.found.push(format!(
            "{}: the model has {model}, the real server {real}",
            path.join(".")
        ));
    }

    fn walk(&mut self, path: &mut Vec<String>, model: &Value, real: &Value, status: bool, list: bool) {
        match (model, real) {
            (Value::Object(m), Value::Object(r)) => self.fields(path, m, r, status, list),
            (Value::Array(m), Value::Array(r)) => {
                if status && self.other_words && path.last().is_some_and(|p| p == "causes") {
                    let fields = |causes: &[Value]| -> Vec<String> {
                        let told = causes.iter().filter(|c| {
                            let said = c["message"].as_str().unwrap_or_default();
                            !said.contains("some validation rules were not checked")
                        });
                        told.map(|c| c["field"].to_string()).collect()
                    };
                    let (m, r) = (fields(m), fields(r));
                    if m.is_empty() || !m.iter().all(|field| r.contains(field)) {
                        self.differ(path, model, real);
                    }
                    return;
                }
                let told_once;
                let r = if status && path.last().is_some_and(|p| p == "causes") {
                    told_once = once(r);
                    &told_once
                } else {
                    r
                };
                if m.len() != r.len() {
                    return self.differ(path, model, real);
                }
                for (i, (m, r)) in m.iter().zip(r).enumerate() {
                    path.push(i.to_string());
                    self.walk(path, m, r, status, list);
                    path.pop();
                }
            }
            _ => self.leaf(path, model, real, status, list),
        }
    }

    fn fields(
        &mut self,
        path: &mut Vec<String>,
        model: &Map<String, Value>,
        real: &Map<String, Value>,
        status: bool,
        list: bool,
    ) {
        let keys: std::collections::BTreeSet<&String> = model.keys().chain(real.keys()).collect();
        for key in keys {
            let of = |fields: &Map<String, Value>| fields.get(key).cloned().unwrap_or_default();
            path.push(key.clone());
            self.walk(path, &of(model), &of(real), status, list);
            path.pop();
        }
    }

    fn leaf(&mut self, path: &[String], model: &Value, real: &Value, status: bool, list: bool) {
        let at: Vec<&str> = path.iter().map(String::as_str).collect();
        let alike = match (&at[..], model, real) {
            (["metadata", "resourceVersion"], Value::String(_), Value::String(_)) if list => true,
            ([.., "metadata", "resourceVersion"], Value::String(m), Value::String(r)) => {
                self.pairs.same_version(m, r)
            }
            ([.., "metadata" | "details", "uid"], Value::String(m), Value::String(r)) => {
                self.pairs.same_uid(m, r)
            }
            ([.., "clusterIP" | "nodePort"] | [.., "clusterIPs", _], m, r) => {
                !m.is_null() && std::mem::discriminant(m) == std::mem::discriminant(r)
            }
            ([.., "message"], Value::String(m), Value::String(r)) if status => {
                self.other_words || self.pairs.same_sentence(m, r)
            }
            (_, Value::String(m), Value::String(r)) => m == r || self.pairs.uid(m) == Some(r) || close(m, r),
            (_, m, r) => m == r,
        };
        if !alike {
            self.differ(path, model, real);
        }
    }
}

fn once(causes: &[Value]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for cause in causes {
        if !out.contains(cause) {
            out.push(cause.clone());
        }
    }
    out
}

fn close(model: &str, real: &str) -> bool {
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let (Some(model), Some(real)) = (time(model), time(real)) else {
        return false;
    };
    model.duration_since(real).abs().as_secs() <= SECONDS_APART
}
