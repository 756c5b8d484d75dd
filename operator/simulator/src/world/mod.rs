//! Everything around the operator: the API server's objects, machines, people who watch and people who change their mind.

mod classes;
mod crowd;
mod kubelet;
mod media;
mod network;
mod nodes;
mod owners;
mod people;
mod pods;
mod routes;
mod schedule;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;
use serde_json::{Value, json};

use crate::check::Checks;
use crate::cover::Cover;
use crate::hash;
use crate::mutation::Mutation;
use crate::scenario::{Scenario, What};
use crate::server::{Change, Kind, Server};
use crate::story::Story;
use crate::time::Moment;

pub(crate) use classes::{DEFAULT_CLASS, OPERATOR_NAMESPACE};
pub(crate) use network::{Fate, Network, Refused, Replicas};
pub(crate) use nodes::Nodes;
pub(crate) use owners::OWNED;
pub(crate) use pods::{Bodies, Body};
pub(crate) use routes::Routes;

/// Namespace and name.
pub(crate) type Key = (String, String);

/// Replicas of the operator.
pub(crate) const REPLICAS: usize = 2;

/// The label that says which Service an EndpointSlice is of.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// What is to happen later.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Timer {
    /// The scheduler looks for a node.
    Schedule(Key),
    /// A node that was asked for has joined a zone.
    NodeJoins(usize),
    /// Who waits for a node looks again.
    Pending,
    /// The image is there, or can't be pulled.
    Pulled(Key, String),
    /// The pod becomes Ready.
    Ready(Key, String),
    /// It has shut down.
    Killed(Key, String),
    /// Its node is found not to answer.
    NodeLost(usize),
    /// A node answers again.
    NodeBack(usize),
    /// The control plane misses a node that is well.
    NodeMissed(usize),
    /// It hears of that one again.
    NodeHeard(usize),
    /// What belonged to a node that is gone is taken away.
    NodeSwept(usize),
    /// Owners that are gone: what belongs to them goes.
    Collect(Kind, Key, String),
    /// EndpointSlices follow pods and Services.
    Slices,
    /// Presenters connect again.
    Connect(Key),
    /// Something that lasts is over.
    Over(usize),
}

/// An event as people see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Show {
    /// So many wanted to watch, from when on the number changes.
    from: (u64, u32),
    /// So many want to watch then.
    to: (u64, u32),
    /// Presenters send.
    sending: bool,
    /// To every SFU at once.
    twice: bool,
    /// UID of the SFU that they are connected to.
    attached: Option<String>,
    /// They are about to connect.
    connecting: bool,
}

/// The world. One lock around all of it: there is one thread.
#[derive(Debug)]
pub(crate) struct World {
    /// What time it is.
    pub(crate) now: Moment,
    /// The API server.
    pub(crate) server: Server,
    /// What it was, every few seconds of late: for lists that are stale.
    past: VecDeque<(Moment, Server)>,
    /// Every random choice.
    pub(crate) rng: Rng,
    /// The scenario.
    pub(crate) scenario: Arc<Scenario>,
    /// Which of its happenings last.
    lasting: BTreeSet<usize>,
    timers: BTreeMap<(u64, u64), Timer>,
    timers_set: u64,
    /// How far the controllers have followed the API server.
    followed: u64,
    /// The machines.
    pub(crate) nodes: Nodes,
    /// The pods.
    pub(crate) bodies: Bodies,
    /// Where Services lead.
    pub(crate) routes: Routes,
    slices_due: bool,
    /// When whoever waits for a node looks again.
    pending_at: Option<u64>,
    /// Events by namespace and name.
    pub(crate) shows: BTreeMap<Key, Show>,
    /// UIDs of SFUs and mids that receive nothing.
    stalled: BTreeSet<String>,
    /// UIDs of relays that hand nothing on.
    muted: BTreeSet<String>,
    /// Tiers of Webinars that can't be read now.
    unread: BTreeMap<Key, Value>,
    /// Between replicas and API server.
    pub(crate) network: Network,
    /// Who is to be killed, started or stopped.
    pub(crate) replicas: Replicas,
    /// What is looked after.
    pub(crate) checks: Checks,
    /// What was reached.
    pub(crate) cover: Cover,
    /// What happened, for people.
    pub(crate) story: Story,
    /// The protection that is taken away.
    pub(crate) mutation: Option<Mutation>,
    /// Of everything that was written: the same for the same history.
    pub(crate) digest: u64,
}

/// The world, for everyone in it.
pub(crate) type Shared = Arc<Mutex<World>>;

/// Whoever panicked had the world as it is.
pub(crate) fn locked(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A world at its beginning.
    pub(crate) fn new(scenario: Arc<Scenario>, story: Story, mutation: Option<Mutation>) -> Self {
        let mut world = Self {
            now: Moment(0),
            server: Server::new(),
            past: VecDeque::new(),
            rng: Rng::with_seed(scenario.seed),
            lasting: BTreeSet::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            followed: 0,
            nodes: Nodes::new(&scenario.cluster),
            bodies: Bodies::default(),
            routes: Routes::default(),
            slices_due: false,
            pending_at: None,
            shows: BTreeMap::new(),
            stalled: BTreeSet::new(),
            muted: BTreeSet::new(),
            unread: BTreeMap::new(),
            network: Network::default(),
            replicas: Replicas::default(),
            checks: Checks::default(),
            cover: Cover::default(),
            story,
            mutation,
            digest: hash::NOTHING,
            scenario,
        };
        world.furnish();
        world
    }

    /// One tick: what is due happens, and every controller but the operator looks.
    pub(crate) fn step(&mut self) {
        while let Some(entry) = self.timers.first_entry().filter(|e| e.key().0 <= self.now.0) {
            let timer = entry.remove();
            self.ring(timer);
        }
        self.follow();
        if self.now.0.is_multiple_of(crate::time::SECOND) {
            self.watch_shows();
            self.count_quotas();
            self.remember();
        }
    }

    /// Something is to happen so many ticks later.
    fn set(&mut self, ticks: u64, timer: Timer) {
        self.timers_set += 1;
        let when = self.now.0 + ticks.max(1);
        self.timers.insert((when, self.timers_set), timer);
    }

    /// Between `least` and `most` ticks.
    fn between(&mut self, [least, most]: [u64; 2]) -> u64 {
        self.rng.u64(least..=most.max(least))
    }

    fn ring(&mut self, timer: Timer) {
        match timer {
            Timer::Schedule(key) => self.schedule(&key),
            Timer::NodeJoins(zone) => self.node_joins(zone),
            Timer::Pending => self.schedule_pending(),
            Timer::Pulled(key, uid) => self.pulled(&key, &uid),
            Timer::Ready(key, uid) => self.becomes_ready(&key, &uid),
            Timer::Killed(key, uid) => self.killed(&key, &uid),
            Timer::NodeLost(node) => self.node_lost(node),
            Timer::NodeBack(node) => self.node_back(node),
            Timer::NodeMissed(node) => self.node_missed(node),
            Timer::NodeHeard(node) => self.node_heard(node),
            Timer::NodeSwept(node) => self.node_swept(node),
            Timer::Collect(kind, key, owner) => self.collect(kind, &key, &owner),
            Timer::Slices => self.write_slices(),
            Timer::Connect(key) => self.connect(&key),
            Timer::Over(happening) => self.over(happening),
        }
    }

    /// Scheduler, kubelets, and the controllers of endpoints and owners see what has changed.
    fn follow(&mut self) {
        let version = self.server.version();
        if version == self.followed {
            return;
        }
        let since = std::mem::replace(&mut self.followed, version);
        for kind in [
            Kind::Webinar,
            Kind::Pod,
            Kind::Service,
            Kind::PodDisruptionBudget,
            Kind::ControllerRevision,
            Kind::EndpointSlice,
        ] {
            // A copy: what is done about them changes more.
            let changes = self.server.changes(kind, since).map(<[Change]>::to_vec);
            for change in changes.unwrap_or_default() {
                self.owned(&change);
                match kind {
                    Kind::Webinar => self.promised(&change),
                    Kind::Pod => self.pod_changed(&change),
                    Kind::Service => self.service_changed(&change),
                    _ => {}
                }
            }
        }
    }

    /// Keeps what was, as long as a list may be stale, and forgets what nobody needs.
    fn remember(&mut self) {
        const EVERY: u64 = 5 * crate::time::SECOND;
        if !self.now.0.is_multiple_of(EVERY) {
            return;
        }
        self.past.push_back((self.now, self.server.clone()));
        if self.past.len() > 30 {
            self.past.pop_front();
        }
    }

    /// The API server as it was so many seconds ago, or as near as anyone remembers.
    pub(crate) fn as_it_was(&self, seconds: u64) -> &Server {
        let then = self.now.0.saturating_sub(seconds * crate::time::SECOND);
        let found = self.past.iter().rev().find(|(at, _)| at.0 <= then);
        match found.or(self.past.front()) {
            Some((_, server)) if seconds > 0 => server,
            _ => &self.server,
        }
    }

    /// Nobody needs to know what happened up to this version.
    pub(crate) fn forget(&mut self, version: u64) {
        let remembered = self.past.front().map_or(version, |(_, server)| server.version());
        self.server.compact(version.min(remembered).min(self.followed));
    }

    /// A happening begins.
    pub(crate) fn happen(&mut self, index: usize) {
        let scenario = Arc::clone(&self.scenario);
        let Some(happening) = scenario.happenings.get(index) else {
            return;
        };
        self.cover.reach("happening", &happening.what.name());
        self.story.tell(self.now, "world", || describe(&happening.what));
        if let Some(lasts) = happening.what.lasts().filter(|l| *l > 0) {
            self.lasting.insert(index);
            self.set(lasts * crate::time::SECOND, Timer::Over(index));
        }
        self.begin(&happening.what);
    }

    fn over(&mut self, index: usize) {
        if !self.lasting.remove(&index) {
            return;
        }
        let scenario = Arc::clone(&self.scenario);
        if let Some(happening) = scenario.happenings.get(index) {
            // Maybe early.
            self.checks.trouble(self.now, 0);
            self.story.tell(self.now, "world", || {
                format!("over: {}", describe(&happening.what))
            });
            self.end(&happening.what);
        }
    }

    /// Whatever lasts ends.
    pub(crate) fn calm(&mut self) {
        for index in std::mem::take(&mut self.lasting) {
            self.lasting.insert(index);
            self.over(index);
        }
        self.replicas.calm(self.now);
        self.story.tell(self.now, "world", || {
            "calm: nothing goes wrong from here on".to_owned()
        });
    }

    /// Something that lasts is under way, of those that `which` names.
    pub(crate) fn lasts(&self, which: impl Fn(&What) -> bool) -> bool {
        let happenings = &self.scenario.happenings;
        self.lasting
            .iter()
            .filter_map(|i| happenings.get(*i))
            .any(|h| which(&h.what))
    }
}

/// As a story tells it.
fn describe(what: &What) -> String {
    let mut value = serde_json::to_value(what).unwrap_or_default();
    let name = what.name();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("kind");
    }
    format!("{name} {}", value)
}

/// A text at a JSON pointer.
pub(crate) fn text<'a>(object: &'a Value, pointer: &str) -> Option<&'a str> {
    object.pointer(pointer)?.as_str()
}

/// Its namespace and name.
pub(crate) fn key(object: &Value) -> Key {
    let field = |name: &str| object["metadata"][name].as_str().unwrap_or_default().to_owned();
    (field("namespace"), field("name"))
}

/// A label.
pub(crate) fn label<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object["metadata"]["labels"].get(name)?.as_str()
}

/// UID of the Webinar that controls an object.
pub(crate) fn owner(object: &Value) -> Option<&str> {
    let owners = object["metadata"]["ownerReferences"].as_array()?;
    let webinar = owners.iter().find(|o| o["kind"] == json!("Webinar"))?;
    webinar["uid"].as_str()
}

/// From `namespace/name`.
pub(crate) fn named(webinar: &str) -> Key {
    let (namespace, name) = webinar.split_once('/').unwrap_or(("default", webinar));
    (namespace.to_owned(), name.to_owned())
}
