//! Who may begin when all events of a class share a number of pods: who starts first is served first.

use jiff::Timestamp;

use crate::accept::servable;
use crate::input::{Class, Input, Memory, Neighbour, Spec};
use crate::planner::next_start;
use crate::tier::Tier;
use crate::time::{after, counted, date_and_clock, grouped};

/// What another Webinar of `class`, named `key`, has or needs of its pods at `now`. Nothing when it is over, or can't be
/// served. `last` is the memory of its latest run.
pub fn neighbour(
    key: String,
    spec: &Spec,
    created: Timestamp,
    last: Option<&Memory>,
    class: &Class,
    now: Timestamp,
) -> Option<Neighbour> {
    if let Some(run) = last.filter(|m| m.active()) {
        let spec = &run.accepted.spec;
        let capacity = class.capacity(spec.panelists);
        let booked = capacity.counts(spec.tier, &run.shape);
        // What it has grown to counts as well.
        let pods = if run.most_relays > booked.relay {
            capacity.with_relays(run.most_relays, &run.shape)
        } else {
            booked
        };
        return Some(Neighbour {
            key,
            start: run.accepted.start,
            pods: pods.total(),
            begun: true,
        });
    }
    let start = match last {
        Some(last) => next_start(spec, last, now)?,
        None => Some(spec.start.unwrap_or(created)).filter(|start| after(*start, spec.duration) > now)?,
    };
    let (capacity, shape) = servable(spec, class).ok()?;
    Some(Neighbour {
        key,
        start,
        pods: capacity.counts(spec.tier, &shape).total(),
        begun: false,
    })
}

/// Why an event can't have its pods yet.
#[derive(Debug)]
pub(crate) struct HeldUp<'a> {
    /// Who has or gets pods before it, in the order of their starts.
    by: Vec<&'a Neighbour>,
    /// Pods that those have or get.
    taken: u32,
    /// Pods that it needs.
    pods: u32,
    /// Pods that all may have.
    limit: u32,
    class: &'a str,
}

/// What keeps `pods` for an event at `start` from fitting into what the class may have in all.
///
/// Pods of an event that has begun are never taken away for one that starts earlier.
pub(crate) fn held_up<'a>(
    input: &'a Input,
    class: &'a Class,
    start: Timestamp,
    pods: u32,
) -> Option<HeldUp<'a>> {
    let limit = class.max_total_pods?;
    let by = served_before(input, start);
    let taken = pods_of(&by);
    (taken.saturating_add(pods) > limit).then_some(HeldUp {
        by,
        taken,
        pods,
        limit,
        class: &class.name,
    })
}

/// Pods that an event at `start` may have in all, if its class sets a limit. What others have beyond their tiers
/// isn't known here and doesn't count.
pub(crate) fn room(input: &Input, class: &Class, start: Timestamp) -> Option<u32> {
    let limit = class.max_total_pods?;
    Some(limit.saturating_sub(pods_of(&served_before(input, start))))
}

/// Who has begun, and who begins before an event at `start`, in the order of their starts.
fn served_before(input: &Input, start: Timestamp) -> Vec<&Neighbour> {
    let me = input.webinar.key();
    let before_us = |n: &&Neighbour| n.begun || (n.start, n.key.as_str()) < (start, me.as_str());
    let mut before: Vec<&Neighbour> = input.neighbours.iter().filter(before_us).collect();
    before.sort_by_key(|n| (n.start, n.key.as_str()));
    before
}

fn pods_of(neighbours: &[&Neighbour]) -> u32 {
    neighbours.iter().map(|n| n.pods).fold(0, u32::saturating_add)
}

impl HeldUp<'_> {
    /// `Class standard may have 2,000 pods in all, and 1,242 are kept for events/keynote (start …)`, to be continued.
    pub(crate) fn why(&self) -> String {
        let others = match self.by.len().saturating_sub(1) {
            0 => String::new(),
            n => format!(" and {}", counted(n as u32, "other")),
        };
        let first = self.by.first().map_or_else(
            || "nobody".to_owned(),
            |n| format!("{} (start {})", n.key, date_and_clock(n.start)),
        );
        format!(
            "Class {} may have {} in all, and {} of them are kept for {first}{others}",
            self.class,
            counted(self.limit, "pod"),
            grouped(self.taken)
        )
    }

    /// What an event that has not begun is told.
    pub(crate) fn told(&self, tier: Tier, start: Option<Timestamp>, now: Timestamp) -> String {
        let seats = grouped(tier.attendees());
        let when = start.filter(|start| *start > now).map_or_else(
            || "are missing".to_owned(),
            |start| format!("will be missing at {}", date_and_clock(start)),
        );
        format!(
            "{}; the {} of this event wait until there is room. {seats} of {seats} seats {when}. Raise `maxTotalPods` of the class, or take a smaller tier.",
            self.why(),
            grouped(self.pods)
        )
    }
}
