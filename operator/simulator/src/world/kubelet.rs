//! Kubelets: pull, start, tell how it stands, shut down.

use serde_json::{Value, json};

use super::{Key, Timer, World};
use crate::scenario::What;
use crate::server::Kind;
use crate::time::SECOND;

/// Seconds from start to Ready of a container that starts slowly: at least and at most.
pub(super) const SLOW: [u64; 2] = [60, 240];

/// A condition as Kubernetes writes it.
pub(super) fn condition(kind: &str, is: bool, since: &str) -> Value {
    json!({"type": kind, "status": if is { "True" } else { "False" }, "lastTransitionTime": since})
}

/// Puts a condition in the place of the one of its type.
pub(super) fn set_condition(pod: &mut Value, condition: Value) {
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = pod["status"]["conditions"].as_array_mut() else {
        return;
    };
    match conditions.iter_mut().find(|c| c["type"] == condition["type"]) {
        Some(found) if found["status"] == condition["status"] => {}
        Some(found) => *found = condition,
        None => conditions.push(condition),
    }
}

impl World {
    /// How long until the image is on a node.
    pub(super) fn pull(&mut self, node: usize) -> u64 {
        if self.nodes.all[node].pulled {
            return self.between([1, SECOND]);
        }
        let [least, most] = self.scenario.cluster.pull;
        self.between([least * SECOND, most * SECOND])
    }

    pub(super) fn pulled(&mut self, key: &Key, uid: &str) {
        let Some(node) = self.here(key, uid).and_then(|b| b.node) else {
            return;
        };
        let written = self.now.written();
        if !self.nodes.all[node].heard() {
            // Whoever comes back begins anew.
            self.set(10 * SECOND, Timer::Pulled(key.clone(), uid.to_owned()));
            return;
        }
        if !self.nodes.all[node].pulled && self.lasts(|w| matches!(w, What::NoImages { .. })) {
            self.server.update(Kind::Pod, &key.0, &key.1, |pod| {
                pod["status"]["containerStatuses"] = json!([{
                    "name": "media", "ready": false, "restartCount": 0, "image": "example.com/media:1", "imageID": "",
                    "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}},
                }]);
            });
            self.set(10 * SECOND, Timer::Pulled(key.clone(), uid.to_owned()));
            return;
        }
        self.nodes.all[node].pulled = true;
        let address = format!("10.64.{}.{}", uid.len() % 250, node % 250 + 1);
        self.server.update(Kind::Pod, &key.0, &key.1, |pod| {
            pod["status"]["phase"] = json!("Running");
            pod["status"]["podIP"] = json!(address);
            if let Some(status) = pod["status"].as_object_mut() {
                status.remove("containerStatuses");
            }
            set_condition(pod, condition("Ready", false, &written));
        });
        let [least, most] = if self.lasts(|w| matches!(w, What::SlowPods { .. })) {
            SLOW
        } else {
            self.scenario.cluster.startup
        };
        let wait = self.between([least * SECOND, most * SECOND]);
        self.set(wait, Timer::Ready(key.clone(), uid.to_owned()));
    }

    pub(super) fn becomes_ready(&mut self, key: &Key, uid: &str) {
        let Some(body) = self.here(key, uid) else { return };
        if body.failed || body.going {
            return;
        }
        let (hung, node) = (body.hung, body.node);
        let heard = node.is_some_and(|n| self.nodes.all[n].heard());
        if let Some(body) = self.bodies.all.get_mut(key) {
            body.running = true;
        }
        if !heard || hung {
            self.set(2 * SECOND, Timer::Ready(key.clone(), uid.to_owned()));
            return;
        }
        self.write_ready(key, true);
    }

    fn write_ready(&mut self, key: &Key, is: bool) {
        let written = self.now.written();
        if let Some(body) = self.bodies.all.get_mut(key) {
            body.ready = is;
        }
        self.server.update(Kind::Pod, &key.0, &key.1, |pod| {
            set_condition(pod, condition("Ready", is, &written));
            set_condition(pod, condition("ContainersReady", is, &written));
        });
        self.slices_follow();
    }

    /// The node controller says of a pod on a lost node that it is not Ready; its containers may be.
    pub(super) fn not_ready(&mut self, key: &Key) {
        let Some(body) = self.bodies.all.get_mut(key).filter(|b| b.ready) else {
            return;
        };
        body.ready = false;
        let written = self.now.written();
        self.server.update(Kind::Pod, &key.0, &key.1, |pod| {
            set_condition(pod, condition("Ready", false, &written));
        });
        self.slices_follow();
    }

    /// Its node answers again.
    pub(super) fn pod_back(&mut self, key: &Key) {
        let Some(body) = self.bodies.all.get(key) else {
            return;
        };
        if body.going {
            self.shut_down(key);
        } else if body.running && !body.failed && !body.hung {
            self.write_ready(key, true);
        }
    }

    /// A pod is on its way out.
    pub(super) fn shut_down(&mut self, key: &Key) {
        let Some(body) = self.bodies.all.get(key) else {
            return;
        };
        let (uid, node) = (body.uid.clone(), body.node);
        if node.is_some_and(|n| !self.nodes.all[n].heard()) {
            return;
        }
        let wait = self.between([1, 3 * SECOND]);
        self.set(wait, Timer::Killed(key.clone(), uid));
    }

    pub(super) fn killed(&mut self, key: &Key, uid: &str) {
        let Some(body) = self.here(key, uid).filter(|b| b.going) else {
            return;
        };
        if body.node.is_some_and(|n| !self.nodes.all[n].heard()) {
            return;
        }
        self.server.remove(Kind::Pod, &key.0, &key.1);
    }

    /// It fails for good.
    pub(super) fn fail(&mut self, key: &Key) {
        let Some(body) = self
            .bodies
            .all
            .get_mut(key)
            .filter(|b| b.alive() && b.node.is_some())
        else {
            return;
        };
        (body.failed, body.ready, body.running) = (true, false, false);
        let uid = body.uid.clone();
        let written = self.now.written();
        self.cut_off_viewers(key);
        self.server.update(Kind::Pod, &key.0, &key.1, |pod| {
            pod["status"]["phase"] = json!("Failed");
            set_condition(pod, condition("Ready", false, &written));
            set_condition(pod, condition("ContainersReady", false, &written));
        });
        self.publisher_lost(&uid);
        self.slices_follow();
    }

    /// It is kept from being Ready, or no longer.
    pub(super) fn hang(&mut self, key: &Key, is: bool) {
        let Some(body) = self.bodies.all.get_mut(key) else {
            return;
        };
        body.hung = is;
        let (running, ready, heard) = (
            body.running,
            body.ready,
            body.node.is_some_and(|n| self.nodes.all[n].heard()),
        );
        if is && ready {
            self.cut_off_viewers(key);
            self.write_ready(key, false);
        } else if !is && running && heard && !ready {
            self.write_ready(key, true);
        }
    }

    fn here(&self, key: &Key, uid: &str) -> Option<&super::Body> {
        self.bodies.all.get(key).filter(|b| b.uid == uid)
    }
}
