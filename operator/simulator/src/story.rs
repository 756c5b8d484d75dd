//! Who did what when, for people.

use std::collections::{BTreeMap, VecDeque};

use crate::time::Moment;

/// Lines kept: the last ones matter.
const KEPT: usize = 20_000;

/// What happened, in its order.
#[derive(Debug, Clone, Default)]
pub struct Story {
    told: bool,
    lines: VecDeque<(Moment, String, String)>,
    /// What was decided last about each Webinar: the same again is not told.
    decided: BTreeMap<String, String>,
}

impl Story {
    /// One that nobody listens to, which costs nothing.
    pub fn silent() -> Self {
        Self::default()
    }

    /// One that is kept.
    pub fn told() -> Self {
        Self {
            told: true,
            ..Self::default()
        }
    }

    /// Something happened.
    pub fn tell(&mut self, at: Moment, who: &str, what: impl FnOnce() -> String) {
        if !self.told {
            return;
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back((at, who.to_owned(), what()));
    }

    /// A replica decides about a Webinar, by its UID.
    pub fn tell_decision(&mut self, at: Moment, replica: usize, uid: &str, what: impl FnOnce() -> String) {
        if !self.told {
            return;
        }
        let what = what();
        if self.decided.get(uid) != Some(&what) {
            self.decided.insert(uid.to_owned(), what.clone());
            self.tell(at, &format!("operator-{replica}"), || what);
        }
    }

    /// Line by line: when, who, what.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        self.lines
            .iter()
            .map(|(at, who, what)| format!("{at}  {who:<10}  {what}"))
    }
}
