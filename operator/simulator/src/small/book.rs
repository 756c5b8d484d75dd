//! The API server with an index of its past: what a watch showed at each version, in a form that is compared quickly.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use super::NOW;
use super::world::Pod;
use crate::operator::feed::kind;
use crate::scenario::Watch;
use crate::server::{Answer, Call, Change, Happened, Kind, Server};

/// Everything that hashes, hashed.
pub(super) fn hash(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// One change of the past.
#[derive(Debug, Clone)]
struct Entry {
    version: u64,
    kind: Kind,
    /// Namespace and name, hashed.
    key: u64,
    /// Of the object after it, version included; none: it is gone.
    digest: Option<u64>,
}

/// The API server and its past.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) server: Server,
    past: Vec<Entry>,
    /// The same after the same steps.
    pub(super) id: u64,
    prints: OnceLock<[u64; 2]>,
    pods: OnceLock<Vec<Pod>>,
}

impl Book {
    /// Of a server with all its past.
    pub(super) fn new(server: Server) -> Self {
        let mut book = Self {
            server,
            past: Vec::new(),
            id: 0,
            prints: OnceLock::new(),
            pods: OnceLock::new(),
        };
        book.enter(0);
        book
    }

    fn enter(&mut self, since: u64) {
        let from = self.past.len();
        for kind in Kind::ALL {
            for change in self.server.changes(kind, since).unwrap_or_default() {
                let meta = &change.object["metadata"];
                let gone = change.happened == Happened::Deleted;
                self.past.push(Entry {
                    version: change.version,
                    kind,
                    key: hash((meta["namespace"].as_str(), meta["name"].as_str())),
                    digest: (!gone).then(|| hash(change.object.to_string())),
                });
            }
        }
        self.past[from..].sort_by_key(|entry| entry.version);
    }

    /// Does something to the server.
    pub(super) fn write<T>(&mut self, f: impl FnOnce(&mut Server) -> T) -> T {
        let since = self.server.version();
        let done = f(&mut self.server);
        if self.server.version() != since {
            self.enter(since);
            self.prints = OnceLock::new();
            self.pods = OnceLock::new();
        }
        done
    }

    /// A call arrives.
    pub(super) fn call(&mut self, call: &Call) -> Answer {
        self.write(|server| server.call(NOW, call))
    }

    /// The version of the last change of what `watches` are of, none later than `until`.
    pub(super) fn last(&self, watches: &[Watch], until: u64) -> u64 {
        let mut past = self.past.iter().rev();
        let found = past.find(|e| e.version <= until && watches.iter().any(|w| kind(*w) == e.kind));
        found.map_or(0, |entry| entry.version)
    }

    /// Versions of all changes of what `watches` are of.
    pub(super) fn versions(&self, watches: &[Watch]) -> impl Iterator<Item = u64> {
        let past = self.past.iter();
        past.filter(|e| watches.iter().any(|w| kind(*w) == e.kind))
            .map(|e| e.version)
    }

    /// The same for the same objects at `version`.
    pub(super) fn shown(&self, of: Watch, version: u64) -> u64 {
        let past = self.past.iter().filter(|e| e.kind == kind(of));
        let mut objects = BTreeMap::new();
        for entry in past.take_while(|e| e.version <= version) {
            match entry.digest {
                Some(digest) => _ = objects.insert(entry.key, digest),
                None => _ = objects.remove(&entry.key),
            }
        }
        hash(objects)
    }

    /// The objects at `version`.
    pub(super) fn listed(&self, of: Watch, version: u64) -> Vec<Arc<Value>> {
        let mut objects = BTreeMap::new();
        let past = self.server.changes(kind(of), 0).unwrap_or_default();
        for change in past.iter().take_while(|c| c.version <= version) {
            let key = crate::world::key(&change.object);
            match change.happened {
                Happened::Deleted => _ = objects.remove(&key),
                Happened::Added | Happened::Modified => _ = objects.insert(key, Arc::clone(&change.object)),
            }
        }
        objects.into_values().collect()
    }

    /// What happened after `version`.
    pub(super) fn changes(&self, of: Watch, version: u64) -> Vec<Change> {
        self.server
            .changes(kind(of), version)
            .unwrap_or_default()
            .to_vec()
    }

    /// The same for the same objects now. With `past` also for the same past of pods.
    pub(super) fn print(&self, past: bool) -> u64 {
        self.prints
            .get_or_init(|| [false, true].map(|past| self.hashed(past)))[usize::from(past)]
    }

    /// All pods.
    pub(super) fn pods(&self) -> &[Pod] {
        self.pods
            .get_or_init(|| self.server.all(Kind::Pod).map(|o| Pod::of(o)).collect())
    }

    fn hashed(&self, past: bool) -> u64 {
        let mut objects = BTreeMap::new();
        for entry in &self.past {
            match entry.digest {
                Some(digest) => _ = objects.insert((entry.kind, entry.key), digest),
                None => _ = objects.remove(&(entry.kind, entry.key)),
            }
        }
        let pods = self.past.iter().filter(|e| past && e.kind == Kind::Pod);
        let pods: Vec<_> = pods.map(|e| (e.version, e.key, e.digest)).collect();
        hash((objects, pods))
    }
}
