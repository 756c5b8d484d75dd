//! The scheduler: each pod gets a node in the zone where the fewest of its Webinar's are.

use std::sync::Arc;

use serde_json::{Value, json};

use super::kubelet::{condition, set_condition};
use super::pods::Body;
use super::{Key, Timer, World};
use crate::server::{Change, Happened, Kind};
use crate::time::SECOND;

impl World {
    pub(super) fn pod_changed(&mut self, change: &Change) {
        let object: &Arc<Value> = &change.object;
        let key = super::key(object);
        match change.happened {
            Happened::Added => {
                self.bodies.insert(Body::of(object));
                let wait = self.between([1, 5]);
                self.set(wait, Timer::Schedule(key));
            }
            Happened::Modified => {
                let Some(body) = self.bodies.all.get_mut(&key) else {
                    return;
                };
                let was_going = body.going;
                body.see(object);
                if body.going && !was_going {
                    self.shut_down(&key);
                }
                self.slices_follow();
            }
            Happened::Deleted => {
                self.cut_off_viewers(&key);
                let Some(body) = self.bodies.remove(&key) else {
                    return;
                };
                self.stalled.remove(&body.uid);
                if let Some(node) = body.node {
                    self.nodes.leave(node, &key);
                    self.look_again(1);
                }
                self.publisher_lost(&body.uid);
                self.slices_follow();
            }
        }
    }

    /// Finds a node, or says that there is none.
    pub(super) fn schedule(&mut self, key: &Key) {
        let Some(body) = self.bodies.all.get(key).filter(|b| b.node.is_none() && b.alive()) else {
            return;
        };
        let (uid, webinar) = (body.uid.clone(), body.webinar.clone());
        let bodies = &self.bodies;
        let place = self
            .nodes
            .place(|other| bodies.all.get(other).is_some_and(|b| b.webinar == webinar));
        let written = self.now.written();
        let Some(node) = place else {
            self.cover.reach("world", "no node has room");
            self.no_room(key, &written);
            return;
        };
        self.nodes.all[node].pods.push(key.clone());
        if let Some(body) = self.bodies.all.get_mut(key) {
            (body.node, body.pending) = (Some(node), false);
        }
        self.server.update(Kind::Pod, &key.0, &key.1, |pod| {
            pod["spec"]["nodeName"] = json!(format!("node-{node}"));
            set_condition(pod, condition("PodScheduled", true, &written));
            set_condition(pod, condition("Ready", false, &written));
            set_condition(pod, condition("ContainersReady", false, &written));
            pod["status"]["startTime"] = json!(written);
            pod["status"]["phase"] = json!("Pending");
        });
        let wait = self.pull(node);
        self.set(wait, Timer::Pulled(key.clone(), uid));
    }

    fn no_room(&mut self, key: &Key, written: &str) {
        let Some(body) = self.bodies.all.get_mut(key).filter(|b| !b.pending) else {
            return;
        };
        body.pending = true;
        self.server.update(Kind::Pod, &key.0, &key.1, |pod| {
            let mut unscheduled = condition("PodScheduled", false, written);
            unscheduled["reason"] = json!("Unschedulable");
            unscheduled["message"] = json!("0 nodes are available: Insufficient cpu.");
            set_condition(pod, unscheduled);
        });
        let waiting = self.bodies.all.values().filter(|b| b.pending).count();
        self.ask_for_nodes(waiting);
        self.look_again(10 * SECOND);
    }

    /// Whoever waits looks for a node again, so many ticks later at the latest.
    fn look_again(&mut self, ticks: u64) {
        let at = self.now.0 + ticks;
        if self.pending_at.is_none_or(|known| at < known) {
            self.pending_at = Some(at);
            self.set(ticks, Timer::Pending);
        }
    }

    /// Whoever waits for a node looks again.
    pub(super) fn schedule_pending(&mut self) {
        self.pending_at = None;
        let waiting: Vec<Key> = self
            .bodies
            .all
            .values()
            .filter(|b| b.pending && b.node.is_none() && b.alive())
            .map(|b| b.key.clone())
            .collect();
        for key in &waiting {
            self.schedule(key);
        }
        let left = self
            .bodies
            .all
            .values()
            .filter(|b| b.pending && b.alive())
            .count();
        if left > 0 {
            self.ask_for_nodes(left);
            self.look_again(10 * SECOND);
        }
    }
}
