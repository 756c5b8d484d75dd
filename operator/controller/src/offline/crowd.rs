//! How an audience is expected to arrive.

use jiff::{SignedDuration, Timestamp};

/// Minutes around the start, and the share of the tier that is there by then, percent.
const CURVE: [(i64, u32); 9] = [
    (-15, 3),
    (-10, 8),
    (-5, 25),
    (-2, 45),
    (0, 60),
    (2, 75),
    (5, 90),
    (10, 98),
    (15, 100),
];

/// Points of the curve for `attendees` around `start`: nobody before it, everybody after it until `end`.
pub(crate) fn curve(attendees: u32, start: Timestamp, end: Timestamp) -> Vec<(Timestamp, u32)> {
    let before = start + SignedDuration::from_mins(CURVE[0].0 - 1);
    let mut out = vec![(before, 0)];
    out.extend(CURVE.iter().map(|(minute, percent)| {
        let people = u64::from(attendees) * u64::from(*percent) / 100;
        (
            start + SignedDuration::from_mins(*minute),
            u32::try_from(people).unwrap_or(u32::MAX),
        )
    }));
    out.retain(|(t, _)| *t < end);
    let last = out.last().map_or(0, |(_, people)| *people);
    out.push((end, last));
    out
}
