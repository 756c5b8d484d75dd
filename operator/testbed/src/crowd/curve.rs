//! When an audience arrives.

/// Minutes from the start, and the share of the audience that has arrived by then. The shares are those of the design; the
/// first point is ours, since before it nobody has come.
const WEBINAR: [(f64, f64); 10] = [
    (-20.0, 0.0),
    (-15.0, 0.03),
    (-10.0, 0.08),
    (-5.0, 0.25),
    (-2.0, 0.45),
    (0.0, 0.60),
    (2.0, 0.75),
    (5.0, 0.90),
    (10.0, 0.98),
    (15.0, 1.0),
];

/// The share of an audience that has arrived, over time; straight between its points.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve(Vec<(f64, f64)>);

impl Default for Curve {
    /// A webinar's: from 20 minutes before the start (3 % at 15) over 60 % at the start to everybody 15 minutes after it.
    fn default() -> Self {
        Self(
            WEBINAR
                .iter()
                .map(|(minutes, share)| (minutes * 60.0, *share))
                .collect(),
        )
    }
}

impl Curve {
    /// Points of seconds from the start and share arrived by then, from 0 to 1, both ascending. Nobody comes before the
    /// first point, and everybody has come at the last one, whatever its share.
    pub fn points(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        Self(points.into_iter().collect())
    }

    /// Everybody comes at the same moment.
    pub fn at_once() -> Self {
        Self::points([(0.0, 1.0)])
    }

    /// The same number in every second, beginning at the start.
    pub fn steady(seconds: f64) -> Self {
        Self::points([(0.0, 0.0), (seconds, 1.0)])
    }

    /// How many of `audience` have arrived `seconds` after the start.
    pub(crate) fn of(&self, audience: u64, seconds: f64) -> u64 {
        match self.share(seconds) {
            Some(share) => ((audience as f64 * share).floor() as u64).min(audience),
            None => audience,
        }
    }

    /// `None` from the last point on.
    fn share(&self, seconds: f64) -> Option<f64> {
        let next = self.0.iter().position(|(at, _)| *at > seconds)?;
        let Some(before) = next.checked_sub(1) else {
            return Some(0.0);
        };
        let ((from, low), (to, high)) = (self.0[before], self.0[next]);
        Some((low + (high - low) * (seconds - from) / (to - from)).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_curve_is_the_designs() {
        let arrived = |minutes: f64| Curve::default().of(1_000_000, minutes * 60.0);
        assert_eq!(arrived(-21.0), 0);
        assert_eq!(arrived(-15.0), 30_000);
        assert_eq!(arrived(-10.0), 80_000);
        assert_eq!(arrived(-5.0), 250_000);
        assert_eq!(arrived(-2.0), 450_000);
        assert_eq!(arrived(0.0), 600_000);
        assert_eq!(arrived(1.0), 675_000);
        assert_eq!(arrived(2.0), 750_000);
        assert_eq!(arrived(5.0), 900_000);
        assert_eq!(arrived(10.0), 980_000);
        assert_eq!(arrived(15.0), 1_000_000);
    }

    #[test]
    fn exactly_everybody_comes_however_odd_the_number() {
        for audience in [1, 7, 999_983] {
            let mut before = 0;
            for second in -1300..=1000 {
                let arrived = Curve::default().of(audience, f64::from(second));
                assert!(arrived >= before, "at {second}");
                before = arrived;
            }
            assert_eq!(before, audience);
        }
    }

    #[test]
    fn all_at_once_is_a_step() {
        assert_eq!(Curve::at_once().of(50, -0.001), 0);
        assert_eq!(Curve::at_once().of(50, 0.0), 50);
        assert_eq!(Curve::steady(10.0).of(50, 5.0), 25);
    }
}
