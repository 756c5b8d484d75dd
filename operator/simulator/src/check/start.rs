//! I4: everything is Ready at the start whenever that was possible.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use webinar_api::labels;
use webinar_plan::Tier;

use super::Invariant;
use super::fleet::{is_alive, is_ready, takes_viewers};
use crate::server::{Change, Happened, Kind};
use crate::time::{Moment, SECOND};
use crate::world::{Key, World, key, label, text};

/// Undisturbed seconds before the start from which on everything can be Ready in time: a lease that runs out and the next
/// one's first look (20), the longest pause after failures (60), a refusal that is tried again (60), waves (20), a new
/// machine (75), a pull (60), the start of a pod (15), and a bit.
pub(super) const ENOUGH: u64 = 330;

/// What was promised about a start.
#[derive(Debug, Clone)]
pub(super) struct Promise {
    uid: String,
    start: Moment,
    tier: Option<Tier>,
    suspended: bool,
}

impl World {
    /// A Webinar has changed.
    pub(crate) fn promised(&mut self, change: &Change) {
        let webinar = key(&change.object);
        let start = text(&change.object, "/spec/startTime")
            .and_then(|t| t.parse().ok())
            .map(Moment::at);
        let gone = change.happened == Happened::Deleted
            || change.object["metadata"].get("deletionTimestamp").is_some();
        match start.filter(|start| !gone && *start >= self.now) {
            None => _ = self.checks.starts.remove(&webinar),
            Some(start) => {
                let promise = Promise {
                    uid: text(&change.object, "/metadata/uid")
                        .unwrap_or_default()
                        .to_owned(),
                    start,
                    tier: text(&change.object, "/spec/tier").and_then(|t| t.parse().ok()),
                    suspended: change.object["spec"]["suspend"] == Value::Bool(true),
                };
                self.checks.starts.insert(webinar, promise);
            }
        }
    }

    /// Once a second.
    pub(crate) fn check_starts(&mut self) {
        let now = self.now;
        let due: Vec<(Key, Promise)> = self
            .checks
            .starts
            .iter()
            .filter(|(_, p)| p.start <= now)
            .map(|(k, p)| (k.clone(), p.clone()))
            .collect();
        for (webinar, promise) in due {
            self.checks.starts.remove(&webinar);
            self.judge_start(&webinar, &promise);
        }
    }

    fn judge_start(&mut self, webinar: &Key, promise: &Promise) {
        let Some(tier) = promise.tier.filter(|_| !promise.suspended) else {
            return;
        };
        if self.refused(webinar) {
            self.cover.reach("start", "refused");
            return;
        }
        let Some(known) = self.checks.known.get(&promise.uid).cloned() else {
            if self.undisturbed(webinar) > ENOUGH {
                let text = format!("{}/{} was never looked at before its start", webinar.0, webinar.1);
                self.checks.broken(Invariant::Start, self.now, text);
            }
            return;
        };
        // Refused, or served first come, first served.
        if known.pods(tier).is_none() || known.shares || !self.quota_allows(webinar) {
            return;
        }
        let (ready, seats) = self.seats_ready(&promise.uid, &known, tier);
        if ready {
            self.cover.reach("start", "on time");
            return;
        }
        if self.undisturbed(webinar) < ENOUGH {
            self.cover.reach("start", "late after trouble");
            return;
        }
        if self.after_another(promise) {
            self.cover.reach("start", "after another run");
            return;
        }
        if !self.has_room() {
            self.cover.reach("start", "late for want of machines");
            return;
        }
        let text = format!(
            "{}/{}: {seats} seats were Ready at the start of an event for {}, undisturbed for {} s",
            webinar.0,
            webinar.1,
            tier.attendees(),
            self.undisturbed(webinar)
        );
        self.checks.broken(Invariant::Start, self.now, text);
    }

    /// The run before has only just been given back, or not yet: the next one waits for that.
    fn after_another(&self, promise: &Promise) -> bool {
        let run = self.run_of(&promise.uid).unwrap_or_default();
        let long_ago = |t: Timestamp| self.now.0.saturating_sub(Moment::at(t).0) > ENOUGH * SECOND;
        match run.finished {
            Some(finished) => !long_ago(finished),
            None => run.draining.is_some() || (run.live && run.start.map(Moment::at) != Some(promise.start)),
        }
    }

    fn seats_ready(&self, uid: &str, known: &super::Known, tier: Tier) -> (bool, u32) {
        let pods: Vec<&Arc<Value>> = self.pods_of(uid).filter(|p| is_alive(p) && is_ready(p)).collect();
        let sfus = pods
            .iter()
            .filter(|p| label(p, labels::ROLE) == Some("sfu"))
            .count();
        let seats = if known.shape().is_some_and(|shape| shape.room) {
            tier.attendees() * u32::from(sfus > 0)
        } else {
            let relays = pods.iter().filter(|p| takes_viewers(p)).count();
            known
                .capacity
                .seats(u32::try_from(relays).unwrap_or(0), known.max_tier)
        };
        (sfus > 0 && seats >= tier.attendees(), seats)
    }

    fn quota_allows(&self, webinar: &Key) -> bool {
        let asked = self.asked(|other| other.0 == webinar.0);
        let allowed = |quota: &Value| {
            text(quota, "/spec/hard/pods")
                .and_then(|pods| pods.parse().ok())
                .unwrap_or(0)
        };
        let mut quotas = self.server.all(Kind::ResourceQuota);
        quotas.all(|q| key(q).0 != webinar.0 || asked <= allowed(q))
    }

    /// Pods that Webinars may ask for at once, of those that `which` names.
    fn asked(&self, which: impl Fn(&Key) -> bool) -> usize {
        let asked = self.server.all(Kind::Webinar).filter(|w| which(&key(w)));
        let asked = asked.filter_map(|w| {
            let known = self.checks.known.get(text(w, "/metadata/uid")?)?;
            Some(known.most_pods())
        });
        usize::try_from(asked.sum::<u32>()).unwrap_or(usize::MAX)
    }

    /// All that is asked for at once would fit.
    pub(super) fn has_room(&self) -> bool {
        let asked = self.asked(|_| true);
        // Those on their way out still hold their machines.
        let others = self
            .bodies
            .all
            .values()
            .filter(|b| !b.alive() || b.slot().is_none())
            .count();
        asked + others <= self.nodes.most_room()
    }
}
