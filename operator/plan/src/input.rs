//! Everything a decision is made from: validated, plain, complete.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::audience;
use crate::media;
use crate::phase::Phase;
use crate::reason::Reason;
use crate::signal::Signal;
use crate::slot::Slot;
use crate::tier::{Capacity, Counts, Shape, Sizing, Tier};
use crate::tree::Parent;

/// One look at one Webinar and everything that belongs to it.
#[derive(Debug, Clone)]
pub struct Input {
    /// The instant the decision is made for.
    pub now: Timestamp,
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

/// What the platform team allows, with both templates resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Class {
    /// Name, for messages.
    pub name: String,
    /// Largest tier a Webinar of this class may ask for.
    pub max_tier: Tier,
    /// Pods that all Webinars of this class together may have.
    pub max_total_pods: Option<u32>,
    /// Measured and assumed figures.
    pub sizing: Sizing,
    /// CPU requests of the templates.
    pub cpu: Cpu,
    /// Preferred zones.
    pub zones: Zones,
    /// How capacity is created.
    pub ramp: Ramp,
    /// How capacity is kept and given back.
    pub live: Live,
    /// Whether PodDisruptionBudgets are kept.
    pub budgets: bool,
    /// Where attendance comes from. Absent: it stays unknown.
    pub attendance: Option<Source>,
    /// When media counts as stalled.
    pub stall: Stall,
}

/// Where the numbers of the data plane come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Every pod is asked.
    Pods,
    /// A Prometheus server is asked, which asks the pods.
    Prometheus {
        /// How often that server asks them.
        interval: SignedDuration,
    },
}

/// When media counts as stalled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// Below this rate nothing is received, bits per second.
    pub floor: u64,
    /// How long nothing must be received.
    pub after: SignedDuration,
    /// How long the active SFU may stay silent before nobody can say.
    pub no_signal_after: SignedDuration,
    /// How long a standby must have received media before it may take over.
    pub standby_after: SignedDuration,
}

/// What of a class holds at once, also for a run that has pinned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtOnce {
    /// Drain, growth and joins; the lengths that a run's boundaries come from are pinned.
    pub live: Live,
    /// Where attendance comes from.
    pub attendance: Option<Source>,
    /// When media counts as stalled.
    pub stall: Stall,
    /// Pods that all Webinars of the class together may have.
    pub max_total_pods: Option<u32>,
}

impl Class {
    /// This class, pinned by a run, with what the platform team has changed since and what holds at once.
    #[must_use]
    pub fn following(mut self, today: AtOnce) -> Self {
        let AtOnce {
            live,
            attendance,
            stall,
            max_total_pods,
        } = today;
        self.live = Live {
            floor_after_start: self.live.floor_after_start,
            overrun: self.live.overrun,
            ..live
        };
        self.attendance = attendance;
        self.stall = stall;
        self.max_total_pods = max_total_pods;
        self
    }

    /// What of this class holds at once.
    #[must_use]
    pub fn at_once(&self) -> AtOnce {
        AtOnce {
            live: self.live.clone(),
            attendance: self.attendance,
            stall: self.stall.clone(),
            max_total_pods: self.max_total_pods,
        }
    }

    /// What one pod of each kind carries with `panelists` on stage.
    pub fn capacity(&self, panelists: u32) -> Capacity {
        Capacity::new(
            &self.sizing,
            self.cpu.sfu_millis,
            self.cpu.relay_millis,
            panelists,
        )
    }
}

/// CPU requests of the templates' first containers, in millicores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cpu {
    /// Of the SFU template.
    pub sfu_millis: u64,
    /// Of the relay template, if the class has one.
    pub relay_millis: Option<u64>,
}

/// Zone names to prefer per slot. Empty: the scheduler spreads the fleet by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones(pub Vec<String>);

impl Zones {
    /// The zone that slot `index` prefers.
    pub fn of(&self, index: u32) -> Option<&str> {
        let names = u32::try_from(self.0.len()).ok().filter(|n| *n > 0)?;
        self.0.get((index % names) as usize).map(String::as_str)
    }
}

/// How capacity is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ramp {
    /// Pods per wave, at least 1.
    pub wave_size: u32,
    /// Time between two waves.
    pub wave_interval: SignedDuration,
    /// Safety factor on the lead, percent.
    pub safety_percent: u32,
    /// How long before the start everything must be Ready; absent: by tier.
    pub ready_before: Option<SignedDuration>,
    /// How long a pod takes from creation until it carries viewers.
    pub settle: Settle,
}

impl Ramp {
    /// The ramp of a run of `shape`: a room skips waves.
    #[must_use]
    pub fn of(&self, shape: &Shape) -> Self {
        let wave_size = if shape.room { u32::MAX } else { self.wave_size };
        Self {
            wave_size,
            ..self.clone()
        }
    }
}

/// How long a pod takes from creation until it carries viewers, step by step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settle {
    /// A machine joins.
    pub node_startup: SignedDuration,
    /// The image is pulled.
    pub image_pull: SignedDuration,
    /// The process starts and passes its readiness probe.
    pub pod_startup: SignedDuration,
    /// It has the stage from its upstream.
    pub upstream: SignedDuration,
    /// Load balancers send viewers to it.
    pub load_balancer: SignedDuration,
}

impl Settle {
    /// The steps that pods of a run of `shape` go through.
    pub fn of(&self, shape: &Shape) -> SignedDuration {
        if shape.room { self.room() } else { self.total() }
    }

    /// All steps together.
    pub fn total(&self) -> SignedDuration {
        [
            self.node_startup,
            self.image_pull,
            self.pod_startup,
            self.upstream,
            self.load_balancer,
        ]
        .into_iter()
        .fold(SignedDuration::ZERO, SignedDuration::saturating_add)
    }

    /// The steps of a room: its SFU needs no upstream and joins no load balancer that fills slowly.
    pub fn room(&self) -> SignedDuration {
        self.image_pull.saturating_add(self.pod_startup)
    }
}

/// How capacity is kept and given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// How long past the start capacity is never lowered.
    pub floor_after_start: SignedDuration,
    /// How long past the end capacity stays while people may be watching.
    pub overrun: SignedDuration,
    /// How long a draining pod may keep its viewers.
    pub drain_timeout: SignedDuration,
    /// The share of seats in use at which the fleet grows, percent.
    pub grow_at_percent: u32,
    /// How long the audience must have needed less before relays are drained on air.
    pub shrink_after: SignedDuration,
    /// Time between two drains on air.
    pub shrink_interval: SignedDuration,
    /// How long nobody must have watched after the planned end before everything is given back.
    pub gone_after: SignedDuration,
    /// Viewers that one relay can take in each second.
    pub joins_per_second_per_relay: u32,
}

/// Why there is no usable class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFinding {
    /// [`Reason::ClassNotFound`] or [`Reason::ClassNotAccepted`].
    pub reason: Reason,
    /// What is wrong, where, and what to do.
    pub message: String,
}

/// What a run remembers about itself. It lives in the run's ControllerRevision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Counter, from 1.
    pub run: u32,
    /// The spec in force.
    pub accepted: Accepted,
    /// What the fleet looks like.
    pub shape: Shape,
    /// When every seat of the accepted tier was first Ready.
    pub ready_at: Option<Timestamp>,
    /// When the run went on air.
    pub live_since: Option<Timestamp>,
    /// When it began to give capacity back.
    pub draining_since: Option<Timestamp>,
    /// When everything was given back.
    pub finished_at: Option<Timestamp>,
    /// Since when the start has been so far away that the fleet is not kept for it alone.
    pub postponed_at: Option<Timestamp>,
    /// Since when the run is suspended.
    pub suspended_since: Option<Timestamp>,
    /// When it was last resumed: drains that began before count from here.
    pub resumed_at: Option<Timestamp>,
    /// Most relays that it was to have, for the tier and for what came beyond.
    pub most_relays: u32,
    /// Most viewers at once, as far as they were counted.
    pub peak: Option<u32>,
    /// What happened to its media.
    pub incidents: Incidents,
    /// The last change of the active SFU.
    pub failover: Option<Failover>,
}

/// What happened to a run's media.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incidents {
    /// How many there were.
    pub total: u32,
    /// The latest of them, oldest first.
    pub latest: Vec<Incident>,
}

/// A time in which media did not flow as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    /// What was wrong.
    pub cause: Reason,
    /// The instant of the last byte.
    pub began: Timestamp,
    /// When bytes returned. Absent while it lasts.
    pub ended: Option<Timestamp>,
    /// What the operator did about it, for people. Empty: it only looked.
    pub action: String,
}

/// A change of the active SFU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failover {
    /// When it was decided.
    pub at: Timestamp,
    /// The SFU that was active before.
    pub from: u32,
    /// The SFU that is active now.
    pub to: u32,
    /// UID of the pod to fence: established connections would stay on it. Empty once that is done, or when it was gone.
    pub fence: String,
}

impl Memory {
    /// The run is under way: it was begun and has not finished.
    pub fn active(&self) -> bool {
        self.finished_at.is_none()
    }

    /// When a drain that began at `started` counts from: its clock starts anew when the run is resumed.
    pub(crate) fn drain_counts_from(&self, started: Timestamp) -> Timestamp {
        self.resumed_at.map_or(started, |resumed| started.max(resumed))
    }
}

/// A spec that was checked and is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What is in force.
    pub spec: Spec,
    /// The run's start, fixed when the spec names none.
    pub start: Timestamp,
    /// When this size and these times were accepted.
    pub since: Timestamp,
    /// Slots that were already due when the size was accepted; the waves create what is beyond.
    pub base: Counts,
}

/// A pod of this Webinar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// UID, which every delete must name.
    pub uid: String,
    /// The run it was created for.
    pub run: u32,
    /// The slot it fills.
    pub slot: Slot,
    /// Where it pulls the stage from. SFUs have no parent.
    pub parent: Option<Parent>,
    /// It is part of its entry point.
    pub accepting: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When a machine was found for it.
    pub scheduled: Option<Timestamp>,
    /// Its Ready condition is True.
    pub ready: bool,
    /// It is or once was Ready, as far as anyone can tell: someone may be watching through it.
    pub was_ready: bool,
    /// It has Succeeded or Failed and will never run again.
    pub ended: bool,
    /// It is not Ready although its containers are: its node doesn't answer.
    pub cut_off: bool,
    /// It was declared lost: it has left its slot and its entry point for good, whatever becomes of its node.
    pub lost: bool,
    /// When it will be, or should have been, gone: its deletionTimestamp.
    pub terminating: Option<Timestamp>,
    /// When its drain began.
    pub drain_started: Option<Timestamp>,
    /// Why it was taken out of its entry point. Means something only for a pod that was.
    pub cordoned_for: Cordon,
    /// What keeps it from becoming Ready, if Kubernetes says so.
    pub trouble: Option<PodTrouble>,
}

impl Pod {
    /// It runs or may still run: neither ended nor on its way out.
    pub fn alive(&self) -> bool {
        !self.ended && self.terminating.is_none()
    }
}

/// Why a pod was taken out of its entry point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cordon {
    /// Capacity is being given back, or its node is lost.
    #[default]
    Drain,
    /// The audience needs less: it goes once it is empty, and comes back if it is needed again.
    Shrink,
    /// Its viewers see no picture, although others do.
    Health,
}

impl Cordon {
    /// Every reason for a cordon.
    pub const ALL: [Self; 3] = [Self::Drain, Self::Shrink, Self::Health];

    /// The reason as written in a pod's annotation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "Drain",
            Self::Shrink => "Shrink",
            Self::Health => "Health",
        }
    }
}

/// A pod that carries a Webinar's labels and is not its own. It is never counted, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Name.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
}

/// What keeps a pod from becoming Ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodTrouble {
    /// [`Reason::Unschedulable`] or [`Reason::ImagePull`].
    pub reason: Reason,
    /// Kubernetes' own words, already shortened.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}

/// What this process has seen lately.
#[derive(Debug, Clone, Default)]
pub struct Recent {
    /// UID of the last pod seen in a slot whose pod has vanished.
    pub vanished: BTreeMap<Slot, String>,
    /// What the API server refused last time. A setback stays until such a write has succeeded: while
    /// one is here, the pods that are missing count as missing at the start.
    pub setbacks: Vec<Setback>,
    /// Why seats were last said to be at risk, if that is not over yet: the last plan's [`alarm`](crate::Plan::alarm).
    pub alarm: Option<Alarm>,
    /// The moment that the last notice of each reason spoke of.
    pub told: BTreeMap<Reason, Timestamp>,
    /// What was measured of audience and media lately: the last plan's [`watch`](crate::Plan::watch).
    pub watch: Watch,
}

/// What is measured over time while people are watching: slopes, and how long something has held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch {
    pub(crate) audience: audience::State,
    pub(crate) media: media::State,
}

impl Recent {
    /// A notice about `subject` was the last one of its reason.
    pub(crate) fn was_told(&self, subject: Subject) -> bool {
        self.told.get(&subject.reason) == Some(&subject.moment)
    }
}

/// A cause of missing seats that is told for a while after it has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alarm {
    /// What was seen.
    pub cause: Reason,
    /// Since when no seat has been expected to be missing; absent while one is.
    pub gone_since: Option<Timestamp>,
}

/// What a notice is about: it is told once for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The notice's reason.
    pub reason: Reason,
    /// The moment that it speaks of.
    pub moment: Timestamp,
}

/// Writes that the API server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// What kind of refusal.
    pub kind: SetbackKind,
    /// The object that was refused first.
    pub object: String,
    /// The API server's own sentence, already shortened.
    pub message: String,
    /// Not tried again before this instant.
    pub retry_at: Timestamp,
}

/// Kinds of refusal that people can do something about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetbackKind {
    /// A ResourceQuota is used up.
    Quota,
    /// The API server or an admission policy refuses the object as it is.
    Rejected,
    /// An object of another owner has the name.
    Conflict,
}
