//! Which of several replicas may write: a lease that one of them holds.
//!
//! Expiry is judged by when *we* saw the lease change, on a clock that only runs forward: the times that another
//! process wrote are never compared with ours. Whoever holds the lease renews it; when that fails until the renew
//! deadline, its term ends: calls under way are dropped and no further write is let through, before anyone else may
//! take the lease.

mod elector;
mod gate;
mod lease;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, StreamExt as _};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use elector::{Candidate, Timings, campaign};
pub(crate) use gate::{Gate, is_about_leases};
pub(crate) use lease::NAME;

/// A stretch of time in which this process may write.
#[derive(Debug, Clone)]
struct Term {
    until: Instant,
    over: CancellationToken,
}

/// Whether this process may write. Cheap to clone; all clones speak of the same term.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leadership(Arc<Office>);

#[derive(Debug, Default)]
struct Office {
    term: Mutex<Option<Term>>,
    terms: watch::Sender<u64>,
}

impl Leadership {
    /// This process may write now.
    pub(crate) fn holds(&self) -> bool {
        self.term().is_some()
    }

    /// How many terms of this process have begun.
    pub(crate) fn begun(&self) -> u64 {
        *self.0.terms.borrow()
    }

    /// A signal for each term that begins.
    pub(crate) fn terms(&self) -> impl Stream<Item = ()> + Send + 'static {
        let terms = self.0.terms.subscribe();
        futures::stream::unfold(terms, |mut terms| async move {
            terms.changed().await.ok().map(|()| ((), terms))
        })
        .boxed()
    }

    /// What ends with the term under way. `None` when there is none.
    fn term(&self) -> Option<CancellationToken> {
        let term = self.lock();
        term.as_ref()
            .filter(|t| Instant::now() < t.until)
            .map(|t| t.over.clone())
    }

    pub(crate) fn begin(&self, until: Instant) {
        *self.lock() = Some(Term {
            until,
            over: CancellationToken::new(),
        });
        self.0.terms.send_modify(|n| *n += 1);
    }

    fn extend(&self, until: Instant) {
        if let Some(term) = self.lock().as_mut() {
            term.until = until;
        }
    }

    pub(crate) fn end(&self) {
        if let Some(term) = self.lock().take() {
            term.over.cancel();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Term>> {
        self.0.term.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_term_ends_by_itself_when_nobody_extends_it() {
        let leadership = Leadership::default();
        assert!(!leadership.holds());
        leadership.begin(Instant::now() + Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(leadership.holds());
        leadership.extend(Instant::now() + Duration::from_secs(10));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(leadership.holds());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!leadership.holds());
    }

    #[tokio::test]
    async fn each_term_is_told() {
        let leadership = Leadership::default();
        let mut terms = std::pin::pin!(leadership.terms());
        leadership.begin(Instant::now() + Duration::from_secs(10));
        assert_eq!(terms.next().await, Some(()));
        leadership.end();
        assert!(!leadership.holds());
        leadership.begin(Instant::now() + Duration::from_secs(10));
        assert_eq!(terms.next().await, Some(()));
    }
}
