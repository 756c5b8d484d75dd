//! From a scenario that breaks something to the shortest one that still does.

use std::sync::Arc;

use crate::life::{Manner, live};
use crate::scenario::Scenario;
use crate::time::{MINUTE, Moment};

/// Worlds that are lived at most.
const MOST: usize = 400;

/// Leaves out what is not needed: whole stretches of happenings first, then each.
///
/// # Errors
///
/// When no Tokio runtime can be made.
pub fn shrink(scenario: &Scenario, manner: Manner) -> std::io::Result<Scenario> {
    let manner = Manner {
        told: false,
        ..manner
    };
    let first = live(&Arc::new(scenario.clone()), manner)?;
    let Some(wanted) = first.violation else {
        return Ok(scenario.clone());
    };
    let mut best = scenario.clone();
    let mut lived = 0;
    let mut still_breaks = |candidate: &Scenario| -> std::io::Result<bool> {
        lived += 1;
        if lived > MOST {
            return Ok(false);
        }
        let outcome = live(&Arc::new(candidate.clone()), manner)?;
        Ok(outcome.violation.is_some_and(|v| v.invariant == wanted.invariant))
    };
    let mut size = best.happenings.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        while from < best.happenings.len() {
            let mut candidate = best.clone();
            let to = (from + size).min(candidate.happenings.len());
            candidate.happenings.drain(from..to);
            if still_breaks(&candidate)? {
                best = candidate;
            } else {
                from += size;
            }
        }
        size /= 2;
    }
    // Nothing after the break is needed.
    let outcome = live(&Arc::new(best.clone()), manner)?;
    if let Some(violation) = outcome.violation {
        let calm = violation.at < best.calm_from;
        let until = Moment(violation.at.0 + MINUTE);
        let mut candidate = best.clone();
        candidate.until = candidate.until.min(until);
        if calm {
            candidate.calm_from = candidate.until;
            if still_breaks(&candidate)? {
                best = candidate;
            }
        }
    }
    Ok(best)
}
