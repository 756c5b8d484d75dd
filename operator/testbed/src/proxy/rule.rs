//! When a fault happens.

use std::fmt;

use super::fault::Fault;
use super::pattern::Pattern;

/// A fault, the requests it may happen to, and which of them it does happen to: all, unless said otherwise. What is said
/// last about which ones counts; [`Rule::times`] comes on top of it.
///
/// A rule counts every request that fits its pattern, from 1, also those that an earlier rule of the script acts on.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) pattern: Pattern,
    pub(super) fault: Fault,
    pub(super) when: When,
    pub(super) limit: Option<u64>,
}

/// Which of the requests that fit.
#[derive(Debug, Clone, Copy)]
pub(super) enum When {
    Always,
    Nth(u64),
    Every(u64),
    From(u64),
    Chance { probability: f64, seed: u64 },
}

impl Rule {
    /// The fault happens to every request that fits.
    pub fn new(pattern: Pattern, fault: Fault) -> Self {
        Self {
            pattern,
            fault,
            when: When::Always,
            limit: None,
        }
    }

    /// Only to the `n`-th one, counted from 1.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        self.when = When::Nth(n);
        self
    }

    /// To the `k`-th one, the `2k`-th, and so on.
    #[must_use]
    pub fn every(mut self, k: u64) -> Self {
        self.when = When::Every(k);
        self
    }

    /// To the `n`-th one, counted from 1, and all after it.
    #[must_use]
    pub fn from(mut self, n: u64) -> Self {
        self.when = When::From(n);
        self
    }

    /// To each with this probability, between 0 and 1. The same seed picks the same numbers out of the count of requests
    /// that fit.
    #[must_use]
    pub fn chance(mut self, probability: f64, seed: u64) -> Self {
        self.when = When::Chance { probability, seed };
        self
    }

    /// At most this often.
    #[must_use]
    pub fn times(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }
}

impl fmt::Display for Rule {
    /// With the seed, so that a run can be repeated.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.fault)?;
        match self.when {
            When::Always => f.write_str("always: ")?,
            When::Nth(n) => write!(f, "number {n}: ")?,
            When::Every(k) => write!(f, "one in {k}: ")?,
            When::From(n) => write!(f, "from number {n} on: ")?,
            When::Chance { probability, seed } => write!(f, "with chance {probability}, SEED={seed}: ")?,
        }
        write!(f, "{}", self.pattern)?;
        match self.limit {
            Some(limit) => write!(f, ", at most {limit} times"),
            None => Ok(()),
        }
    }
}
