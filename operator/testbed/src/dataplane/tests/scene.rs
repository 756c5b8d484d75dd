//! A small cluster: what the API server would have told.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::Timestamp;

use super::super::detail::Detail;
use super::super::facts::{Ending, EventKey, PodFacts, Role};
use super::super::model::{Model, Slice};
use super::super::options::DataPlaneOptions;
use super::super::stage::Stage;
use crate::crowd::{Crowd, Results};

pub(super) const TICK: Duration = Duration::from_millis(250);

/// When every scene begins.
pub(super) fn dawn() -> Timestamp {
    "2026-05-01T16:00:00Z".parse().expect("a time")
}

/// How many servers, and how many viewers a relay takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) sfus: usize,
    pub(super) mids: usize,
    pub(super) relays: usize,
    pub(super) shards: usize,
    pub(super) seats: u64,
}

/// Three SFUs, two mids, and four relays of 25 seats in two shards.
pub(super) const SMALL: Shape = Shape {
    sfus: 3,
    mids: 2,
    relays: 4,
    shards: 2,
    seats: 25,
};

/// One event in a model, and the clock.
pub(super) struct Scene {
    pub(super) model: Model,
    pub(super) now: Timestamp,
    shape: Shape,
    made: u32,
    /// UIDs by slot.
    uids: BTreeMap<String, String>,
}

impl Scene {
    pub(super) fn new(shape: Shape, options: DataPlaneOptions) -> Self {
        let mut scene = Self {
            model: Model::new(options),
            now: dawn(),
            shape,
            made: 0,
            uids: BTreeMap::new(),
        };
        for sfu in 0..shape.sfus {
            scene.start(&format!("sfu-{sfu}"));
            scene.lead(&format!("sfu-{sfu}"), &[&format!("sfu-{sfu}")]);
        }
        for mid in 0..shape.mids {
            scene.start(&format!("mid-{mid}"));
            scene.lead(&format!("mid-{mid}"), &[&format!("mid-{mid}")]);
        }
        for relay in 0..shape.relays {
            scene.start(&format!("relay-{relay}"));
        }
        scene.activate("sfu-0");
        for shard in 0..shape.shards {
            let relays: Vec<String> = (shard..shape.relays)
                .step_by(shape.shards)
                .map(|relay| format!("relay-{relay}"))
                .collect();
            let relays: Vec<&str> = relays.iter().map(String::as_str).collect();
            scene.lead(&format!("viewers-{shard}"), &relays);
        }
        scene
    }

    pub(super) fn key() -> EventKey {
        EventKey {
            namespace: "stage".to_owned(),
            name: "keynote".to_owned(),
        }
    }

    /// A new pod in a slot.
    pub(super) fn start(&mut self, slot: &str) {
        let (role, index) = slot.split_once('-').expect("role and index");
        let (role, index) = (
            Role::parse(role).expect("a role"),
            index.parse::<usize>().expect("an index"),
        );
        let upstream = match role {
            Role::Sfu => None,
            Role::Relay if self.shape.mids > 0 => Some(format!("keynote-mid-{}", index % self.shape.mids)),
            Role::Mid | Role::Relay => Some("keynote-origin".to_owned()),
        };
        self.made += 1;
        let pod = PodFacts {
            uid: format!("uid-{}", self.made),
            name: format!("keynote-{slot}-{}", self.made),
            ip: IpAddr::V4(Ipv4Addr::from_bits(0x0a40_0000 + self.made)),
            slot: slot.to_owned(),
            role,
            upstream,
            max_viewers: self.shape.seats,
        };
        self.uids.insert(slot.to_owned(), pod.uid.clone());
        self.model.pod_runs(&Self::key(), pod, self.now);
    }

    /// The pod in a slot is deleted; its endpoints are not yet.
    pub(super) fn delete(&mut self, slot: &str) {
        self.end(slot, Ending::Orderly);
    }

    /// The process in a slot ends; its endpoints are still there.
    pub(super) fn end(&mut self, slot: &str, ending: Ending) {
        let uid = self.uid(slot);
        self.model.pod_ended(&uid, ending, self.now);
    }

    pub(super) fn uid(&self, slot: &str) -> String {
        self.uids[slot].clone()
    }

    /// A Service leads to the pods in some slots.
    pub(super) fn lead(&mut self, service: &str, slots: &[&str]) {
        self.model.slice_is(Slice {
            event: Self::key(),
            name: format!("keynote-{service}-x7x7x"),
            service: format!("keynote-{service}"),
            ready: slots.iter().map(|slot| self.uid(slot)).collect(),
        });
    }

    /// Presenters and children are led to an SFU.
    pub(super) fn activate(&mut self, slot: &str) {
        self.lead("ingest", &[slot]);
        self.lead("origin", &[slot]);
    }

    pub(super) fn stage(&mut self) -> &mut Stage {
        self.model.stage(&Self::key())
    }

    pub(super) fn come(&mut self, crowd: Crowd) {
        self.stage().come(crowd);
    }

    pub(super) fn run(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        while self.now < end {
            self.now += TICK;
            self.model.step(self.now);
        }
    }

    /// Runs until something holds, for at most so many seconds. Returns the seconds.
    pub(super) fn until(&mut self, most: f64, holds: impl Fn(&Detail) -> bool) -> f64 {
        let mut seconds = 0.0;
        while !holds(&self.detail()) {
            assert!(seconds < most, "not within {most} s: {:#?}", self.detail());
            self.run(TICK.as_secs_f64());
            seconds += TICK.as_secs_f64();
        }
        seconds
    }

    pub(super) fn detail(&mut self) -> Detail {
        Detail::of(self.stage())
    }

    pub(super) fn results(&mut self) -> Results {
        self.stage().results()
    }
}
