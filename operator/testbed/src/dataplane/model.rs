//! All events, kept in step with the cluster, and found by the addresses of their pods.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;

use super::dialect::Figures;
use super::facts::{Ending, EventKey, PodFacts};
use super::lie::Reply;
use super::options::DataPlaneOptions;
use super::stage::Stage;

/// All events. Time is an argument.
#[derive(Debug)]
pub(super) struct Model {
    options: DataPlaneOptions,
    stages: BTreeMap<EventKey, Stage>,
    /// Running pods by UID.
    pods: BTreeMap<String, (EventKey, IpAddr)>,
    /// UIDs of running pods.
    addresses: BTreeMap<IpAddr, String>,
    /// Names of EndpointSlices, with their namespace.
    slices: BTreeMap<(String, String), EventKey>,
}

/// An EndpointSlice of one of an event's Services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) event: EventKey,
    pub(super) name: String,
    pub(super) service: String,
    /// UIDs of the pods that are ready.
    pub(super) ready: Vec<String>,
}

impl Model {
    pub(super) fn new(options: DataPlaneOptions) -> Self {
        Self {
            options,
            stages: BTreeMap::new(),
            pods: BTreeMap::new(),
            addresses: BTreeMap::new(),
            slices: BTreeMap::new(),
        }
    }

    pub(super) fn options(&self) -> &DataPlaneOptions {
        &self.options
    }

    /// The event, which need not have pods yet.
    pub(super) fn stage(&mut self, event: &EventKey) -> &mut Stage {
        let options = &self.options;
        self.stages
            .entry(event.clone())
            .or_insert_with(|| Stage::new(event, options.clone()))
    }

    pub(super) fn pod_runs(&mut self, event: &EventKey, pod: PodFacts, now: Timestamp) {
        if self.pods.contains_key(&pod.uid) {
            return;
        }
        self.pods.insert(pod.uid.clone(), (event.clone(), pod.ip));
        self.addresses.insert(pod.ip, pod.uid.clone());
        self.stage(event).started(pod, now);
    }

    pub(super) fn pod_ended(&mut self, uid: &str, ending: Ending, now: Timestamp) {
        let Some((event, ip)) = self.pods.remove(uid) else {
            return;
        };
        if self.addresses.get(&ip).is_some_and(|holder| holder == uid) {
            self.addresses.remove(&ip);
        }
        self.stage(&event).ended(uid, ending, now);
    }

    /// What is not among `seen` is gone.
    pub(super) fn pods_are(&mut self, seen: &BTreeSet<String>, now: Timestamp) {
        let gone: Vec<String> = self
            .pods
            .keys()
            .filter(|uid| !seen.contains(*uid))
            .cloned()
            .collect();
        for uid in gone {
            self.pod_ended(&uid, Ending::Orderly, now);
        }
    }

    pub(super) fn slice_is(&mut self, slice: Slice) {
        let key = (slice.event.namespace.clone(), slice.name.clone());
        self.stage(&slice.event)
            .servers
            .set_slice(&slice.name, &slice.service, slice.ready);
        self.slices.insert(key, slice.event);
    }

    pub(super) fn slice_gone(&mut self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        if let Some(event) = self.slices.remove(&key) {
            self.stage(&event).servers.remove_slice(name);
        }
    }

    /// What is not among `seen`, namespaces and names, is gone.
    pub(super) fn slices_are(&mut self, seen: &BTreeSet<(String, String)>) {
        let gone: Vec<(String, String)> = self
            .slices
            .keys()
            .filter(|key| !seen.contains(*key))
            .cloned()
            .collect();
        for (namespace, name) in gone {
            self.slice_gone(&namespace, &name);
        }
    }

    /// Moves everything on.
    pub(super) fn step(&mut self, now: Timestamp) {
        for stage in self.stages.values_mut() {
            stage.step(now);
        }
    }

    /// The answer to a scrape. `None` when no process listens there.
    pub(super) fn reply(&mut self, ip: IpAddr) -> Option<Reply> {
        let uid = self.addresses.get(&ip)?;
        let (event, _) = self.pods.get(uid)?;
        let stage = self.stages.get_mut(event)?;
        let place = stage.servers.place(uid)?;
        let publishers = stage.streams.iter().filter(|s| s.server == Some(place)).count();
        let server = stage.servers.get(place)?;
        if server.hung.is_some() {
            return Some(Reply::Hang);
        }
        let figures = Figures::of(server, publishers as u64, stage.now());
        Some(stage.lies.reply(&server.pod, &figures, stage.dialect))
    }
}
