//! What this process has seen and done lately, per Webinar. Lost on a restart, which is always on the side
//! of keeping capacity.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use tokio::time::Instant;
use webinar_plan::{Alarm, Pod, Reason, Recent, Setback, Slot, Watch};

use crate::act::Pace;
use crate::memory::{self, Pinned};
use crate::watch::Mark;

/// Kinds whose caches must show our own writes before we act again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Pod,
    Service,
    Budget,
    Revision,
}

/// What is known of one Webinar.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Our last write of each kind.
    pub(crate) written: HashMap<Kind, Mark>,
    /// What the API server refused and is not yet asked again.
    pub(crate) setbacks: Vec<Setback>,
    /// Why seats were last said to be at risk.
    pub(crate) alarm: Option<Alarm>,
    /// What was measured of audience and media in `term`.
    pub(crate) watch: Watch,
    /// The term in which that was.
    term: u64,
    /// The moment that the last notice of each reason spoke of.
    pub(crate) told: BTreeMap<Reason, Timestamp>,
    /// How fast to create, and how patiently to try again.
    pub(crate) pace: Pace,
    /// The version of the object that could not be read and was told of.
    pub(crate) unreadable: Option<String>,
    /// When the status was last written.
    pub(crate) status_written: Option<Timestamp>,
    /// Reconciles that failed in a row.
    pub(crate) failures: u32,
    /// Until when the API server wants to be left alone.
    pub(crate) alone_until: Option<Instant>,
    /// What a run pinned, and the object that it was read of.
    pinned: Option<(Arc<ControllerRevision>, Result<Pinned, String>)>,
    run: u32,
    occupied: BTreeMap<Slot, String>,
    vanished: BTreeMap<Slot, String>,
}

impl Known {
    /// All of it that rules decisions, in order, but for our own writes.
    fn text(&self) -> String {
        let Self {
            written: _,
            setbacks,
            alarm,
            watch,
            term,
            told,
            pace,
            unreadable,
            status_written,
            failures,
            alone_until,
            // Read of an object that a cache shows.
            pinned: _,
            run,
            occupied,
            vanished,
        } = self;
        let watch = (term, watch);
        let paced = (pace, unreadable, status_written, failures, alone_until);
        format!("{setbacks:?} {alarm:?} {watch:?} {told:?} {paced:?} {run} {occupied:?} {vanished:?}")
    }

    /// What a run pinned. It is read and its hash computed once for each version of the object, not at each look.
    pub(crate) fn pinned(&mut self, revision: &Arc<ControllerRevision>) -> Result<Pinned, String> {
        match &self.pinned {
            Some((of, read)) if Arc::ptr_eq(of, revision) => read.clone(),
            _ => {
                let read = memory::read_pinned(revision);
                self.pinned = Some((Arc::clone(revision), read.clone()));
                read
            }
        }
    }

    /// What a decision about `run` in this `term` may know of the past. Takes note of slots whose pod has vanished since
    /// last time.
    pub(crate) fn recall(&mut self, term: u64, run: u32, pods: &[Pod]) -> Recent {
        if self.term != term {
            self.term = term;
            // Others have led meanwhile: what was measured over time has a hole.
            self.watch = Watch::default();
        }
        if self.run != run {
            self.run = run;
            self.occupied.clear();
            self.vanished.clear();
            self.alarm = None;
            self.watch = Watch::default();
        }
        let here: BTreeMap<Slot, String> = pods
            .iter()
            .filter(|p| p.run == run)
            .map(|p| (p.slot, p.uid.clone()))
            .collect();
        for (slot, uid) in std::mem::take(&mut self.occupied) {
            if !here.contains_key(&slot) {
                self.vanished.insert(slot, uid);
            }
        }
        self.vanished.retain(|slot, _| !here.contains_key(slot));
        self.occupied = here;
        Recent {
            vanished: self.vanished.clone(),
            setbacks: self.setbacks.clone(),
            alarm: self.alarm,
            told: self.told.clone(),
            watch: self.watch.clone(),
        }
    }
}

/// What is known of every Webinar, by UID.
#[derive(Debug, Default)]
pub(crate) struct Recollection(Mutex<HashMap<String, Known>>);

impl Recollection {
    /// Reads or changes what is known of one Webinar.
    pub(crate) fn with<T>(&self, uid: &str, f: impl FnOnce(&mut Known) -> T) -> T {
        f(self.lock().entry(uid.to_owned()).or_default())
    }

    /// All of it that rules decisions, in order, but for our own writes.
    pub(crate) fn text(&self) -> String {
        let known = self.lock();
        let sorted: BTreeMap<&str, String> = known.iter().map(|(uid, k)| (uid.as_str(), k.text())).collect();
        format!("{sorted:?}")
    }

    /// Our own writes of these kinds that `shown` does not find shown, in order.
    pub(crate) fn unseen(&self, kinds: &[Kind], shown: impl Fn(Kind, Mark) -> bool) -> String {
        let known = self.lock();
        let mut unseen = BTreeMap::new();
        for (uid, known) in known.iter() {
            for kind in kinds {
                let mark = known.written.get(kind).filter(|mark| !shown(*kind, **mark));
                unseen.extend(mark.map(|mark| ((uid.as_str(), format!("{kind:?}")), *mark)));
            }
        }
        format!("{unseen:?}")
    }

    /// Forgets Webinars that no longer exist.
    pub(crate) fn keep(&self, uids: &HashSet<String>) {
        self.lock().retain(|uid, _| uids.contains(uid));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
