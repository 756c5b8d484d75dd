//! Machines: in zones, each with room for two pods; more are added when pods wait, as far as there are any.

use super::{Key, Timer, World};
use crate::scenario::{Cluster, What};
use crate::time::SECOND;

/// Pods on one node.
const ROOM: usize = 2;

/// How long until a node that does not answer is believed to be lost: the node controller's grace period.
const LOST_AFTER: u64 = 40 * SECOND;

/// Within so many seconds kubelets that were not heard are again.
const HEARD_WITHIN: u64 = 20;

/// One machine.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// Where it is.
    pub(crate) zone: usize,
    /// It answers.
    pub(crate) up: bool,
    /// It is gone for good.
    pub(crate) gone: bool,
    /// It has been found not to answer.
    pub(crate) lost: bool,
    /// Pods on it.
    pub(crate) pods: Vec<Key>,
    /// It has the image.
    pub(crate) pulled: bool,
}

/// All machines.
#[derive(Debug, Clone, Default)]
pub(crate) struct Nodes {
    /// By number; a number is never given twice.
    pub(crate) all: Vec<Node>,
    /// On their way, by zone.
    joining: Vec<usize>,
    /// Most that a zone may have.
    most: usize,
}

impl Nodes {
    pub(super) fn new(cluster: &Cluster) -> Self {
        let mut nodes = Self {
            all: Vec::new(),
            joining: vec![0; cluster.zones],
            most: cluster.most.div_ceil(ROOM),
        };
        for zone in 0..cluster.zones {
            for _ in 0..cluster.room.div_ceil(ROOM) {
                nodes.all.push(Node::new(zone));
            }
        }
        nodes
    }

    /// Room for a pod, in the zone where the fewest of `neighbours` are.
    pub(super) fn place(&self, neighbours: impl Fn(&Key) -> bool) -> Option<usize> {
        let crowded = |zone: usize| {
            let there = self.all.iter().filter(|n| n.zone == zone);
            there.flat_map(|n| &n.pods).filter(|key| neighbours(key)).count()
        };
        let open = self
            .all
            .iter()
            .enumerate()
            .filter(|(_, n)| n.heard() && !n.gone && n.pods.len() < ROOM);
        open.min_by_key(|(i, n)| (crowded(n.zone), *i)).map(|(i, _)| i)
    }

    /// Room for so many pods, all nodes that may come counted.
    pub(crate) fn most_room(&self) -> usize {
        let zones = 0..self.joining.len();
        let standing = |zone: usize| {
            self.all
                .iter()
                .filter(|n| n.zone == zone && n.up && !n.gone)
                .count()
        };
        zones.map(|zone| standing(zone).max(self.most) * ROOM).sum()
    }

    pub(super) fn leave(&mut self, node: usize, pod: &Key) {
        if let Some(node) = self.all.get_mut(node) {
            node.pods.retain(|p| p != pod);
        }
    }

    /// The how-many-th of those that are there.
    pub(super) fn nth(&self, nth: usize) -> Option<usize> {
        let there: Vec<usize> = (0..self.all.len()).filter(|i| !self.all[*i].gone).collect();
        (!there.is_empty()).then(|| there[nth % there.len()])
    }
}

impl Node {
    /// The control plane hears of it.
    pub(crate) const fn heard(&self) -> bool {
        self.up && !self.lost
    }

    const fn new(zone: usize) -> Self {
        Self {
            zone,
            up: true,
            gone: false,
            lost: false,
            pods: Vec::new(),
            pulled: false,
        }
    }
}

impl World {
    /// Pods wait for `waiting` places: nodes are asked for, if there may be more.
    pub(super) fn ask_for_nodes(&mut self, waiting: usize) {
        if self.lasts(|w| matches!(w, What::NoNodes { .. })) {
            return;
        }
        let coming: usize = self.nodes.joining.iter().sum();
        let mut missing = waiting.div_ceil(ROOM).saturating_sub(coming);
        for zone in 0..self.nodes.joining.len() {
            let there = self
                .nodes
                .all
                .iter()
                .filter(|n| n.zone == zone && !n.gone)
                .count();
            let may = self.nodes.most.saturating_sub(there + self.nodes.joining[zone]);
            for _ in 0..may.min(missing) {
                missing -= 1;
                self.nodes.joining[zone] += 1;
                let after = self.scenario.cluster.node_after * SECOND;
                let wait = self.between([after, after + after / 4]);
                self.set(wait, Timer::NodeJoins(zone));
            }
        }
    }

    pub(super) fn node_joins(&mut self, zone: usize) {
        self.nodes.joining[zone] -= 1;
        self.nodes.all.push(Node::new(zone));
        self.schedule_pending();
    }

    /// A node answers no more. For good, or for so many seconds.
    pub(super) fn node_down(&mut self, node: usize, lasts: Option<u64>) {
        let Some(found) = self.nodes.all.get_mut(node).filter(|n| n.up && !n.gone) else {
            return;
        };
        found.up = false;
        found.gone = lasts.is_none();
        for key in found.pods.clone() {
            self.cut_off_viewers(&key);
        }
        self.slices_follow();
        self.set(LOST_AFTER, Timer::NodeLost(node));
        match lasts {
            Some(seconds) => self.set(seconds * SECOND, Timer::NodeBack(node)),
            None => {
                let wait = LOST_AFTER + self.between([20 * SECOND, 80 * SECOND]);
                self.set(wait, Timer::NodeSwept(node));
            }
        }
    }

    pub(super) fn node_lost(&mut self, node: usize) {
        if self.nodes.all.get(node).is_some_and(|n| !n.up) {
            self.marked(node);
        }
    }

    pub(super) fn node_back(&mut self, node: usize) {
        let Some(found) = self.nodes.all.get_mut(node).filter(|n| !n.up && !n.gone) else {
            return;
        };
        (found.up, found.lost) = (true, false);
        for key in found.pods.clone() {
            self.pod_back(&key);
        }
        self.slices_follow();
        self.schedule_pending();
    }

    /// No heartbeat of so many of a hundred arrives any more.
    pub(super) fn nodes_silent(&mut self, percent: u8, spread: u64) {
        for node in 0..self.nodes.all.len() {
            if self.rng.u8(0..100) >= percent {
                continue;
            }
            let wait = self.between([1, spread * SECOND]);
            self.set(wait, Timer::NodeMissed(node));
        }
    }

    /// Heartbeats arrive again, each when its kubelet tries next.
    pub(super) fn nodes_heard(&mut self) {
        for node in 0..self.nodes.all.len() {
            let wait = self.between([1, HEARD_WITHIN * SECOND]);
            self.set(wait, Timer::NodeHeard(node));
        }
        self.checks.trouble(self.now, HEARD_WITHIN);
    }

    pub(super) fn node_missed(&mut self, node: usize) {
        let silent = self.lasts(|w| matches!(w, What::NodesSilent { .. }));
        if silent && self.nodes.all.get(node).is_some_and(Node::heard) {
            self.marked(node);
        }
    }

    /// The node controller says that it doesn't answer, and that its pods are not Ready.
    fn marked(&mut self, node: usize) {
        let Some(found) = self.nodes.all.get_mut(node) else {
            return;
        };
        found.lost = true;
        for key in found.pods.clone() {
            self.not_ready(&key);
        }
    }

    pub(super) fn node_heard(&mut self, node: usize) {
        let Some(found) = self.nodes.all.get_mut(node).filter(|n| n.up && n.lost) else {
            return;
        };
        found.lost = false;
        for key in found.pods.clone() {
            self.pod_back(&key);
        }
        self.schedule_pending();
    }

    pub(super) fn node_swept(&mut self, node: usize) {
        let pods = self.nodes.all.get(node).map(|n| n.pods.clone());
        for (namespace, name) in pods.unwrap_or_default() {
            self.server.remove(crate::server::Kind::Pod, &namespace, &name);
        }
    }
}
