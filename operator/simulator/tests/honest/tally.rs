//! How many calls of which sort were answered how.

use std::collections::BTreeMap;
use std::fmt;

/// Counts by verb, kind and code.
#[derive(Debug, Default)]
pub(crate) struct Tally(BTreeMap<(&'static str, String), BTreeMap<u16, usize>>);

impl Tally {
    /// One more.
    pub(crate) fn count(&mut self, kind: &'static str, verb: &str, code: u16) {
        let row = self.0.entry((kind, verb.to_owned())).or_default();
        *row.entry(code).or_default() += 1;
    }

    /// All of them.
    pub(crate) fn calls(&self) -> usize {
        self.0.values().flat_map(BTreeMap::values).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} calls", self.calls())?;
        for ((kind, verb), codes) in &self.0 {
            let codes: Vec<String> = codes.iter().map(|(code, n)| format!("{code}: {n}")).collect();
            writeln!(f, "  {kind:20} {verb:14} {}", codes.join(", "))?;
        }
        Ok(())
    }
}
