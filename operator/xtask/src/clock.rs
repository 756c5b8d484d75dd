//! The wall clock, which events' times are compared with.

use jiff::{SignedDuration, Timestamp};

/// The current time.
#[expect(
    clippy::disallowed_methods,
    reason = "an event on a real control plane starts at a real time"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A time of day, such as `17:00:00Z`.
pub(crate) fn time_of_day(time: Timestamp) -> String {
    time.strftime("%H:%M:%SZ").to_string()
}

/// How far a time is from the start, in whole seconds: `T-2:05` before it, `T+0:03` after it.
pub(crate) fn countdown(time: Timestamp, start: Timestamp) -> String {
    let distance = time.duration_since(start);
    let sign = if distance.is_negative() { '-' } else { '+' };
    format!("T{sign}{}", minutes(distance.abs()))
}

/// Minutes and seconds, such as `2:05`.
pub(crate) fn minutes(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_the_start() {
        let start: Timestamp = "2026-03-01T17:00:00Z".parse().expect("a time");
        let at = |millis| countdown(start + SignedDuration::from_millis(millis), start);
        assert_eq!(at(-125_000), "T-2:05");
        assert_eq!(at(-1_100), "T-0:01");
        assert_eq!(at(0), "T+0:00");
        assert_eq!(at(3_999), "T+0:03");
        assert_eq!(time_of_day(start), "17:00:00Z");
    }
}
