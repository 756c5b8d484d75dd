//! What the data plane says of itself: plain numbers from outside, not yet believed.

use jiff::Timestamp;

/// One figure in the answer of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// It was given.
    Value(u64),
    /// The answer doesn't speak of it.
    Missing,
    /// What was given can't be: not a number, negative, or beyond all bounds.
    Absurd,
}

/// What one pod answered when it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it answered.
    pub at: Timestamp,
    /// Who is connected to it now.
    pub viewers: Reading,
    /// Bytes it has received so far. Falls when a counter starts anew.
    pub bytes_in: Reading,
    /// Bytes it has sent so far. Falls when a counter starts anew.
    pub bytes_out: Reading,
}

/// What one pod's answers come to at the instant of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// When it last answered.
    pub answered: Timestamp,
    /// Viewers in that answer.
    pub viewers: Reading,
    /// What it receives.
    pub inbound: Flow,
    /// What it sends.
    pub outbound: Flow,
}

/// Bytes over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// Rates between the last four answers, in bits per second, the latest first. Short after a start.
    pub rates: Vec<u64>,
    /// Median of the rates of the last five minutes, bits per second. Known from a minute of history on.
    pub usual: Option<u64>,
    /// The answer in which bytes were last seen to have moved, at a rate of the floor at least.
    pub last_byte: Option<Timestamp>,
    /// Since when every answer has shown a rate below the floor, or no such figure: the first such answer.
    pub still_since: Option<Timestamp>,
    /// Since when every answer has shown a rate of the floor at least: the first such answer.
    pub flowing_since: Option<Timestamp>,
}
