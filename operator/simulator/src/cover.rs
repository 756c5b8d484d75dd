//! What was reached, and how often.

use std::collections::BTreeMap;

use webinar_plan::{Cordon, Phase, Reason, RemovalReason};

/// Counts by what kind of thing it is and which.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cover(BTreeMap<String, BTreeMap<String, u64>>);

impl Cover {
    /// Once more.
    pub fn reach(&mut self, kind: &str, which: &str) {
        self.add(kind, which, 1);
    }

    fn add(&mut self, kind: &str, which: &str, times: u64) {
        let kinds = match self.0.get_mut(kind) {
            Some(found) => found,
            None => self.0.entry(kind.to_owned()).or_default(),
        };
        match kinds.get_mut(which) {
            Some(count) => *count += times,
            None => _ = kinds.insert(which.to_owned(), times),
        }
    }

    /// What another world has reached, too.
    pub fn merge(&mut self, other: &Self) {
        for (kind, counts) in &other.0 {
            for (which, times) in counts {
                self.add(kind, which, *times);
            }
        }
    }

    /// How often.
    pub fn count(&self, kind: &str, which: &str) -> u64 {
        self.0.get(kind).and_then(|k| k.get(which)).copied().unwrap_or(0)
    }

    /// Everything, in order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, u64>)> {
        self.0.iter().map(|(kind, counts)| (kind.as_str(), counts))
    }
}

impl Cover {
    /// What a complete run reaches and this one has not: each fault, and each branch of decisions.
    pub fn missing(&self) -> Vec<String> {
        // `Accepted` is said of classes, whose controller isn't here; `Unreadable` is told by an Event alone.
        let elsewhere = [Reason::Accepted, Reason::Unreadable];
        let reasons = Reason::ALL
            .iter()
            .filter(|r| !elsewhere.contains(r))
            .map(|r| r.as_str());
        let told = |reason: &str| self.count("reason", reason) + self.count("notice", reason) > 0;
        let unsaid = reasons.filter(|r| !told(r)).map(|r| format!("reason {r}"));
        let expected = expected();
        let unmet = expected
            .iter()
            .filter(|(kind, which)| self.count(kind, which) == 0)
            .map(|(kind, which)| format!("{kind} {which}"));
        unsaid.chain(unmet).collect()
    }
}

fn expected() -> Vec<(&'static str, String)> {
    let mut out: Vec<(&str, String)> = Vec::new();
    let mut add =
        |kind: &'static str, names: &[&str]| out.extend(names.iter().map(|n| (kind, (*n).to_owned())));
    add("phase", &Phase::ALL.map(Phase::as_str));
    add("cordon", &Cordon::ALL.map(Cordon::as_str));
    add("setback", &["Quota", "Rejected", "Unasked", "Conflict"]);
    add("event", &[Reason::Unreadable.as_str()]);
    add("happening", &HAPPENINGS);
    add(
        "fault met",
        &[
            "unreachable",
            "slow call",
            "answer lost",
            "call lost",
            "dies before a write",
            "dies after a write",
            "refused with 429",
            "refused with 500",
            "refused with 503",
            "refused with 504",
            "watch held",
            "watch lists again",
            "policy refuses",
            "webhook fails",
        ],
    );
    add(
        "lie told",
        &["Silent", "Zero", "Half", "Tenfold", "Absurd", "Missing", "Resets"],
    );
    add(
        "branch",
        &[
            "create",
            "slow start",
            "reroute",
            "disown",
            "uncordon",
            "forget",
            "failover",
            "postponed",
            "suspended",
            "resumed",
            "incident",
            "second run",
            "stand-in",
            "strangers",
            "neighbours",
            "vanished",
            "order",
            "skew",
        ],
    );
    add(
        "settled",
        &["suspended", "no run under way", "on air", "draining", "quiet"],
    );
    add(
        "start",
        &[
            "on time",
            "late after trouble",
            "late for want of machines",
            "refused",
        ],
    );
    add("answer", &["POST pods 403"]);
    // Two live pods of one slot are too rare to count on: before a pod is created it is asked whether the slot is held.
    let reached = RemovalReason::ALL
        .iter()
        .filter(|r| **r != RemovalReason::Surplus);
    out.extend(reached.map(|r| ("removal", r.as_str().to_owned())));
    out
}

/// Every happening, as [`crate::What::name`] has it.
const HAPPENINGS: [&str; 39] = [
    "create",
    "edit",
    "delete",
    "audience",
    "presenters",
    "editClass",
    "quota",
    "deletePod",
    "failPod",
    "hangPod",
    "lookAlike",
    "nodeDown",
    "nodeGone",
    "zoneDown",
    "nodesSilent",
    "noImages",
    "noNodes",
    "slowPods",
    "outage",
    "refusals",
    "lostAnswers",
    "lostCalls",
    "slowCalls",
    "cut",
    "crash",
    "crashAtWrite",
    "restart",
    "holdWatch",
    "breakWatch",
    "clockJump",
    "stall",
    "stallMid",
    "stallRelay",
    "stillPicture",
    "muteRelay",
    "foreign",
    "unreadable",
    "podsRefused",
    "lie",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::generate;

    #[test]
    fn every_happening_that_is_made_is_expected_and_the_other_way_round() {
        let made: BTreeSet<String> = (0..3000)
            .flat_map(|seed| generate(seed).happenings)
            .map(|happening| happening.what.name())
            .collect();
        assert_eq!(made, HAPPENINGS.map(str::to_owned).into());
    }
}
