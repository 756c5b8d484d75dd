//! What was reached, and how often.

use std::collections::BTreeMap;

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
