//! What the platform team allows.

use jiff::SignedDuration;

use crate::reason::Reason;
use crate::tier::{Capacity, Shape, Sizing, Tier};

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
