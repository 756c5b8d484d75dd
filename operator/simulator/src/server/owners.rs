//! Who owns which field: what `metadata.managedFields` holds on the API server, as far as server-side apply needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::kind::Kind;

/// Who writes without a name of its own.
pub(super) const OTHERS: &str = "controllers";

/// One step of the way to a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A field of an object.
    Field(String),
    /// An item of a list, by the fields that name it, as JSON.
    Item(String),
}

/// The way to a field.
pub(super) type Path = Vec<Step>;

/// Fields.
pub(super) type Set = BTreeSet<Path>;

/// Who owns fields: a manager, by apply or by other writes, through the object or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) manager: String,
    pub(super) applies: bool,
    pub(super) sub: String,
}

/// The owners of an object's fields. Of kinds that nobody applies nothing is remembered.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Owners(Option<Arc<BTreeMap<Owner, Set>>>);

/// How a list or a map is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Field by field, or a value.
    Granular,
    /// As a whole.
    Atomic,
    /// A list of objects that these fields name.
    By(&'static [&'static str]),
    /// A list of values, each at most once.
    Unique,
}

/// How the field at `path` is merged. `path` has fields only, without the items between.
pub(super) fn merge(kind: Kind, path: &[&str]) -> Merge {
    match (kind, path) {
        (_, ["metadata", "ownerReferences"]) => Merge::By(&["uid"]),
        (_, ["metadata", "ownerReferences", ..]) => Merge::Atomic,
        (_, ["metadata", "finalizers"]) => Merge::Unique,
        (Kind::Service, ["spec", "ports"]) => Merge::By(&["port", "protocol"]),
        (_, ["status", "conditions"]) => Merge::By(&["type"]),
        (
            Kind::Service,
            [
                "spec",
                "selector" | "clusterIPs" | "externalIPs" | "ipFamilies" | "loadBalancerSourceRanges",
            ]
            | ["status", "loadBalancer", "ingress"],
        )
        | (Kind::PodDisruptionBudget, ["spec", "selector"]) => Merge::Atomic,
        _ => Merge::Granular,
    }
}

/// The item's name in its list, as JSON.
pub(super) fn item(keys: &[&str], item: &Value) -> String {
    let named: Map<String, Value> = keys
        .iter()
        .map(|key| {
            let value = item.get(*key).cloned();
            let value = value.unwrap_or_else(|| {
                if *key == "protocol" {
                    "TCP".into()
                } else {
                    Value::Null
                }
            });
            ((*key).to_owned(), value)
        })
        .collect();
    Value::Object(named).to_string()
}

/// Every field with its value; items of lists are there without one.
pub(super) fn flatten(kind: Kind, object: &Value) -> BTreeMap<Path, Option<Value>> {
    let mut out = BTreeMap::new();
    walk(kind, object, &mut Vec::new(), &mut Vec::new(), &mut out);
    out
}

fn walk<'a>(
    kind: Kind,
    value: &'a Value,
    names: &mut Vec<&'a str>,
    path: &mut Path,
    out: &mut BTreeMap<Path, Option<Value>>,
) {
    if nobody_owns(names) {
        return;
    }
    match (value, merge(kind, names)) {
        (Value::Object(fields), Merge::Granular) if !fields.is_empty() => {
            for (key, inner) in fields {
                names.push(key);
                path.push(Step::Field(key.clone()));
                walk(kind, inner, names, path, out);
                path.pop();
                names.pop();
            }
        }
        (Value::Array(items), Merge::By(keys)) => {
            for inner in items {
                path.push(Step::Item(item(keys, inner)));
                out.insert(path.clone(), None);
                names.push("*");
                walk(kind, inner, names, path, out);
                names.pop();
                path.pop();
            }
        }
        (Value::Array(items), Merge::Unique) => {
            for inner in items {
                path.push(Step::Item(inner.to_string()));
                out.insert(path.clone(), None);
                path.pop();
            }
        }
        _ => _ = out.insert(path.clone(), Some(value.clone())),
    }
}

/// Fields that the API server keeps for itself.
fn nobody_owns(names: &[&str]) -> bool {
    matches!(
        names,
        ["apiVersion" | "kind"]
            | [
                "metadata",
                "name"
                    | "namespace"
                    | "uid"
                    | "resourceVersion"
                    | "creationTimestamp"
                    | "generation"
                    | "managedFields"
            ]
    )
}

/// Paths, and the fields that lead to them. Items on the way count only if they are in the set themselves.
pub(super) fn with_parents(set: &Set) -> Set {
    let parents = set.iter().flat_map(|path| {
        let inner = (1..path.len()).filter(|n| matches!(path[n - 1], Step::Field(_)));
        inner.chain([path.len()]).map(|n| path[..n].to_vec())
    });
    parents.collect()
}

/// What a write through the object itself or its status can change.
fn reaches(path: &Path, sub: &str) -> bool {
    let first = path.first();
    let is = |name: &str| first == Some(&Step::Field(name.to_owned()));
    if sub == "status" {
        !is("spec")
    } else {
        !is("status")
    }
}

impl Owners {
    /// Of an object that `manager` creates.
    pub(super) fn created(kind: Kind, manager: &str, object: &Value) -> Self {
        Self::default().updated(kind, manager, "", &Value::Null, object)
    }

    /// After `manager` has changed `old` to `new`.
    pub(super) fn updated(&self, kind: Kind, manager: &str, sub: &str, old: &Value, new: &Value) -> Self {
        if !kind.rules().managed {
            return Self::default();
        }
        let changed = Changed::between(kind, sub, old, new);
        let mut all = self.all();
        changed.take_from(&mut all);
        let owner = Owner {
            manager: manager.to_owned(),
            applies: false,
            sub: sub.to_owned(),
        };
        all.entry(owner).or_default().extend(changed.written);
        Self::of(all)
    }

    pub(super) fn all(&self) -> BTreeMap<Owner, Set> {
        self.0.as_deref().cloned().unwrap_or_default()
    }

    pub(super) fn of(mut all: BTreeMap<Owner, Set>) -> Self {
        all.retain(|_, set| !set.is_empty());
        Self((!all.is_empty()).then(|| Arc::new(all)))
    }
}

/// What differs between two objects.
#[derive(Debug)]
pub(super) struct Changed {
    written: Set,
    removed: Set,
}

impl Changed {
    pub(super) fn between(kind: Kind, sub: &str, old: &Value, new: &Value) -> Self {
        let (old, new) = (flatten(kind, old), flatten(kind, new));
        let written = new.iter().filter(|(path, value)| old.get(*path) != Some(value));
        let removed = old.keys().filter(|path| !new.contains_key(*path));
        Self {
            written: written
                .map(|(path, _)| path.clone())
                .filter(|p| reaches(p, sub))
                .collect(),
            removed: removed.filter(|p| reaches(p, sub)).cloned().collect(),
        }
    }

    /// Who owned what was changed owns it no longer.
    pub(super) fn take_from(&self, all: &mut BTreeMap<Owner, Set>) {
        for set in all.values_mut() {
            set.retain(|path| !self.written.contains(path) && !self.removed.contains(path));
        }
    }

    /// The same for all but one.
    pub(super) fn take_from_others(&self, all: &mut BTreeMap<Owner, Set>, owner: &Owner) {
        for (who, set) in all.iter_mut() {
            set.retain(|path| {
                !(self.removed.contains(path) || (who != owner && self.written.contains(path)))
            });
        }
    }
}
