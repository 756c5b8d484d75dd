//! Virtual time: ticks of a tenth of a second since the world began.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Ticks of one second.
pub const SECOND: u64 = 10;

/// Ticks of one minute.
pub const MINUTE: u64 = 60 * SECOND;

/// How long one tick is.
pub const TICK: Duration = Duration::from_millis(100);

/// What the API server's clock tells when a world begins. Any time would do.
pub fn epoch() -> Timestamp {
    Timestamp::constant(1_804_161_600, 0)
}

/// So many ticks since the beginning. Written as hours, minutes, seconds and tenths: `00:12:03.4`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment(pub u64);

impl Moment {
    /// So many seconds after the beginning.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * SECOND)
    }

    /// So many seconds later.
    #[must_use]
    pub const fn after(self, seconds: u64) -> Self {
        Self(self.0 + seconds * SECOND)
    }

    /// As the API server's clock tells it.
    pub fn time(self) -> Timestamp {
        let millis = i64::try_from(self.0.saturating_mul(100)).unwrap_or(i64::MAX);
        epoch()
            .saturating_add(SignedDuration::from_millis(millis))
            .unwrap_or(Timestamp::MAX)
    }

    /// As objects have it: whole seconds.
    pub fn written(self) -> String {
        self.time().strftime("%FT%TZ").to_string()
    }

    /// The first moment that is not before `time`.
    pub fn at(time: Timestamp) -> Self {
        let millis = time.duration_since(epoch()).as_millis().max(0);
        Self(u64::try_from(millis).unwrap_or(u64::MAX).div_ceil(100))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, tenth) = (self.0 / SECOND, self.0 % SECOND);
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        write!(f, "{hours:02}:{minutes:02}:{:02}.{tenth}", seconds % 60)
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no moment: write hours, minutes and seconds, as in 00:12:03.4");
        let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
        let parts: Vec<u64> = whole
            .split(':')
            .map(|part| part.parse().map_err(|_| wrong()))
            .collect::<Result<_, _>>()?;
        let [hours, minutes, seconds] = parts[..] else {
            return Err(wrong());
        };
        let tenth: u64 = tenth.parse().map_err(|_| wrong())?;
        if minutes >= 60 || seconds >= 60 || tenth >= SECOND || hours > 10_000 {
            return Err(wrong());
        }
        Ok(Self(((hours * 60 + minutes) * 60 + seconds) * SECOND + tenth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_it_is_written() {
        for ticks in [0, 9, 10, 599, 600, 36_000, 863_999] {
            assert_eq!(Moment(ticks).to_string().parse(), Ok(Moment(ticks)));
            assert_eq!(Moment::at(Moment(ticks).time()), Moment(ticks));
        }
        for wrong in ["", "12:3", "00:60:00", "00:00:00.10", "-1:00:00", "1:2:3:4"] {
            let said = wrong.parse::<Moment>().unwrap_err();
            assert!(said.contains("write hours"), "{said}");
        }
    }
}
