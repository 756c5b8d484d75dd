//! I1: once nothing goes wrong, the fleet is as it should be, and then nothing is written.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use webinar_api::labels;
use webinar_plan::{Role, Tier};

use super::Invariant;
use super::fleet::{Run, is_alive, is_ready, takes_viewers};
use crate::server::Kind;
use crate::time::{MINUTE, Moment};
use crate::world::{Key, World, key, label, owner, text};

/// So long after the calm has begun everything is as it should be.
pub const SETTLED: u64 = 15 * MINUTE;

/// So long after that nothing is written.
pub const QUIET: u64 = 5 * MINUTE;

/// So near the planned end presenters who have stopped are said to have left.
const NEAR: u64 = 5 * MINUTE;

impl World {
    /// The fleets, when everything must have settled.
    pub(crate) fn check_settled(&mut self) {
        let webinars: Vec<(Key, String)> = self
            .server
            .all(Kind::Webinar)
            .map(|w| (key(w), text(w, "/metadata/uid").unwrap_or_default().to_owned()))
            .collect();
        let mut wrong = Vec::new();
        for (webinar, uid) in &webinars {
            wrong.extend(
                self.unsettled(webinar, uid)
                    .map(|what| format!("{}/{}: {what}", webinar.0, webinar.1)),
            );
        }
        let known = |object: &Value| {
            let of = owner(object);
            of.is_none_or(|uid| webinars.iter().any(|(_, known)| known == uid))
        };
        for kind in [
            Kind::Pod,
            Kind::Service,
            Kind::PodDisruptionBudget,
            Kind::ControllerRevision,
        ] {
            for object in self.server.all(kind).filter(|o| !known(o)) {
                wrong.push(format!(
                    "{kind:?} {} belongs to a Webinar that is gone",
                    key(object).1
                ));
            }
        }
        if let Some(first) = wrong.first() {
            let text = format!(
                "{first}{}",
                if wrong.len() > 1 {
                    format!(" (and {} more)", wrong.len() - 1)
                } else {
                    String::new()
                }
            );
            self.checks.broken(Invariant::Settles, self.now, text);
        }
    }

    /// What is not as it should be.
    fn unsettled(&mut self, webinar: &Key, uid: &str) -> Option<String> {
        let found = self.server.get(Kind::Webinar, &webinar.0, &webinar.1)?.clone();
        let pods: Vec<_> = self.pods_of(uid).cloned().collect();
        let run = self.run_of(uid);
        let suspended = found["spec"]["suspend"] == Value::Bool(true);
        if suspended {
            self.cover.reach("settled", "suspended");
            return None;
        }
        let Some(run) = run.filter(|r| r.finished.is_none()) else {
            self.cover.reach("settled", "no run under way");
            let left: Vec<String> = pods.iter().map(|p| key(p).1).collect();
            return (!left.is_empty())
                .then(|| format!("no run is under way, and pods are left: {}", left.join(", ")));
        };
        if let Some(since) = run.postponed {
            self.cover.reach("settled", "postponed");
            // Given back after the overrun, those who watch or not.
            let since = Moment::at(since);
            let long = self.now.0.saturating_sub(since.0) > SETTLED;
            return (long && !pods.is_empty())
                .then(|| format!("it has kept pods since it was postponed at {since}"));
        }
        if run.draining.is_some() {
            let since = run.draining.map(Moment::at).unwrap_or_default();
            let long = self.now.0.saturating_sub(since.0) > SETTLED;
            self.cover.reach("settled", "draining");
            return long.then(|| format!("it has been draining since {since}"));
        }
        let known = self.checks.known.get(uid)?.clone();
        if known.shares
            || !self.has_room()
            || self
                .server
                .all(Kind::ResourceQuota)
                .any(|q| key(q).0 == webinar.0)
        {
            self.cover.reach("settled", "without room for all");
            return None;
        }
        let counts = known.pods(run.tier?)?;
        let mut slots: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for pod in pods.iter().filter(|p| is_alive(p)) {
            let Some(slot) = label(pod, labels::SLOT) else {
                continue;
            };
            let of_run = label(pod, labels::RUN).and_then(|r| r.parse().ok()) == Some(run.number);
            let there = slots.entry(slot).or_default();
            there.0 += 1;
            there.1 += usize::from(is_ready(pod) && of_run);
        }
        // Before the last wave not everything is there yet.
        let due = run.live || run.ready;
        if !due {
            self.cover.reach("settled", "ramping");
            return None;
        }
        self.cover.reach("settled", "on air");
        // Capacity that may follow the audience is what the audience needs.
        let over = run.end.is_some_and(|end| end <= self.now.time());
        let follows = over || text(&found, "/spec/release") == Some("AfterPeak");
        if follows {
            let serving = pods.iter().filter(|p| takes_viewers(p)).count();
            let seats = known
                .capacity
                .seats(u32::try_from(serving).unwrap_or(0), run.max_tier?);
            // Who watches beyond the tier has found room in need.
            let watching = self.watching(webinar).min(run.max_tier?.attendees());
            if run.tier? != Tier::Room && seats < watching {
                return Some(format!("{seats} seats for {watching} who watch"));
            }
        }
        for slot in counts.slots().filter(|s| !follows || s.role == Role::Sfu) {
            let slot = slot.to_string();
            match slots.get(slot.as_str()) {
                Some((1, 1)) => {}
                Some((alive, ready)) => {
                    return Some(format!("slot {slot} has {alive} live pods, {ready} Ready"));
                }
                None => return Some(format!("slot {slot} is empty")),
            }
        }
        let twin = slots.iter().find(|(_, (alive, _))| *alive > 1);
        twin.map(|(slot, (alive, _))| format!("slot {slot} has {alive} live pods"))
    }

    /// Nothing has been written for a while, by the one who should have nothing to write.
    pub(crate) fn check_quiet(&mut self) {
        let Some((at, what)) = self.checks.last_write.clone() else {
            return;
        };
        let since = self.now.0.saturating_sub(at.0);
        if since < QUIET && !self.moves() {
            let text = format!("{what} at {at}, when there was nothing left to do");
            self.checks.broken(Invariant::Settles, self.now, text);
        } else if since >= QUIET {
            self.cover.reach("settled", "quiet");
        }
    }

    /// A boundary of some event is near, at which something is to be written.
    fn moves(&self) -> bool {
        let from = self.now.0.saturating_sub(SETTLED);
        // One that waited for the run before it has no boundary of its own for its beginning, nor has the end of that run.
        let mut runs = self.server.all(Kind::ControllerRevision).map(|run| Run::of(run));
        let recent = |t: Option<Timestamp>| t.is_some_and(|t| Moment::at(t).0 >= from);
        if runs.any(|run| recent(run.begun) || recent(run.draining) || recent(run.finished)) {
            return true;
        }
        self.server.all(Kind::Webinar).any(|w| {
            let schedule = &w["status"]["schedule"];
            let passed = |boundary: &str| {
                let time: Option<Timestamp> = schedule[boundary].as_str().and_then(|t| t.parse().ok());
                time.is_some_and(|t| t <= self.now.time())
            };
            // What a plan that is held back would still bring changes with each minute that it is held.
            if w["spec"]["suspend"] == Value::Bool(true) && passed("rampTime") && !passed("releaseTime") {
                return true;
            }
            let times = schedule
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(_, v)| v.as_str()?.parse().ok());
            let mut times = times.map(Moment::at);
            times.any(|t| (from..=self.now.0 + NEAR).contains(&t.0))
        })
    }
}
