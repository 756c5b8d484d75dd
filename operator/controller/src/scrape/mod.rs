//! Reading the data plane: who is connected, and whether media flows, as the pods or a Prometheus server tell.
//!
//! A pass says what to follow ([`Scraper::follow`]) and takes what was heard ([`Scraper::signals`]); a loop of its own
//! asks in between. A question without an answer leaves everything as it was known: it never counts as zero.

mod assignment;
mod book;
mod failure;
mod figure;
mod lanes;
mod prometheus;
mod standing;
mod text;
mod wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::Uri;
use tokio::sync::{Notify, mpsc};
use tokio::task::{self, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use webinar_plan::{Sample, Signal};

pub(crate) use assignment::Assignment;
pub(crate) use wire::proxy;

use crate::clock::Clock;
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::ownership::Owner;
use crate::pulse::Pulse;
use crate::watch::Touched;
use book::{Answer, Ask, Book};
pub(crate) use failure::Failure;
use figure::Tally;
use lanes::{Id, Lane, Place};
use prometheus::Servers;
use wire::Wire;

/// How often Webinars are woken, and the lease is looked at, while anyone is followed.
const STEP: Duration = Duration::from_millis(250);

/// How often the loop goes round while nobody is followed.
const REST: Duration = Duration::from_secs(20);

/// The one that asks. All scopes share it.
pub(crate) struct Scraper {
    book: Mutex<Book>,
    changed: Notify,
    wire: Wire,
    /// Certificates are read when they are first needed.
    servers: OnceLock<Servers>,
    clock: Clock,
    leadership: Leadership,
    metrics: Metrics,
}

/// Where a question came from, and the place that it holds.
type UnderWay = HashMap<task::Id, (Id, Place, Ask)>;

impl Scraper {
    /// Asks pods directly, or through the HTTP proxy `proxy`.
    pub(crate) fn new(proxy: Option<&Uri>, clock: Clock, leadership: Leadership, metrics: Metrics) -> Self {
        Self {
            book: Mutex::default(),
            changed: Notify::new(),
            wire: Wire::new(proxy),
            servers: OnceLock::new(),
            clock,
            leadership,
            metrics,
        }
    }

    /// Follows a Webinar from now on as `assignment` says; without one no longer. News of it are sent to `wake`.
    pub(crate) fn follow(&self, owner: &Owner, assignment: Option<Assignment>, wake: &mpsc::Sender<Touched>) {
        let mut book = self.lock();
        let changed = match assignment {
            Some(assignment) => book.follow(owner, assignment, wake, Instant::now()),
            None => {
                book.forget(&owner.uid);
                false
            }
        };
        drop(book);
        if changed {
            self.changed.notify_one();
        }
    }

    /// Forgets Webinars of `namespace`, or of any, that are not among `uids`.
    pub(crate) fn keep(&self, namespace: Option<&str>, uids: &HashSet<String>) {
        self.lock().keep(namespace, |uid| uids.contains(uid));
    }

    /// What each pod of the Webinar `uid` says of itself, by the pod's UID.
    pub(crate) fn signals(&self, uid: &str) -> BTreeMap<String, Signal> {
        self.lock().signals(uid)
    }

    /// Asks until `stop`. Whoever does not lead asks nobody and forgets what it has heard.
    pub(crate) async fn run(self: Arc<Self>, pulse: Pulse, stop: CancellationToken) {
        let beat = pulse.begin("nobody was asked for figures", 3 * REST);
        let mut questions: JoinSet<Result<Answer, Failure>> = JoinSet::new();
        let mut under_way = UnderWay::new();
        let mut woken = Instant::now();
        loop {
            beat.again();
            let now = Instant::now();
            let wait = if self.leadership.holds() {
                self.ask_all_due(&mut questions, &mut under_way, now);
                let mut book = self.lock();
                if now >= woken + STEP {
                    woken = now;
                    book.wake(now);
                }
                let due = book
                    .lanes
                    .wake()
                    .map_or(STEP, |due| due.saturating_duration_since(now));
                if book.is_empty() { REST } else { due.min(STEP) }
            } else {
                *self.lock() = Book::default();
                questions.abort_all();
                under_way.clear();
                REST
            };
            tokio::select! {
                () = stop.cancelled() => return,
                Some(done) = questions.join_next_with_id(), if !questions.is_empty() => {
                    // One that was broken off has said nothing.
                    let (task, answer) = done.unwrap_or_else(|e| (e.id(), Err(Failure::Broken)));
                    if let Some(asked) = under_way.remove(&task) {
                        self.take(asked, answer);
                    }
                }
                () = self.changed.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Asks whoever is due now, of whoever answers at once: `answer` is given the UID of a pod. Wakes the Webinars of which
    /// there is news. For who has pods of its own and runs no loop.
    pub(crate) fn step(&self, mut answer: impl FnMut(&str) -> Option<Sample>) {
        let now = Instant::now();
        let mut book = self.lock();
        if !self.leadership.holds() {
            *book = Book::default();
            return;
        }
        while let Some((id, place, _, ask)) = book.lanes.next(now) {
            let answered = match &ask {
                Ask::Pod { pod, .. } => answer(pod).map(Answer::Pod),
                Ask::Server { .. } => None,
            };
            book.lanes.leave(place);
            book.take(id, &ask, answered.ok_or(Failure::Broken), now);
        }
        book.wake(now);
    }

    /// When somebody is to be asked next.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.lock().lanes.wake()
    }

    fn ask_all_due(
        self: &Arc<Self>,
        questions: &mut JoinSet<Result<Answer, Failure>>,
        under_way: &mut UnderWay,
        now: Instant,
    ) {
        let mut book = self.lock();
        while let Some((id, place, lane, ask)) = book.lanes.next(now) {
            let question = Arc::clone(self).ask(ask.clone(), lane);
            let task = questions.spawn(question).id();
            under_way.insert(task, (id, place, ask));
        }
    }

    async fn ask(self: Arc<Self>, ask: Ask, lane: Lane) -> Result<Answer, Failure> {
        match ask {
            Ask::Pod { at, form, .. } => {
                let mut tally = Tally::new(&form.mapping);
                let take = |part: &[u8]| tally.push(part);
                self.wire.get(at, &form.path, lane.deadline(), take).await?;
                Ok(Answer::Pod(tally.finish(self.clock.now())?))
            }
            Ask::Server { question, pods, .. } => {
                let servers = self.servers.get_or_init(Servers::new).clone();
                let now = || self.clock.now();
                let samples = servers.ask(&question, &pods, lane.deadline(), now).await?;
                Ok(Answer::Server(samples))
            }
        }
    }

    fn take(&self, (id, place, ask): (Id, Place, Ask), answer: Result<Answer, Failure>) {
        self.metrics.scraped(answer.as_ref().err().copied());
        let mut book = self.lock();
        book.lanes.leave(place);
        book.take(id, &ask, answer, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
