//! One media server.

use std::time::Duration;

use jiff::Timestamp;

use super::facts::PodFacts;

/// How long a server counts a viewer who vanished without a word, measured with `MediaMTX` v1.19.3.
const MOURNED: Duration = Duration::from_secs(29);

/// The process in one pod.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) pod: PodFacts,
    /// When it began.
    pub(super) since: Timestamp,
    /// Place of the server it pulls from. SFUs have none, nor have those that don't know yet that theirs is gone.
    pub(super) parent: Option<usize>,
    /// When to try the upstream next; while it has no source.
    pub(super) retry: Timestamp,
    /// The stage, while it has a source.
    pub(super) path: Option<Path>,
    pub(super) viewers: u64,
    /// Viewers who vanished without a word, and until when they are counted.
    vanished: Vec<(Timestamp, u64)>,
    /// Since when it hangs: it says, hears and answers nothing, and its connections stay.
    pub(super) hung: Option<Timestamp>,

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
    /// When the source last gave a sign of life, or else when it was connected. A parent that has nothing to send still
    /// does: its reports, every 10 s, are enough for `MediaMTX`.
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
            since: now,
            parent: None,
            retry: now,
            path: None,
            viewers: 0,
            vanished: Vec::new(),
            hung: None,
            received: 0.0,
            children: 0,
            last_byte: None,
            opened: 0,
            dark: 0.0,
            was_lit: false,
        }
    }

    /// It takes readers. Of children that try in the tick in which the stage is set up, some come just before: the fixed
    /// pauses of servers that lost their sources together end together. `after` is whether this one comes after.
    pub(super) fn has_stage(&self, now: Timestamp, after: bool) -> bool {
        self.hung.is_none() && self.path.is_some_and(|path| path.since < now || after)
    }

    /// Sessions it has with viewers, also with those who have vanished.
    pub(super) fn sessions(&self) -> u64 {
        self.viewers + self.vanished.iter().map(|(_, count)| count).sum::<u64>()
    }

    /// Some viewers are gone without a word.
    pub(super) fn vanish(&mut self, count: u64, now: Timestamp) {
        self.viewers -= count;
        self.vanished.push((now + MOURNED, count));
    }

    /// Gives up those who vanished long enough ago.
    pub(super) fn give_up(&mut self, now: Timestamp) {
        self.vanished.retain(|(until, _)| *until > now);
    }

    /// The stage is over: all sessions end. Returns the viewers who hear of it.
    pub(super) fn end_sessions(&mut self) -> u64 {
        self.vanished.clear();
        std::mem::take(&mut self.viewers)
    }

    /// What it sends to each of its readers in this tick, in bytes.
    pub(super) fn sends(&self) -> f64 {
        match self.path {
            Some(_) if self.hung.is_none() => self.received,
            _ => 0.0,
        }
    }

    /// Its viewers see something move.
    pub(super) fn lit(&self) -> bool {
        self.sends() > 0.0
    }

    /// Takes in what its source sent; `alive` is whether that gave a sign of life.
    pub(super) fn receive(&mut self, bytes: f64, alive: bool, now: Timestamp) {
        let Some(path) = self.path.as_mut().filter(|_| self.hung.is_none()) else {
            self.received = 0.0;
            return;
        };
        self.received = bytes;
        if alive {
            path.heard = now;
        }
        if bytes > 0.0 {
            path.inbound += bytes;
            self.last_byte = Some(now);
        }
    }

    /// Counts what it sends.
    pub(super) fn send(&mut self) {
        let sent = self.sends() * (self.sessions() + self.children) as f64;
        if let Some(path) = &mut self.path {
            path.outbound += sent;
        }
    }
}
