//! The stream: from the presenters through SFU and mids to the relays, and what pods tell of it.

use std::collections::BTreeSet;

use webinar_api::labels;
use webinar_plan::{Reading, Sample};

use super::{Body, Key, Timer, World};
use crate::hash;
use crate::scenario::{Lie, What};
use crate::time::SECOND;

/// Bytes a second of one copy of the stage: 9 Mbit/s.
const STAGE: u64 = 1_125_000;

/// Of that with a slide and the microphones off, percent.
const SLIDE: u64 = 4;

/// Bytes a second to one viewer: 1.5 Mbit/s.
const VIEWER: u64 = 187_500;

impl World {
    /// Presenters begin to send, or stop.
    pub(super) fn presenters(&mut self, show: &Key, send: bool, twice: bool) {
        let now = self.shows.entry(show.clone()).or_default();
        (now.sending, now.twice) = (send, twice);
        if send {
            self.connect_soon(show);
        } else {
            now.attached = None;
        }
    }

    fn connect_soon(&mut self, show: &Key) {
        let Some(found) = self.shows.get_mut(show) else {
            return;
        };
        if !std::mem::replace(&mut found.connecting, true) {
            let wait = self.between([SECOND, 3 * SECOND]);
            self.set(wait, Timer::Connect(show.clone()));
        }
    }

    /// To whichever SFU `ingest` leads.
    pub(super) fn connect(&mut self, show: &Key) {
        let found = self.led_to(show, "ingest").map(|b| b.uid.clone());
        let Some(known) = self.shows.get_mut(show) else {
            return;
        };
        known.connecting = false;
        if !known.sending || known.attached.is_some() {
            return;
        }
        known.attached = found;
        if known.attached.is_none() {
            self.connect_soon(show);
        }
    }

    /// A pod is gone: whoever sent to it connects again.
    pub(super) fn publisher_lost(&mut self, uid: &str) {
        let shows: Vec<Key> = self
            .shows
            .iter()
            .filter(|(_, show)| show.attached.as_deref() == Some(uid))
            .map(|(key, _)| key.clone())
            .collect();
        for show in shows {
            if let Some(show) = self.shows.get_mut(&show) {
                show.attached = None;
            }
            self.connect_soon(&show);
        }
    }

    /// The pod that an address leads to.
    pub(super) fn led_to(&self, show: &Key, entry: &str) -> Option<&Body> {
        let selector = self.routes.of(show, |e| e == entry).next()?;
        let ready = |b: &&Body| b.ready && !b.going && self.up(b) && b.matches(selector);
        self.bodies.of(show).find(ready)
    }

    /// Media reaches it.
    pub(crate) fn flows(&self, body: &Body) -> bool {
        if !body.running || body.failed || !self.up(body) || self.stalled.contains(&body.uid) {
            return false;
        }
        let show = (body.key.0.clone(), body.show.clone());
        match body.label(labels::PARENT) {
            None => self.shows.get(&show).is_some_and(|known| {
                known.sending && (known.twice || known.attached.as_deref() == Some(&body.uid))
            }),
            Some(parent) => self
                .led_to(&show, parent)
                .is_some_and(|b| b.uid != body.uid && self.flows(b)),
        }
    }

    /// What a pod answers, if it answers.
    pub(crate) fn sample(&mut self, uid: &str) -> Option<Sample> {
        let body = self.bodies.by_uid(uid)?;
        if !body.running || body.failed || !self.up(body) {
            return None;
        }
        let flows = self.flows(body);
        let share = if self.is_still(body) { SLIDE } else { 100 };
        let hands_on = flows && !self.muted.contains(&body.uid);
        let now = self.now;
        let lie = self.lie(body);
        let body = self.bodies.by_uid_mut(uid)?;
        let (bytes_in, bytes_out, counted) = body.bytes;
        let ticks = now.0.saturating_sub(counted);
        let more = |rate: u64| rate.saturating_mul(ticks) * share / 100 / SECOND;
        let sent = if hands_on {
            more(VIEWER * u64::from(body.viewers))
        } else {
            0
        };
        let received = if flows { more(STAGE) } else { 0 };
        body.bytes = (bytes_in + received, bytes_out + sent, now.0);
        let honest = Sample {
            at: now.time(),
            viewers: Reading::Value(u64::from(body.viewers)),
            bytes_in: Reading::Value(body.bytes.0),
            bytes_out: Reading::Value(body.bytes.1),
        };
        let viewers = u64::from(body.viewers);
        let told = match lie {
            None => Some(honest),
            Some(Lie::Silent) => None,
            Some(Lie::Zero) => Some(Sample {
                viewers: Reading::Value(0),
                ..honest
            }),
            Some(Lie::Half) => Some(Sample {
                viewers: Reading::Value(viewers / 2),
                ..honest
            }),
            Some(Lie::Tenfold) => Some(Sample {
                viewers: Reading::Value(viewers * 10),
                ..honest
            }),
            Some(Lie::Absurd) => Some(Sample {
                viewers: Reading::Absurd,
                bytes_in: Reading::Absurd,
                bytes_out: Reading::Absurd,
                ..honest
            }),
            Some(Lie::Missing) => Some(Sample {
                viewers: Reading::Missing,
                bytes_in: Reading::Missing,
                bytes_out: Reading::Missing,
                ..honest
            }),
            Some(Lie::Resets) => Some(Sample {
                bytes_in: Reading::Value(received),
                bytes_out: Reading::Value(sent),
                ..honest
            }),
        };
        if let Some(lie) = lie {
            self.cover.reach("lie told", &format!("{lie:?}"));
        }
        told
    }

    /// Its presenters send next to nothing.
    fn is_still(&self, body: &Body) -> bool {
        self.lasts(|what| matches!(what, What::StillPicture { webinar, .. } if body.is_of(webinar)))
    }

    /// A relay hands nothing on.
    pub(super) fn mute(&mut self, key: &Key) {
        if let Some(body) = self.bodies.all.get(key) {
            self.muted.insert(body.uid.clone());
        }
    }

    /// The relays of an event hand everything on.
    pub(super) fn unmute(&mut self, show: &Key) {
        let of_it = self.relays(show);
        self.muted.retain(|uid| !of_it.contains(uid));
    }

    /// How it lies, if it does.
    fn lie(&self, body: &Body) -> Option<Lie> {
        let happenings = &self.scenario.happenings;
        let lasting = self.lasting.iter().filter_map(|i| happenings.get(*i));
        lasting.into_iter().find_map(|h| match &h.what {
            What::Lie {
                webinar,
                how,
                percent,
                ..
            } => {
                // The same pods all the while.
                let chosen =
                    fastrand::Rng::with_seed(hash::more(hash::NOTHING, &body.uid)).u8(0..100) < *percent;
                (body.is_of(webinar) && chosen).then_some(*how)
            }
            _ => None,
        })
    }

    /// A pod receives nothing from now on.
    pub(super) fn stall(&mut self, key: &Key) {
        if let Some(body) = self.bodies.all.get(key) {
            self.stalled.insert(body.uid.clone());
        }
    }

    /// It receives again.
    pub(super) fn unstall(&mut self, show: &Key) {
        let of_it = self.relays(show);
        self.stalled.retain(|uid| !of_it.contains(uid));
    }

    /// UIDs of its relays.
    fn relays(&self, show: &Key) -> BTreeSet<String> {
        let relays = self.bodies.of(show).filter(|b| b.is_relay());
        relays.map(|b| b.uid.clone()).collect()
    }
}
