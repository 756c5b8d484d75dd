//! How long nothing came.

use std::collections::VecDeque;

use crate::report::Gap;

/// Shorter gaps are not listed; nobody notices them.
const LISTED_MS: u64 = 500;
const LISTED: usize = 32;

/// The times between packets of one kind. All times are Unix milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    last_ms: Option<i64>,
    reconnects: u64,
    longest: Option<Gap>,
    listed: VecDeque<Gap>,
}

impl Gaps {
    /// A packet came.
    pub(crate) fn packet(&mut self, now_ms: i64) {
        if let Some(gap) = self.open(now_ms) {
            if length(gap) > self.longest.map_or(0, length) {
                self.longest = Some(gap);
            }
            if length(gap) >= LISTED_MS {
                if self.listed.len() == LISTED {
                    self.listed.pop_front();
                }
                self.listed.push_back(gap);
            }
        }
        self.last_ms = Some(now_ms);
        self.reconnects = 0;
    }

    /// The peer connection came up again.
    pub(crate) fn reconnected(&mut self) {
        self.reconnects += 1;
    }

    /// Time since the last packet; 0 before the first.
    pub(crate) fn silent_ms(&self, now_ms: i64) -> u64 {
        self.open(now_ms).map_or(0, length)
    }

    /// The longest gap, which may be the one that is still open.
    pub(crate) fn longest(&self, now_ms: i64) -> Option<Gap> {
        // On equal lengths `max_by_key` takes the last, and the one that has ended is to stay.
        self.open(now_ms)
            .into_iter()
            .chain(self.longest)
            .max_by_key(|gap| length(*gap))
    }

    /// The last gaps long enough to be listed, oldest first.
    pub(crate) fn listed(&self) -> impl Iterator<Item = Gap> {
        self.listed.iter().copied()
    }

    fn open(&self, now_ms: i64) -> Option<Gap> {
        self.last_ms.map(|begin_ms| Gap {
            begin_ms,
            end_ms: now_ms,
            reconnects: self.reconnects,
        })
    }
}

/// Length in milliseconds.
pub(crate) fn length(gap: Gap) -> u64 {
    u64::try_from(gap.end_ms.saturating_sub(gap.begin_ms)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_first_packet_there_is_no_gap() {
        let gaps = Gaps::default();
        assert_eq!(gaps.silent_ms(10_000), 0);
        assert_eq!(gaps.longest(10_000), None);
    }

    #[test]
    fn the_longest_gap_is_kept_with_its_beginning() {
        let mut gaps = Gaps::default();
        for now in [1000, 1030, 1330, 1340] {
            gaps.packet(now);
        }
        let longest = gaps.longest(1341).expect("one");
        assert_eq!((longest.begin_ms, length(longest)), (1030, 300));
        assert_eq!(gaps.listed().count(), 0);
    }

    #[test]
    fn an_open_gap_counts() {
        let mut gaps = Gaps::default();
        gaps.packet(1000);
        gaps.packet(1100);
        assert_eq!(gaps.silent_ms(1900), 800);
        assert_eq!(gaps.longest(1900).map(length), Some(800));
        assert_eq!(gaps.longest(1150).map(length), Some(100));
        assert_eq!(gaps.listed().count(), 0);
    }

    #[test]
    fn a_gap_spans_reconnects() {
        let mut gaps = Gaps::default();
        gaps.packet(1000);
        gaps.reconnected();
        gaps.reconnected();
        gaps.packet(4000);
        gaps.packet(4500);
        assert_eq!(
            gaps.listed().collect::<Vec<_>>(),
            [Gap::from((1000, 4000, 2)), Gap::from((4000, 4500, 0))]
        );
    }

    #[test]
    fn the_list_is_bounded() {
        let mut gaps = Gaps::default();
        for second in 0..100 {
            gaps.packet(second * 1000);
        }
        let listed: Vec<_> = gaps.listed().collect();
        assert_eq!(listed.len(), LISTED);
        assert_eq!(listed.last().map(|gap| gap.end_ms), Some(99_000));
    }

    #[test]
    fn a_clock_that_steps_back_makes_no_gap() {
        let mut gaps = Gaps::default();
        gaps.packet(1000);
        assert_eq!(gaps.silent_ms(900), 0);
    }
}
