//! One media server.

use jiff::Timestamp;

use super::facts::PodFacts;

/// The process in one pod.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) pod: PodFacts,
    /// Place of the server it pulls from; SFUs have none.
    pub(super) parent: Option<usize>,
    /// When to try the upstream next; while it has no parent.
    pub(super) retry: Timestamp,
    /// The stage, while it has a source.
    pub(super) path: Option<Path>,
    pub(super) viewers: u64,
    /// Sends nothing to anybody.
    pub(super) frozen: bool,

    /// Bytes that came in with this tick.
    pub(super) received: f64,
    /// Servers that pull from it.
    pub(super) children: u64,
    /// When bytes last came in, on whatever path.
    pub(super) last_byte: Option<Timestamp>,
    /// Viewers ever seated, for counters of opened sessions.
    pub(super) opened: u64,
    /// Seconds that viewers have sat before a frozen picture without a break.
    pub(super) dark: f64,
    pub(super) was_lit: bool,
}

/// What a server has of the stage while it has a source. Counters begin with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    since: Timestamp,
    /// When bytes last came in, or else when the source was connected.
    pub(super) heard: Timestamp,
    /// Bytes.
    pub(super) inbound: f64,
    /// Bytes, over all readers.
    pub(super) outbound: f64,
}

impl Path {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            heard: now,
            inbound: 0.0,
            outbound: 0.0,
        }
    }
}

impl Server {
    pub(super) fn new(pod: PodFacts, now: Timestamp) -> Self {
        Self {
            pod,
            parent: None,
            retry: now,
            path: None,
            viewers: 0,
            frozen: false,
            received: 0.0,
            children: 0,
            last_byte: None,
            opened: 0,
            dark: 0.0,
            was_lit: false,
        }
    }

    /// It takes readers. It takes a moment to set a stage up: children that try in the same tick come too early, as they do
    /// with real servers, whose fixed pauses end together.
    pub(super) fn has_stage(&self, now: Timestamp) -> bool {
        self.path.is_some_and(|path| path.since < now)
    }

    /// What it sends to each of its readers in this tick, in bytes.
    pub(super) fn sends(&self) -> f64 {
        match self.path {
            Some(_) if !self.frozen => self.received,
            _ => 0.0,
        }
    }

    /// Its viewers see something move.
    pub(super) fn lit(&self) -> bool {
        self.sends() > 0.0
    }

    /// Takes in what its source sent.
    pub(super) fn receive(&mut self, bytes: f64, now: Timestamp) {
        let Some(path) = &mut self.path else {
            self.received = 0.0;
            return;
        };
        self.received = bytes;
        if bytes > 0.0 {
            path.inbound += bytes;
            path.heard = now;
            self.last_byte = Some(now);
        }
    }

    /// Counts what it sends.
    pub(super) fn send(&mut self) {
        let sent = self.sends() * (self.viewers + self.children) as f64;
        if let Some(path) = &mut self.path {
            path.outbound += sent;
        }
    }
}
