//! One event: its servers, streams and audience, moved on by the clock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};

use super::detail::Outage;
use super::dialect::Dialect;
use super::facts::{EventKey, PodFacts, Role};
use super::lie::Lies;
use super::options::DataPlaneOptions;
use super::publish::{Encoder, Picture, Publishing, Stream};
use super::server::{Path, Server};
use super::servers::Servers;
use crate::crowd::{Attempt, Audience, Cause, Crowd, Frozen, Results, Seats, Share};

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

    /// A pod's process is gone, and all its connections with it.
    pub(super) fn ended(&mut self, uid: &str, now: Timestamp) {
        let Some(place) = self.servers.place(uid) else {
            return;
        };
        let Some(server) = self.servers.remove(place) else {
            return;
        };
        self.lies.forget(uid);
        self.audience.drop_viewers(now, server.viewers, Cause::PodGone);
        for stream in self.streams.iter_mut().filter(|s| s.server == Some(place)) {
            stream.server = None;
            stream.retry = now + self.options.first_republish;
        }
        self.lose_children(place, now);
    }

    pub(super) fn come(&mut self, crowd: Crowd) {
        self.audience.come(crowd);
    }

    pub(super) fn leave_at(&mut self, rate: f64) {
        self.audience.leave_at(rate);
    }

    /// A share of everybody who watches or waits leaves; 1 sends home those who have not come yet, too.
    pub(super) fn leave(&mut self, share: f64) {
        if share >= 1.0 {
            self.audience.send_home();
            let watching: u64 = self
                .servers
                .iter_mut()
                .map(|s| std::mem::take(&mut s.viewers))
                .sum();
            self.audience.gone(watching);
            return;
        }
        let everybody = self.watching() + self.audience.waiting();
        self.go((everybody as f64 * share.max(0.0)).round() as u64, everybody);
    }

    fn go(&mut self, leaving: u64, everybody: u64) {
        if leaving == 0 || everybody == 0 {
            return;
        }
        let mut share = Share::of(leaving, everybody, self.rng.f64());
        let mut gone = 0;
        for server in self.servers.iter_mut() {
            let going = share.take(server.viewers);
            server.viewers -= going;
            gone += going;
        }
        self.audience.gone(gone);
        self.audience.give_up(&mut share);
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

    /// Whether there is a server in the slot; all of them are meant, should there be several.
    pub(super) fn freeze(&mut self, slot: &str, frozen: bool) -> bool {
        let mut found = false;
        for server in self.servers.iter_mut().filter(|s| s.pod.slot == slot) {
            server.frozen = frozen;
            found = true;
        }
        found
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

    fn publishers_connect(&mut self, now: Timestamp) {
        let taken: BTreeSet<usize> = self.streams.iter().filter_map(|s| s.server).collect();
        for stream in &mut self.streams {
            if stream.server.is_some() || stream.silent || stream.retry > now {
                continue;
            }
            let found = self.servers.behind(&stream.service, &mut self.rng);
            let place = found.filter(|place| !taken.contains(place));
            let server = place.and_then(|place| self.servers.get_mut(place));
            match server.filter(|server| server.pod.role == Role::Sfu) {
                Some(server) => {
                    server.path = Some(Path::new(now));
                    stream.server = place;
                }
                None => stream.retry = now + self.options.reconnect,
            }
        }
    }

    fn bytes_flow(&mut self, now: Timestamp, passed: Duration) {
        let bytes = self.picture.bitrate(&mut self.rng) * passed.as_secs_f64() / 8.0;
        let sent: BTreeMap<usize, f64> = self
            .streams
            .iter()
            .filter_map(|s| Some((s.server?, if s.silent { 0.0 } else { bytes })))
            .collect();
        for place in self.servers.order() {
            self.children_connect(place, now);
            let Some(server) = self.servers.get(place) else {
                continue;
            };
            let bytes = match server.parent.and_then(|parent| self.servers.get(parent)) {
                Some(parent) => parent.sends(),
                None => sent.get(&place).copied().unwrap_or(0.0),
            };
            if let Some(server) = self.servers.get_mut(place) {
                server.receive(bytes, now);
                self.begun |= bytes > 0.0;
            }
            self.time_out(place, now);
        }
        for server in self.servers.iter_mut() {
            server.children = 0;
        }
        let parents: Vec<usize> = self.servers.iter().filter_map(|(_, s)| s.parent).collect();
        for parent in parents {
            if let Some(parent) = self.servers.get_mut(parent) {
                parent.children += 1;
            }
        }
        self.servers.iter_mut().for_each(Server::send);
    }

    fn children_connect(&mut self, place: usize, now: Timestamp) {
        let Some(server) = self.servers.get(place) else {
            return;
        };
        let Some(upstream) = &server.pod.upstream else {
            return;
        };
        if server.parent.is_some() || server.retry > now {
            return;
        }
        let found = self.servers.behind(upstream, &mut self.rng);
        let has_stage = |parent: &usize| {
            let parent = self.servers.get(*parent);
            parent.is_some_and(|parent| parent.has_stage(now))
        };
        let parent = found.filter(|parent| *parent != place).filter(has_stage);
        let Some(server) = self.servers.get_mut(place) else {
            return;
        };
        match parent {
            Some(parent) => {
                server.parent = Some(parent);
                server.path = Some(Path::new(now));
            }
            None => server.retry = now + self.options.reconnect,
        }
    }

    fn time_out(&mut self, place: usize, now: Timestamp) {
        let Some(path) = self.servers.get(place).and_then(|server| server.path) else {
            return;
        };
        let limit = SignedDuration::try_from(self.options.read_timeout).unwrap_or(SignedDuration::MAX);
        if now.duration_since(path.heard) < limit {
            return;
        }
        for stream in self.streams.iter_mut().filter(|s| s.server == Some(place)) {
            stream.server = None;
            stream.retry = now + self.options.reconnect;
        }
        self.lose_source(place, now);
    }

    /// A server's source is gone.
    fn lose_source(&mut self, place: usize, now: Timestamp) {
        let Some(server) = self.servers.get_mut(place) else {
            return;
        };
        server.parent = None;
        server.retry = now + self.options.reconnect;
        self.end_path(place, now);
    }

    /// A server has nothing to show any more, and closes all its readers.
    fn end_path(&mut self, place: usize, now: Timestamp) {
        let Some(server) = self.servers.get_mut(place) else {
            return;
        };
        if server.path.take().is_none() {
            return;
        }
        server.received = 0.0;
        let viewers = std::mem::take(&mut server.viewers);
        self.audience.drop_viewers(now, viewers, Cause::Server);
        self.lose_children(place, now);
    }

    fn lose_children(&mut self, place: usize, now: Timestamp) {
        let children: Vec<usize> = self
            .servers
            .iter()
            .filter(|(_, server)| server.parent == Some(place))
            .map(|(child, _)| child)
            .collect();
        for child in children {
            self.lose_source(child, now);
        }
    }

    fn viewers_move(&mut self, now: Timestamp, passed: Duration) {
        let leavers = self.audience.leavers(passed);
        if leavers > 0 {
            let everybody = self.watching() + self.audience.waiting();
            self.go(leavers.min(everybody), everybody);
        }
        let Self {
            servers,
            audience,
            options,
            rng,
            begun,
            ..
        } = self;
        let relays = servers.taking().len();
        audience.step(now, passed, relays, &options.manners, rng, |rng| {
            seat(servers, *begun, rng)
        });
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

    fn watching(&self) -> u64 {
        self.servers.iter().map(|(_, server)| server.viewers).sum()
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
            ..self.audience.results(self.moved.unwrap_or(Timestamp::MIN))
        }
    }
}

fn covered(streams: &mut [Stream], encoder: Encoder) -> impl Iterator<Item = &mut Stream> {
    let numbered = streams.iter_mut().enumerate();
    numbered
        .filter(move |(place, _)| encoder.covers(*place))
        .map(|(_, stream)| stream)
}

/// One viewer's attempt. Before the event's first media, viewers wait for it on their relays.
fn seat(servers: &mut Servers, begun: bool, rng: &mut Rng) -> Attempt {
    let Some(place) = servers.entry(rng) else {
        return Attempt::Refused;
    };
    let Some(server) = place.and_then(|place| servers.get_mut(place)) else {
        return Attempt::Unanswered;
    };
    if begun && server.path.is_none() {
        return Attempt::Unanswered;
    }
    if server.viewers >= server.pod.max_viewers {
        return Attempt::Refused;
    }
    server.viewers += 1;
    server.opened += 1;
    Attempt::Seated
}
