//! I5: creates, writes and pods are bounded, whatever happens.

use http::Method;
use serde_json::Value;
use webinar_api::labels;

use super::fleet::is_alive;
use super::{Invariant, target};
use crate::server::{Answer, Call};
use crate::time::MINUTE;
use crate::world::{Key, World, key, label, owner, text};

/// What is counted by the minute, of each Webinar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Counted {
    /// Writes apart from those of pods. A status is written every few seconds at most, a memory and addresses when something
    /// has changed.
    Writes,
    /// Events, those told once more included.
    Events,
    /// Creates that were refused.
    Refusals,
}

impl Counted {
    /// Never more in a minute.
    const fn most(self) -> u32 {
        match self {
            Self::Writes => 90,
            Self::Events => 20,
            Self::Refusals => 40,
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Self::Writes => "writes",
            Self::Events => "Events",
            Self::Refusals => "refused creates",
        }
    }
}

/// Creates of pods are counted over so many minutes.
const OVER: u64 = 10;

impl World {
    /// A write that was answered.
    pub(super) fn count_write(&mut self, call: &Call, answer: &Answer) {
        let Some((namespace, plural, name)) = target(&call.path) else {
            return;
        };
        let refused = answer.code >= 400;
        let sent = || serde_json::from_slice::<Value>(&call.body).unwrap_or_default();
        let (what, of) = match plural {
            "events" => {
                let about = text(&answer.body, "/regarding/name").map(str::to_owned);
                (Counted::Events, about)
            }
            _ if refused && call.method == Method::POST => (
                Counted::Refusals,
                label(&sent(), labels::WEBINAR).map(str::to_owned),
            ),
            _ if refused || plural == "pods" => return,
            "webinars" => (Counted::Writes, name.map(str::to_owned)),
            _ => (
                Counted::Writes,
                label(&answer.body, labels::WEBINAR).map(str::to_owned),
            ),
        };
        if let Some(of) = of {
            self.count(&(namespace.to_owned(), of), what);
        }
    }

    fn count(&mut self, webinar: &Key, what: Counted) {
        let minute = self.now.0 / MINUTE;
        let count = self.checks.counts.entry((webinar.clone(), what)).or_default();
        if count.0 != minute {
            *count = (minute, 0);
        }
        count.1 += 1;
        if count.1 > what.most() {
            let text = format!(
                "{} {} about {}/{} within a minute",
                count.1,
                what.what(),
                webinar.0,
                webinar.1
            );
            self.checks.broken(Invariant::Bounds, self.now, text);
        }
    }

    /// A pod was created.
    pub(super) fn judge_create(&mut self, pod: &Value) {
        let Some(uid) = owner(pod) else { return };
        let place = |p: &Value| {
            (
                label(p, labels::RUN).map(str::to_owned),
                label(p, labels::SLOT).map(str::to_owned),
            )
        };
        let here = place(pod);
        let alive: Vec<_> = self.pods_of(uid).filter(|p| is_alive(p)).collect();
        let twins = alive.iter().filter(|p| place(p) == here).count();
        let (total, name) = (alive.len(), key(pod).1);
        if twins > 1 {
            let text = format!(
                "{twins} live pods in slot {} after {name} was created",
                here.1.unwrap_or_default()
            );
            self.checks.broken(Invariant::Bounds, self.now, text);
        }
        let Some(known) = self.checks.known.get(uid) else {
            return;
        };
        let most = known.most_pods();
        // Pods that are replaced may be there beside those that replace them.
        let bound = usize::try_from(most * 2 + 5).unwrap_or(usize::MAX);
        if total > bound {
            let text = format!("{total} live pods of a Webinar that may have {most}");
            self.checks.broken(Invariant::Bounds, self.now, text);
        }
        let since = self.now.0.saturating_sub(OVER * MINUTE);
        let now = self.now;
        let creates = self.checks.creates.entry(uid.to_owned()).or_default();
        creates.retain(|at| at.0 >= since);
        creates.push(now);
        if creates.len() > bound * 3 {
            let text = format!(
                "{} pods created within {OVER} minutes for a Webinar that may have {most}",
                creates.len()
            );
            self.checks.broken(Invariant::Bounds, now, text);
        }
    }
}
