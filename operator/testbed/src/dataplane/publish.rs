//! Presenters' encoders.

use fastrand::Rng;
use jiff::Timestamp;

/// Where an event's presenters send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishing {
    /// Nowhere: nobody presents, and nobody misses a picture.
    Nobody,
    /// To `<webinar>-ingest`.
    Single,
    /// To `<webinar>-sfu-0` and `<webinar>-sfu-1` at the same time.
    Dual,
}

/// One of an event's streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoder {
    /// To `<webinar>-ingest`, or `<webinar>-sfu-0` of two.
    Primary,
    /// To `<webinar>-sfu-1`.
    Backup,
    /// Both.
    All,
}

impl Encoder {
    pub(super) fn covers(self, place: usize) -> bool {
        match self {
            Self::Primary => place == 0,
            Self::Backup => place == 1,
            Self::All => true,
        }
    }
}

/// What the presenters show, and so how many bits per second an encoder sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// Camera and voice: 4.6 Mbit/s.
    Camera,
    /// Camera off, and silence most of the time: 3 kbit/s, as DTX audio averages.
    AudioOnly,
    /// Slides that stand still: 150 kbit/s.
    StillSlides,
    /// An encoder that adapts: anything from 0.5 to 8 Mbit/s, changing every tick.
    Swings,
}

impl Picture {
    /// Bits per second.
    pub(super) fn bitrate(self, rng: &mut Rng) -> f64 {
        match self {
            Self::Camera => 4_600_000.0,
            Self::AudioOnly => 3_000.0,
            Self::StillSlides => 150_000.0,
            Self::Swings => 500_000.0 + rng.f64() * 7_500_000.0,
        }
    }
}

/// An encoder's stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) service: String,
    /// It sends nothing, and so doesn't come back when its connection ends.
    pub(super) silent: bool,
    /// Place of the server that it is connected to.
    pub(super) server: Option<usize>,
    /// When to try next; while not connected.
    pub(super) retry: Timestamp,
}

impl Stream {
    pub(super) fn new(service: String, now: Timestamp) -> Self {
        Self {
            service,
            silent: false,
            server: None,
            retry: now,
        }
    }
}
