//! Media on their way: publishers, the tree of servers, and what ends a path.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Stage;
use crate::crowd::Cause;
use crate::dataplane::facts::Role;
use crate::dataplane::server::{Path, Server};

impl Stage {
    pub(super) fn publishers_connect(&mut self, now: Timestamp) {
        for number in 0..self.streams.len() {
            let stream = &mut self.streams[number];
            if stream.server.is_some() || stream.silent || stream.retry > now {
                continue;
            }
            stream.retry = now + self.options.reconnect;
            let found = self.servers.behind(&stream.service, &mut self.rng);
            let takes = |server: &Server| server.pod.role == Role::Sfu && server.hung.is_none();
            let sfu = found.filter(|place| self.servers.get(*place).is_some_and(takes));
            if let Some(place) = sfu {
                self.publish_to(place, number, now);
            }
        }
    }

    /// The last publisher has the stage: it replaces one who was there, and with that one all readers go.
    fn publish_to(&mut self, place: usize, number: usize, now: Timestamp) {
        for other in self.streams.iter_mut().filter(|s| s.server == Some(place)) {
            other.server = None;
            other.retry = now + self.options.first_republish;
        }
        self.end_path(place, now);
        if let Some(server) = self.servers.get_mut(place) {
            server.path = Some(Path::new(now));
        }
        self.streams[number].server = Some(place);
    }

    pub(super) fn bytes_flow(&mut self, now: Timestamp, passed: Duration) {
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
            let (bytes, alive) = match server.parent.and_then(|parent| self.servers.get(parent)) {
                Some(parent) => (parent.sends(), parent.hung.is_none()),
                None => {
                    let bytes = sent.get(&place).copied().unwrap_or(0.0);
                    (bytes, bytes > 0.0)
                }
            };
            if let Some(server) = self.servers.get_mut(place) {
                server.receive(bytes, alive, now);
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
        if server.path.is_some() || server.hung.is_some() || server.retry > now {
            return;
        }
        let found = self.servers.behind(upstream, &mut self.rng);
        let after = self.rng.bool();
        let has_stage = |parent: &usize| {
            let parent = self.servers.get(*parent);
            parent.is_some_and(|parent| parent.has_stage(now, after))
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
        let Some(server) = self.servers.get(place).filter(|server| server.hung.is_none()) else {
            return;
        };
        let Some(path) = server.path else {
            return;
        };
        let limit = match server.pod.upstream {
            Some(_) => self.options.parent_timeout,
            None => self.options.read_timeout,
        };
        let limit = SignedDuration::try_from(limit).unwrap_or(SignedDuration::MAX);
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
    pub(super) fn end_path(&mut self, place: usize, now: Timestamp) {
        let Some(server) = self.servers.get_mut(place) else {
            return;
        };
        if server.path.take().is_none() {
            return;
        }
        server.received = 0.0;
        let viewers = server.end_sessions();
        let back = now + self.options.manners.retry;
        self.audience.drop_viewers(now, viewers, Cause::Server, back);
        self.lose_children(place, now);
    }

    /// Children see the end of their connections, and so on down the tree, all in the same instant.
    pub(super) fn lose_children(&mut self, place: usize, now: Timestamp) {
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

    /// A server is gone without a word: its children keep their sources until they time out.
    pub(super) fn mislead_children(&mut self, place: usize) {
        for child in self.servers.iter_mut().filter(|s| s.parent == Some(place)) {
            child.parent = None;
        }
    }
}
