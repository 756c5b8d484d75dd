//! Pods as machines and people know them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use webinar_api::labels;

use super::{Key, label, owner, text};

/// One pod.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    /// Namespace and name.
    pub(crate) key: Key,
    /// UID.
    pub(crate) uid: String,
    /// UID of its Webinar; none: it is nobody's.
    pub(crate) webinar: Option<String>,
    /// Name of the Webinar that its labels name.
    pub(crate) show: String,
    /// Labels that Services select by.
    pub(crate) labels: BTreeMap<String, String>,
    /// Most viewers that it takes.
    pub(crate) most: u32,
    /// The machine it is on.
    pub(crate) node: Option<usize>,
    /// Its Ready condition.
    pub(crate) ready: bool,
    /// It runs, and would be Ready if nobody kept it from it.
    pub(crate) running: bool,
    /// It has failed for good.
    pub(crate) failed: bool,
    /// It is on its way out.
    pub(crate) going: bool,
    /// It waits for a node, and was told so.
    pub(crate) pending: bool,
    /// It is kept from being Ready.
    pub(crate) hung: bool,
    /// People who watch through it.
    pub(crate) viewers: u32,
    /// Bytes received, bytes sent, and when that was counted last.
    pub(crate) bytes: (u64, u64, u64),
}

impl Body {
    pub(super) fn of(object: &Arc<Value>) -> Self {
        let key = super::key(object);
        let env = object["spec"]["containers"][0]["env"].as_array();
        let most = env.and_then(|env| {
            let found = env.iter().find(|e| e["name"] == "WEBINAR_MAX_VIEWERS")?;
            found["value"].as_str()?.parse().ok()
        });
        let mut body = Self {
            uid: text(object, "/metadata/uid").unwrap_or_default().to_owned(),
            webinar: owner(object).map(str::to_owned),
            show: label(object, labels::WEBINAR).unwrap_or_default().to_owned(),
            labels: BTreeMap::new(),
            most: most.unwrap_or(0),
            node: None,
            ready: false,
            running: false,
            failed: false,
            going: false,
            pending: false,
            hung: false,
            viewers: 0,
            bytes: (0, 0, 0),
            key,
        };
        body.see(object);
        body
    }

    /// Its labels name this Webinar: `namespace/name`.
    pub(super) fn is_of(&self, webinar: &str) -> bool {
        super::named(webinar) == (self.key.0.clone(), self.show.clone())
    }

    /// What others may have changed.
    pub(super) fn see(&mut self, object: &Value) {
        let labels = object["metadata"]["labels"].as_object();
        let pairs = labels.into_iter().flatten();
        self.labels = pairs
            .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
            .collect();
        self.going = object["metadata"].get("deletionTimestamp").is_some();
    }

    /// A label.
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// Its slot, such as `relay-3`; none: it was declared lost.
    pub(crate) fn slot(&self) -> Option<&str> {
        self.label(labels::SLOT)
    }

    /// It is a relay.
    pub(crate) fn is_relay(&self) -> bool {
        self.label(labels::ROLE) == Some("relay")
    }

    /// It carries what `selector` asks for.
    pub(crate) fn matches(&self, selector: &BTreeMap<String, String>) -> bool {
        selector.iter().all(|(k, v)| self.labels.get(k) == Some(v))
    }

    /// Neither ended nor on its way out.
    pub(crate) fn alive(&self) -> bool {
        !self.going && !self.failed
    }
}

/// All pods.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bodies {
    /// By namespace and name.
    pub(crate) all: BTreeMap<Key, Body>,
    by_uid: BTreeMap<String, Key>,
}

impl Bodies {
    pub(super) fn insert(&mut self, body: Body) {
        self.by_uid.insert(body.uid.clone(), body.key.clone());
        self.all.insert(body.key.clone(), body);
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Body> {
        let body = self.all.remove(key)?;
        self.by_uid.remove(&body.uid);
        Some(body)
    }

    /// The very pod.
    pub(crate) fn by_uid(&self, uid: &str) -> Option<&Body> {
        self.all.get(self.by_uid.get(uid)?)
    }

    /// The very pod.
    pub(super) fn by_uid_mut(&mut self, uid: &str) -> Option<&mut Body> {
        self.all.get_mut(self.by_uid.get(uid)?)
    }

    /// Pods whose labels name a Webinar.
    pub(crate) fn of(&self, (namespace, name): &Key) -> impl Iterator<Item = &Body> {
        let here = self.all.range((namespace.clone(), String::new())..);
        here.take_while(move |(key, _)| key.0 == *namespace)
            .map(|(_, body)| body)
            .filter(move |body| body.show == *name)
    }

    /// The how-many-th living one of a Webinar, of those that `which` names.
    pub(super) fn nth(&self, show: &Key, nth: usize, which: impl Fn(&Body) -> bool) -> Option<Key> {
        let there: Vec<&Body> = self.of(show).filter(|b| b.alive() && which(b)).collect();
        (!there.is_empty()).then(|| there[nth % there.len()].key.clone())
    }
}
