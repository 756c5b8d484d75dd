//! What an audience felt.

use std::fmt;

use serde::Serialize;

/// What the audience of one event felt so far. Serializes with camel-case names.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// Viewers who were told to come, now or later.
    pub audience: u64,
    /// Of these, the ones who have come.
    pub arrived: u64,
    /// Distinct viewers who ever got in.
    pub joined: u64,
    /// Viewers who are in.
    pub watching: u64,
    /// Viewers who want to be in and are not.
    pub waiting: u64,
    /// Viewers who left by themselves, out of a relay or while waiting.
    pub left: u64,
    /// Most viewers in at the same time.
    pub peak: u64,
    /// Attempts that found no seat: the relay was full, or there was none.
    pub refused: u64,
    /// Attempts that found a relay that was gone or had no stage to show.
    pub unanswered: u64,
    /// How long newcomers waited.
    pub waited: Waited,
    /// Viewers who were thrown out.
    pub dropped: Dropped,
    /// Viewers who were thrown out and got in again.
    pub rejoined: u64,
    /// Time without picture.
    pub frozen: Frozen,
    /// Seats, and how many of them nobody used.
    pub seats: Seats,
}

/// Newcomers who didn't get in at the first attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waited {
    /// How many ever waited.
    pub viewers: u64,
    /// Seconds they waited, in sum, those who still wait included.
    pub total_seconds: f64,
    /// Seconds the one waited who waited longest.
    pub max_seconds: f64,
}

/// Sessions that ended against the viewer's will.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Dropped {
    /// All of them.
    pub total: u64,
    /// Because the pod was deleted, failed, or its node was gone.
    pub by_pod_gone: u64,
    /// Because the media server had lost its source, or hung.
    pub by_server: u64,
    /// Seconds until they were in again, in sum, those who are not yet included.
    pub away_seconds: f64,
    /// Seconds it took the one who was away longest.
    pub longest_away_seconds: f64,
}

/// Time that viewers sat before a picture that stood still: their relay received nothing or sent nothing, while
/// a publisher was meant to be on. Viewers who were dropped are not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Frozen {
    /// Seconds, summed over viewers.
    pub viewer_seconds: f64,
    /// The longest time without a break on one relay, in seconds.
    pub longest_seconds: f64,
}

/// Seats on running relays that took viewers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seats {
    /// Now.
    pub now: u64,
    /// The most there ever were.
    pub most: u64,
    /// The most there ever were, less the most viewers there ever were.
    pub wasted: u64,
    /// Hours of empty seats, summed over seats.
    pub empty_hours: f64,
}

impl Results {
    /// One line, such as `1,000,000 joined, 0 refused, 0 dropped, peak 1,000,000`. Dropped are those whose pod went. Sessions
    /// that servers ended, waiting and frozen pictures are told when there were any, in whole seconds, rounded up.
    pub fn summary(&self) -> String {
        let mut line = format!(
            "{} joined, {} refused, {} dropped, peak {}",
            Grouped(self.joined),
            Grouped(self.refused),
            Grouped(self.dropped.by_pod_gone),
            Grouped(self.peak)
        );
        if self.dropped.by_server > 0 {
            let times = Grouped(self.dropped.by_server);
            line.push_str(&format!(", {times} sent away by servers that lost their source"));
        }
        if self.waited.viewers > 0 {
            let (viewers, longest) = (Grouped(self.waited.viewers), self.waited.max_seconds.ceil());
            line.push_str(&format!(", {viewers} waited up to {longest} s"));
        }
        let frozen = self.frozen.longest_seconds.ceil();
        if frozen > 0.0 {
            line.push_str(&format!(", picture frozen up to {frozen} s"));
        }
        line
    }
}

/// A number with commas between thousands.
struct Grouped(u64);

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                write!(f, ",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_reads_like_a_sentence() {
        let mut results = Results {
            joined: 1_000_000,
            peak: 999_999,
            ..Results::default()
        };
        assert_eq!(
            results.summary(),
            "1,000,000 joined, 0 refused, 0 dropped, peak 999,999"
        );
        results.refused = 12_345;
        results.waited.viewers = 1_000;
        results.waited.max_seconds = 31.4;
        results.frozen.longest_seconds = 11.0;
        assert_eq!(
            results.summary(),
            "1,000,000 joined, 12,345 refused, 0 dropped, peak 999,999, 1,000 waited up to 32 s, picture frozen up to 11 s"
        );
    }

    #[test]
    fn names_are_those_of_json() {
        let json = serde_json::to_value(Results::default()).expect("plain data");
        assert_eq!(json["dropped"]["byPodGone"], 0);
        assert_eq!(json["frozen"]["viewerSeconds"], 0.0);
        assert_eq!(json["waited"]["totalSeconds"], 0.0);
    }
}
