//! Times in which media did not flow, as the run remembers them.

use jiff::Timestamp;

use crate::input::{Incident, Memory};
use crate::reason::Reason;

/// Incidents whose times are kept; more are only counted.
const KEPT: usize = 10;

/// Letters that an incident's record of what was done may have.
const TOLD: usize = 300;

/// The incident that lasts.
pub(super) fn open(memory: &Memory) -> Option<&Incident> {
    memory.incidents.latest.last().filter(|i| i.ended.is_none())
}

fn open_mut(memory: &mut Memory) -> Option<&mut Incident> {
    let last = memory.incidents.latest.last_mut();
    last.filter(|i| i.ended.is_none())
}

/// Media stopped at `began`. What stops for another reason while it has not come back is the same incident.
pub(super) fn begin(memory: &mut Memory, cause: Reason, began: Timestamp, action: String) {
    if open(memory).is_some() {
        return;
    }
    let incidents = &mut memory.incidents;
    incidents.total = incidents.total.saturating_add(1);
    let more = (incidents.latest.len() + 1).saturating_sub(KEPT);
    incidents.latest.drain(..more);
    incidents.latest.push(Incident {
        cause,
        began,
        ended: None,
        action,
    });
}

/// Something was done about the incident that lasts, if one does.
pub(super) fn act(memory: &mut Memory, action: &str) {
    if let Some(incident) = open_mut(memory).filter(|i| i.action.len() + action.len() < TOLD) {
        if !incident.action.is_empty() {
            incident.action.push_str("; ");
        }
        incident.action.push_str(action);
    }
}

/// Bytes are back since `ended`.
pub(super) fn end(memory: &mut Memory, ended: Timestamp) {
    if let Some(incident) = open_mut(memory) {
        incident.ended = Some(ended.max(incident.began));
    }
}
