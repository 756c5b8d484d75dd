//! An audience without people: how many arrive, wait, watch, are dropped and leave.
//!
//! Viewers are counted, never stored one by one: those who wait are kept in cohorts that were turned away together, those
//! who watch are numbers on their relays ([`crate::dataplane`]). Each still makes its own random choices, so that full
//! relays, unlucky viewers and herds come about as they do in life.
//!
//! Modelled: arrival curves, refusals and a stage that is not there yet, with a fixed pause after each, drops that are told
//! and drops that clients must find out about, the rejoining herd under a rate limit, and leaving, by rate, by share or all
//! at once. Not modelled: impatience (nobody gives up), and the time that a connection takes to be set up.

mod audience;
mod curve;
mod manners;
mod queue;
mod results;

use jiff::Timestamp;

pub(crate) use audience::{Attempt, Audience, Cause};
pub use curve::Curve;
pub use manners::Manners;
pub(crate) use queue::Share;
pub use results::{Dropped, Frozen, Results, Seats, Waited};

/// Viewers who come to an event, as a curve says. An event may have several.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// How many come.
    pub audience: u64,
    /// When the curve's time is zero: the event's start.
    pub start: Timestamp,
    /// How many times faster than real the curve runs; above 0.
    pub scale: f64,
    /// When they come.
    pub curve: Curve,
}

impl Crowd {
    /// A crowd on the default curve in real time.
    pub fn new(audience: u64, start: Timestamp) -> Self {
        Self {
            audience,
            start,
            scale: 1.0,
            curve: Curve::default(),
        }
    }

    /// The same crowd on a curve that runs faster.
    #[must_use]
    pub fn scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// The same crowd on another curve.
    #[must_use]
    pub fn curve(mut self, curve: Curve) -> Self {
        self.curve = curve;
        self
    }

    /// How many have come by `now`.
    pub(crate) fn arrived(&self, now: Timestamp) -> u64 {
        let seconds = now.duration_since(self.start).as_secs_f64() * self.scale;
        self.curve.of(self.audience, seconds)
    }
}
