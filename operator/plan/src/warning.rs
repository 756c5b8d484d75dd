//! What people are warned of once.

use jiff::{SignedDuration, Timestamp};

use crate::conditions::listed;
use crate::input::{Input, Stranger, Subject};
use crate::output::Notice;
use crate::phase::Phase;
use crate::reason::Reason;
use crate::time::before;
use crate::timeline::Schedule;
use crate::view::View;

/// How long before its end people are warned of the end of an overrun.
const WARNED_AHEAD: SignedDuration = SignedDuration::from_mins(15);

/// Says once, some time ahead, that the overrun ends.
pub(crate) fn warning(view: &View<'_>) -> Option<Notice> {
    let subject = Subject {
        reason: Reason::OverrunEnding,
        moment: view.schedule.release,
    };
    let due = view.phase == Phase::Overrun && view.input.now >= warned_from(view.schedule);
    (due && !view.input.recent.was_told(subject)).then(|| Notice {
        subject,
        text: format!(
            "Capacity is given back from {} on, whoever is still watching. Lengthen `duration` or `overrun` to keep it.",
            view.clock(view.schedule.release)
        ),
    })
}

/// Pods that a warning names; more are only counted.
const NAMED: usize = 3;

/// Says once that pods of others carry the labels: again when the oldest of them has gone and others are left.
pub(crate) fn strangers(input: &Input) -> Option<Notice> {
    let mut by_age: Vec<&Stranger> = input.strangers.iter().collect();
    by_age.sort_unstable_by_key(|s| (s.created, &s.name));
    let subject = Subject {
        reason: Reason::ForeignPods,
        moment: by_age.first()?.created,
    };
    if input.recent.was_told(subject) {
        return None;
    }
    let mut names: Vec<String> = by_age.iter().take(NAMED).map(|s| s.name.clone()).collect();
    let more = by_age.len().saturating_sub(NAMED);
    names.extend((more > 0).then(|| format!("{more} more")));
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Some(Notice {
        subject,
        text: format!(
            "Not pods of this Webinar, but labelled as such: {}. They are never counted, changed or deleted, but Services may lead viewers to them. Delete them, or take the labels away.",
            listed(&names)
        ),
    })
}

/// From when on [`warning`] warns.
pub(crate) fn warned_from(schedule: &Schedule) -> Timestamp {
    before(schedule.release, WARNED_AHEAD)
}
