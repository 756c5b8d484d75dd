//! Everything a decision is made from: validated, plain, complete.

mod class;
mod memory;
mod pod;
mod recent;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::phase::Phase;
use crate::signal::Signal;
use crate::tier::Tier;

pub use class::{AtOnce, Class, ClassFinding, Cpu, Live, Ramp, Settle, Source, Stall, Zones};
pub use memory::{Accepted, Failover, Incident, Incidents, Memory};
pub use pod::{Cordon, Pod, PodTrouble, Stranger};
pub use recent::{Alarm, Recent, Setback, SetbackKind, Subject, Watch};

/// One look at one Webinar and everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Input {
    /// The instant the decision is made for, as the API server tells the time.
    pub now: Timestamp,
    /// How far the clock of the operator's own machine is ahead of `now`; negative: behind.
    pub skew: SignedDuration,
    /// The object itself.
    pub webinar: Webinar,
    /// What its users ask for today.
    pub spec: Spec,
    /// What its users order: it holds at once, and is never part of an accepted spec.
    pub orders: Orders,
    /// What the platform allows: pinned while a run is under way, otherwise as it stands today.
    pub class: Result<Class, ClassFinding>,
    /// What has changed of the class since the run under way pinned it, as people call it: `` `className` ``.
    pub superseded: Vec<&'static str>,
    /// The class that ruled the latest run, once that is over.
    pub last_class: Option<Class>,
    /// The latest run's memory.
    pub memory: Option<Memory>,
    /// Runs whose memory still exists, in any order.
    pub remembered_runs: Vec<u32>,
    /// Pods owned by this Webinar, of any run and in any state.
    pub pods: Vec<Pod>,
    /// Pods that carry this Webinar's labels and are not its own.
    pub strangers: Vec<Stranger>,
    /// The SFU that the `ingest` Service selects: the record of who is active.
    pub active_sfu: Option<u32>,
    /// Other Webinars of the class, when all of them together may have only so many pods.
    pub neighbours: Vec<Neighbour>,
    /// What its pods say of themselves, by UID. A pod that has never answered has none.
    pub signals: BTreeMap<String, Signal>,
    /// Where the addresses of the stage lead now.
    pub routes: Routes,
    /// What this process has seen lately. Empty after a restart, which must never lower capacity.
    pub recent: Recent,
}

/// The Webinar object, apart from its spec.
#[derive(Debug, Clone)]
pub struct Webinar {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
    /// UID: a Webinar recreated under the same name is another one.
    pub uid: String,
    /// When it was created: the start of events without a start time.
    pub created: Timestamp,
    /// It has a deletionTimestamp: create nothing, write nothing.
    pub deleting: bool,
    /// Since when its status has said that it can't be served.
    pub refused_since: Option<Timestamp>,
    /// The phase that its status tells.
    pub phase_told: Option<Phase>,
}

impl Webinar {
    /// `namespace/name`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }
}

/// Another Webinar that shares the pods of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbour {
    /// `namespace/name`.
    pub key: String,
    /// When its event starts.
    pub start: Timestamp,
    /// Pods that it has or needs.
    pub pods: u32,
    /// Its run is under way.
    pub begun: bool,
}

/// Where addresses lead, whatever they should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Routes {
    /// UIDs of the pods that are ready endpoints of `ingest`.
    pub ingest: BTreeSet<String>,
    /// UIDs of the pods that are ready endpoints of `origin`.
    pub origin: BTreeSet<String>,
    /// Mids whose Service selects another mid: the stand-in by the mid it stands in for.
    pub stand_ins: BTreeMap<u32, u32>,
}

/// What holds at once, whatever was accepted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// Create, cordon and delete nothing; only look and tell.
    pub suspend: bool,
    /// Keep more relays than the tier needs, for a while.
    pub floor: Option<Floor>,
    /// Whether capacity may follow a falling audience.
    pub release: Release,
}

/// Whether capacity may be lowered while the event runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Release {
    /// The tier is kept until the end.
    #[default]
    Never,
    /// It follows the audience once the floor after the start is over.
    AfterPeak,
}

/// An `override`: at least so many relays until then. It never lowers anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Floor {
    /// Relays to keep at least.
    pub relays: u32,
    /// Why, in the words of who ordered it.
    pub reason: String,
    /// From this instant on it holds no more.
    pub until: Timestamp,
}

/// What an event team asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Attendees to be ready for at the start.
    pub tier: Tier,
    /// How far the operator may grow on its own; not below `tier`.
    pub max_tier: Tier,
    /// When the audience arrives; absent: as soon as possible.
    pub start: Option<Timestamp>,
    /// Planned length.
    pub duration: SignedDuration,
    /// People on stage.
    pub panelists: u32,
    /// How long before the start everything must be Ready; absent: the class decides.
    pub ready_before: Option<SignedDuration>,
    /// How long past the end capacity may stay; absent: the class decides.
    pub overrun: Option<SignedDuration>,
}
