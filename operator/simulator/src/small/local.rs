//! One replica within a state: what it was told, what it waits for, and what tells it from others.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::book::{Book, hash};
use super::replay::{Input, Standing, replay};
use super::{NAME, NAMESPACE};
use crate::scenario::Watch;
use crate::server::{Answer, Call, Kind};

/// Watches that tell together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    /// Pods.
    Pods,
    /// Everything else.
    Others,
}

impl Group {
    pub(super) const ALL: [Self; 2] = [Self::Pods, Self::Others];

    pub(super) const fn watches(self) -> &'static [Watch] {
        match self {
            Self::Pods => &[Watch::Pods],
            Self::Others => &[
                Watch::Webinars,
                Watch::Services,
                Watch::Slices,
                Watch::Budgets,
                Watch::Revisions,
                Watch::Classes,
                Watch::Templates,
            ],
        }
    }
}

/// Everything that a process was told, the last first.
#[derive(Debug)]
struct Told {
    before: Option<Arc<Told>>,
    input: Input,
}

/// One process.
#[derive(Debug, Clone)]
pub(super) struct Local {
    told: Option<Arc<Told>>,
    /// Up to what version each group was told, how often it listed, and a hash of what it was shown.
    shown: [(u64, u32, u64); 2],
    /// The newest version that each group has shown: it never becomes less.
    newest: [u64; 2],
    /// It has just started: all that it was told are its first lists.
    pub(super) fresh: bool,
    /// A look would not be in vain.
    pub(super) due: bool,
    /// A pass is under way.
    pub(super) flying: bool,
    /// UID of the Webinar that the pass is over.
    pub(super) about: String,
    /// The pass was told that this Webinar is gone.
    pub(super) refuted: bool,
    /// Calls under way.
    pub(super) calls: Arc<Vec<Call>>,
    /// What the last call was and how it was answered, in this pass.
    pub(super) last: Option<(http::Method, String, u16)>,
    remembers: u64,
    /// Its own writes that each group has yet to tell of.
    unseen: [u64; 2],
    /// The same for those that go on alike.
    pub(super) print: u64,
    pub(super) panicked: Option<String>,
}

impl Local {
    /// A process that has just started and listed everything.
    pub(super) fn start(book: &Book) -> Self {
        let mut new = Self {
            told: None,
            shown: [(0, 0, 0); 2],
            newest: [0; 2],
            fresh: true,
            due: true,
            flying: false,
            about: String::new(),
            refuted: false,
            calls: Arc::default(),
            last: None,
            remembers: 0,
            unseen: [hash("{}"); 2],
            print: 0,
            panicked: None,
        };
        for group in Group::ALL {
            new.list(book, group, book.server.version());
        }
        new
    }

    /// Up to what version it was told.
    pub(super) fn heard(&self, group: Group) -> u64 {
        self.shown[group as usize].0
    }

    /// There is something that it was not told.
    pub(super) fn has_news(&self, book: &Book, group: Group) -> bool {
        book.last(group.watches(), u64::MAX) > self.heard(group)
    }

    /// It hears all that is new.
    pub(super) fn hear(&mut self, book: &Book, group: Group) {
        self.fresh = false;
        let since = self.heard(group);
        for watch in group.watches() {
            let changes = book.changes(*watch, since);
            if !changes.is_empty() {
                self.tell(Input::Changes(*watch, changes));
            }
        }
        self.take(book, group, book.server.version(), 0);
    }

    /// Its watches begin anew with lists of what was at `version`.
    pub(super) fn list(&mut self, book: &Book, group: Group, version: u64) {
        for watch in group.watches() {
            self.tell(Input::List(*watch, book.listed(*watch, version)));
        }
        self.take(book, group, version, 1);
    }

    fn take(&mut self, book: &Book, group: Group, version: u64, lists: u32) {
        let shown: Vec<u64> = group.watches().iter().map(|w| book.shown(*w, version)).collect();
        let before = self.shown[group as usize];
        self.shown[group as usize] = (version, before.1 + lists, hash(shown));
        let newest = &mut self.newest[group as usize];
        *newest = (*newest).max(book.last(group.watches(), version));
        self.due = true;
        // Told up to now, or from a list that began after them.
        self.unseen[group as usize] = hash("{}");
        self.known("told");
    }

    fn tell(&mut self, input: Input) {
        let before = self.told.take();
        self.told = Some(Arc::new(Told { before, input }));
    }

    /// The Webinar as its cache has it: UID.
    pub(super) fn webinar(&self, book: &Book) -> Option<String> {
        let webinars = book.listed(Watch::Webinars, self.heard(Group::Others));
        let found = webinars
            .iter()
            .find(|w| crate::world::key(w) == (NAMESPACE.to_owned(), NAME.to_owned()))?;
        found["metadata"]["uid"].as_str().map(str::to_owned)
    }

    /// A pass begins.
    pub(super) fn look(&mut self, memo: &Memo, uid: String, more: &mut More<'_>) {
        self.about = uid;
        self.fresh = false;
        self.refuted = false;
        self.last = None;
        self.due = false;
        self.flying = true;
        self.go_on(memo, (Input::Look, hash("look")), more);
    }

    /// The first call under way is answered. `more` answers those after it that are no steps of their own.
    pub(super) fn answered(&mut self, memo: &Memo, call: Call, answer: Answer, more: &mut More<'_>) {
        let input = self.hears_answer(call, answer);
        self.go_on(memo, input, more);
    }

    fn hears_answer(&mut self, call: Call, answer: Answer) -> (Input, u64) {
        self.last = Some((call.method.clone(), call.path.clone(), answer.code));
        let digest = hash((answer.code, answer.body.to_string()));
        (Input::Answer(call, answer), digest)
    }

    fn go_on(&mut self, memo: &Memo, (input, digest): (Input, u64), more: &mut More<'_>) {
        let mut key = (self.print, digest);
        self.tell(input);
        let mut lived = VecDeque::new();
        loop {
            let live = lived.pop_front();
            let standing = match memo.get(key) {
                Some(known) => known,
                None => {
                    let standing = live.unwrap_or_else(|| {
                        // Answers are given once, here, and kept for when they are come to.
                        memo.replays.fetch_add(1, Ordering::Relaxed);
                        let told = self.inputs();
                        let all = replay(told.iter().map(|t| &t.input), |call| more.ask(call));
                        let mut all = VecDeque::from(all.expect("a Tokio runtime"));
                        let first = all.pop_front().expect("how it stands after the inputs");
                        lived = all;
                        first
                    });
                    memo.keep(key, standing)
                }
            };
            self.stand(&standing, key);
            let next = self.calls.first().cloned();
            let Some((call, answer)) = next.and_then(|call| Some((call.clone(), more.next(&call)?))) else {
                return;
            };
            let (input, digest) = self.hears_answer(call, answer);
            key = (self.print, digest);
            self.tell(input);
        }
    }

    fn stand(&mut self, standing: &Standing, key: (u64, u64)) {
        self.calls = Arc::clone(&standing.calls);
        self.panicked = self.panicked.take().or_else(|| standing.panicked.clone());
        if let Some(next) = standing.over {
            self.flying = false;
            self.about.clear();
            self.refuted = false;
            self.last = None;
            // Time stands still: what is due at once is due now, what is due later never.
            self.due |= next.is_some_and(|wait| wait.as_secs() < 2);
            let [remembers, pods, others] = &standing.remembers;
            self.remembers = hash(remembers);
            self.unseen = [hash(pods.as_str()), hash(others.as_str())];
        }
        self.known(key);
    }

    /// Who is between two passes is what it remembers and its caches show. Whose pass is under way is what it was, and
    /// all that it was told since.
    fn known(&mut self, what: impl std::hash::Hash) {
        let caches = self.shown.map(|(_, lists, shown)| (lists, shown));
        let what = hash(what);
        let idle = hash((caches, self.newest, self.remembers, self.unseen));
        self.print = if self.flying {
            hash((self.print, what, idle))
        } else {
            idle
        };
    }

    fn inputs(&self) -> Vec<Arc<Told>> {
        let mut all = Vec::new();
        let mut next = self.told.clone();
        while let Some(told) = next {
            let before = told.before.clone();
            all.push(told);
            next = before;
        }
        all.reverse();
        all
    }

    /// It creates a pod in this slot now.
    pub(super) fn creates(&self) -> Option<String> {
        let call = self.calls.first().filter(|c| c.method == http::Method::POST)?;
        if !call.path.ends_with("/pods") {
            return None;
        }
        let pod: serde_json::Value = serde_json::from_slice(&call.body).ok()?;
        crate::world::label(&pod, webinar_api::labels::SLOT).map(str::to_owned)
    }

    /// It asks whether the Webinar is there.
    pub(super) fn asks_for_webinar(call: &Call) -> bool {
        let path = format!("{}/{NAME}", Kind::Webinar.path(NAMESPACE));
        call.method == http::Method::GET && call.path == path
    }
}

/// Answers calls that are no steps of their own.
pub(super) struct More<'a> {
    answer: &'a mut dyn FnMut(&Call) -> Option<Answer>,
    /// Answers that were given and not come to yet.
    given: VecDeque<Answer>,
}

impl<'a> More<'a> {
    pub(super) fn new(answer: &'a mut dyn FnMut(&Call) -> Option<Answer>) -> Self {
        Self {
            answer,
            given: VecDeque::new(),
        }
    }

    fn ask(&mut self, call: &Call) -> Option<Answer> {
        let answer = (self.answer)(call)?;
        self.given.push_back(answer.clone());
        Some(answer)
    }

    fn next(&mut self, call: &Call) -> Option<Answer> {
        self.given.pop_front().or_else(|| (self.answer)(call))
    }
}

/// By the hashes of what it follows from.
type Once<T> = Mutex<HashMap<(u64, u64), T>>;

/// What was replayed once.
#[derive(Default)]
pub(super) struct Memo {
    known: Once<Arc<Standing>>,
    replays: AtomicUsize,
    /// Answers of the API server, and what it is after them, by what it was and what it was asked.
    answers: Once<(Arc<Book>, Answer)>,
}

impl Memo {
    fn get(&self, key: (u64, u64)) -> Option<Arc<Standing>> {
        self.lock().get(&key).cloned()
    }

    fn keep(&self, key: (u64, u64), standing: Standing) -> Arc<Standing> {
        let standing = Arc::new(standing);
        self.lock().insert(key, Arc::clone(&standing));
        standing
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(u64, u64), Arc<Standing>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a step makes of the API server, and its answer.
    pub(super) fn step(
        &self,
        book: &Arc<Book>,
        what: u64,
        step: impl FnOnce(&mut Book) -> Answer,
    ) -> (Arc<Book>, Answer) {
        let key = (book.id, what);
        let lock = || self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(&key) {
            return known.clone();
        }
        let mut after = Book::clone(book);
        let answer = step(&mut after);
        // Not even the UID remains that was drawn for what was refused.
        let refused = answer.code >= 300 || after.server.version() == book.server.version();
        let after = if refused {
            Arc::clone(book)
        } else {
            after.id = hash(key);
            Arc::new(after)
        };
        lock().insert(key, (Arc::clone(&after), answer.clone()));
        (after, answer)
    }

    /// How often a replica was replayed.
    pub(super) fn replays(&self) -> usize {
        self.replays.load(Ordering::Relaxed)
    }
}
