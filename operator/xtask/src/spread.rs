//! Moments and distances between them, as people read them.

use std::fmt;

/// Numbers of one kind, such as the seconds that ten runs took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// Adds one.
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_by(f64::total_cmp);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The middle one; of an even number the higher of two. 0 of none.
    pub(crate) fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// The largest; 0 of none.
    pub(crate) fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// The smallest; 0 of none.
    pub(crate) fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }
}

impl FromIterator<f64> for Spread {
    fn from_iter<T: IntoIterator<Item = f64>>(values: T) -> Self {
        let mut all: Vec<f64> = values.into_iter().collect();
        all.sort_by(f64::total_cmp);
        Self(all)
    }
}

/// As in `11.4 (10.2–13.0)`: the median, the least and the most.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} ({:.1}–{:.1})", self.median(), self.least(), self.most())
    }
}

/// Seconds from one moment to another, both Unix milliseconds.
pub(crate) fn seconds(from_ms: i64, to_ms: i64) -> f64 {
    (to_ms - from_ms) as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_tells_of_its_middle_and_its_ends() {
        let spread: Spread = [3.0, 1.0, 2.0].into_iter().collect();
        assert_eq!(spread.to_string(), "2.0 (1.0–3.0)");
        assert_eq!(Spread::default().to_string(), "0.0 (0.0–0.0)");
        let even: Spread = [1.0, 2.0, 3.0, 4.0].into_iter().collect();
        assert_eq!(even.to_string(), "3.0 (1.0–4.0)");
        assert!((seconds(1_500, 4_000) - 2.5).abs() < f64::EPSILON);
    }
}
