//! Repeated measurements of one thing.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::amount::Amount;
use super::table::Figure;

/// Repeated measurements of one thing: never none.
#[derive(Debug, Clone)]
pub(super) struct Samples(Vec<Duration>);

impl Samples {
    /// From measurements in any order.
    ///
    /// # Errors
    /// When there are none.
    pub(super) fn new(mut measured: Vec<Duration>) -> Result<Self> {
        ensure!(!measured.is_empty(), "nothing was measured");
        measured.sort_unstable();
        Ok(Self(measured))
    }

    /// Half took less and half took more. It stays where it is when a few are disturbed.
    pub(super) fn median(&self) -> Duration {
        let middle = self.0.len() / 2;
        if self.0.len() % 2 == 1 {
            self.0[middle]
        } else {
            (self.0[middle - 1] + self.0[middle]) / 2
        }
    }

    /// The least disturbed one.
    pub(super) fn fastest(&self) -> Duration {
        self.0[0]
    }

    /// Nine in ten took no longer.
    pub(super) fn ninth_tenth(&self) -> Duration {
        self.0[(self.0.len() * 9).div_ceil(10) - 1]
    }

    /// What every table says of times: the middle, and how far they spread.
    pub(super) fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::new("median", self.median()),
            Figure::new("fastest", self.fastest()),
            Figure::new("9 in 10 within", self.ninth_tenth()),
        ]
    }

    /// How many times as long this takes as `other`, median to median.
    pub(super) fn ratio(&self, other: &Self) -> Option<Amount> {
        Amount::ratio(self.median(), other.median())
    }
}

/// Measures several things in turns, so that whatever else the machine does meets all alike. The first round is not
/// counted: it fills caches.
///
/// # Errors
/// That of `measure`, or when there are no rounds.
pub(super) fn in_turns<T>(
    things: &[T],
    rounds: usize,
    mut measure: impl FnMut(&T) -> Result<Duration>,
) -> Result<Vec<Samples>> {
    let mut measured: Vec<Vec<Duration>> = things.iter().map(|_| Vec::with_capacity(rounds)).collect();
    for round in 0..=rounds {
        for (thing, samples) in things.iter().zip(&mut measured) {
            let taken = measure(thing)?;
            if round > 0 {
                samples.push(taken);
            }
        }
    }
    measured.into_iter().map(Samples::new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(millis: &[u64]) -> Samples {
        Samples::new(millis.iter().copied().map(Duration::from_millis).collect()).expect("some")
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(samples(&[9, 1, 2]).median(), Duration::from_millis(2));
        assert_eq!(samples(&[4, 9, 1, 2]).median(), Duration::from_millis(3));
        assert_eq!(samples(&[7]).median(), Duration::from_millis(7));
    }

    #[test]
    fn the_spread_is_from_the_fastest_to_nine_in_ten() {
        let ten = samples(&[10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(ten.fastest(), Duration::from_millis(1));
        assert_eq!(ten.ninth_tenth(), Duration::from_millis(9));
        assert_eq!(samples(&[3]).ninth_tenth(), Duration::from_millis(3));
        assert_eq!(samples(&[3, 4]).ninth_tenth(), Duration::from_millis(4));
    }

    #[test]
    fn nothing_measured_is_an_error() {
        assert!(Samples::new(Vec::new()).is_err());
    }

    #[test]
    fn things_take_turns_and_the_first_round_does_not_count() {
        let mut order = Vec::new();
        let measured = in_turns(&[1, 2], 2, |thing| {
            order.push(*thing);
            Ok(Duration::from_secs(order.len() as u64))
        })
        .expect("measured");
        assert_eq!(order, [1, 2, 1, 2, 1, 2]);
        assert_eq!(measured[0].0, [3, 5].map(Duration::from_secs));
        assert_eq!(measured[1].0, [4, 6].map(Duration::from_secs));
    }
}
