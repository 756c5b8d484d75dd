//! A state: the API server, the processes, what is under way between them, and what may still go wrong.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::book::{Book, hash};
use super::local::{Group, Local};
use super::world::{pods, webinar};
use crate::server::Call;

/// What may still happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// Processes that die and start again.
    pub crashes: u32,
    /// Lists that show the past.
    pub stale: u32,
    /// They may come at any time. Else they are the first that a process makes after its start.
    pub stale_anytime: bool,
    /// Pods that fail or vanish.
    pub troubles: u32,
    /// Times that the Webinar is deleted and made anew.
    pub recreations: u32,
}

/// A call of a process that is dead, which may still arrive.
#[derive(Debug, Clone)]
pub(super) struct Stray {
    pub(super) call: Call,
    pub(super) about: String,
    pub(super) refuted: bool,
}

/// A state.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) book: Arc<Book>,
    pub(super) replicas: [Local; 2],
    pub(super) stray: Option<Stray>,
    pub(super) left: Left,
    /// What was done that must not be.
    pub(super) broken: Option<String>,
    print: u64,
}

impl State {
    pub(super) fn new(book: Book, left: Left) -> Self {
        let replica = Local::start(&book);
        let mut state = Self {
            book: Arc::new(book),
            replicas: [replica.clone(), replica],
            stray: None,
            left,
            broken: None,
            print: 0,
        };
        state.seal();
        state
    }

    /// Computes what tells it from others. Replicas have no names: which is which is the same.
    pub(super) fn seal(&mut self) {
        let mut replicas = self.replicas.each_ref().map(|local| {
            let news = Group::ALL.map(|group| local.has_news(&self.book, group));
            let fresh = local.fresh && self.left.stale > 0;
            (local.print, local.due, local.refuted, fresh, news)
        });
        replicas.sort_unstable();
        let stray = self.stray.as_ref();
        let stray = stray.map(|s| (s.call.method.as_str(), &s.call.path, &s.call.body, s.refuted));
        let book = self.book.print(self.left.stale > 0);
        self.print = hash((book, replicas, stray, self.left, &self.broken));
    }

    /// Nothing is under way or due, everybody has heard everything, and every pod that can start has.
    pub(super) fn quiet(&self) -> bool {
        let quiet = |local: &Local| {
            let heard = Group::ALL.iter().all(|group| !local.has_news(&self.book, *group));
            heard && !local.flying && (!local.due || local.webinar(&self.book).is_none())
        };
        self.replicas.iter().all(quiet)
            && pods(&self.book).iter().all(|p| p.ended || p.ready && !p.going)
            && super::world::orphans(&self.book).is_empty()
    }

    /// Slots with a living pod of the Webinar that there is.
    pub(super) fn filled(&self) -> usize {
        let there = webinar(&self.book);
        let pods = pods(&self.book);
        let of_it = pods
            .iter()
            .filter(|p| p.alive() && Some(&p.owner) == there.as_ref());
        let mut slots: Vec<&str> = of_it.map(|p| p.slot.as_str()).collect();
        slots.dedup();
        slots.len()
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.print.hash(state);
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}
