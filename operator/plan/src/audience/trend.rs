//! How the number of viewers has moved within the last minute.

use jiff::{SignedDuration, Timestamp};

use crate::time::after;

/// How far back the slope looks.
const WINDOW: SignedDuration = SignedDuration::from_secs(60);

/// A slope over less than this says nothing.
const SHORTEST: SignedDuration = SignedDuration::from_secs(30);

/// Points are at least so far apart: a minute holds few of them.
const APART: SignedDuration = SignedDuration::from_secs(5);

/// Who has lost a relay comes back within this time, and is no growth.
const COMING_BACK: SignedDuration = SignedDuration::from_mins(2);

/// How the number of viewers has moved lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Trend {
    points: Vec<(Timestamp, u32)>,
    /// Viewers there were before pods were lost, and until when they are awaited.
    awaited: Option<(u32, Timestamp)>,
}

impl Trend {
    /// Takes note of `viewers` at `at`.
    pub(super) fn note(&mut self, at: Timestamp, viewers: u32) {
        let due = |(last, _): &(Timestamp, u32)| after(*last, APART) <= at;
        if self.points.last().is_none_or(due) {
            self.points.push((at, viewers));
        }
        self.points.retain(|(t, _)| after(*t, WINDOW) >= at);
    }

    /// Nothing is known any more of how it moves.
    pub(super) fn forget(&mut self) {
        self.points.clear();
    }

    /// Pods have answered for the first time: their viewers were there before.
    pub(super) fn found(&mut self, viewers: u32) {
        for (_, n) in &mut self.points {
            *n = n.saturating_add(viewers);
        }
    }

    /// Pods were lost while there were `viewers` in all.
    pub(super) fn lost(&mut self, viewers: u32, now: Timestamp) {
        let before = self.awaited(now).unwrap_or(0);
        self.awaited = Some((viewers.max(before), after(now, COMING_BACK)));
    }

    /// Viewers that are awaited back.
    pub(super) fn awaited(&self, now: Timestamp) -> Option<u32> {
        self.awaited.filter(|(_, until)| *until > now).map(|(n, _)| n)
    }

    /// Until when they are.
    pub(super) fn awaited_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.awaited.map(|(_, until)| until).filter(|t| *t > now)
    }

    /// How many more there will be after `ahead` if it goes on as it does. Never less than none.
    pub(super) fn rise(&self, ahead: SignedDuration) -> u32 {
        let (Some((from, before)), Some((to, now))) = (self.points.first(), self.points.last()) else {
            return 0;
        };
        let span = to.duration_since(*from);
        if span < SHORTEST {
            return 0;
        }
        let more = u64::from(now.saturating_sub(*before));
        let seconds = |d: SignedDuration| u64::try_from(d.as_secs()).unwrap_or(0);
        let rise = more.saturating_mul(seconds(ahead)) / seconds(span).max(1);
        u32::try_from(rise).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    const AHEAD: SignedDuration = SignedDuration::from_secs(405);

    #[test]
    fn a_rise_goes_on_and_a_fall_does_not() {
        let mut trend = Trend::default();
        for second in 0..=20 {
            trend.note(at(second * 5), 1000 + u32::try_from(second).unwrap() * 50);
        }
        // 10 a second.
        assert_eq!(trend.rise(AHEAD), 4050);
        assert!(trend.points.len() <= 13);
        for second in 21..=40 {
            trend.note(at(second * 5), 10);
        }
        assert_eq!(trend.rise(AHEAD), 0);
    }

    #[test]
    fn a_short_history_has_no_slope() {
        let mut trend = Trend::default();
        trend.note(at(0), 10);
        trend.note(at(25), 5000);
        assert_eq!(trend.rise(AHEAD), 0);
        trend.note(at(30), 5000);
        assert_eq!(trend.rise(AHEAD), 4990 * 405 / 30);
    }

    #[test]
    fn pods_that_answer_for_the_first_time_are_no_growth() {
        let mut trend = Trend::default();
        trend.note(at(0), 100);
        trend.found(900);
        trend.note(at(30), 1000);
        assert_eq!(trend.rise(AHEAD), 0);
    }
}
