//! How the simulated servers and viewers behave.

use std::time::Duration;

use super::dialect::Dialect;
use crate::crowd::Manners;

/// How the simulated servers and viewers behave.
#[derive(Debug, Clone)]
pub struct DataPlaneOptions {
    /// Of all random choices.
    pub seed: u64,
    /// Pause between two looks at the world; bytes, viewers and connections move that often.
    pub tick: Duration,
    /// How servers word their metrics, where [`Event::dialect`](super::Event::dialect) doesn't say otherwise.
    pub dialect: Dialect,
    /// How long an SFU waits for bytes of a publisher before it ends a path; `MediaMTX`'s `readTimeout`.
    pub read_timeout: Duration,
    /// How long mids and relays wait for a sign of life of their parent; their `readTimeout`.
    pub parent_timeout: Duration,
    /// Pause before a server, or an encoder that failed once, tries its source again; 5 s in `MediaMTX`.
    pub reconnect: Duration,
    /// Pause before an encoder that lost its connection tries for the first time.
    pub first_republish: Duration,
    /// How viewers' clients behave.
    pub manners: Manners,
    /// Whether servers that are told to end serve until their pod is gone, as `LiveKit` does. `MediaMTX` closes at once.
    pub serve_while_terminating: bool,
    /// Whether servers on nodes that lost contact with the control plane go on serving. If not, the machines are gone.
    pub serve_on_lost_nodes: bool,
}

impl Default for DataPlaneOptions {
    /// `MediaMTX` as the default preset configures it, in real time: 250 ms, 30 s, 15 s, 5 s, 1 s; ending pods and lost nodes serve
    /// nobody.
    fn default() -> Self {
        Self {
            seed: 0,
            tick: Duration::from_millis(250),
            dialect: Dialect::MediaMtx,
            read_timeout: Duration::from_secs(30),
            parent_timeout: Duration::from_secs(15),
            reconnect: Duration::from_secs(5),
            first_republish: Duration::from_secs(1),
            manners: Manners::default(),
            serve_while_terminating: false,
            serve_on_lost_nodes: false,
        }
    }
}

impl DataPlaneOptions {
    /// The same in a world where pauses of people's clients and of reconnects are `scale` times shorter, for tests that
    /// shorten an event's time. Time-outs are left alone, as the operator's own bounds are. `scale` is above 0.
    #[must_use]
    pub fn faster(&self, scale: f64) -> Self {
        Self {
            reconnect: self.reconnect.div_f64(scale),
            first_republish: self.first_republish.div_f64(scale),
            manners: self.manners.faster(scale),
            ..self.clone()
        }
    }
}
