//! What is followed, and what has been heard of it. Everything is forgotten with the Webinar, the pod or the lease.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::Instant;
use webinar_plan::{Role, Sample, Signal, Track};

use super::assignment::{Assignment, Followed, Source};
use super::failure::Failure;
use super::figure::Mapping;
use super::lanes::{Id, Lane, Lanes};
use super::prometheus::{Question, Repeats};
use super::standing::Standing;

use crate::ownership::Owner;
use crate::watch::Touched;

/// A Webinar is looked at again this often for new samples: relays alone bring hundreds a second.
pub(super) const NEWS: Duration = Duration::from_secs(2);

/// One question.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// To a pod.
    Pod {
        webinar: Arc<str>,
        pod: Arc<str>,
        at: SocketAddr,
        form: Arc<Form>,
    },
    /// To a Prometheus server.
    Server {
        webinar: Arc<str>,
        question: Arc<Question>,
        pods: Arc<BTreeSet<String>>,
    },
}

impl Ask {
    /// UID of the Webinar that it is about.
    pub(super) fn webinar(&self) -> &str {
        match self {
            Self::Pod { webinar, .. } | Self::Server { webinar, .. } => webinar,
        }
    }
}

/// How pods of a class are asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) port: u16,
    pub(super) path: String,
    pub(super) mapping: Mapping,
}

/// What was answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// By the pod.
    Pod(Sample),
    /// By a server: samples by the names of pods.
    Server(BTreeMap<String, Sample>),
}

/// One Webinar.
struct Page {
    name: Touched,
    assignment: Assignment,
    wake: mpsc::Sender<Touched>,
    /// Who is asked: pods by UID, or the server under the empty UID.
    asked: BTreeMap<String, (Id, Option<SocketAddr>)>,
    tracks: BTreeMap<String, Track>,
    repeats: Repeats,
    news: bool,
    woken: Option<Instant>,
    standing: Standing,
}

/// Every Webinar that is followed, by UID.
#[derive(Default)]
pub(super) struct Book {
    pages: HashMap<String, Page>,
    pub(super) lanes: Lanes<Ask>,
}

impl Book {
    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Follows a Webinar as `assignment` says, from now on. Says whether anything has changed.
    pub(super) fn follow(
        &mut self,
        owner: &Owner,
        assignment: Assignment,
        wake: &mpsc::Sender<Touched>,
        now: Instant,
    ) -> bool {
        let known = self.pages.get(&owner.uid);
        if known.is_some_and(|page| page.assignment == assignment) {
            return false;
        }
        // Figures of another mapping can't be compared with these.
        if known.is_some_and(|page| page.assignment.source != assignment.source) {
            self.forget(&owner.uid);
        }
        let page = self.pages.entry(owner.uid.clone()).or_insert_with(|| Page {
            name: Touched::Webinar {
                namespace: owner.namespace.clone(),
                name: owner.name.clone(),
            },
            assignment: assignment.clone(),
            wake: wake.clone(),
            asked: BTreeMap::new(),
            tracks: BTreeMap::new(),
            repeats: Repeats::default(),
            news: false,
            woken: None,
            standing: Standing::default(),
        });
        page.assignment = assignment;
        let pods = &page.assignment.pods;
        page.tracks.retain(|uid, _| pods.contains_key(uid));
        page.standing.keep(|uid| pods.contains_key(uid));
        match &page.assignment.source {
            Source::Pods(metrics) => {
                let form = Arc::new(Form {
                    port: u16::try_from(metrics.port).unwrap_or_default(),
                    path: metrics.path.clone(),
                    mapping: Mapping::of(metrics),
                });
                ask_pods(&mut page.asked, &mut self.lanes, pods, owner, &form, now);
            }
            Source::Server(server) => {
                let names: BTreeSet<String> = pods.values().map(|p| p.name.clone()).collect();
                page.repeats.keep(|name| names.contains(name));
                let question = Arc::new(Question::of(server, &owner.namespace, &owner.name));
                let lane = question.lane();
                let ask = Ask::Server {
                    webinar: owner.uid.as_str().into(),
                    question,
                    pods: Arc::new(names),
                };
                match page.asked.get(SERVER) {
                    Some((id, _)) => self.lanes.change(*id, ask),
                    None => {
                        let id = self.lanes.add(ask, lane, now);
                        page.asked.insert(SERVER.to_owned(), (id, None));
                    }
                }
            }
        }
        true
    }

    /// Follows a Webinar no longer.
    pub(super) fn forget(&mut self, uid: &str) {
        for (id, _) in self
            .pages
            .remove(uid)
            .into_iter()
            .flat_map(|page| page.asked.into_values())
        {
            self.lanes.remove(id);
        }
    }

    /// Forgets those of `namespace`, or of any, that are not among `uids`.
    pub(super) fn keep(&mut self, namespace: Option<&str>, here: impl Fn(&str) -> bool) {
        let concerned = |page: &Page| match &page.name {
            Touched::Webinar { namespace: of, .. } => namespace.is_none_or(|n| n == of),
            Touched::All => false,
        };
        let gone = self
            .pages
            .iter()
            .filter(|(uid, page)| concerned(page) && !here(uid));
        let gone: Vec<String> = gone.map(|(uid, _)| uid.clone()).collect();
        for uid in gone {
            self.forget(&uid);
        }
    }

    /// What each pod of a Webinar says of itself, by UID.
    pub(super) fn signals(&self, uid: &str) -> BTreeMap<String, Signal> {
        let tracks = self.pages.get(uid).into_iter().flat_map(|page| &page.tracks);
        tracks
            .filter_map(|(uid, track)| Some((uid.clone(), track.signal()?)))
            .collect()
    }

    /// Takes in what `id` was asked and has answered. What comes too late for anyone is dropped.
    pub(super) fn take(&mut self, id: Id, ask: &Ask, answer: Result<Answer, Failure>, now: Instant) {
        self.lanes.answered(id, answer.is_ok(), now);
        let Some(page) = self.pages.get_mut(ask.webinar()) else {
            return;
        };
        let who = match ask {
            Ask::Pod { pod, .. } => pod.as_ref(),
            Ask::Server { .. } => SERVER,
        };
        if page.asked.get(who).is_none_or(|(known, _)| *known != id) {
            return;
        }
        page.standing.take(who, answer.as_ref().err().copied());
        let Page {
            assignment,
            tracks,
            repeats,
            news,
            ..
        } = page;
        let stall = &assignment.stall;
        let mut track = |uid: &str, sample| {
            tracks.entry(uid.to_owned()).or_default().take(sample, stall);
            *news = true;
        };
        match (ask, answer) {
            (Ask::Pod { pod, .. }, Ok(Answer::Pod(sample))) => track(pod, sample),
            (Ask::Server { question, .. }, Ok(Answer::Server(samples))) => {
                for (uid, pod) in &assignment.pods {
                    let told = samples.get(&pod.name);
                    if let Some(sample) = told.filter(|s| repeats.is_news(question, &pod.name, s)) {
                        track(uid, *sample);
                    }
                }
            }
            _ => {}
        }
    }

    /// Wakes those of whom there is news, and tells how it stands with those whose pods' answers have changed.
    pub(super) fn wake(&mut self, now: Instant) {
        for page in self.pages.values_mut() {
            let asked = page.asked.len();
            if let Some((told, failure)) = page.standing.news(asked, now) {
                let Touched::Webinar { namespace, name } = &page.name else {
                    continue;
                };
                tracing::info!(
                    namespace,
                    webinar = name,
                    error = failure.map(Failure::as_str),
                    "{told}"
                );
            }
            if !page.news || page.woken.is_some_and(|then| now < then + NEWS) {
                continue;
            }
            // A full queue wakes others now; this one has its turn a moment later.
            if !matches!(page.wake.try_send(page.name.clone()), Err(TrySendError::Full(_))) {
                page.news = false;
                page.woken = Some(now);
            }
        }
    }
}

/// In the place of a pod's UID.
const SERVER: &str = "";

/// Asks each pod that runs, where it is now.
fn ask_pods(
    asked: &mut BTreeMap<String, (Id, Option<SocketAddr>)>,
    lanes: &mut Lanes<Ask>,
    pods: &BTreeMap<String, Followed>,
    owner: &Owner,
    form: &Arc<Form>,
    now: Instant,
) {
    let address = |pod: &Followed| Some(SocketAddr::new(pod.address?, form.port));
    asked.retain(|uid, (id, at)| {
        let stays = pods.get(uid).is_some_and(|pod| address(pod) == *at);
        if !stays {
            lanes.remove(*id);
        }
        stays
    });
    let webinar: Arc<str> = owner.uid.as_str().into();
    for (uid, pod) in pods {
        let Some(at) = address(pod).filter(|_| !asked.contains_key(uid)) else {
            continue;
        };
        let lane = match pod.role {
            Role::Sfu | Role::Mid => Lane::Stage,
            Role::Relay => Lane::Relays,
        };
        let ask = Ask::Pod {
            webinar: Arc::clone(&webinar),
            pod: uid.as_str().into(),
            at,
            form: Arc::clone(form),
        };
        asked.insert(uid.clone(), (lanes.add(ask, lane, now), Some(at)));
    }
}

#[cfg(test)]
mod tests;
