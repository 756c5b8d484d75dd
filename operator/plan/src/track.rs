//! One pod's answers, kept as far as they are judged: bounded, whatever it says and however often.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::input::Stall;
use crate::signal::{Flow, Reading, Sample, Signal};
use crate::time::{after, before};

/// How far back a pod's usual rate is looked for (media.md).
const USUAL_OVER: SignedDuration = SignedDuration::from_mins(5);

/// From how much history on it is known (media.md).
const USUAL_FROM: SignedDuration = SignedDuration::from_secs(60);

/// Of rates that come more often than this one is kept: a median needs no more.
const KEPT_EVERY: SignedDuration = SignedDuration::from_secs(4);

/// Rates kept at most: five minutes of them.
const KEPT: usize = 76;

/// Rates that are told, of the last answers.
const TOLD: usize = 3;

/// The bounded history of one pod's [`Sample`]s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    last: Option<(Timestamp, Reading)>,
    inbound: Line,
    outbound: Line,
}

impl Track {
    /// Takes in one answer. `stall` says from what rate on bytes count as media.
    ///
    /// An answer of the same instant as the last one is not taken twice. After a clock that was set back everything is
    /// measured anew.
    pub fn take(&mut self, sample: Sample, stall: &Stall) {
        match self.last {
            Some((at, _)) if sample.at == at => return,
            Some((at, _)) if sample.at < at => *self = Self::default(),
            _ => {}
        }
        let last = self.last.map(|(at, _)| at);
        self.inbound.take(sample.at, last, sample.bytes_in, stall.floor);
        self.outbound.take(sample.at, last, sample.bytes_out, stall.floor);
        self.last = Some((sample.at, sample.viewers));
    }

    /// What the answers so far come to. Nothing before the first one.
    pub fn signal(&self) -> Option<Signal> {
        let (answered, viewers) = self.last?;
        Some(Signal {
            answered,
            viewers,
            inbound: self.inbound.flow(),
            outbound: self.outbound.flow(),
        })
    }
}

/// One counter of a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Line {
    counter: Option<u64>,
    told: VecDeque<u64>,
    /// Rates of the floor at least, thinned out, oldest first: what a pod usually receives while it receives.
    kept: VecDeque<(Timestamp, u64)>,
    last_byte: Option<Timestamp>,
    still_since: Option<Timestamp>,
    flowing_since: Option<Timestamp>,
}

impl Line {
    fn take(&mut self, at: Timestamp, last: Option<Timestamp>, reading: Reading, floor: u64) {
        let known = self.counter;
        let rate = match reading {
            Reading::Absurd => {
                self.counter = None;
                self.told.clear();
                (self.still_since, self.flowing_since) = (None, None);
                return;
            }
            // No such series is no such stream: when it appears it begins at nothing.
            Reading::Missing => {
                self.counter = known.or(Some(0));
                Some(0)
            }
            Reading::Value(now) => {
                self.counter = Some(now);
                known.zip(last).map(|(then, last)| {
                    // As in Prometheus: a counter that fell has begun anew, and what it shows came since.
                    let more = now.checked_sub(then).unwrap_or(now);
                    rate(more, at.duration_since(last))
                })
            }
        };
        let Some(rate) = rate else { return };
        self.told.push_front(rate);
        self.told.truncate(TOLD);
        if rate >= floor && reading != Reading::Missing {
            self.still_since = None;
            self.flowing_since.get_or_insert(at);
            self.last_byte = Some(at);
            self.keep(at, rate);
        } else {
            self.flowing_since = None;
            self.still_since.get_or_insert(at);
        }
        let oldest = before(at, USUAL_OVER);
        while self.kept.pop_front_if(|(t, _)| *t < oldest).is_some() {}
    }

    fn keep(&mut self, at: Timestamp, rate: u64) {
        if self.kept.back().is_some_and(|(t, _)| after(*t, KEPT_EVERY) > at) {
            return;
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((at, rate));
    }

    fn flow(&self) -> Flow {
        Flow {
            rates: self.told.iter().copied().collect(),
            usual: self.usual(),
            last_byte: self.last_byte,
            still_since: self.still_since,
            flowing_since: self.flowing_since,
        }
    }

    fn usual(&self) -> Option<u64> {
        let (first, last) = (self.kept.front()?.0, self.kept.back()?.0);
        if after(first, USUAL_FROM) > last {
            return None;
        }
        median(self.kept.iter().map(|(_, rate)| *rate).collect())
    }
}

/// Bits per second, at least so many nanoseconds being taken for one.
fn rate(bytes: u64, over: SignedDuration) -> u64 {
    let nanos = u128::try_from(over.as_nanos()).unwrap_or(0).max(1);
    let bits = u128::from(bytes) * 8 * 1_000_000_000;
    u64::try_from(bits / nanos).unwrap_or(u64::MAX)
}

/// The middle one; of an even number the upper of the two in the middle.
pub(crate) fn median(mut rates: Vec<u64>) -> Option<u64> {
    let middle = rates.len() / 2;
    (!rates.is_empty()).then(|| *rates.select_nth_unstable(middle).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLOOR: Stall = Stall {
        floor: 2_000,
        after: SignedDuration::from_secs(8),
        no_signal_after: SignedDuration::from_secs(20),
        standby_after: SignedDuration::from_secs(10),
    };

    fn at(second: i64) -> Timestamp {
        after(
            "2027-03-04T17:00:00Z".parse().unwrap(),
            SignedDuration::from_secs(second),
        )
    }

    fn take(track: &mut Track, second: i64, bytes_in: Reading) {
        let sample = Sample {
            at: at(second),
            viewers: Reading::Value(7),
            bytes_in,
            bytes_out: Reading::Missing,
        };
        track.take(sample, &FLOOR);
    }

    fn tracked(readings: &[(i64, Reading)]) -> Flow {
        let mut track = Track::default();
        for (second, reading) in readings {
            take(&mut track, *second, *reading);
        }
        track.signal().unwrap().inbound
    }

    use Reading::{Absurd, Missing, Value};

    #[test]
    fn rates_are_bits_per_second_between_answers_and_the_latest_comes_first() {
        let flow = tracked(&[
            (0, Value(500)),
            (2, Value(1_500)),
            (4, Value(3_500)),
            (6, Value(3_500)),
            (11, Value(8_500)),
        ]);
        assert_eq!(flow.rates, [8_000, 0, 8_000]);
        assert_eq!(flow.last_byte, Some(at(11)));
        assert_eq!(flow.flowing_since, Some(at(11)));
        assert_eq!(flow.still_since, None);
    }

    #[test]
    fn one_answer_says_nothing_of_flow() {
        let flow = tracked(&[(0, Value(u64::MAX))]);
        assert_eq!(flow, Flow::default());
        assert_eq!(Track::default().signal(), None);
    }

    #[test]
    fn the_last_byte_is_the_last_answer_with_media_and_stillness_begins_with_the_next() {
        let flow = tracked(&[
            (0, Value(0)),
            (2, Value(10_000)),
            (4, Value(20_000)),
            (6, Value(20_000)),
            (8, Value(20_100)),
        ]);
        assert_eq!(flow.last_byte, Some(at(4)));
        assert_eq!(flow.still_since, Some(at(6)), "400 bit/s is no media");
        assert_eq!(flow.flowing_since, None);
    }

    #[test]
    fn a_series_that_is_missing_is_still_and_begins_at_nothing_when_it_appears() {
        let flow = tracked(&[(0, Value(0)), (2, Value(10_000)), (4, Missing), (6, Missing)]);
        assert_eq!((flow.last_byte, flow.still_since), (Some(at(2)), Some(at(4))));
        let flow = tracked(&[(0, Missing), (2, Value(10_000))]);
        assert_eq!((flow.rates, flow.flowing_since), (vec![40_000, 0], Some(at(2))));
        // It was only not told for a moment.
        let flow = tracked(&[(0, Value(10_000)), (2, Missing), (4, Value(10_000))]);
        assert_eq!(flow.still_since, Some(at(2)));
    }

    #[test]
    fn a_counter_that_falls_has_begun_anew() {
        let flow = tracked(&[(0, Value(1_000_000)), (2, Value(5_000))]);
        assert_eq!(flow.rates, [20_000]);
        let flow = tracked(&[(0, Value(u64::MAX)), (2, Value(0)), (4, Value(u64::MAX))]);
        assert_eq!(flow.rates[1], 0);
        assert!(flow.rates[0] > 1 << 60);
    }

    #[test]
    fn what_cannot_be_tells_nothing() {
        let flow = tracked(&[(0, Value(0)), (2, Value(10_000)), (4, Absurd)]);
        assert_eq!((flow.still_since, flow.flowing_since), (None, None));
        assert_eq!((flow.rates, flow.last_byte), (vec![], Some(at(2))));
        let flow = tracked(&[(0, Value(0)), (2, Absurd), (4, Value(9)), (6, Value(90_000))]);
        assert_eq!(flow.flowing_since, Some(at(6)));
    }

    #[test]
    fn an_instant_counts_once_and_a_clock_that_is_set_back_begins_anew() {
        let flow = tracked(&[(0, Value(0)), (2, Value(10_000)), (2, Value(90_000))]);
        assert_eq!(flow.rates, [40_000]);
        let flow = tracked(&[
            (60, Value(0)),
            (62, Value(10_000)),
            (0, Value(20_000)),
            (2, Value(30_000)),
        ]);
        assert_eq!((flow.rates, flow.last_byte), (vec![40_000], Some(at(2))));
    }

    #[test]
    fn usual_is_what_came_while_something_came_over_the_last_five_minutes() {
        let mut track = Track::default();
        let mut bytes = 0;
        for second in (0..58).step_by(2) {
            bytes += 250_000;
            take(&mut track, second, Value(bytes));
        }
        assert_eq!(track.signal().unwrap().inbound.usual, None, "not a minute yet");
        for second in (58..200).step_by(2) {
            bytes += 250_000;
            take(&mut track, second, Value(bytes));
        }
        assert_eq!(track.signal().unwrap().inbound.usual, Some(1_000_000));
        // Four minutes of nothing don't make nothing usual.
        for second in (200..440).step_by(2) {
            take(&mut track, second, Value(bytes));
        }
        assert_eq!(track.signal().unwrap().inbound.usual, Some(1_000_000));
        for second in (440..900).step_by(2) {
            bytes += 2_500;
            take(&mut track, second, Value(bytes));
        }
        assert_eq!(track.signal().unwrap().inbound.usual, Some(10_000));
    }

    #[test]
    fn a_day_of_answers_takes_no_more_room_than_five_minutes() {
        let mut track = Track::default();
        for n in 0..86_400_i64 {
            take(&mut track, n, Value(n as u64 * 100_000));
        }
        assert!(track.inbound.kept.len() <= KEPT && track.inbound.kept.capacity() <= 2 * KEPT);
        assert!(track.inbound.told.len() <= TOLD);
    }

    #[test]
    fn the_edges_of_time_and_counters_are_no_trouble() {
        let edges = [Timestamp::MIN, at(0), Timestamp::MAX];
        let readings = [Missing, Absurd, Value(0), Value(1), Value(u64::MAX)];
        let mut track = Track::default();
        for first in edges {
            for second in edges {
                for a in readings {
                    for b in readings {
                        for (at, bytes_in) in [(first, a), (second, b), (second, a)] {
                            let sample = Sample {
                                at,
                                viewers: b,
                                bytes_in,
                                bytes_out: a,
                            };
                            track.take(sample, &FLOOR);
                            assert!(track.signal().is_some());
                        }
                    }
                }
            }
        }
    }
}
