//! A small model of everything around the planner: the API server's objects, kubelets, nodes, and an
//! operator that carries plans out and remembers.

// Each test binary uses its own part of this module.
#![allow(dead_code, unreachable_pub)]

mod crowd;
mod defaults;
mod stage;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{
    Class, ClassFinding, ConditionType, Cordon, Input, Memory, Neighbour, Orders, Phase, Plan, Pod,
    PodTrouble, Reason, Recent, Role, Setback, SetbackKind, Signal, Slot, Spec, Stranger, Truth, Webinar,
    is_noticed, is_told, plan,
};

pub use crowd::Crowd;
#[allow(unused_imports, reason = "each test binary uses its own part of this module")]
pub use defaults::{class, sizing, spec};
pub use stage::{Leads, Stage};

/// How long the model may take to come to rest at one instant.
const MAX_ROUNDS: u32 = 50;

/// How long a pod takes to go after its delete.
const GRACE: SignedDuration = SignedDuration::from_secs(2);

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn secs(n: i64) -> SignedDuration {
    SignedDuration::from_secs(n)
}

/// A pod and what the model knows of its future.
#[derive(Debug, Clone)]
struct Body {
    pod: Pod,
    ready_at: Option<Timestamp>,
}

/// One Webinar and the world it lives in.
#[derive(Debug, Clone)]
pub struct World {
    pub now: Timestamp,
    pub webinar: Webinar,
    pub spec: Spec,
    pub orders: Orders,
    /// The class as it stands today.
    pub class: Result<Class, ClassFinding>,
    pub memory: Option<Memory>,
    pub remembered: Vec<u32>,
    pub recent: Recent,
    /// What pods say of themselves, by UID.
    pub signals: BTreeMap<String, Signal>,
    /// What the Services of the stage select.
    pub leads: Leads,
    /// Who sends media, and how it runs through the fleet.
    pub stage: Stage,
    /// Pods of others with the Webinar's labels.
    pub strangers: Vec<Stranger>,
    /// Others that share the class's pods.
    pub neighbours: Vec<Neighbour>,
    /// The operator doesn't run.
    pub down: bool,
    /// How long a pod takes to become Ready.
    pub ready_after: SignedDuration,
    /// Slots whose pods don't become Ready.
    pub hung: BTreeSet<Slot>,
    /// Images can't be pulled.
    pub no_image: bool,
    /// How many pods the nodes have room for.
    pub room: usize,
    /// How many pods a quota allows.
    pub quota: usize,
    /// People who watch. Absent: no pod ever answers.
    pub crowd: Option<Crowd>,
    /// How far the operator's own clock is ahead.
    pub skew: SignedDuration,
    /// When this operator process first looked.
    pub began: Option<Timestamp>,
    bodies: Vec<Body>,
    pinned: Option<Class>,
    uids: u32,
}

impl World {
    pub fn new(class: Class, spec: Spec, created: Timestamp) -> Self {
        Self {
            now: created,
            webinar: Webinar {
                namespace: "events".to_owned(),
                name: "q3-keynote".to_owned(),
                uid: "2f6c1f5e".to_owned(),
                created,
                deleting: false,
                refused_since: None,
                phase_told: None,
            },
            spec,
            orders: Orders::default(),
            class: Ok(class),
            memory: None,
            remembered: Vec::new(),
            recent: Recent::default(),
            signals: BTreeMap::new(),
            leads: Leads::default(),
            stage: Stage::default(),
            strangers: Vec::new(),
            neighbours: Vec::new(),
            down: false,
            ready_after: secs(70),
            hung: BTreeSet::new(),
            no_image: false,
            room: usize::MAX,
            quota: usize::MAX,
            crowd: None,
            skew: SignedDuration::ZERO,
            began: None,
            bodies: Vec::new(),
            pinned: None,
            uids: 0,
        }
    }

    /// What the operator sees now.
    pub fn input(&self) -> Input {
        let active = self.memory.as_ref().is_some_and(Memory::active);
        Input {
            skew: self.skew,
            now: self.now,
            webinar: self.webinar.clone(),
            spec: self.spec.clone(),
            orders: self.orders.clone(),
            class: match &self.pinned {
                Some(pinned) if active => Ok(match &self.class {
                    Ok(today) => pinned.clone().following(today.at_once()),
                    Err(_) => pinned.clone(),
                }),
                _ => self.class.clone(),
            },
            superseded: match (&self.pinned, &self.class) {
                (Some(pinned), Ok(today))
                    if active && pinned.clone().following(today.at_once()) != *today =>
                {
                    vec!["the class"]
                }
                _ => Vec::new(),
            },
            last_class: self.pinned.clone().filter(|_| !active),
            memory: self.memory.clone(),
            remembered_runs: self.remembered.clone(),
            pods: self.pods().cloned().collect(),
            strangers: self.strangers.clone(),
            active_sfu: self.leads.ingest,
            neighbours: self.neighbours.clone(),
            signals: self.signals.clone(),
            routes: self.routes(),
            recent: self.recent.clone(),
        }
    }

    /// The decision now. Whatever it says must be in the tables of `verdict.rs`, which people look things up in.
    pub fn plan(&self) -> Plan {
        let plan = plan(&self.input());
        for c in &plan.status.conditions {
            assert!(
                is_told(c.kind, c.truth, c.reason),
                "no table has {:?}={:?} {}",
                c.kind,
                c.truth,
                c.reason
            );
        }
        for notice in &plan.status.notices {
            let reason = notice.subject.reason;
            assert!(is_noticed(reason), "no table has the notice {reason}");
        }
        plan
    }

    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.bodies.iter().map(|b| &b.pod)
    }

    /// Live pods by slot. Panics when two are in one.
    pub fn slots(&self) -> BTreeMap<Slot, &Pod> {
        let mut out = BTreeMap::new();
        for pod in self.pods().filter(|p| p.alive() && !p.lost) {
            let twin = out.insert(pod.slot, pod);
            assert!(twin.is_none(), "two live pods in {}", pod.slot);
        }
        out
    }

    /// Writes what the plan says, as the operator would.
    pub fn apply(&mut self, plan: &Plan) {
        self.began.get_or_insert(self.now);
        self.remember(plan);
        self.leads.follow(plan);
        for new in &plan.create {
            if self.pods().any(|p| p.name == new.name) {
                panic!("{} is still there", new.name);
            }
            if self.pods().filter(|p| p.alive()).count() >= self.quota {
                self.recent.setbacks = vec![Setback {
                    kind: SetbackKind::Quota,
                    object: new.name.clone(),
                    message: format!("exceeded quota: media, limited: pods={}", self.quota),
                    retry_at: self.now + secs(30),
                }];
                break;
            }
            self.recent.setbacks.clear();
            self.uids += 1;
            self.recent.vanished.remove(&new.slot);
            self.bodies.push(Body {
                pod: Pod {
                    name: new.name.clone(),
                    uid: format!("uid-{}", self.uids),
                    run: self.memory.as_ref().expect("a run before its pods").run,
                    slot: new.slot,
                    parent: new.parent,
                    accepting: true,
                    created: self.now,
                    scheduled: None,
                    ready: false,
                    was_ready: false,
                    ended: false,
                    cut_off: false,
                    lost: false,
                    terminating: None,
                    drain_started: None,
                    cordoned_for: Cordon::Drain,
                    trouble: None,
                },
                ready_at: None,
            });
        }
        for drain in &plan.cordon {
            let pod = self.by_uid(&drain.uid);
            pod.accepting = false;
            pod.drain_started = Some(drain.started);
            pod.cordoned_for = drain.why;
        }
        for drain in &plan.disown {
            let pod = self.by_uid(&drain.uid);
            (pod.accepting, pod.lost, pod.drain_started) = (false, true, Some(drain.started));
        }
        for named in &plan.uncordon {
            let pod = self.by_uid(&named.uid);
            pod.accepting = true;
            pod.drain_started = None;
        }
        let gone = self.now + GRACE;
        for removal in &plan.delete {
            self.by_uid(&removal.uid).terminating = Some(gone);
        }
        self.recent.alarm = plan.alarm;
        self.recent.watch = plan.watch.clone();
        self.judge(plan);
    }

    fn remember(&mut self, plan: &Plan) {
        if let Some(memory) = &plan.memory {
            if !self.remembered.contains(&memory.run) {
                self.remembered.push(memory.run);
                self.pinned = self.class.clone().ok();
            }
            self.memory = Some(memory.clone());
        }
        self.remembered.retain(|run| !plan.forget.contains(run));
    }

    /// Keeps what the status would.
    fn judge(&mut self, plan: &Plan) {
        let refused = plan.status.conditions.iter().any(|c| {
            c.kind == ConditionType::Ready && c.truth == Truth::False && c.reason != Reason::CapacityAtRisk
        });
        let since = self.webinar.refused_since.unwrap_or(self.now);
        self.webinar.refused_since = refused.then_some(since);
        self.webinar.phase_told = plan.status.phase;
        let subjects = plan.status.notices.iter().map(|n| n.subject);
        self.recent.told.extend(subjects.map(|s| (s.reason, s.moment)));
    }

    fn by_uid(&mut self, uid: &str) -> &mut Pod {
        let body = self.bodies.iter_mut().find(|b| b.pod.uid == uid);
        &mut body.expect("a pod that exists").pod
    }

    /// Lets scheduler and kubelets do what is due: bind, start, stop.
    pub fn kubelets(&mut self) {
        self.start_and_stop();
        self.answers();
    }

    fn start_and_stop(&mut self) {
        let now = self.now;
        let gone = |pod: &Pod| pod.terminating.is_some_and(|t| t <= now);
        for body in self.bodies.iter().filter(|b| gone(&b.pod)) {
            self.recent.vanished.insert(body.pod.slot, body.pod.uid.clone());
        }
        self.bodies.retain(|b| !gone(&b.pod));
        let alive = self.bodies.iter_mut().filter(|b| b.pod.alive());
        for (position, body) in alive.enumerate() {
            let pod = &mut body.pod;
            if pod.cut_off {
                pod.ready = false;
                continue;
            }
            if pod.ready {
                continue;
            }
            if body.ready_at.is_none() && position >= self.room {
                pod.trouble.get_or_insert(PodTrouble {
                    reason: Reason::Unschedulable,
                    message: "insufficient cpu".to_owned(),
                    since: now,
                });
                continue;
            }
            pod.scheduled.get_or_insert(now);
            if self.no_image && body.ready_at.is_none() {
                pod.trouble.get_or_insert(PodTrouble {
                    reason: Reason::ImagePull,
                    message: "ImagePullBackOff".to_owned(),
                    since: now,
                });
                continue;
            }
            pod.trouble = None;
            if self.hung.contains(&pod.slot) {
                continue;
            }
            let ready_at = *body.ready_at.get_or_insert(now + self.ready_after);
            pod.ready = ready_at <= now;
            pod.was_ready |= pod.ready;
        }
    }

    /// When a kubelet does something next.
    pub fn next_kubelet(&self) -> Option<Timestamp> {
        let ready = self
            .bodies
            .iter()
            .filter(|b| b.pod.alive() && !b.pod.ready)
            .filter_map(|b| b.ready_at);
        let gone = self.pods().filter_map(|p| p.terminating);
        ready.chain(gone).filter(|t| *t > self.now).min()
    }

    /// Plans and applies at this instant until there is nothing left to do, telling `seen` every plan.
    pub fn reconcile(&mut self, mut seen: impl FnMut(&Self, &Plan)) -> Plan {
        for _ in 0..MAX_ROUNDS {
            self.kubelets();
            self.crowd_answers();
            let plan = self.plan();
            seen(self, &plan);
            let before = (
                self.memory.clone(),
                self.webinar.refused_since,
                self.leads.clone(),
            );
            self.apply(&plan);
            let idle = plan.create.is_empty()
                && plan.cordon.is_empty()
                && plan.uncordon.is_empty()
                && plan.disown.is_empty()
                && plan.delete.is_empty();
            let stands = before
                == (
                    self.memory.clone(),
                    self.webinar.refused_since,
                    self.leads.clone(),
                );
            if idle && stands {
                return plan;
            }
        }
        panic!("still something to do at {} after {MAX_ROUNDS} rounds", self.now);
    }

    /// Moves through time up to `until`, stopping wherever a plan or a kubelet wants to be woken.
    pub fn run_until(&mut self, until: Timestamp, mut seen: impl FnMut(&Self, &Plan)) -> Plan {
        while self.down {
            self.kubelets();
            match self.next_kubelet().filter(|t| *t <= until) {
                Some(next) => self.now = next,
                None => {
                    self.now = until;
                    return self.plan();
                }
            }
        }
        loop {
            let plan = self.reconcile(&mut seen);
            let answers = self.crowd.as_ref().map(|c| c.next(self.now));
            let answers = answers.filter(|t| *t > self.now);
            let next = plan.next_wake.into_iter().chain(self.next_kubelet());
            let next = next.chain(answers).chain(self.stage.next_answers()).min();
            match next.filter(|t| *t <= until) {
                Some(next) => self.now = next,
                None => {
                    self.now = until;
                    return self.reconcile(&mut seen);
                }
            }
        }
    }

    /// Someone deletes the Webinar: its pods go by garbage collection.
    pub fn delete(&mut self) {
        self.webinar.deleting = true;
        let gone = self.now + GRACE;
        for body in &mut self.bodies {
            body.pod.terminating.get_or_insert(gone);
        }
    }

    /// Someone else deletes the live pod in `slot`. `at_once` skips its grace period.
    pub fn lose(&mut self, slot: Slot, at_once: bool) {
        let now = self.now;
        let grace = if at_once { SignedDuration::ZERO } else { GRACE };
        let bodies = self.bodies.iter_mut();
        for body in bodies.filter(|b| b.pod.slot == slot && b.pod.alive()) {
            body.pod.terminating = Some(now + grace);
        }
    }

    /// The node of the live pod in `slot` answers no more, or again.
    pub fn cut_off(&mut self, slot: Slot, is: bool) {
        let bodies = self.bodies.iter_mut();
        for body in bodies.filter(|b| b.pod.slot == slot && b.pod.alive()) {
            body.pod.cut_off = is && (body.pod.ready || body.pod.cut_off);
        }
    }

    /// The live pod in `slot` ends by itself.
    pub fn end(&mut self, slot: Slot) {
        let bodies = self.bodies.iter_mut();
        for body in bodies.filter(|b| b.pod.slot == slot && b.pod.alive()) {
            body.pod.ended = true;
            body.pod.ready = false;
        }
    }

    /// The operator restarts and has forgotten what it had only in its head.
    pub fn restart(&mut self) {
        self.recent = Recent::default();
        self.began = None;
        self.signals.clear();
        self.stage.forget();
    }

    pub fn phase(&self) -> Option<Phase> {
        self.plan().status.phase
    }

    /// Names of all live pods.
    pub fn names(&self) -> BTreeSet<String> {
        self.pods()
            .filter(|p| p.alive())
            .map(|p| p.name.clone())
            .collect()
    }

    pub fn alive(&self, role: Role) -> u32 {
        let pods = self.pods().filter(|p| p.alive() && p.slot.role == role);
        u32::try_from(pods.count()).expect("few pods")
    }
}
