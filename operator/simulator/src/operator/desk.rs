//! What kube's controller does: whose look is due, and never two at once of the same Webinar.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::time::{SECOND, TICK};
use crate::world::Key;

/// Looks of one Webinar for changes of its objects: one a second.
const THROTTLE: u64 = SECOND;

/// Whose look is due when.
#[derive(Debug, Default)]
pub(super) struct Desk {
    due: BTreeMap<Key, u64>,
    running: BTreeSet<Key>,
    /// When changes last led to a look, or will next.
    passed: BTreeMap<Key, u64>,
    /// Since when a look is due that has not decided anything yet.
    waits: BTreeMap<Key, u64>,
}

impl Desk {
    /// An object of it has changed: it is looked at with the next one of these looks, which are a second apart.
    pub(super) fn touch(&mut self, key: &Key, now: u64) {
        let earliest = match self.passed.get(key) {
            Some(waits) if *waits > now => *waits,
            Some(passed) => now.max(passed + THROTTLE),
            None => now,
        };
        self.passed.insert(key.clone(), earliest);
        self.at(key, earliest);
    }

    /// It is to be looked at then, or before.
    pub(super) fn at(&mut self, key: &Key, when: u64) {
        let due = self.due.entry(key.clone()).or_insert(when);
        *due = when.min(*due);
    }

    /// Who is to be looked at now.
    pub(super) fn next(&mut self, now: u64) -> Option<Key> {
        let mut due = self.due.iter().filter(|(_, at)| **at <= now);
        let key = due
            .find(|(key, _)| !self.running.contains(*key))
            .map(|(key, _)| key.clone())?;
        self.due.remove(&key);
        self.running.insert(key.clone());
        self.waits.entry(key.clone()).or_insert(now);
        Some(key)
    }

    /// A look is over.
    pub(super) fn done(&mut self, key: &Key, next: Option<Duration>, now: u64) {
        self.running.remove(key);
        if let Some(wait) = next {
            let ticks = wait.as_millis().div_ceil(TICK.as_millis());
            let ticks = u64::try_from(ticks).unwrap_or(u64::MAX).max(1);
            self.at(key, now.saturating_add(ticks));
        }
    }

    /// It was decided about.
    pub(super) fn decided(&mut self, key: &Key) {
        self.waits.remove(key);
    }

    /// It is gone.
    pub(super) fn gone(&mut self, key: &Key) {
        self.due.remove(key);
        self.waits.remove(key);
        self.passed.remove(key);
    }

    /// Those that wait, and since when.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (&Key, u64)> {
        self.waits.iter().map(|(key, since)| (key, *since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_gathered_into_one_look_a_second() {
        let key: Key = ("events".to_owned(), "keynote".to_owned());
        let mut desk = Desk::default();
        let mut looks = Vec::new();
        // Thirty pods change at once, and one each tick for three seconds.
        for _ in 0..30 {
            desk.touch(&key, 0);
        }
        for now in 0..5 * SECOND {
            if now < 3 * SECOND {
                desk.touch(&key, now);
            }
            if let Some(whose) = desk.next(now) {
                looks.push(now);
                desk.done(&whose, None, now);
            }
        }
        assert_eq!(looks, [0, SECOND, 2 * SECOND, 3 * SECOND]);
    }
}
