//! I2 and I3: nobody's pod is taken away, and there are never too few because of the operator.

use http::Method;
use jiff::{SignedDuration, Timestamp};
use webinar_api::labels;
use webinar_plan::Tier;

use super::Invariant;
use super::fleet::takes_viewers;
use crate::scenario::{Lie, What};
use crate::server::{Call, Kind};
use crate::world::{Key, World, key, named, owner, text};

/// A pod before it is written to.
pub(super) struct Judged {
    name: String,
    uid: String,
    owner: Option<String>,
    viewers: u32,
    /// Since when it drains.
    drains: Option<Timestamp>,
    /// It takes viewers.
    serves: bool,
    /// Relays of its Webinar that take viewers, this one included.
    serving: u32,
}

impl World {
    pub(super) fn judged(&self, namespace: &str, name: &str) -> Option<Judged> {
        let pod = self.server.get(Kind::Pod, namespace, name)?;
        let uid = text(pod, "/metadata/uid")?.to_owned();
        let owned = owner(pod).map(str::to_owned);
        let serves = takes_viewers(pod);
        let of = owned.as_deref().filter(|_| serves);
        let serving = of.map_or(0, |uid| self.pods_of(uid).filter(|p| takes_viewers(p)).count());
        let drains = pod["metadata"]["annotations"][labels::DRAIN_START].as_str();
        Some(Judged {
            name: format!("{namespace}/{name}"),
            viewers: self.bodies.by_uid(&uid).map_or(0, |b| b.viewers),
            drains: drains.and_then(|t| t.parse().ok()),
            serving: u32::try_from(serving).unwrap_or(u32::MAX),
            owner: owned,
            uid,
            serves,
        })
    }

    pub(super) fn judge_pod(&mut self, call: &Call, pod: &Judged) {
        let Some(uid) = &pod.owner else {
            let text = format!("{} of pod {}, which is nobody's", call.method, pod.name);
            self.checks.broken(Invariant::Own, self.now, text);
            return;
        };
        let watched = pod.viewers > 0 && !self.nothing_to_see(uid, pod);
        let kept = !self.overdue(uid, pod) && !self.unheard(uid, pod);
        if call.method == Method::DELETE && watched && kept {
            let text = format!("pod {} was deleted with {} viewers", pod.name, pod.viewers);
            self.checks.broken(Invariant::Viewers, self.now, text);
        }
        if call.method == Method::DELETE {
            self.cover.reach(
                "delete",
                if pod.viewers > 0 {
                    "with viewers, overdue"
                } else {
                    "without viewers"
                },
            );
        }
        let (namespace, name) = pod.name.split_once('/').unwrap_or_default();
        let after = self.server.get(Kind::Pod, namespace, name);
        let still = after.is_some_and(|p| text(p, "/metadata/uid") == Some(&pod.uid) && takes_viewers(p));
        if pod.serves && !still {
            self.judge_seats(uid, pod, &call.method.clone());
        }
    }

    /// The planned end has passed and no media comes any more: a count of zero has no second witness then.
    fn nothing_to_see(&self, uid: &str, pod: &Judged) -> bool {
        let run = self.run_of(uid).unwrap_or_default();
        let over = run.end.is_some_and(|end| end <= self.now.time());
        let body = self.bodies.by_uid(&pod.uid);
        over && body.is_none_or(|body| !self.flows(body))
    }

    /// The run drains, and this pod has done so for as long as it may.
    fn overdue(&self, uid: &str, pod: &Judged) -> bool {
        let run = self.run_of(uid).unwrap_or_default();
        let timeout = self
            .checks
            .known
            .get(uid)
            .map_or(SignedDuration::ZERO, |k| k.drain_timeout);
        // Times of a world have whole ticks; what is written in between has not.
        let now = self.now.after(1).time();
        let over = |since: Timestamp| since.saturating_add(timeout).is_ok_and(|t| t <= now);
        // Who is not taken out of an entry point by itself drains with the run.
        !run.serves() && pod.drains.or(run.draining).is_some_and(over)
    }

    /// Nobody can say that it is there: its node isn't heard of, and it can't be asked, or what it tells can't be.
    fn unheard(&self, uid: &str, pod: &Judged) -> bool {
        let node = self.bodies.by_uid(&pod.uid).and_then(|body| body.node);
        let silent = node.is_some_and(|node| !self.nodes.all[node].heard());
        let asked = self.checks.known.get(uid).is_some_and(|known| known.asked);
        // It tells nothing, or nothing that can be.
        let nothing = |how: Lie| matches!(how, Lie::Silent | Lie::Missing | Lie::Absurd);
        let webinar = self.webinar_of(uid);
        silent && (!asked || webinar.is_some_and(|w| self.lied_about(&key(w), nothing)))
    }

    /// Pods of it tell what isn't so, in such a way.
    fn lied_about(&self, show: &Key, such: impl Fn(Lie) -> bool) -> bool {
        self.lasts(
            |what| matches!(what, What::Lie { webinar, how, .. } if named(webinar) == *show && such(*how)),
        )
    }

    /// One relay fewer takes viewers, and the operator did it.
    fn judge_seats(&mut self, uid: &str, pod: &Judged, method: &Method) {
        let Some(run) = self.run_of(uid).filter(|r| r.serves() && (r.live || r.ready)) else {
            return;
        };
        let (Some(known), Some(webinar)) = (self.checks.known.get(uid), self.webinar_of(uid)) else {
            return;
        };
        let (Some(tier), Some(max)) = (run.tier, run.max_tier) else {
            return;
        };
        // What is needed is what can be known: nobody can follow an audience that pods tell wrong numbers of.
        let show = key(webinar);
        if self.lied_about(&show, |_| true) {
            self.cover.reach("seats", "fewer, while pods lie");
            return;
        }
        // Past the planned end capacity is there for those who are still watching.
        let over = run.end.is_some_and(|end| end <= self.now.time());
        let follows = over || text(webinar, "/spec/release") == Some("AfterPeak");
        let need = match (tier, follows) {
            (Tier::Room, _) => return,
            (_, true) => self.watching(&show).min(max.attendees()),
            // Whoever watches is not sent away by a smaller ask.
            (tier, false) => tier.attendees().max(self.watching(&show).min(max.attendees())),
        };
        let seats = |relays: u32| known.capacity.seats(relays, max);
        let (was, is) = (seats(pod.serving), seats(pod.serving.saturating_sub(1)));
        self.cover.reach(
            "seats",
            if is >= need {
                "fewer and enough"
            } else {
                "fewer than before, which were too few"
            },
        );
        if was >= need && is < need {
            let text = format!(
                "{method} of pod {} left {is} seats of {was} for a need of {need}",
                pod.name
            );
            self.checks.broken(Invariant::Seats, self.now, text);
        }
    }
}
