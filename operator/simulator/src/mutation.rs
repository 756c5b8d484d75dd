//! Protections that can be taken away, to see that the simulator misses them.

use bytes::Bytes;
use clap::ValueEnum;
use http::Method;
use jiff::SignedDuration;
use serde_json::Value;
use webinar_plan::{Cordon, Drain, Flow, Input, Plan, Pod, Reading, Role, Settle, Signal, plan};

use crate::check::{Invariant, target};
use crate::generate::{flood, generate, takeovers};
use crate::scenario::Scenario;
use crate::server::Call;

/// One protection that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Mutation {
    /// Nothing is ever given back.
    NeverDeletes,
    /// The next look that a decision asks for is forgotten: only changes wake a Webinar.
    Unwoken,
    /// What was told once is told again at every look.
    Repeats,
    /// Who does not answer has no viewers.
    SilenceIsEmpty,
    /// Drains don't wait for viewers.
    ImpatientDrain,
    /// Who was declared lost goes when its time is over, whoever is on it.
    LostForGood,
    /// As soon as one relay is needed no more, all are taken out of their entry points.
    ShrinksAtOnce,
    /// The ramp counts on machines, images and pods that take no time.
    NoLead,
    /// Pods have names of their own each time, and nobody asks whether a slot is held.
    RandomNames,
    /// Whoever comes first is looked at first, whatever else is waiting.
    FirstCome,
    /// What was refused is asked again at once.
    NoPause,
    /// Who can't renew its lease goes on when another one may take it.
    LateDeadline,
}

impl Mutation {
    /// Every mutation.
    pub const ALL: [Self; 12] = [
        Self::NeverDeletes,
        Self::Unwoken,
        Self::Repeats,
        Self::SilenceIsEmpty,
        Self::ImpatientDrain,
        Self::LostForGood,
        Self::ShrinksAtOnce,
        Self::NoLead,
        Self::RandomNames,
        Self::FirstCome,
        Self::NoPause,
        Self::LateDeadline,
    ];

    /// The invariants of which one must be found broken.
    pub const fn breaks(self) -> &'static [Invariant] {
        match self {
            Self::NeverDeletes => &[Invariant::Settles],
            Self::Unwoken => &[Invariant::Settles, Invariant::Start, Invariant::Fair],
            Self::Repeats => &[Invariant::Bounds, Invariant::Settles],
            Self::SilenceIsEmpty | Self::ImpatientDrain | Self::LostForGood => &[Invariant::Viewers],
            Self::ShrinksAtOnce => &[Invariant::Seats],
            Self::NoLead => &[Invariant::Start],
            Self::RandomNames | Self::NoPause => &[Invariant::Bounds],
            Self::FirstCome => &[Invariant::Fair, Invariant::Start],
            Self::LateDeadline => &[Invariant::OneLeader],
        }
    }

    /// Ticks within which it must be missed, from seed 1 on: a few times what it takes.
    pub const fn within(self) -> u64 {
        match self {
            Self::NeverDeletes | Self::Repeats | Self::ShrinksAtOnce | Self::FirstCome => 200_000,
            Self::ImpatientDrain | Self::RandomNames => 600_000,
            Self::Unwoken | Self::NoLead => 1_500_000,
            Self::SilenceIsEmpty | Self::LostForGood | Self::NoPause | Self::LateDeadline => 4_000_000,
        }
    }

    /// The worlds it is looked for in, by seed.
    pub fn world(self, seed: u64) -> Scenario {
        match self {
            Self::FirstCome => flood(40),
            Self::RandomNames => takeovers(seed),
            _ => generate(seed),
        }
    }

    /// What is decided without it.
    pub(crate) fn plan(self, input: &Input) -> Plan {
        let mut input = input.clone();
        match self {
            Self::Repeats => input.recent.told.clear(),
            Self::NoPause => input.recent.setbacks.clear(),
            Self::SilenceIsEmpty => silence_is_empty(&mut input),
            Self::ImpatientDrain => {
                let hour = SignedDuration::from_hours(1);
                for pod in &mut input.pods {
                    pod.drain_started = pod.drain_started.and_then(|t| t.checked_sub(hour).ok());
                }
            }
            Self::LostForGood => {
                let lost = input.pods.iter().filter(|p| p.lost);
                for pod in lost {
                    input.signals.remove(&pod.uid);
                }
            }
            Self::NoLead => {
                if let Ok(class) = &mut input.class {
                    let none = SignedDuration::ZERO;
                    class.ramp.settle = Settle {
                        node_startup: none,
                        image_pull: none,
                        pod_startup: none,
                        upstream: none,
                        load_balancer: none,
                    };
                    class.ramp.ready_before = Some(none);
                }
                input.spec.ready_before = Some(SignedDuration::ZERO);
            }
            Self::NeverDeletes
            | Self::Unwoken
            | Self::ShrinksAtOnce
            | Self::RandomNames
            | Self::FirstCome
            | Self::LateDeadline => {}
        }
        let mut plan = plan(&input);
        match self {
            Self::NeverDeletes => plan.delete.clear(),
            Self::Unwoken => plan.next_wake = None,
            _ => {}
        }
        let shrink = plan.cordon.iter().find(|d| d.why == Cordon::Shrink).cloned();
        if let Some(shrink) = shrink.filter(|_| self == Self::ShrinksAtOnce) {
            let takes = |p: &&Pod| p.slot.role == Role::Relay && p.accepting && p.name != shrink.name;
            plan.cordon.extend(input.pods.iter().filter(takes).map(|p| Drain {
                name: p.name.clone(),
                uid: p.uid.clone(),
                ..shrink.clone()
            }));
        }
        plan
    }
}

fn silence_is_empty(input: &mut Input) {
    let long = SignedDuration::from_secs(15);
    let now = input.now;
    let empty = Signal {
        answered: now,
        viewers: Reading::Value(0),
        inbound: Flow::default(),
        outbound: Flow::default(),
    };
    for pod in &input.pods {
        let signal = input
            .signals
            .entry(pod.uid.clone())
            .or_insert_with(|| empty.clone());
        if now.duration_since(signal.answered) > long {
            *signal = empty.clone();
        }
    }
}

/// What arrives of a call without a protection. `ticks`: what time it is.
pub(crate) fn rewrite(mutation: Option<Mutation>, call: &mut Call, ticks: u64) {
    let plural = target(&call.path).map_or("", |(_, plural, _)| plural);
    match (mutation, plural) {
        (Some(Mutation::RandomNames), "pods") if call.method == Method::POST => change(call, |body| {
            let name = body["metadata"]["name"].as_str().unwrap_or_default();
            body["metadata"]["name"] = format!("{name}-{ticks}").into();
        }),
        (Some(Mutation::RandomNames), "pods") if call.method == Method::GET => {
            call.query = call
                .query
                .take()
                .map(|query| query.replace("labelSelector=", "labelSelector=nobody%3D1,"));
        }
        _ => {}
    }
}

fn change(call: &mut Call, f: impl FnOnce(&mut Value)) {
    if let Ok(mut body) = serde_json::from_slice::<Value>(&call.body) {
        f(&mut body);
        call.body = Bytes::from(body.to_string());
    }
}
