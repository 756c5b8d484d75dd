//! Who is looked at next, when more Webinars are to be looked at than may be at once.
//!
//! A Controller with a bound of its own takes any one of those that wait. Here namespaces take turns, so that thousands of
//! Webinars in one of them delay nobody in another.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::mpsc;

use crate::fair::{Claimant, Order, Queue};
use crate::pulse::{Pass, Pulse};
use crate::watch::Touched;

/// Passes under way, and Webinars that wait for one.
#[derive(Debug)]
pub(crate) struct Turns {
    state: Mutex<State>,
    pulse: Pulse,
    call: mpsc::UnboundedSender<Touched>,
    /// How many wait.
    depth: Gauge,
}

#[derive(Debug)]
struct State {
    free: usize,
    queue: Queue<Touched>,
    waiting: HashSet<Touched>,
    /// Who was called has its turn already, and is to come for it.
    called: HashMap<Touched, Pass>,
}

/// Somebody's turn. The next one's begins when it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    _pass: Pass,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.pass_on();
    }
}

impl Turns {
    /// So many passes at once, and whose is next. Whoever had to wait and has its turn now is called.
    /// `depth` is told how many wait.
    pub(crate) fn new(
        at_once: usize,
        order: Order,
        pulse: Pulse,
        depth: Gauge,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Touched>) {
        let (call, calls) = mpsc::unbounded_channel();
        let state = State {
            free: at_once,
            queue: Queue::new(order),
            waiting: HashSet::new(),
            called: HashMap::new(),
        };
        let turns = Self {
            state: Mutex::new(state),
            pulse,
            call,
            depth,
        };
        (Arc::new(turns), calls)
    }

    /// A turn for `who`, or none now: it will be called.
    pub(crate) fn claim(self: &Arc<Self>, by: Claimant, who: Touched) -> Option<Turn> {
        let mut state = self.lock();
        let called = state.called.remove(&who);
        let pass = called.or_else(|| {
            state.free = state.free.checked_sub(1)?;
            Some(self.pulse.pass())
        });
        if let Some(pass) = pass {
            return Some(Turn {
                turns: Arc::clone(self),
                _pass: pass,
            });
        }
        if state.waiting.insert(who.clone()) {
            state.queue.push(by, who);
            self.depth.inc();
        }
        None
    }

    /// Who was called no longer exists.
    pub(crate) fn gone(&self, who: &Touched) {
        let called = self.lock().called.remove(who);
        if called.is_some() {
            self.pass_on();
        }
    }

    fn pass_on(&self) {
        let mut state = self.lock();
        let Some(next) = state.queue.pop() else {
            state.free += 1;
            return;
        };
        state.waiting.remove(&next);
        self.depth.dec();
        state.called.insert(next.clone(), self.pulse.pass());
        // Without anyone to hear it the controller is stopping.
        let _ = self.call.send(next);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fair::tests::claimant;

    fn webinar(namespace: &str, name: &str) -> (Claimant, Touched) {
        let who = Touched::Webinar {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        (claimant(namespace, 0), who)
    }

    fn claim(turns: &Arc<Turns>, (by, who): (Claimant, Touched)) -> Option<Turn> {
        turns.claim(by, who)
    }

    #[test]
    fn who_waits_is_called_once_and_has_the_turn_that_was_kept() {
        let depth = Gauge::default();
        let (turns, mut calls) = Turns::new(1, Order::Turns, Pulse::default(), depth.clone());
        let first = claim(&turns, webinar("a", "first"));
        assert!(first.is_some());
        for _ in 0..2 {
            assert!(claim(&turns, webinar("a", "second")).is_none());
        }
        assert!(calls.try_recv().is_err(), "called too early");
        assert_eq!(depth.get(), 1);
        drop(first);
        assert_eq!(calls.try_recv().ok(), Some(webinar("a", "second").1));
        assert!(claim(&turns, webinar("a", "third")).is_none(), "the turn is kept");
        assert_eq!(depth.get(), 1, "the third waits");
        let second = claim(&turns, webinar("a", "second"));
        assert!(second.is_some());
        drop(second);
        assert_eq!(calls.try_recv().ok(), Some(webinar("a", "third").1));
        assert_eq!(depth.get(), 0);
        turns.gone(&webinar("a", "third").1);
        assert!(
            claim(&turns, webinar("b", "fourth")).is_some(),
            "the turn was lost"
        );
        assert!(calls.try_recv().is_err());
    }
}
