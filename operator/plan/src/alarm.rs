//! An alarm that was raised is not called off at once: what comes and goes with single pods would ring and
//! fall silent by turns.

use jiff::Timestamp;

use crate::input::Alarm;
use crate::reason::Reason;
use crate::risk::Risk;
use crate::time::after;
use crate::view::{PATIENCE, View};

/// What is told of seats at risk when `seen` is what holds now, and what to remember of it.
///
/// A cause that was observed is told until it has been gone for a minute. Causes that follow from the clock
/// or from an answer of the API server end with it.
pub(crate) fn heard(view: &View<'_>, seen: Option<Risk>) -> (Option<Risk>, Option<Alarm>) {
    if let Some(risk) = seen {
        let alarm = observed(risk.cause).then_some(Alarm {
            cause: risk.cause,
            gone_since: None,
        });
        return (Some(risk), alarm);
    }
    let Some(Alarm { cause, gone_since }) = view.input.recent.alarm else {
        return (None, None);
    };
    let gone_since = gone_since.unwrap_or(view.input.now);
    let alarm = Alarm {
        cause,
        gone_since: Some(gone_since),
    };
    match ends(&alarm).filter(|end| *end > view.input.now) {
        Some(end) => (Some(echo(view, cause, gone_since, end)), Some(alarm)),
        None => (None, None),
    }
}

/// When an alarm whose cause has gone is called off.
pub(crate) fn ends(alarm: &Alarm) -> Option<Timestamp> {
    alarm.gone_since.map(|t| after(t, PATIENCE))
}

fn echo(view: &View<'_>, cause: Reason, gone_since: Timestamp, end: Timestamp) -> Risk {
    Risk {
        cause,
        message: format!(
            "{}. Since {} no seat is expected to be missing; this is called off at {} if it stays so.",
            view.pods_are_ready(),
            view.clock(gone_since),
            view.clock(end)
        ),
    }
}

const fn observed(cause: Reason) -> bool {
    matches!(
        cause,
        Reason::Unschedulable
            | Reason::ImagePull
            | Reason::RampBehind
            | Reason::PodsLost
            | Reason::AboveCeiling
    )
}
