//! What happens, put into effect: people who apply, edit and delete, and everything that goes wrong.

use http::Method;
use serde_json::{Value, json};
use webinar_api::labels;

use super::kubelet::SLOW;
use super::owners::path;
use super::{Key, World, named, text};
use crate::scenario::What;
use crate::server::{Answer, Call, Kind};
use crate::time::Moment;

/// Seconds until what a policy refused is tried again.
const REFUSAL: u64 = 300;

impl World {
    /// Puts a happening into effect.
    pub(super) fn begin(&mut self, what: &What) {
        match what {
            What::Create { webinar, start, spec } => {
                self.create_webinar(&named(webinar), *start, spec.clone());
            }
            What::Edit { webinar, start, spec } => {
                let key = named(webinar);
                let mut spec = spec.clone();
                if let Some(start) = start {
                    spec["startTime"] = json!(start.written());
                }
                let body = json!({"spec": spec});
                let path = path(Kind::Webinar, &key.0, &key.1);
                self.person(Method::PATCH, path, &body);
                self.checks.edited(&key, self.now);
            }
            What::Delete { webinar } => {
                let key = named(webinar);
                self.person(Method::DELETE, path(Kind::Webinar, &key.0, &key.1), &json!({}));
                self.checks.edited(&key, self.now);
            }
            What::Audience {
                webinar,
                people,
                over,
            } => self.audience(&named(webinar), *people, *over),
            What::Presenters { webinar, send, twice } => self.presenters(&named(webinar), *send, *twice),
            What::EditClass { class, spec } => {
                let path = format!("/apis/webinar-operator.io/v1alpha1/webinarclasses/{class}");
                self.person(Method::PATCH, path, &json!({"spec": spec}));
                self.checks.trouble(self.now, 0);
            }
            What::Quota { namespace, pods } => self.quota(namespace, *pods),
            What::DeletePod { webinar, nth } => {
                if let Some((namespace, name)) = self.bodies.nth(&named(webinar), *nth, |_| true) {
                    self.person(Method::DELETE, path(Kind::Pod, &namespace, &name), &json!({}));
                }
            }
            What::FailPod { webinar, nth } => {
                if let Some(key) = self.bodies.nth(&named(webinar), *nth, |b| b.node.is_some()) {
                    self.fail(&key);
                }
            }
            What::HangPod { webinar, nth, .. } => {
                if let Some(key) = self.bodies.nth(&named(webinar), *nth, |b| b.ready) {
                    self.hang(&key, true);
                }
            }
            What::LookAlike { webinar } => self.look_alike(&named(webinar)),
            What::NodeDown { node, lasts } => {
                if let Some(node) = self.nodes.nth(*node) {
                    self.node_down(node, Some(*lasts));
                }
            }
            What::NodeGone { node } => {
                if let Some(node) = self.nodes.nth(*node) {
                    self.node_down(node, None);
                }
            }
            What::ZoneDown { zone, lasts } => {
                for node in 0..self.nodes.all.len() {
                    if self.nodes.all[node].zone == *zone {
                        self.node_down(node, Some(*lasts));
                    }
                }
            }
            What::NodesSilent { percent, spread, .. } => self.nodes_silent(*percent, *spread),
            What::Crash { replica, lasts } => self.replicas.kill(*replica, self.now.after(*lasts)),
            What::Restart { replica, lasts } => self.replicas.stop(*replica, self.now.after(*lasts)),
            What::CrashAtWrite {
                replica,
                write,
                applied,
                lasts,
            } => {
                self.replicas.kill_at(*replica, *write, *applied, *lasts);
            }
            What::HoldWatch { replica, of, lasts } => {
                let until = self.now.after(*lasts);
                self.replicas.hold(*replica, *of, until);
            }
            What::BreakWatch { replica, of, stale } => self.replicas.break_watch(*replica, *of, *stale),
            What::ClockJump { replica, by } => self.replicas.jump(*replica, *by),
            What::Stall { webinar } => {
                let show = named(webinar);
                let active = self.led_to(&show, "ingest").map(|b| b.key.clone());
                if let Some(key) = active {
                    self.stall(&key);
                }
            }
            What::StallMid { webinar, nth } => {
                let mid = |b: &super::Body| b.label(labels::ROLE) == Some("mid");
                if let Some(key) = self.bodies.nth(&named(webinar), *nth, mid) {
                    self.stall(&key);
                }
            }
            What::StallRelay { webinar, nth, .. } => {
                if let Some(key) = self.bodies.nth(&named(webinar), *nth, super::Body::is_relay) {
                    self.stall(&key);
                }
            }
            What::MuteRelay { webinar, nth, .. } => {
                if let Some(key) = self.bodies.nth(&named(webinar), *nth, super::Body::is_relay) {
                    self.mute(&key);
                }
            }
            What::Foreign { webinar, entry, .. } => self.foreign(&named(webinar), entry),
            What::Unreadable { webinar, .. } => self.unreadable(&named(webinar)),
            // Looked at where it matters, as long as it lasts.
            What::NoImages { .. }
            | What::NoNodes { .. }
            | What::SlowPods { .. }
            | What::Outage { .. }
            | What::Refusals { .. }
            | What::LostAnswers { .. }
            | What::LostCalls { .. }
            | What::SlowCalls { .. }
            | What::Cut { .. }
            | What::StillPicture { .. }
            | What::PodsRefused { .. }
            | What::Lie { .. } => {}
        }
        if let Some(lasts) = what.lasts() {
            self.checks.trouble(self.now, lasts);
        }
    }

    /// What lasted is over.
    pub(super) fn end(&mut self, what: &What) {
        match what {
            What::HangPod { webinar, .. } => {
                let show = named(webinar);
                let hung: Vec<Key> = self
                    .bodies
                    .of(&show)
                    .filter(|b| b.hung)
                    .map(|b| b.key.clone())
                    .collect();
                for key in hung {
                    self.hang(&key, false);
                }
            }
            What::NodeDown { .. } | What::ZoneDown { .. } => {
                // Who is called back early by a calm.
                for node in 0..self.nodes.all.len() {
                    self.node_back(node);
                }
            }
            What::NodesSilent { .. } => self.nodes_heard(),
            What::StallRelay { webinar, .. } => self.unstall(&named(webinar)),
            What::MuteRelay { webinar, .. } => self.unmute(&named(webinar)),
            What::Foreign { webinar, entry, .. } => self.foreign_goes(&named(webinar), entry),
            What::Unreadable { webinar, .. } => self.readable(&named(webinar)),
            // A policy's refusal is tried again after minutes: somebody has to mend it first.
            What::PodsRefused { .. } => self.checks.trouble(self.now, REFUSAL),
            What::HoldWatch { replica, of, .. } => self.replicas.hold(*replica, *of, self.now),
            What::NoImages { .. } | What::NoNodes { .. } => self.schedule_pending(),
            // Who has begun to start slowly goes on so.
            What::SlowPods { .. } => self.checks.trouble(self.now, SLOW[1]),
            _ => {}
        }
    }

    fn create_webinar(&mut self, key: &Key, start: Option<Moment>, mut spec: Value) {
        if let Some(start) = start {
            spec["startTime"] = json!(start.written());
        }
        let body = json!({
            "apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar",
            "metadata": {"name": key.1, "namespace": key.0}, "spec": spec,
        });
        self.person(Method::POST, Kind::Webinar.path(&key.0), &body);
        self.checks.edited(key, self.now);
        self.shows.entry(key.clone()).or_default();
    }

    fn quota(&mut self, namespace: &str, pods: Option<u32>) {
        self.server.remove(Kind::ResourceQuota, namespace, "pods");
        if let Some(pods) = pods {
            let quota = json!({
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "pods", "namespace": namespace},
                "spec": {"hard": {"pods": pods.to_string()}}, "status": {"hard": {"pods": pods.to_string()}},
            });
            self.server.put(self.now.time(), Kind::ResourceQuota, quota);
        }
        self.checks.trouble(self.now, 0);
    }

    /// A Service of nobody in the way of a Webinar's.
    fn foreign(&mut self, show: &Key, entry: &str) {
        let body = json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("{}-{entry}", show.1), "namespace": show.0},
            "spec": {"selector": {"app": "another"}, "ports": [{"port": 80}]},
        });
        self.person(Method::POST, Kind::Service.path(&show.0), &body);
    }

    /// It is removed, if it was ever there.
    fn foreign_goes(&mut self, show: &Key, entry: &str) {
        let name = format!("{}-{entry}", show.1);
        let found = self.server.get(Kind::Service, &show.0, &name);
        if found.is_some_and(|service| super::owner(service).is_none()) {
            self.person(Method::DELETE, path(Kind::Service, &show.0, &name), &json!({}));
        }
    }

    /// A Webinar that was stored when other rules held.
    fn unreadable(&mut self, show: &Key) {
        let mut tier = Value::Null;
        self.server.update(Kind::Webinar, &show.0, &show.1, |webinar| {
            tier = std::mem::replace(&mut webinar["spec"]["tier"], json!("enormous"));
            edited(webinar);
        });
        self.unread.entry(show.clone()).or_insert(tier);
    }

    /// It is as it was, unless it was made anew.
    fn readable(&mut self, show: &Key) {
        let Some(tier) = self.unread.remove(show) else {
            return;
        };
        self.server.update(Kind::Webinar, &show.0, &show.1, |webinar| {
            if webinar["spec"]["tier"] == "enormous" {
                webinar["spec"]["tier"] = tier;
                edited(webinar);
            }
        });
    }

    /// A pod of nobody with the labels of a Webinar's first pod.
    fn look_alike(&mut self, show: &Key) {
        let Some(key) = self.bodies.nth(show, 0, |_| true) else {
            return;
        };
        let Some(found) = self.server.get(Kind::Pod, &key.0, &key.1) else {
            return;
        };
        let mut labels = found["metadata"]["labels"].clone();
        if let Some(labels) = labels.as_object_mut() {
            labels.remove(labels::APP_MANAGED_BY);
        }
        let body = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": format!("look-alike-{}", self.now.0), "namespace": show.0, "labels": labels},
            "spec": {"containers": [{"name": "media", "image": "example.com/media:1"}]},
        });
        self.person(Method::POST, Kind::Pod.path(&show.0), &body);
    }

    /// A call by somebody with `kubectl`.
    fn person(&mut self, method: Method, path: String, body: &Value) -> Answer {
        let call = Call::of("people", method, path, body);
        let answer = self.server.call(self.now.time(), &call);
        if answer.code >= 400 {
            let said = text(&answer.body, "/message").unwrap_or_default().to_owned();
            self.story.tell(self.now, "people", || {
                format!("{} {} is refused: {} {said}", call.method, call.path, answer.code)
            });
        }
        answer
    }
}

/// What is asked for of `webinar` has changed, although not through the API server as it is today.
fn edited(webinar: &mut Value) {
    let generation = webinar["metadata"]["generation"].as_i64().unwrap_or_default();
    webinar["metadata"]["generation"] = (generation + 1).into();
}
