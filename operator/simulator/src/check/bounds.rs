//! I5: creates, writes and pods are bounded, whatever happens.

use serde_json::Value;
use webinar_api::labels;

use super::fleet::is_alive;
use super::{Invariant, target};
use crate::server::{Answer, Call};
use crate::time::MINUTE;
use crate::world::{World, key, label, owner};

/// Writes about one Webinar in a minute, apart from those of its pods. A status is written every few seconds at most, a
/// memory and addresses when something has changed.
const WRITES_A_MINUTE: u32 = 90;

/// Creates of pods are counted over so many minutes.
const OVER: u64 = 10;

impl World {
    pub(super) fn count_write(&mut self, call: &Call, answer: &Answer) {
        let Some((namespace, plural, name)) = target(&call.path).filter(|(_, plural, _)| *plural != "pods")
        else {
            return;
        };
        let of = match plural {
            "webinars" => name.map(str::to_owned),
            _ => label(&answer.body, labels::WEBINAR).map(str::to_owned),
        };
        let Some(of) = of else { return };
        let minute = self.now.0 / MINUTE;
        let count = self
            .checks
            .writes
            .entry((namespace.to_owned(), of.clone()))
            .or_insert((minute, 0));
        if count.0 != minute {
            *count = (minute, 0);
        }
        count.1 += 1;
        if count.1 > WRITES_A_MINUTE {
            let text = format!("{} writes about {namespace}/{of} within a minute", count.1);
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
