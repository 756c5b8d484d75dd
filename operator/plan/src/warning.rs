//! What people are warned of once, some time ahead.

use jiff::{SignedDuration, Timestamp};

use crate::input::Subject;
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
    (due && view.input.recent.told != Some(subject)).then(|| Notice {
        subject,
        text: format!(
            "Capacity is given back from {} on, whoever is still watching. Lengthen `duration` or `overrun` to keep it.",
            view.clock(view.schedule.release)
        ),
    })
}

/// From when on [`warning`] warns.
pub(crate) fn warned_from(schedule: &Schedule) -> Timestamp {
    before(schedule.release, WARNED_AHEAD)
}
