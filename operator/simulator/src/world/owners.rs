//! The garbage collector, by which what belongs to a Webinar goes with it, and the controller of quotas.

use http::Method;
use serde_json::{Value, json};

use super::{Key, Timer, World, key, owner, text};
use crate::server::{Call, Change, Happened, Kind};
use crate::time::SECOND;

/// What can belong to a Webinar.
pub(crate) const OWNED: [Kind; 5] = [
    Kind::Pod,
    Kind::Service,
    Kind::EndpointSlice,
    Kind::PodDisruptionBudget,
    Kind::ControllerRevision,
];

impl World {
    /// An object has changed: an owner that is gone, or something whose owner is.
    pub(super) fn owned(&mut self, change: &Change) {
        match (change.kind, change.happened) {
            (Kind::Webinar, Happened::Deleted) => {
                let uid = text(&change.object, "/metadata/uid")
                    .unwrap_or_default()
                    .to_owned();
                let orphans: Vec<(Kind, Key)> = OWNED
                    .into_iter()
                    .flat_map(|kind| {
                        let of_it = self.server.all(kind).filter(|o| owner(o) == Some(&uid));
                        of_it.map(move |o| (kind, key(o))).collect::<Vec<_>>()
                    })
                    .collect();
                // One after the other, as the real one does it.
                let mut wait = self.between([1, 5 * SECOND]);
                for (kind, key) in orphans {
                    wait += self.between([0, 2]);
                    self.set(wait, Timer::Collect(kind, key, uid.clone()));
                }
            }
            (kind, Happened::Added) if OWNED.contains(&kind) => {
                let Some(uid) = owner(&change.object) else { return };
                if !self
                    .server
                    .all(Kind::Webinar)
                    .any(|w| text(w, "/metadata/uid") == Some(uid))
                {
                    let wait = self.between([SECOND, 5 * SECOND]);
                    self.set(wait, Timer::Collect(kind, key(&change.object), uid.to_owned()));
                }
            }
            _ => {}
        }
    }

    /// Takes away what belonged to `uid`.
    pub(super) fn collect(&mut self, kind: Kind, (namespace, name): &Key, uid: &str) {
        let found = self.server.get(kind, namespace, name);
        let Some(found) = found.filter(|o| owner(o) == Some(uid)) else {
            return;
        };
        let own = text(found, "/metadata/uid").unwrap_or_default();
        let body = json!({"propagationPolicy": "Background", "preconditions": {"uid": own}});
        let user = "system:serviceaccount:kube-system:generic-garbage-collector";
        let call = Call::of(user, Method::DELETE, path(kind, namespace, name), &body);
        self.server.call(self.now.time(), &call);
    }
}

impl World {
    /// The quota controller: what is used is counted every few seconds.
    pub(super) fn count_quotas(&mut self) {
        const EVERY: u64 = 3 * SECOND;
        if !self.now.0.is_multiple_of(EVERY) {
            return;
        }
        let quotas: Vec<(Key, String)> = self
            .server
            .all(Kind::ResourceQuota)
            .map(|q| (key(q), text(q, "/spec/hard/pods").unwrap_or_default().to_owned()))
            .collect();
        for ((namespace, name), hard) in quotas {
            let counts = |p: &Value| !matches!(text(p, "/status/phase"), Some("Failed" | "Succeeded"));
            let pods = self
                .server
                .all(Kind::Pod)
                .filter(|p| key(p).0 == namespace && counts(p))
                .count();
            self.server
                .update(Kind::ResourceQuota, &namespace, &name, |quota| {
                    quota["status"] = json!({"hard": {"pods": hard}, "used": {"pods": pods.to_string()}});
                });
        }
    }
}

/// Where an object of a namespace is.
pub(super) fn path(kind: Kind, namespace: &str, name: &str) -> String {
    format!("{}/{name}", kind.path(namespace))
}
