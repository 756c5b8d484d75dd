//! Series of single Webinars. They go with their Webinar, and with the lease: two replicas must not tell of the same one.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use webinar_plan::{Role, Status, Truth};

use super::catalog::{self, Description, Kind};

/// Namespace and name.
type Key = (String, String);

/// What the series of one family say beside namespace and name.
type Labels = Vec<(&'static str, &'static str)>;

/// One series of a Webinar.
#[derive(Debug, Clone, PartialEq)]
struct Sample {
    of: &'static Description,
    labels: Labels,
    value: f64,
}

/// What is shown of one Webinar.
#[derive(Debug, Default)]
struct Shown {
    samples: Vec<Sample>,
    failovers: u64,
}

/// What is shown of all Webinars. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Events(Arc<Mutex<BTreeMap<Key, Shown>>>);

impl Events {
    /// Shows one Webinar as `status` has it, and nothing else of it.
    pub(super) fn show(&self, namespace: &str, name: &str, status: &Status) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut all = self.lock();
        let shown = all.entry(key).or_default();
        shown.samples = samples(status);
        shown.failovers += u64::from(status.media.failovers);
    }

    /// Shows one Webinar no more.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.lock().remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Shows no Webinar of `scope` (a namespace, or all) that is not `here`.
    pub(super) fn keep(&self, scope: Option<&str>, here: &HashSet<Key>) {
        let elsewhere = |key: &Key| scope.is_some_and(|namespace| namespace != key.0);
        self.lock().retain(|key, _| elsewhere(key) || here.contains(key));
    }

    /// Shows nothing more.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Shown>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Events {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let all = self.lock();
        for of in catalog::ALL.iter().filter(|d| d.is_of_a_webinar()) {
            let kind = match of.kind {
                Kind::Counter => MetricType::Counter,
                Kind::Gauge | Kind::Histogram | Kind::Info => MetricType::Gauge,
            };
            let mut series = all.iter().flat_map(|(key, shown)| shown.of(of, key)).peekable();
            // A family without series is not shown at all.
            if series.peek().is_none() {
                continue;
            }
            let mut family = encoder.encode_descriptor(of.family(), of.meaning, None, kind)?;
            for (labels, value) in series {
                let one = family.encode_family(&labels)?;
                match kind {
                    MetricType::Counter => ConstCounter::new(value).encode(one)?,
                    _ => ConstGauge::new(value).encode(one)?,
                }
            }
        }
        Ok(())
    }
}

impl Shown {
    /// The series of one family.
    fn of<'a>(
        &'a self,
        of: &'static Description,
        (namespace, name): &'a Key,
    ) -> impl Iterator<Item = (Vec<(&'static str, &'a str)>, f64)> {
        let failovers = Sample {
            of: catalog::FAILOVERS,
            labels: Vec::new(),
            value: self.failovers as f64,
        };
        let own = self.samples.iter().filter(move |s| s.of == of).cloned();
        let counted = Some(failovers).filter(|s| s.of == of);
        own.chain(counted).map(move |sample| {
            let mut labels = vec![("namespace", namespace.as_str()), ("name", name.as_str())];
            labels.extend(sample.labels);
            (labels, sample.value)
        })
    }
}

/// The gauges of one Webinar. What is not known has none: zero would be a lie.
fn samples(status: &Status) -> Vec<Sample> {
    let one = |of, value: Option<f64>| {
        Some(Sample {
            of,
            labels: Vec::new(),
            value: value?,
        })
    };
    let schedule = status.schedule.as_ref();
    let lead = status.outcome.and_then(|o| o.lead);
    let single = [
        one(catalog::START, schedule.map(|s| seconds(s.start))),
        one(catalog::READY_BY, schedule.map(|s| seconds(s.ready_by))),
        one(catalog::RAMP, schedule.map(|s| seconds(s.ramp))),
        one(catalog::TIER, status.tier.map(|t| f64::from(t.attendees()))),
        one(
            catalog::ATTENDEES,
            status.attendance.map(|a| f64::from(a.current)),
        ),
        one(
            catalog::JOINS,
            status.admission.map(|a| f64::from(a.joins_per_second)),
        ),
        one(catalog::FOREIGN_PODS, Some(f64::from(status.strangers))),
        one(catalog::READY_LEAD, lead.map(|d| d.as_secs_f64())),
        one(catalog::INBOUND, status.media.inbound.map(|bits| bits as f64)),
        one(catalog::LAST_MEDIA, status.media.last_byte.map(seconds)),
    ];
    let seats = [("desired", status.seats_desired), ("ready", status.seats_ready)];
    let seats = seats.into_iter().map(|(state, n)| Sample {
        of: catalog::CAPACITY,
        labels: vec![("state", state)],
        value: f64::from(n.unwrap_or(0)),
    });
    let pods = Role::ALL.into_iter().flat_map(|role| {
        let pool = status.pools.iter().find(|p| p.role == role);
        let counts = pool.map_or([0; 4], |p| [p.desired, p.created, p.ready, p.draining]);
        let states = ["desired", "created", "ready", "draining"]
            .into_iter()
            .zip(counts);
        states.map(move |(state, n)| Sample {
            of: catalog::PODS,
            labels: vec![("role", role.as_str()), ("state", state)],
            value: f64::from(n),
        })
    });
    let conditions = status.conditions.iter().flat_map(|condition| {
        Truth::ALL.into_iter().map(|truth| Sample {
            of: catalog::CONDITION,
            labels: vec![("type", condition.kind.as_str()), ("status", truth.as_str())],
            value: f64::from(u8::from(truth == condition.truth)),
        })
    });
    single
        .into_iter()
        .flatten()
        .chain(seats)
        .chain(pods)
        .chain(conditions)
        .collect()
}

/// Seconds since 1970, as Prometheus counts time.
fn seconds(t: Timestamp) -> f64 {
    t.as_millisecond() as f64 / 1000.0
}
