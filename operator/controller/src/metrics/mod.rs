//! Numbers for Prometheus. Labels never hold pod names or error text.

mod calls;
pub mod catalog;
mod events;
#[cfg(test)]
mod tests;
mod window;

use std::collections::HashSet;
use std::sync::atomic::AtomicU64;

use jiff::SignedDuration;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};
use webinar_plan::{RemovalReason, Status};

use crate::error;
use crate::scrape::Failure;

use calls::{Calls, CountCalls};
use catalog::Description;
use events::Events;

pub(crate) use window::Window;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorKind {
    error: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// Every metric of the operator. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    events: Events,
    calls: Calls,
    reconcile: Passes,
    errors: Family<ErrorKind, Counter>,
    queue: Gauge,
    scrapes: Counter,
    scrape_errors: Family<ErrorKind, Counter>,
    created: Counter,
    deleted: Family<Why, Counter>,
    leader: Gauge,
    skew: Seconds,
}

/// How long passes take.
#[derive(Debug, Clone)]
struct Passes(Histogram);

impl Default for Passes {
    fn default() -> Self {
        Self(Histogram::new(exponential_buckets(0.001, 2.0, 15)))
    }
}

impl Metrics {
    /// The metrics and the registry that shows them.
    pub(crate) fn new() -> (Self, Registry) {
        let all = Self::default();
        all.begin();
        let mut registry = Registry::default();
        registry.register_collector(Box::new(all.events.clone()));
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        register(&mut registry, catalog::BUILD, build);
        register(&mut registry, catalog::LEADER, all.leader.clone());
        register(&mut registry, catalog::RECONCILE, all.reconcile.0.clone());
        register(&mut registry, catalog::ERRORS, all.errors.clone());
        register(&mut registry, catalog::QUEUE, all.queue.clone());
        all.calls.register(&mut registry);
        register(&mut registry, catalog::SKEW, all.skew.clone());
        register(&mut registry, catalog::SCRAPES, all.scrapes.clone());
        register(&mut registry, catalog::SCRAPE_ERRORS, all.scrape_errors.clone());
        register(&mut registry, catalog::CREATED, all.created.clone());
        register(&mut registry, catalog::DELETED, all.deleted.clone());
        (all, registry)
    }

    /// What can be counted is there from the beginning: of a series that first appears with 1, `increase()` sees nothing.
    fn begin(&self) {
        self.skew.set(f64::NAN);
        for reason in RemovalReason::ALL {
            let reason = reason.as_str();
            drop(self.deleted.get_or_create(&Why { reason }));
        }
        for error in error::KINDS {
            drop(self.errors.get_or_create(&ErrorKind { error }));
        }
        for failure in Failure::ALL {
            let error = failure.as_str();
            drop(self.scrape_errors.get_or_create(&ErrorKind { error }));
        }
    }

    /// Shows one Webinar.
    pub(crate) fn show(&self, namespace: &str, name: &str, status: &Status) {
        self.events.show(namespace, name, status);
    }

    /// Shows one Webinar no more.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        self.events.forget(namespace, name);
    }

    /// Shows no Webinar of `scope` (a namespace, or all) that is not `here`, by namespace and name.
    pub(crate) fn keep(&self, scope: Option<&str>, here: &HashSet<(String, String)>) {
        self.events.keep(scope, here);
    }

    /// This replica leads, or no longer does: then another one tells of the Webinars.
    pub(crate) fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
        if !leads {
            self.events.clear();
        }
    }

    /// How far this machine's clock is ahead of the API server's.
    pub(crate) fn skewed(&self, skew: SignedDuration) {
        self.skew.set(skew.as_secs_f64());
    }

    /// The gauge of Webinars that wait for their turn.
    pub(crate) fn queue(&self) -> Gauge {
        self.queue.clone()
    }

    /// A pass took so long.
    pub(crate) fn passed(&self, seconds: f64) {
        self.reconcile.0.observe(seconds);
    }

    /// Counts a failed reconcile, by one of [`error::KINDS`].
    pub(crate) fn failed(&self, error: &'static str) {
        self.errors.get_or_create(&ErrorKind { error }).inc();
    }

    /// Counts a question for attendance or media flow, and why it had no usable answer if it had none.
    pub(crate) fn scraped(&self, failure: Option<Failure>) {
        self.scrapes.inc();
        if let Some(failure) = failure {
            let error = failure.as_str();
            self.scrape_errors.get_or_create(&ErrorKind { error }).inc();
        }
    }

    /// Counts pods that were created, and why others were deleted.
    pub(crate) fn wrote(&self, created: usize, deleted: &[RemovalReason]) {
        self.created.inc_by(created as u64);
        for reason in deleted {
            let reason = reason.as_str();
            self.deleted.get_or_create(&Why { reason }).inc();
        }
    }

    /// A layer that counts and times every request to the API server.
    pub(crate) fn count_calls(&self) -> CountCalls {
        CountCalls(self.calls.clone())
    }
}

fn register(registry: &mut Registry, of: &Description, metric: impl Metric) {
    // The registry puts a full stop at its end.
    let help = of.meaning.strip_suffix('.').unwrap_or(of.meaning);
    registry.register(of.family(), help, metric);
}
