//! What is stored, and its history.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::kind::Kind;
use super::owners::Owners;
use super::value::{meta_mut, name, said};
use super::{Change, Happened};

/// An object, and who owns which of its fields.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) object: Arc<Value>,
    pub(super) owners: Owners,
    /// The status that is shown is a default that was never written: the next change writes it, even one that changes
    /// nothing.
    pub(super) bare: bool,
}

/// All objects of all kinds.
#[derive(Debug, Clone, Default)]
pub(super) struct Store {
    shelves: [Shelf; Kind::ALL.len()],
    version: u64,
    made: u64,
    forgotten: u64,
}

/// The objects of one kind, by namespace and name as etcd orders them, and what happened to them.
#[derive(Debug, Clone, Default)]
struct Shelf {
    objects: BTreeMap<String, Stored>,
    changes: Vec<Change>,
}

fn key(namespace: &str, name: &str) -> String {
    if namespace.is_empty() {
        return name.to_owned();
    }
    let mut key = String::with_capacity(namespace.len() + name.len() + 1);
    key.push_str(namespace);
    key.push('/');
    key.push_str(name);
    key
}

impl Store {
    fn shelf(&self, kind: Kind) -> &Shelf {
        &self.shelves[kind as usize]
    }

    /// The object of this name.
    pub(super) fn find(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Stored> {
        self.shelf(kind).objects.get(&key(namespace, name))
    }

    /// The objects of one namespace, or all with an empty one.
    pub(super) fn within(&self, kind: Kind, namespace: &str) -> impl Iterator<Item = &Arc<Value>> {
        let objects = &self.shelf(kind).objects;
        let found = if namespace.is_empty() {
            objects.range::<str, _>(..)
        } else {
            // `0` follows `/`.
            let (from, to) = (key(namespace, ""), format!("{namespace}0"));
            objects.range(from..to)
        };
        found.map(|(_, stored)| &stored.object)
    }

    /// Stores an object under a new version.
    pub(super) fn keep(&mut self, kind: Kind, mut object: Value, owners: Owners) -> Arc<Value> {
        self.version += 1;
        meta_mut(&mut object).insert("resourceVersion".to_owned(), self.version.to_string().into());
        let key = key(said(&object, "namespace"), name(&object));
        let object = Arc::new(object);
        let stored = Stored {
            object: Arc::clone(&object),
            owners,
            bare: false,
        };
        let shelf = &mut self.shelves[kind as usize];
        let before = shelf.objects.insert(key, stored).map(|s| s.object);
        shelf.changes.push(Change {
            version: self.version,
            happened: if before.is_some() {
                Happened::Modified
            } else {
                Happened::Added
            },
            kind,
            object: Arc::clone(&object),
            before,
        });
        object
    }

    /// Stores an object that somebody has created.
    pub(super) fn add(&mut self, kind: Kind, object: Value, owners: Owners) -> Arc<Value> {
        let object = self.keep(kind, object, owners);
        let key = key(said(&object, "namespace"), name(&object));
        if let Some(stored) = self.shelves[kind as usize].objects.get_mut(&key) {
            stored.bare = kind.custom();
        }
        object
    }

    /// Takes an object away, and gives it as it last was, with the version of its end.
    pub(super) fn take(&mut self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let shelf = &mut self.shelves[kind as usize];
        let before = shelf.objects.remove(&key(namespace, name))?.object;
        self.version += 1;
        let mut last = Value::clone(&before);
        meta_mut(&mut last).insert("resourceVersion".to_owned(), self.version.to_string().into());
        let object = Arc::new(last);
        shelf.changes.push(Change {
            version: self.version,
            happened: Happened::Deleted,
            kind,
            object: Arc::clone(&object),
            before: Some(before),
        });
        Some(object)
    }

    /// A UID that no object had.
    pub(super) fn uid(&mut self) -> String {
        self.made += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.made)
    }

    /// Something was written that is not kept.
    pub(super) fn pass_by(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn changes(&self, kind: Kind, version: u64) -> Option<&[Change]> {
        let changes = &self.shelf(kind).changes;
        let seen = changes.partition_point(|c| c.version <= version);
        (version >= self.forgotten).then(|| &changes[seen..])
    }

    pub(super) fn compact(&mut self, version: u64) {
        self.forgotten = self.forgotten.max(version.min(self.version));
        for shelf in &mut self.shelves {
            let old = shelf.changes.partition_point(|c| c.version <= self.forgotten);
            shelf.changes.drain(..old);
        }
    }
}
