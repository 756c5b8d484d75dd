//! Viewers who wait to try again, in cohorts.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

/// Viewers with the same past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cohort {
    /// They were in before, and were dropped.
    pub(super) dropped: bool,
    /// When they first came, or were dropped.
    pub(super) since: Timestamp,
    /// They are among those who waited.
    pub(super) counted: bool,
}

/// Takes a share of many numbers so that the sum is right, without favouring any of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    share: f64,
    carried: f64,
}

impl Share {
    /// `of` of `all`, both above 0; `offset` from 0 to 1, random.
    pub(crate) fn of(part: u64, all: u64, offset: f64) -> Self {
        let share = if part >= all {
            1.0
        } else {
            part as f64 / all as f64
        };
        Self {
            share,
            carried: offset,
        }
    }

    /// How many of the next `count` it is.
    pub(crate) fn take(&mut self, count: u64) -> u64 {
        if self.share >= 1.0 {
            return count;
        }
        let wanted = self.carried + count as f64 * self.share;
        self.carried = wanted.fract();
        (wanted.floor() as u64).min(count)
    }
}

/// Those who will try again at a time, and those who were dropped and stand in line.
#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BTreeMap<Timestamp, BTreeMap<Cohort, u64>>,
    line: VecDeque<(Cohort, u64)>,
}

impl Queue {
    pub(super) fn wait(&mut self, until: Timestamp, cohort: Cohort, count: u64) {
        *self.due.entry(until).or_default().entry(cohort).or_default() += count;
    }

    fn stand_in_line(&mut self, cohort: Cohort, count: u64) {
        match self.line.back_mut() {
            Some((last, waiting)) if *last == cohort => *waiting += count,
            _ => self.line.push_back((cohort, count)),
        }
    }

    /// Those whose time has come and who need not stand in line; the others do from now on.
    pub(super) fn due(&mut self, now: Timestamp) -> Vec<(Cohort, u64)> {
        let mut free = Vec::new();
        while let Some(entry) = self.due.first_entry().filter(|entry| *entry.key() <= now) {
            for (cohort, count) in entry.remove() {
                if cohort.dropped {
                    self.stand_in_line(cohort, count);
                } else {
                    free.push((cohort, count));
                }
            }
        }
        free
    }

    /// At most `most` from the head of the line.
    pub(super) fn next_in_line(&mut self, most: u64) -> Option<(Cohort, u64)> {
        let (cohort, waiting) = self.line.front_mut()?;
        let (cohort, count) = (*cohort, (*waiting).min(most));
        *waiting -= count;
        if *waiting == 0 {
            self.line.pop_front();
        }
        (count > 0).then_some((cohort, count))
    }

    pub(super) fn cohorts(&self) -> impl Iterator<Item = (&Cohort, u64)> {
        let due = self
            .due
            .values()
            .flatten()
            .map(|(cohort, count)| (cohort, *count));
        due.chain(self.line.iter().map(|(cohort, count)| (cohort, *count)))
    }

    pub(super) fn len(&self) -> u64 {
        self.cohorts().map(|(_, count)| count).sum()
    }

    /// A share of all gives up. Returns how many.
    pub(super) fn leave(&mut self, share: &mut Share) -> u64 {
        let mut left = 0;
        let mut go = |count: &mut u64| {
            let going = share.take(*count);
            *count -= going;
            left += going;
        };
        for cohorts in self.due.values_mut() {
            cohorts.values_mut().for_each(&mut go);
            cohorts.retain(|_, count| *count > 0);
        }
        self.due.retain(|_, cohorts| !cohorts.is_empty());
        self.line.iter_mut().for_each(|(_, count)| go(count));
        self.line.retain(|(_, count)| *count > 0);
        left
    }
}
