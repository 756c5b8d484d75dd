//! One event: its servers, streams and audience, moved on by the clock.

mod flow;
mod viewers;

use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use super::detail::Outage;
use super::dialect::Dialect;
use super::facts::{Ending, EventKey, PodFacts, Role};
use super::lie::Lies;
use super::options::DataPlaneOptions;
use super::publish::{Encoder, Picture, Publishing, Stream};
use super::server::Server;
use super::servers::Servers;
use crate::crowd::{Audience, Cause, Crowd, Frozen, Results, Seats};

/// One event. Nothing in it knows a clock.
#[derive(Debug)]
pub(super) struct Stage {
    name: String,
    options: DataPlaneOptions,
    pub(super) dialect: Dialect,
    pub(super) lies: Lies,
    pub(super) servers: Servers,
    pub(super) streams: Vec<Stream>,
    publishing: Publishing,
    picture: Picture,
    audience: Audience,
    rng: Rng,
    moved: Option<Timestamp>,
    /// Media ever came in.
    begun: bool,
    peak: u64,
    frozen: Frozen,
    seats: Seats,
    pub(super) outages: Vec<Outage>,
}

impl Stage {
    pub(super) fn new(key: &EventKey, options: DataPlaneOptions) -> Self {
        let names = key.namespace.bytes().chain([b'/']).chain(key.name.bytes());
        // FNV-1a: events of one seed make choices of their own.
        let hash = names.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self {
            name: key.name.clone(),
            dialect: options.dialect,
            lies: Lies::default(),
            servers: Servers::default(),
            streams: Vec::new(),
            publishing: Publishing::Nobody,
            picture: Picture::Camera,
            audience: Audience::default(),
            rng: Rng::with_seed(options.seed ^ hash),
            moved: None,
            begun: false,
            peak: 0,
            frozen: Frozen::default(),
            seats: Seats::default(),
            outages: Vec::new(),
            options,
        }
    }

    /// A pod's process runs from now on; one that does already is left alone.
    pub(super) fn started(&mut self, pod: PodFacts, now: Timestamp) {
        if self.servers.place(&pod.uid).is_none() {
            self.servers.add(Server::new(pod, now));
        }
    }

    /// A pod's process is gone, and those hear of it who can.
    pub(super) fn ended(&mut self, uid: &str, ending: Ending, now: Timestamp) {
        let Some(place) = self.servers.place(uid) else {
            return;
        };
        let Some(server) = self.servers.remove(place) else {
            return;
        };
        self.lies.forget(uid);
        let silent = server.hung.or_else(|| (ending != Ending::Orderly).then_some(now));
        let noticed = silent.map_or(now, |since| now.max(since + self.options.manners.consent));
        let back = noticed + self.options.manners.retry;
        self.audience
            .drop_viewers(now, server.viewers, Cause::PodGone, back);
        for stream in self.streams.iter_mut().filter(|s| s.server == Some(place)) {
            stream.server = None;
            stream.retry = now + self.options.first_republish;
        }
        match ending {
            Ending::Orderly | Ending::Killed => self.lose_children(place, now),
            Ending::WithMachine => self.mislead_children(place),
        }
    }

    pub(super) fn come(&mut self, crowd: Crowd) {
        self.audience.come(crowd);
    }

    pub(super) fn leave_at(&mut self, rate: f64) {
        self.audience.leave_at(rate);
    }

    pub(super) fn picture(&mut self, picture: Picture) {
        self.picture = picture;
    }

    /// Streams that go on keep their connections if these are to the right server.
    pub(super) fn publish(&mut self, publishing: Publishing, now: Timestamp) {
        self.servers.refresh(&self.viewers_prefix());
        self.publishing = publishing;
        let services: &[&str] = match publishing {
            Publishing::Nobody => &[],
            Publishing::Single => &["ingest"],
            Publishing::Dual => &["sfu-0", "sfu-1"],
        };
        let mut old: Vec<Option<Stream>> = std::mem::take(&mut self.streams).into_iter().map(Some).collect();
        for service in services {
            let service = format!("{}-{service}", self.name);
            let kept = old.iter_mut().find(|stream| {
                let server = stream.as_ref().and_then(|stream| stream.server);
                server.is_some_and(|place| self.servers.leads_to(&service, place))
            });
            let stream = match kept.and_then(Option::take) {
                Some(stream) => Stream { service, ..stream },
                None => Stream::new(service, now),
            };
            self.streams.push(stream);
        }
        for place in old.into_iter().flatten().filter_map(|stream| stream.server) {
            self.end_path(place, now);
        }
    }

    pub(super) fn silence(&mut self, encoder: Encoder) {
        for stream in covered(&mut self.streams, encoder) {
            stream.silent = true;
        }
    }

    pub(super) fn resume(&mut self, encoder: Encoder, now: Timestamp) {
        for stream in covered(&mut self.streams, encoder) {
            stream.silent = false;
            if stream.server.is_none() {
                stream.retry = now + self.options.first_republish;
            }
        }
    }

    /// A server hangs, or goes on as if nothing had been. Whether there is one in the slot; all of them are meant, should
    /// there be several.
    pub(super) fn freeze(&mut self, slot: &str, frozen: bool, now: Timestamp) -> bool {
        let mut found = false;
        for server in self.servers.iter_mut().filter(|s| s.pod.slot == slot) {
            let since = server.hung.unwrap_or(now);
            server.hung = frozen.then_some(since);
            if let Some(path) = &mut server.path {
                path.heard = now;
            }
            found = true;
        }
        found
    }

    /// When it was last moved on.
    pub(super) fn now(&self) -> Timestamp {
        self.moved.unwrap_or(Timestamp::MIN)
    }

    /// Moves on to `now`.
    pub(super) fn step(&mut self, now: Timestamp) {
        let last = self.moved.unwrap_or(now).min(now);
        self.moved = Some(now);
        let passed = now.duration_since(last).unsigned_abs();
        self.servers.refresh(&self.viewers_prefix());
        self.publishers_connect(now);
        if passed.is_zero() {
            return;
        }
        self.bytes_flow(now, passed);
        self.viewers_move(now, passed);
        self.account(last, now, passed);
    }

    fn account(&mut self, last: Timestamp, now: Timestamp, passed: Duration) {
        let seconds = passed.as_secs_f64();
        let missed = self.begun && self.publishing != Publishing::Nobody;
        let (mut watching, mut leaves, mut dark) = (0, 0_u64, 0_u64);
        for server in self.servers.iter_mut() {
            let lit = server.lit();
            server.was_lit |= lit;
            if server.was_lit && server.pod.role == Role::Relay {
                leaves += 1;
                dark += u64::from(!lit);
            }
            watching += server.viewers;
            if lit || !missed || server.viewers == 0 {
                server.dark = 0.0;
                continue;
            }
            server.dark += seconds;
            self.frozen.viewer_seconds += seconds * server.viewers as f64;
            self.frozen.longest_seconds = self.frozen.longest_seconds.max(server.dark);
        }
        self.peak = self.peak.max(watching);

        let (mut seats, mut empty) = (0, 0);
        for server in self
            .servers
            .taking()
            .iter()
            .filter_map(|place| self.servers.get(*place))
        {
            seats += server.pod.max_viewers;
            empty += server.pod.max_viewers.saturating_sub(server.viewers);
        }
        self.seats.now = seats;
        self.seats.most = self.seats.most.max(seats);
        self.seats.empty_hours += empty as f64 * seconds / 3600.0;
        self.note_outage(missed, leaves, dark, last, now);
    }

    fn note_outage(&mut self, missed: bool, leaves: u64, dark: u64, last: Timestamp, now: Timestamp) {
        let open = self.outages.last_mut().filter(|outage| outage.until.is_none());
        match open {
            Some(outage) if !missed || dark * 100 <= leaves => outage.until = Some(now),
            None if missed && dark * 2 > leaves => self.outages.push(Outage {
                from: last,
                until: None,
            }),
            _ => (),
        }
    }

    fn viewers_prefix(&self) -> String {
        format!("{}-viewers-", self.name)
    }

    /// A server that presenters' one address leads to.
    pub(super) fn active(&self) -> Option<&Server> {
        let ingest = format!("{}-ingest", self.name);
        let mut servers = self.servers.iter();
        servers
            .find(|(place, _)| self.servers.leads_to(&ingest, *place))
            .map(|(_, server)| server)
    }

    pub(super) fn results(&self) -> Results {
        let wasted = self.seats.most.saturating_sub(self.peak);
        Results {
            watching: self.watching(),
            peak: self.peak,
            frozen: self.frozen,
            seats: Seats { wasted, ..self.seats },
            ..self.audience.results(self.now())
        }
    }
}

fn covered(streams: &mut [Stream], encoder: Encoder) -> impl Iterator<Item = &mut Stream> {
    let numbered = streams.iter_mut().enumerate();
    numbered
        .filter(move |(place, _)| encoder.covers(*place))
        .map(|(_, stream)| stream)
}
