//! The media servers of one event, and which of them each Service leads to.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;

use super::facts::Role;
use super::server::Server;

/// The media servers of one event. A server keeps its place while it runs.
#[derive(Debug, Default)]
pub(super) struct Servers {
    places: Vec<Option<Server>>,
    free: Vec<usize>,
    by_uid: BTreeMap<String, usize>,
    /// Parents before their children.
    order: Vec<usize>,
    /// UIDs of the pods that are ready, by name of EndpointSlice, with the name of the Service.
    slices: BTreeMap<String, (String, Vec<String>)>,
    /// Places by Service; `None` stands for a pod whose process doesn't run.
    services: BTreeMap<String, Vec<Option<usize>>>,
    /// The viewers Services of `services`.
    entries: Vec<Vec<Option<usize>>>,
    /// Places behind any of them.
    behind: BTreeSet<usize>,
    stale: bool,
}

impl Servers {
    pub(super) fn add(&mut self, server: Server) -> usize {
        let uid = server.pod.uid.clone();
        let place = self.free.pop().unwrap_or(self.places.len());
        if place == self.places.len() {
            self.places.push(None);
        }
        self.places[place] = Some(server);
        self.by_uid.insert(uid, place);
        self.stale = true;
        place
    }

    pub(super) fn remove(&mut self, place: usize) -> Option<Server> {
        let server = self.places.get_mut(place)?.take()?;
        self.by_uid.remove(&server.pod.uid);
        self.free.push(place);
        self.stale = true;
        Some(server)
    }

    pub(super) fn place(&self, uid: &str) -> Option<usize> {
        self.by_uid.get(uid).copied()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Server> {
        self.places.get(place)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut Server> {
        self.places.get_mut(place)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Server)> {
        let places = self.places.iter().enumerate();
        places.filter_map(|(place, server)| Some((place, server.as_ref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Server> {
        self.places.iter_mut().flatten()
    }

    /// Sets what a slice says; an empty list is not the same as no slice.
    pub(super) fn set_slice(&mut self, slice: &str, service: &str, uids: Vec<String>) {
        self.slices.insert(slice.to_owned(), (service.to_owned(), uids));
        self.stale = true;
    }

    pub(super) fn remove_slice(&mut self, slice: &str) {
        self.slices.remove(slice);
        self.stale = true;
    }

    /// Follows changes of servers and Services. `viewers` is what names of viewers Services begin with.
    pub(super) fn refresh(&mut self, viewers: &str) {
        if !self.stale {
            return;
        }
        self.stale = false;
        self.services.clear();
        for (service, uids) in self.slices.values() {
            let places = uids.iter().map(|uid| self.by_uid.get(uid).copied());
            self.services.entry(service.clone()).or_default().extend(places);
        }
        let entries = self.services.iter().filter(|(name, _)| name.starts_with(viewers));
        self.entries = entries.map(|(_, places)| places.clone()).collect();
        self.behind = self.entries.iter().flatten().flatten().copied().collect();
        let mut order: Vec<(Role, usize)> = self
            .iter()
            .map(|(place, server)| (server.pod.role, place))
            .collect();
        order.sort_unstable();
        self.order = order.into_iter().map(|(_, place)| place).collect();
    }

    /// Parents before their children.
    pub(super) fn order(&self) -> Vec<usize> {
        self.order.clone()
    }

    /// A server that a Service leads to, at random. `None` when it leads nowhere.
    pub(super) fn behind(&self, service: &str, rng: &mut Rng) -> Option<usize> {
        rng.choice(self.services.get(service)?).copied().flatten()
    }

    /// Whether a Service leads to a server.
    pub(super) fn leads_to(&self, service: &str, place: usize) -> bool {
        let places = self.services.get(service);
        places.is_some_and(|places| places.contains(&Some(place)))
    }

    /// Where a viewer is sent: `None` when a viewers Service leads nowhere, `Some(None)` when to a process that doesn't run.
    pub(super) fn entry(&self, rng: &mut Rng) -> Option<Option<usize>> {
        let service = rng.choice(&self.entries)?;
        rng.choice(service).copied()
    }

    /// Servers that viewers are sent to.
    pub(super) fn taking(&self) -> &BTreeSet<usize> {
        &self.behind
    }
}
