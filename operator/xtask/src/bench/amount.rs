//! A number with its unit.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unit {
    Seconds,
    Bytes,
    /// How many times as much: a ratio.
    Times,
}

/// A number with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Amount {
    value: f64,
    unit: Unit,
}

impl Amount {
    /// A duration in seconds.
    pub(super) fn seconds(value: f64) -> Self {
        Self {
            value,
            unit: Unit::Seconds,
        }
    }

    /// An amount of memory.
    #[allow(clippy::cast_precision_loss, reason = "far below the 53 bits that are exact")]
    pub(super) fn bytes(bytes: u64) -> Self {
        Self {
            value: bytes as f64,
            unit: Unit::Bytes,
        }
    }

    /// How many times as long `this` is as `that`. Nothing if that took no time.
    pub(super) fn ratio(this: Duration, that: Duration) -> Option<Self> {
        (!that.is_zero()).then(|| Self {
            value: this.as_secs_f64() / that.as_secs_f64(),
            unit: Unit::Times,
        })
    }

    /// Whether it is below the goal.
    pub(super) fn meets(self, goal: Self) -> bool {
        self.unit == goal.unit && self.value < goal.value
    }
}

impl Amount {
    /// Without digits that say nothing: `50 ms`.
    pub(super) fn short(self) -> String {
        let text = self.to_string();
        match text.split_once(' ') {
            Some((number, unit)) if number.contains('.') => {
                format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
            }
            _ => text,
        }
    }
}

impl From<Duration> for Amount {
    fn from(duration: Duration) -> Self {
        Self::seconds(duration.as_secs_f64())
    }
}

/// Three digits that count, in the unit that suits: `1.52 ms`, `48.3 MiB`, `0.98 ×`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, symbol) = match self.unit {
            Unit::Seconds => scaled(
                self.value,
                &[(1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")],
            ),
            Unit::Bytes => scaled(
                self.value,
                &[
                    (1_073_741_824.0, "GiB"),
                    (1_048_576.0, "MiB"),
                    (1_024.0, "KiB"),
                    (1.0, "B"),
                ],
            ),
            Unit::Times => (self.value, "×"),
        };
        let decimals = match value {
            value if value >= 99.95 => 0,
            value if value >= 9.995 => 1,
            _ => 2,
        };
        f.pad(&format!("{value:.decimals$} {symbol}"))
    }
}

/// The value in the largest unit of which there is at least one, else in the smallest. Units go from large to small.
fn scaled<'a>(value: f64, units: &[(f64, &'a str)]) -> (f64, &'a str) {
    let fits = units.iter().find(|(size, _)| value >= *size).or(units.last());
    fits.map_or((value, ""), |(size, symbol)| (value / size, *symbol))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(seconds: f64) -> String {
        Amount::seconds(seconds).to_string()
    }

    #[test]
    fn times_have_three_digits_and_the_unit_that_suits() {
        assert_eq!(shown(2.0), "2.00 s");
        assert_eq!(shown(0.05), "50.0 ms");
        assert_eq!(shown(0.001_234), "1.23 ms");
        assert_eq!(shown(0.000_123_4), "123 µs");
        assert_eq!(shown(0.000_000_099_96), "100 ns");
        assert_eq!(shown(0.0), "0.00 ns");
    }

    #[test]
    fn goals_are_short() {
        let short = |seconds| Amount::seconds(seconds).short();
        assert_eq!(
            [0.05, 2.0, 0.1, 0.0025].map(short),
            ["50 ms", "2 s", "100 ms", "2.5 ms"]
        );
    }

    #[test]
    fn memory_and_ratios_are_readable() {
        assert_eq!(Amount::bytes(50_646_221).to_string(), "48.3 MiB");
        assert_eq!(Amount::bytes(512).to_string(), "512 B");
        let ratio = |this, that| Amount::ratio(Duration::from_millis(this), Duration::from_millis(that));
        assert_eq!(ratio(730, 10).map(|r| r.to_string()).as_deref(), Some("73.0 ×"));
        assert_eq!(ratio(1, 0), None);
    }

    #[test]
    fn columns_can_be_aligned() {
        assert_eq!(format!("{:>9}", Amount::seconds(0.001)), "  1.00 ms");
    }

    #[test]
    fn a_goal_is_an_upper_bound_in_the_same_unit() {
        let goal = Amount::seconds(0.05);
        assert!(Amount::seconds(0.049).meets(goal));
        assert!(!Amount::seconds(0.05).meets(goal));
        assert!(!Amount::bytes(0).meets(goal));
    }
}
