//! Numbers for Prometheus. Labels never hold pod names or error text.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tower::{Layer, Service};
use webinar_plan::{ConditionType, Role, Status, Truth};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    namespace: String,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventState {
    namespace: String,
    name: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventPods {
    namespace: String,
    name: String,
    role: &'static str,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventCondition {
    namespace: String,
    name: String,
    r#type: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorKind {
    error: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    method: String,
    code: u16,
}

const SEATS: [&str; 2] = ["desired", "ready"];
const PODS: [&str; 4] = ["desired", "created", "ready", "draining"];

type Seconds = Gauge<f64, AtomicU64>;

/// Every metric of the operator.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    start: Family<Event, Seconds>,
    ready_by: Family<Event, Seconds>,
    ramp: Family<Event, Seconds>,
    capacity: Family<EventState, Gauge>,
    tier: Family<Event, Gauge>,
    pods: Family<EventPods, Gauge>,
    foreign_pods: Family<Event, Gauge>,
    attendees: Family<Event, Gauge>,
    joins: Family<Event, Gauge>,
    inbound: Family<Event, Gauge>,
    last_media: Family<Event, Seconds>,
    failovers: Family<Event, Counter>,
    ready_lead: Family<Event, Seconds>,
    condition: Family<EventCondition, Gauge>,
    errors: Family<ErrorKind, Counter>,
    calls: Family<Call, Counter>,
    scrapes: Counter,
    scrape_errors: Family<ErrorKind, Counter>,
    created: Counter,
    deleted: Counter,
    leader: Gauge,
}

impl Metrics {
    /// The metrics and the registry that shows them.
    pub(crate) fn new() -> (Self, Registry, Histogram) {
        let all = Self::default();
        let reconcile = Histogram::new(exponential_buckets(0.001, 2.0, 15));
        let mut registry = Registry::default();
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        let mut event =
            |name: &str, help: &str, metric: Family<Event, Seconds>| registry.register(name, help, metric);
        event(
            "webinar_start_timestamp_seconds",
            "When the audience arrives",
            all.start.clone(),
        );
        event(
            "webinar_ready_by_timestamp_seconds",
            "When everything must be Ready",
            all.ready_by.clone(),
        );
        event(
            "webinar_ramp_timestamp_seconds",
            "When the first wave is created",
            all.ramp.clone(),
        );
        event(
            "webinar_ready_lead_seconds",
            "How long before the start full capacity was Ready; negative: after it",
            all.ready_lead.clone(),
        );
        event(
            "webinar_last_media_timestamp_seconds",
            "When a byte was last seen to arrive from the presenters",
            all.last_media.clone(),
        );
        let mut gauge =
            |name: &str, help: &str, metric: Family<Event, Gauge>| registry.register(name, help, metric);
        gauge("webinar_tier_attendees", "Booked audience size", all.tier.clone());
        gauge(
            "webinar_foreign_pods",
            "Pods that carry the Webinar's labels and are not its own",
            all.foreign_pods.clone(),
        );
        gauge(
            "webinar_attendees",
            "Viewers; absent while they are not known",
            all.attendees.clone(),
        );
        gauge(
            "webinar_joins_per_second_allowed",
            "Viewers that a join gate may let in each second",
            all.joins.clone(),
        );
        gauge(
            "webinar_media_inbound_bits_per_second",
            "What the active SFU receives; absent while that is not known",
            all.inbound.clone(),
        );
        registry.register("webinar_capacity_attendees", "Seats", all.capacity.clone());
        registry.register("webinar_pods", "Pods by role", all.pods.clone());
        registry.register(
            "webinar_failovers",
            "Changes of the active SFU",
            all.failovers.clone(),
        );
        registry.register(
            "webinar_condition",
            "1 for the status that holds, 0 for the others",
            all.condition.clone(),
        );
        registry.register("webinar_operator_build", "Version of the operator", build);
        registry.register(
            "webinar_operator_leader",
            "1 while this replica leads",
            all.leader.clone(),
        );
        registry.register(
            "webinar_operator_reconcile_seconds",
            "Duration of one reconcile",
            reconcile.clone(),
        );
        registry.register(
            "webinar_operator_reconcile_errors",
            "Reconciles that failed",
            all.errors.clone(),
        );
        registry.register(
            "webinar_operator_api_requests",
            "Calls to the API server",
            all.calls.clone(),
        );
        registry.register(
            "webinar_operator_scrapes",
            "Questions to pods and Prometheus servers for attendance and media flow",
            all.scrapes.clone(),
        );
        registry.register(
            "webinar_operator_scrape_errors",
            "Questions of these that had no usable answer",
            all.scrape_errors.clone(),
        );
        registry.register(
            "webinar_operator_pods_created",
            "Pods created",
            all.created.clone(),
        );
        registry.register(
            "webinar_operator_pods_deleted",
            "Pods deleted",
            all.deleted.clone(),
        );
        (all, registry, reconcile)
    }

    /// Shows one Webinar.
    pub(crate) fn show(&self, namespace: &str, name: &str, status: &Status) {
        let event = || Event {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        if let Some(schedule) = &status.schedule {
            self.start.get_or_create(&event()).set(seconds(schedule.start));
            self.ready_by
                .get_or_create(&event())
                .set(seconds(schedule.ready_by));
            self.ramp.get_or_create(&event()).set(seconds(schedule.ramp));
        }
        if let Some(lead) = status.outcome.and_then(|o| o.lead) {
            self.ready_lead.get_or_create(&event()).set(lead.as_secs_f64());
        }
        if let Some(tier) = status.tier {
            self.tier.get_or_create(&event()).set(i64::from(tier.attendees()));
        }
        self.foreign_pods
            .get_or_create(&event())
            .set(i64::from(status.strangers));
        self.show_audience(&event(), status);
        for (state, seats) in SEATS.into_iter().zip([status.seats_desired, status.seats_ready]) {
            let labels = EventState {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                state,
            };
            self.capacity
                .get_or_create(&labels)
                .set(i64::from(seats.unwrap_or(0)));
        }
        for role in Role::ALL {
            let pool = status.pools.iter().find(|p| p.role == role);
            let counts = pool.map_or([0; 4], |p| [p.desired, p.created, p.ready, p.draining]);
            for (state, n) in PODS.into_iter().zip(counts) {
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                self.pods
                    .get_or_create(&EventPods {
                        namespace,
                        name,
                        role: role.as_str(),
                        state,
                    })
                    .set(i64::from(n));
            }
        }
        for condition in &status.conditions {
            for truth in Truth::ALL {
                let labels = EventCondition {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    r#type: condition.kind.as_str(),
                    status: truth.as_str(),
                };
                self.condition
                    .get_or_create(&labels)
                    .set(i64::from(truth == condition.truth));
            }
        }
    }

    /// What is not known has no series: zero would be a lie.
    fn show_audience(&self, event: &Event, status: &Status) {
        let known = [
            (&self.attendees, status.attendance.map(|a| i64::from(a.current))),
            (
                &self.joins,
                status.admission.map(|a| i64::from(a.joins_per_second)),
            ),
            (
                &self.inbound,
                status
                    .media
                    .inbound
                    .map(|bits| i64::try_from(bits).unwrap_or(i64::MAX)),
            ),
        ];
        for (family, value) in known {
            match value {
                Some(value) => _ = family.get_or_create(event).set(value),
                None => _ = family.remove(event),
            }
        }
        match status.media.last_byte {
            Some(at) => _ = self.last_media.get_or_create(event).set(seconds(at)),
            None => _ = self.last_media.remove(event),
        }
        let failovers = u64::from(status.media.failovers);
        self.failovers.get_or_create(event).inc_by(failovers);
    }

    /// Forgets one Webinar.
    pub(crate) fn forget(&self, namespace: &str, name: &str) {
        let event = Event {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        };
        for family in [
            &self.start,
            &self.ready_by,
            &self.ramp,
            &self.ready_lead,
            &self.last_media,
        ] {
            family.remove(&event);
        }
        for family in [
            &self.tier,
            &self.foreign_pods,
            &self.attendees,
            &self.joins,
            &self.inbound,
        ] {
            family.remove(&event);
        }
        self.failovers.remove(&event);
        for state in SEATS {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            self.capacity.remove(&EventState {
                namespace,
                name,
                state,
            });
        }
        for (role, state) in Role::ALL.into_iter().flat_map(|r| PODS.map(|s| (r.as_str(), s))) {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            self.pods.remove(&EventPods {
                namespace,
                name,
                role,
                state,
            });
        }
        for (kind, truth) in ConditionType::ALL
            .into_iter()
            .flat_map(|k| Truth::ALL.map(|t| (k, t)))
        {
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            let (r#type, status) = (kind.as_str(), truth.as_str());
            self.condition.remove(&EventCondition {
                namespace,
                name,
                r#type,
                status,
            });
        }
    }

    /// This replica leads, or no longer does.
    pub(crate) fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Counts a failed reconcile.
    pub(crate) fn failed(&self, error: &'static str) {
        self.errors.get_or_create(&ErrorKind { error }).inc();
    }

    /// Counts a question to the data plane, and why it had no usable answer.
    pub(crate) fn scraped(&self, error: Option<&'static str>) {
        self.scrapes.inc();
        if let Some(error) = error {
            self.scrape_errors.get_or_create(&ErrorKind { error }).inc();
        }
    }

    /// Counts pods that were created and deleted.
    pub(crate) fn wrote(&self, created: u64, deleted: u64) {
        self.created.inc_by(created);
        self.deleted.inc_by(deleted);
    }
}

fn seconds(t: Timestamp) -> f64 {
    t.as_millisecond() as f64 / 1000.0
}

/// Counts every call by method and answer.
#[derive(Clone)]
pub(crate) struct CountCalls(Arc<Metrics>);

impl CountCalls {
    pub(crate) fn new(metrics: &Metrics) -> Self {
        Self(Arc::new(metrics.clone()))
    }
}

impl<S> Layer<S> for CountCalls {
    type Service = CountedCalls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountedCalls {
            inner,
            metrics: Arc::clone(&self.0),
        }
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(crate) struct CountedCalls<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S, A, B> Service<Request<A>> for CountedCalls<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let method = request.method().to_string();
        let metrics = Arc::clone(&self.metrics);
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            // 0 stands for a call that had no answer.
            let code = answer.as_ref().map_or(0, |r| r.status().as_u16());
            metrics.calls.get_or_create(&Call { method, code }).inc();
            answer
        })
    }
}
