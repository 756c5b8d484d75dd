//! Where Services lead, and the EndpointSlices of those that the operator looks at.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use webinar_api::labels;

use super::{Body, Key, SERVICE_NAME, Timer, World, label, text};
use crate::server::{Change, Happened, Kind};

/// A Service of a Webinar.
#[derive(Debug, Clone)]
struct Route {
    /// Name of the Webinar that its labels name.
    show: String,
    /// Which address it is, such as `ingest`.
    entry: String,
    selector: BTreeMap<String, String>,
}

/// Where Services lead.
#[derive(Debug, Clone, Default)]
pub(crate) struct Routes(BTreeMap<Key, Route>);

impl Routes {
    /// Selectors of the addresses of a Webinar, of those that `which` names.
    pub(super) fn of<'a>(
        &'a self,
        show: &'a Key,
        which: impl Fn(&str) -> bool + 'a,
    ) -> impl Iterator<Item = &'a BTreeMap<String, String>> {
        let of_it = move |(key, route): &(&Key, &Route)| key.0 == show.0 && route.show == show.1;
        self.0
            .iter()
            .filter(of_it)
            .filter(move |(_, route)| which(&route.entry))
            .map(|(_, route)| &route.selector)
    }
}

impl World {
    pub(super) fn service_changed(&mut self, change: &Change) {
        let key = super::key(&change.object);
        if change.happened == Happened::Deleted {
            self.routes.0.remove(&key);
            self.slices_follow();
            return;
        }
        let entry = label(&change.object, labels::ENTRY);
        let Some(entry) = entry else { return };
        let selector = change.object["spec"]["selector"].as_object();
        let pairs = selector.into_iter().flatten();
        let route = Route {
            show: label(&change.object, labels::WEBINAR)
                .unwrap_or_default()
                .to_owned(),
            entry: entry.to_owned(),
            selector: pairs
                .filter_map(|(k, v)| Some((k.clone(), v.as_str()?.to_owned())))
                .collect(),
        };
        self.routes.0.insert(key, route);
        self.slices_follow();
    }

    /// EndpointSlices are written again soon.
    pub(super) fn slices_follow(&mut self) {
        if !std::mem::replace(&mut self.slices_due, true) {
            let wait = self.between([1, 8]);
            self.set(wait, Timer::Slices);
        }
    }

    pub(super) fn write_slices(&mut self) {
        self.slices_due = false;
        let stage = |route: &Route| matches!(route.entry.as_str(), "ingest" | "origin");
        let services: Vec<(Key, Route)> = self
            .routes
            .0
            .iter()
            .filter(|(_, r)| stage(r))
            .map(|(k, r)| (k.clone(), r.clone()))
            .collect();
        for (key, route) in services {
            self.write_slice(&key, &route);
        }
        let gone: Vec<Key> = self
            .server
            .all(Kind::EndpointSlice)
            .filter(|s| {
                let service = label(s, SERVICE_NAME).unwrap_or_default().to_owned();
                !self.routes.0.contains_key(&(super::key(s).0, service))
            })
            .map(|s| super::key(s))
            .collect();
        for (namespace, name) in gone {
            self.server.remove(Kind::EndpointSlice, &namespace, &name);
        }
    }

    fn write_slice(&mut self, (namespace, service): &Key, route: &Route) {
        let name = format!("{service}-slice");
        let show = (namespace.clone(), route.show.clone());
        let endpoints: Vec<Value> = self
            .bodies
            .of(&show)
            .filter(|b| b.matches(&route.selector) && b.node.is_some() && (b.running || b.ready))
            .map(|b| {
                json!({
                    "addresses": ["10.64.0.1"],
                    "conditions": {"ready": b.ready && !b.going, "serving": b.ready, "terminating": b.going},
                    "targetRef": {"kind": "Pod", "name": b.key.1, "namespace": b.key.0, "uid": b.uid},
                })
            })
            .collect();
        let Some(owner) = self.server.get(Kind::Service, namespace, service) else {
            return;
        };
        let uid = text(owner, "/metadata/uid").unwrap_or_default().to_owned();
        let mut labels = owner["metadata"]["labels"].clone();
        labels[SERVICE_NAME] = json!(service);
        let stored = self.server.get(Kind::EndpointSlice, namespace, &name);
        let same =
            stored.is_some_and(|s| s["endpoints"] == json!(endpoints) && s["metadata"]["labels"] == labels);
        if same {
            return;
        }
        if stored.is_some() {
            self.server
                .update(Kind::EndpointSlice, namespace, &name, |slice| {
                    slice["endpoints"] = json!(endpoints);
                    slice["metadata"]["labels"] = labels;
                });
            return;
        }
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "ports": [],
            "metadata": {
                "name": name, "namespace": namespace, "labels": labels,
                "ownerReferences": [{
                    "apiVersion": "v1", "kind": "Service", "name": service, "uid": uid, "controller": true,
                    "blockOwnerDeletion": true,
                }],
            },
            "endpoints": endpoints,
        });
        self.server.put(self.now.time(), Kind::EndpointSlice, slice);
    }

    /// Pods that new viewers of an event are sent to.
    pub(super) fn open(&self, show: &Key) -> Vec<Key> {
        let selectors: Vec<_> = self
            .routes
            .of(show, |entry| entry.starts_with("viewers"))
            .collect();
        let takes = |b: &&Body| b.ready && !b.going && self.up(b) && selectors.iter().any(|s| b.matches(s));
        self.bodies
            .of(show)
            .filter(takes)
            .map(|b| b.key.clone())
            .collect()
    }

    /// The machine it is on answers.
    pub(super) fn up(&self, body: &Body) -> bool {
        body.node.is_some_and(|n| self.nodes.all[n].up)
    }
}
