//! What a disturbed run must have in common with an undisturbed one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use anyhow::{Result, ensure};
use webinar_testbed::audit::Records;

use super::scene::OPERATOR;
use super::world::slot_of_name;

/// How often the operator asked for creating and deleting what of one Webinar, and how often that was done, by kind and by
/// slot or name, without what differs between any two runs: UIDs, versions, times and nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deeds(BTreeMap<Deed, Times>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Deed {
    verb: String,
    resource: String,
    what: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Times {
    asked: usize,
    done: usize,
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.what)
    }
}

impl Deeds {
    /// Those of `webinar` in `records`. Status, Events and patches don't count: they may be written again.
    pub(crate) fn of(records: &Records, namespace: &str, webinar: &str) -> Self {
        let mut deeds: BTreeMap<Deed, Times> = BTreeMap::new();
        let ours = records
            .by(OPERATOR)
            .filter(|r| r.namespace == namespace && r.resource != "events")
            .filter(|r| r.verb == "create" || r.verb == "delete");
        for record in ours {
            let what = match slot_of_name(&record.name, webinar) {
                Some(slot) if record.resource == "pods" => slot.to_string(),
                _ => record.name.clone(),
            };
            let deed = Deed {
                verb: record.verb.clone(),
                resource: record.resource.clone(),
                what,
            };
            let times = deeds.entry(deed).or_default();
            times.asked += 1;
            times.done += usize::from(record.done());
        }
        Self(deeds)
    }

    /// Nothing was done more often than in the `reference`, and all that was done there was asked for.
    ///
    /// A write whose client was killed may be done without an answer, and then counts as asked for alone; the end state,
    /// which the caller compares, shows whether it was done.
    pub(crate) fn equal(&self, reference: &Self) -> Result<()> {
        let deeds: BTreeSet<&Deed> = self.0.keys().chain(reference.0.keys()).collect();
        let differ: Vec<String> = deeds
            .into_iter()
            .map(|deed| (deed, self.times(deed), reference.times(deed)))
            .filter(|(_, is, should)| is.done > should.done || (is.asked == 0 && should.done > 0))
            .map(|(deed, is, should)| format!("{deed}: {is:?}, and not {should:?}"))
            .collect();
        ensure!(differ.is_empty(), "{differ:#?}");
        Ok(())
    }

    fn times(&self, deed: &Deed) -> Times {
        self.0.get(deed).copied().unwrap_or_default()
    }

    /// How many deeds were done.
    pub(crate) fn count(&self) -> usize {
        self.0.values().map(|t| t.done).sum()
    }
}
