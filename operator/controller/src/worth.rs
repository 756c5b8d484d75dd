//! Whether what is said about a Webinar is worth a write.

use jiff::{SignedDuration, Timestamp};
use webinar_api::WebinarStatus;

/// Numbers alone are written at most this often.
const QUIET: SignedDuration = SignedDuration::from_secs(15);

/// Numbers alone are written that soon when one has moved by this share of what is desired, percent.
const MOVED_PERCENT: i64 = 10;

/// The audience is written when it has moved by this share of what is desired, percent.
const AUDIENCE_PERCENT: i64 = 1;

/// Whatever else has changed is written at most this often: a fleet that stands still short of what is desired
/// must not be spoken of as it was on its way there.
const STALE: SignedDuration = SignedDuration::from_secs(30);

/// Whether a status is worth a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// Write it.
    Now,
    /// Not before this instant.
    Later(Timestamp),
    /// Nothing that people need has changed.
    Nothing,
}

/// Judges whether `new` is worth a write over `old`, last written at `written`.
///
/// A phase, a run, a boundary or a verdict is written at once. Numbers and sentences wait for each other,
/// small steps longer than big ones and than a fleet that has settled.
pub(crate) fn worth(
    old: Option<&WebinarStatus>,
    new: &WebinarStatus,
    written: Option<Timestamp>,
    now: Timestamp,
) -> Worth {
    let Some(old) = old else { return Worth::Now };
    if timeless(old) == timeless(new) {
        return Worth::Nothing;
    }
    if without_numbers(old) != without_numbers(new) {
        return Worth::Now;
    }
    let settled = new
        .pools
        .iter()
        .all(|p| p.created == p.desired && p.ready == p.desired);
    let only_viewers = timeless(&without_viewers(old)) == timeless(&without_viewers(new));
    if only_viewers && !viewers_moved(old, new) {
        return Worth::Nothing;
    }
    let soon = only_viewers || settled || moved(old, new);
    let wait = if soon { QUIET } else { STALE };
    match written
        .and_then(|t| t.checked_add(wait).ok())
        .filter(|next| *next > now)
    {
        Some(next) => Worth::Later(next),
        None => Worth::Now,
    }
}

/// The same without the instant at which viewers were counted: a time alone is never written.
fn timeless(status: &WebinarStatus) -> WebinarStatus {
    let mut out = status.clone();
    if let Some(attended) = &mut out.attendance {
        attended.observed_time = None;
    }
    out
}

/// The same without who is watching.
fn without_viewers(status: &WebinarStatus) -> WebinarStatus {
    WebinarStatus {
        attendance: None,
        ..status.clone()
    }
}

/// The audience has changed by so much of the tier, or is known now and was not, or the other way round.
fn viewers_moved(old: &WebinarStatus, new: &WebinarStatus) -> bool {
    let (Some(was), Some(is)) = (&old.attendance, &new.attendance) else {
        return old.attendance.is_some() != new.attendance.is_some();
    };
    let tier = new.capacity.as_ref().map_or(1, |c| c.desired.max(1));
    let far = |was: i32, is: i32| i64::from((was - is).abs()) * 100 >= i64::from(tier) * AUDIENCE_PERCENT;
    far(was.current, is.current) || far(was.peak, is.peak)
}

fn without_numbers(status: &WebinarStatus) -> WebinarStatus {
    let mut out = status.clone();
    out.attendance = None;
    out.admission = None;
    out.pools.clear();
    out.capacity = None;
    for entry in &mut out.entry_points {
        entry.relays = None;
        entry.joins_per_second = None;
    }
    for condition in &mut out.conditions {
        condition.message.clear();
    }
    out
}

fn moved(old: &WebinarStatus, new: &WebinarStatus) -> bool {
    let far = |was: i32, is: i32, of: i32| {
        i64::from((was - is).abs()) * 100 >= i64::from(of.max(1)) * MOVED_PERCENT
    };
    let seats = match (&old.capacity, &new.capacity) {
        (Some(was), Some(is)) => {
            far(was.ready, is.ready, is.desired.max(was.ready)) || far(was.desired, is.desired, is.desired)
        }
        (was, is) => was.is_some() != is.is_some(),
    };
    seats
        || new.pools.iter().any(|is| {
            let Some(was) = old.pools.iter().find(|p| p.role == is.role) else {
                return true;
            };
            let of = is.desired.max(was.created);
            [
                (was.desired, is.desired),
                (was.created, is.created),
                (was.ready, is.ready),
                (was.draining, is.draining),
            ]
            .into_iter()
            .any(|(was, is)| was != is && far(was, is, of))
        })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    use webinar_api::{Attended, Capacity, Phase, Pool, Role};

    use super::*;

    fn status(created: i32, ready: i32) -> WebinarStatus {
        WebinarStatus {
            phase: Some(Phase::Ramping),
            pools: vec![Pool {
                role: Role::Relay,
                desired: 100,
                created,
                ready,
                draining: 0,
            }],
            ..WebinarStatus::default()
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    #[test]
    fn a_new_phase_is_written_at_once() {
        let new = WebinarStatus {
            phase: Some(Phase::Live),
            ..status(5, 0)
        };
        assert_eq!(worth(Some(&status(5, 0)), &new, Some(at(0)), at(1)), Worth::Now);
        assert_eq!(worth(None, &new, None, at(1)), Worth::Now);
    }

    #[test]
    fn small_steps_are_written_twice_a_minute() {
        let (old, new) = (status(50, 10), status(55, 19));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(20)), Worth::Later(at(30)));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(30)), Worth::Now);
    }

    #[test]
    fn a_sentence_about_a_fleet_that_stands_still_does_not_stay_as_it_was() {
        let said = |message: &str| {
            let mut status = status(100, 50);
            status.conditions = vec![Condition {
                type_: "CapacityAtRisk".to_owned(),
                status: "True".to_owned(),
                reason: "Unschedulable".to_owned(),
                message: message.to_owned(),
                observed_generation: Some(1),
                last_transition_time: Time(at(0)),
            }];
            status
        };
        let (old, new) = (
            said("2 relays are unschedulable"),
            said("50 relays are unschedulable"),
        );
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(1)), Worth::Later(at(30)));
        assert_eq!(
            worth(Some(&old), &old.clone(), Some(at(0)), at(99)),
            Worth::Nothing
        );
    }

    #[test]
    fn big_steps_wait_for_their_turn() {
        let (old, new) = (status(50, 10), status(60, 10));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(5)), Worth::Later(at(15)));
        assert_eq!(worth(Some(&old), &new, Some(at(0)), at(15)), Worth::Now);
    }

    #[test]
    fn a_settled_fleet_is_written_however_small_the_step() {
        assert_eq!(
            worth(Some(&status(100, 99)), &status(100, 100), None, at(0)),
            Worth::Now
        );
    }

    #[test]
    fn an_audience_is_written_in_steps_and_a_time_never() {
        let said = |current: i32, second: i64| WebinarStatus {
            capacity: Some(Capacity {
                desired: 100_000,
                ready: 100_000,
            }),
            attendance: Some(Attended {
                current,
                peak: 50_000,
                observed_time: Some(Time(at(second))),
            }),
            ..status(100, 100)
        };
        let old = said(40_000, 0);
        let written = Some(at(0));
        assert_eq!(
            worth(Some(&old), &said(40_000, 60), written, at(60)),
            Worth::Nothing
        );
        assert_eq!(
            worth(Some(&old), &said(40_999, 60), written, at(60)),
            Worth::Nothing
        );
        assert_eq!(
            worth(Some(&old), &said(41_000, 5), written, at(5)),
            Worth::Later(at(15))
        );
        assert_eq!(worth(Some(&old), &said(41_000, 15), written, at(15)), Worth::Now);
    }
}
