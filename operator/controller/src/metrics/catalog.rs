//! What there is to see: name, type, unit, labels and meaning of every metric, in one place.

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It goes up and down.
    Gauge,
    /// It only grows, until the process starts anew.
    Counter,
    /// Observations, counted by their size.
    Histogram,
    /// Always 1; its labels say something.
    Info,
}

impl Kind {
    /// As the exposition format names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }

    /// What the exposition format appends to a family's name. A histogram has several series of its own.
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Gauge | Self::Histogram => "",
            Self::Counter => "_total",
            Self::Info => "_info",
        }
    }
}

/// One family of series.
#[derive(Debug, PartialEq, Eq)]
pub struct Description {
    /// Name as exposed, `_total` and `_info` included.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it is counted in.
    pub unit: &'static str,
    /// Labels of its series.
    pub labels: &'static [&'static str],
    /// What it says, in whole sentences.
    pub meaning: &'static str,
}

impl Description {
    /// The name without what the exposition format appends.
    pub(super) fn family(&self) -> &'static str {
        let suffix = self.kind.suffix();
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    /// It is about one Webinar.
    pub fn is_of_a_webinar(&self) -> bool {
        self.labels.starts_with(WEBINAR)
    }
}

/// Labels of a Webinar's series.
const WEBINAR: &[&str] = &["namespace", "name"];

macro_rules! catalog {
    ($($name:ident: $exposed:literal, $kind:ident, $unit:literal, $labels:expr, $meaning:literal;)+) => {
        $(
            pub(super) const $name: &Description = &Description {
                name: $exposed,
                kind: Kind::$kind,
                unit: $unit,
                labels: $labels,
                meaning: $meaning,
            };
        )+

        /// Every metric, those of Webinars first.
        pub const ALL: &[&Description] = &[$($name,)+];
    };
}

catalog! {
    START: "webinar_start_timestamp_seconds", Gauge, "seconds since 1970", WEBINAR,
        "When the audience arrives.";
    READY_BY: "webinar_ready_by_timestamp_seconds", Gauge, "seconds since 1970", WEBINAR,
        "When everything must be Ready.";
    RAMP: "webinar_ramp_timestamp_seconds", Gauge, "seconds since 1970", WEBINAR,
        "When the first wave is created.";
    TIER: "webinar_tier_attendees", Gauge, "attendees", WEBINAR,
        "The audience that was booked.";
    CAPACITY: "webinar_capacity_attendees", Gauge, "attendees", &["namespace", "name", "state"],
        "Seats. `state`: `desired`, what the tier asks for; `ready`, what there is.";
    ATTENDEES: "webinar_attendees", Gauge, "attendees", WEBINAR,
        "Viewers. Absent until they were counted; while they can't be, the last count stands and AttendanceKnown says so.";
    JOINS: "webinar_joins_per_second_allowed", Gauge, "attendees per second", WEBINAR,
        "Viewers that a join gate may let in each second. Absent while the event is not on air.";
    PODS: "webinar_pods", Gauge, "pods", &["namespace", "name", "role", "state"],
        "Pods by role. `state`: `desired`, what the plan wants in the end; `created`, what is alive; of these `ready` \
         and `draining`.";
    FOREIGN_PODS: "webinar_foreign_pods", Gauge, "pods", WEBINAR,
        "Pods that carry the Webinar's labels and are not its own.";
    READY_LEAD: "webinar_ready_lead_seconds", Gauge, "seconds", WEBINAR,
        "How long before the start full capacity was Ready; negative: after it. Absent until the run is over.";
    CONDITION: "webinar_condition", Gauge, "1 or 0", &["namespace", "name", "type", "status"],
        "1 for the status that holds, 0 for the others.";
    INBOUND: "webinar_media_inbound_bits_per_second", Gauge, "bits per second", WEBINAR,
        "What the active SFU receives. Absent while that is not known.";
    LAST_MEDIA: "webinar_last_media_timestamp_seconds", Gauge, "seconds since 1970", WEBINAR,
        "When a byte was last seen to arrive from the presenters. Absent before the first.";
    FAILOVERS: "webinar_failovers_total", Counter, "failovers", WEBINAR,
        "Changes of the active SFU that this replica began.";
    BUILD: "webinar_operator_build_info", Info, "", &["version"],
        "The version of the operator.";
    LEADER: "webinar_operator_leader", Gauge, "1 or 0", &[],
        "1 while this replica leads.";
    RECONCILE: "webinar_operator_reconcile_seconds", Histogram, "seconds", &[],
        "How long one pass over one Webinar took.";
    ERRORS: "webinar_operator_reconcile_errors_total", Counter, "passes", &["error"],
        "Passes that failed. Each is tried again.";
    QUEUE: "webinar_operator_queue_depth", Gauge, "Webinars", &[],
        "Webinars that are to be looked at and wait for their turn.";
    CALLS: "webinar_operator_api_requests_total", Counter, "requests", &["method", "code"],
        "Requests to the API server. `code`: HTTP status, 0 without an answer.";
    CALL_SECONDS: "webinar_operator_api_request_seconds", Histogram, "seconds", &["method", "code"],
        "How long the API server took until its answer began, watches aside. `code`: class of the HTTP status such as \
         `2xx`, or `none` without an answer.";
    SKEW: "webinar_operator_clock_skew_seconds", Gauge, "seconds", &[],
        "How far the wall clock of this replica is ahead of the API server's; negative: behind. From the `Date` of \
         answers about the lease, which has whole seconds. NaN before the first.";
    SCRAPES: "webinar_operator_scrapes_total", Counter, "questions", &[],
        "Questions to pods and Prometheus servers for attendance and media flow.";
    SCRAPE_ERRORS: "webinar_operator_scrape_errors_total", Counter, "questions", &["error"],
        "Questions of these that had no answer that can be used.";
    CREATED: "webinar_operator_pods_created_total", Counter, "pods", &[],
        "Pods created.";
    DELETED: "webinar_operator_pods_deleted_total", Counter, "pods", &["reason"],
        "Pods deleted, by the reason that the plan gave.";
}
