//! Viewers: who gets in, who leaves, who vanishes.

use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use super::Stage;
use crate::crowd::{Attempt, Cause, Share};
use crate::dataplane::servers::Servers;

impl Stage {
    /// A share of everybody who watches or waits leaves; 1 sends home those who have not come yet, too.
    pub(in crate::dataplane) fn leave(&mut self, share: f64) {
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

    /// A share of those who watch vanishes without a word, for good.
    pub(in crate::dataplane) fn vanish(&mut self, share: f64, now: Timestamp) {
        let watching = self.watching();
        let vanishing = (watching as f64 * share.clamp(0.0, 1.0)).round() as u64;
        if vanishing == 0 {
            return;
        }
        let mut share = Share::of(vanishing, watching, self.rng.f64());
        for server in self.servers.iter_mut() {
            let going = share.take(server.viewers);
            server.vanish(going, now);
            self.audience.gone(going);
        }
    }

    pub(super) fn viewers_move(&mut self, now: Timestamp, passed: Duration) {
        self.consent_ends(now);
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
            ..
        } = self;
        let relays = servers.taking().len();
        audience.step(now, passed, relays, &options.manners, rng, |rng| {
            seat(servers, rng)
        });
    }

    /// Viewers of servers that hang notice, and servers give up viewers who have vanished.
    fn consent_ends(&mut self, now: Timestamp) {
        let manners = &self.options.manners;
        for server in self.servers.iter_mut() {
            match server.hung {
                Some(since) if since + manners.consent <= now => {
                    let viewers = std::mem::take(&mut server.viewers);
                    let back = now + manners.retry;
                    self.audience.drop_viewers(now, viewers, Cause::Server, back);
                }
                Some(_) => (),
                None => server.give_up(now),
            }
        }
    }

    pub(super) fn watching(&self) -> u64 {
        self.servers.iter().map(|(_, server)| server.viewers).sum()
    }
}

/// One viewer's attempt. A relay without a stage turns everybody away, also before the first picture: `MediaMTX` answers 404
/// there, and 400 when it is full.
fn seat(servers: &mut Servers, rng: &mut Rng) -> Attempt {
    let Some(place) = servers.entry(rng) else {
        return Attempt::Refused;
    };
    let Some(server) = place.and_then(|place| servers.get_mut(place)) else {
        return Attempt::Unanswered;
    };
    if server.path.is_none() || server.hung.is_some() {
        return Attempt::Unanswered;
    }
    if server.sessions() >= server.pod.max_viewers {
        return Attempt::Refused;
    }
    server.viewers += 1;
    server.opened += 1;
    Attempt::Seated
}
