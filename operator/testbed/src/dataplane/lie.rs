//! Metrics that are wrong, on purpose.

use std::collections::BTreeMap;

use super::dialect::{Dialect, Figures};
use super::facts::{PodFacts, Role};

/// Whose metrics are wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// Those of the pods that have this slot, such as `relay-3`, and of those that get it later.
    Slot(String),
    /// Those of all pods of a role.
    Role(Role),
    /// All.
    All,
}

/// What is wrong with metrics. The media themselves are well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Every scrape is answered with 503.
    Unavailable,
    /// Every scrape's connection is closed without an answer.
    Close,
    /// No scrape is ever answered.
    Hang,
    /// The truth, one byte every half second.
    Drip,
    /// Viewers and bytes are negative.
    Negative,
    /// Viewers and bytes are about 10^300.
    Huge,
    /// Viewers and bytes are no numbers.
    NotANumber,
    /// The same numbers for ever: those of the first scrape from now on.
    Stale,
    /// Nobody watches; bytes are true.
    NoViewers,
    /// 10 GB.
    Endless,
    /// Viewers in 300,000 series.
    ManySeries,
    /// Bytes that are no metrics, nor text.
    Garbage,
}

/// How a scrape is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    Text(String),
    Unavailable,
    Close,
    Hang,
    Drip(String),
    Endless,
    ManySeries(&'static str),
    Garbage,
}

/// The lies in force for one event.
#[derive(Debug, Default)]
pub(super) struct Lies {
    told: Vec<(Target, Lie)>,
    /// Old answers, by UID of the pod.
    stale: BTreeMap<String, String>,
}

impl Lies {
    /// The last lie about a pod counts.
    pub(super) fn tell(&mut self, target: Target, lie: Lie) {
        self.told.retain(|(old, _)| *old != target);
        self.told.push((target, lie));
        self.stale.clear();
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn forget(&mut self, uid: &str) {
        self.stale.remove(uid);
    }

    fn about(&self, pod: &PodFacts) -> Option<Lie> {
        let concerned = |target: &Target| match target {
            Target::Slot(slot) => *slot == pod.slot,
            Target::Role(role) => *role == pod.role,
            Target::All => true,
        };
        let lies = self.told.iter().rev();
        lies.filter(|(target, _)| concerned(target))
            .map(|(_, lie)| *lie)
            .next()
    }

    pub(super) fn reply(&mut self, pod: &PodFacts, figures: &Figures, dialect: Dialect) -> Reply {
        let truth = || dialect.render(figures);
        match self.about(pod) {
            None => Reply::Text(truth()),
            Some(Lie::Unavailable) => Reply::Unavailable,
            Some(Lie::Close) => Reply::Close,
            Some(Lie::Hang) => Reply::Hang,
            Some(Lie::Drip) => Reply::Drip(truth()),
            Some(Lie::Negative) => Reply::Text(dialect.lying(figures, "-1353")),
            Some(Lie::Huge) => Reply::Text(dialect.lying(figures, "1e+300")),
            Some(Lie::NotANumber) => Reply::Text(dialect.lying(figures, "NaN")),
            Some(Lie::Stale) => {
                let old = self.stale.entry(pod.uid.clone()).or_insert_with(truth);
                Reply::Text(old.clone())
            }
            Some(Lie::NoViewers) => Reply::Text(dialect.render(&Figures {
                viewers: 0,
                ..figures.clone()
            })),
            Some(Lie::Endless) => Reply::Endless,
            Some(Lie::ManySeries) => Reply::ManySeries(dialect.viewers_series()),
            Some(Lie::Garbage) => Reply::Garbage,
        }
    }
}
