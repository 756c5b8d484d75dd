//! How media runs from presenters through the fleet, and what pods answer when they are asked.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use webinar_plan::{EntryKind, Parent, Plan, Pod, Reading, Role, Routes, Sample, Slot, Track};

use super::{World, secs};

/// How often every pod answers.
const EVERY: i64 = 2;

/// What the Services of the stage select.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leads {
    pub ingest: Option<u32>,
    pub origin: Option<u32>,
    /// By the mid whose Service it is.
    pub mids: BTreeMap<u32, u32>,
}

impl Leads {
    /// Writes the selectors that a plan asks for.
    pub fn follow(&mut self, plan: &Plan) {
        let fixtures = plan.fixtures.iter().flat_map(|f| &f.entries);
        for entry in fixtures.chain(&plan.reroute) {
            let to = entry.slot.map(|s| s.index);
            match entry.kind {
                EntryKind::Ingest => self.ingest = to,
                EntryKind::Origin => self.origin = to,
                EntryKind::Mid(mid) => _ = self.mids.insert(mid, to.expect("a mid's Service selects a slot")),
                EntryKind::Sfu(_) | EntryKind::Viewers(_) => {}
            }
        }
    }
}

/// Presenters, connections and counters.
#[derive(Debug, Clone, Default)]
pub struct Stage {
    /// SFU slots that an encoder sends to.
    pub sending: BTreeSet<u32>,
    /// A presenter sends to the `ingest` address.
    pub presenter: bool,
    /// What each of them sends, bits per second.
    pub bitrate: u64,
    /// Viewers of each relay.
    pub viewers: u64,
    /// Pods that hand nothing on.
    pub frozen: BTreeSet<String>,
    /// Pods that receive nothing, whatever they are connected to.
    pub starved: BTreeSet<String>,
    /// Pods that don't answer.
    pub silent: BTreeSet<String>,
    /// Whose endpoints the stage's addresses had when they were last seen to be stuck.
    pub stuck_routes: Option<Routes>,
    next: Option<Timestamp>,
    /// The pod that each child, and the presenter (by an empty name), is connected to.
    links: BTreeMap<String, String>,
    counters: BTreeMap<String, (u64, u64)>,
    tracks: BTreeMap<String, Track>,
}

impl Stage {
    pub fn next_answers(&self) -> Option<Timestamp> {
        self.next
    }

    /// The operator forgets what it was told.
    pub fn forget(&mut self) {
        self.tracks.clear();
    }
}

impl World {
    /// From now on somebody sends, and pods answer.
    pub fn on_stage(&mut self) -> &mut Stage {
        if self.stage.next.is_none() {
            self.stage.next = Some(self.now);
            self.stage.bitrate = 3_000_000;
            self.stage.viewers = 30;
        }
        &mut self.stage
    }

    pub fn uid_in(&self, slot: Slot) -> Option<String> {
        self.pods()
            .find(|p| p.slot == slot && serves(p))
            .map(|p| p.uid.clone())
    }

    /// Where the addresses lead, as EndpointSlices show it.
    pub fn routes(&self) -> Routes {
        if let Some(stuck) = &self.stage.stuck_routes {
            return stuck.clone();
        }
        let behind = |sfu: Option<u32>| {
            let uid = sfu.and_then(|sfu| self.uid_in(Slot::new(Role::Sfu, sfu)));
            uid.into_iter().collect()
        };
        let led = self.leads.mids.iter().filter(|(mid, to)| mid != to);
        Routes {
            ingest: behind(self.leads.ingest),
            origin: behind(self.leads.origin),
            stand_ins: led.map(|(mid, to)| (*mid, *to)).collect(),
        }
    }

    /// Lets media run and pods answer, if it is time.
    pub fn answers(&mut self) {
        let Some(mut due) = self.stage.next.filter(|t| *t <= self.now) else {
            return;
        };
        while due <= self.now {
            due += secs(EVERY);
        }
        self.stage.next = Some(due);
        let pods: Vec<Pod> = self.pods().filter(|p| serves(p)).cloned().collect();
        self.connect(&pods);
        let slots: BTreeMap<&str, Slot> = pods.iter().map(|p| (p.uid.as_str(), p.slot)).collect();
        for pod in &pods {
            let fed = self.fed(&pod.uid, &slots);
            let stage = &mut self.stage;
            let (bytes_in, bytes_out) = stage.counters.entry(pod.uid.clone()).or_default();
            let bytes = stage.bitrate / 8 * EVERY as u64;
            if fed {
                *bytes_in += bytes;
            }
            if fed && !stage.frozen.contains(&pod.uid) {
                *bytes_out += bytes * stage.viewers;
            }
            let sample = Sample {
                at: self.now,
                viewers: Reading::Value(if pod.slot.role == Role::Relay {
                    stage.viewers
                } else {
                    0
                }),
                bytes_in: Reading::Value(*bytes_in),
                bytes_out: Reading::Value(*bytes_out),
            };
            // Relays are asked less often, and not all at once.
            let turn = (due.as_second() / EVERY + i64::from(pod.slot.index)) % 3 == 0;
            if self.down || stage.silent.contains(&pod.uid) || (pod.slot.role == Role::Relay && !turn) {
                continue;
            }
            let Ok(class) = &self.class else { continue };
            let track = stage.tracks.entry(pod.uid.clone()).or_default();
            track.take(sample, &class.stall);
            self.signals.extend(track.signal().map(|s| (pod.uid.clone(), s)));
        }
        let known: BTreeSet<String> = self.pods().map(|p| p.uid.clone()).collect();
        self.signals.retain(|uid, _| known.contains(uid));
    }

    /// Who has lost its connection connects anew to what its address leads to. Nobody else moves.
    fn connect(&mut self, pods: &[Pod]) {
        let in_slot = |slot: Slot| pods.iter().find(|p| p.slot == slot).map(|p| p.uid.clone());
        let sfu = |index: Option<u32>| index.and_then(|i| in_slot(Slot::new(Role::Sfu, i)));
        let mut wanted = vec![(String::new(), sfu(self.leads.ingest))];
        for pod in pods {
            let to = match pod.parent {
                None => continue,
                Some(Parent::Origin) => sfu(self.leads.origin),
                Some(Parent::Mid(mid)) => {
                    let to = self.leads.mids.get(&mid).copied().unwrap_or(mid);
                    in_slot(Slot::new(Role::Mid, to))
                }
            };
            wanted.push((pod.uid.clone(), to));
        }
        let there: BTreeSet<&String> = pods.iter().map(|p| &p.uid).collect();
        self.stage
            .links
            .retain(|child, to| (child.is_empty() || there.contains(child)) && there.contains(to));
        for (child, to) in wanted {
            if let Some(to) = to {
                self.stage.links.entry(child).or_insert(to);
            }
        }
    }

    fn fed(&self, uid: &str, slots: &BTreeMap<&str, Slot>) -> bool {
        let stage = &self.stage;
        if stage.starved.contains(uid) {
            return false;
        }
        match slots.get(uid) {
            Some(slot) if slot.role == Role::Sfu => {
                let presenter = stage.presenter && stage.links.get("").is_some_and(|to| to == uid);
                presenter || stage.sending.contains(&slot.index)
            }
            _ => stage
                .links
                .get(uid)
                .is_some_and(|to| !stage.frozen.contains(to) && self.fed(to, slots)),
        }
    }
}

fn serves(pod: &Pod) -> bool {
    pod.alive() && pod.ready && !pod.lost
}
