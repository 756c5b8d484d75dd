//! What is exposed, and what the catalogue says of it.

use std::collections::{BTreeMap, BTreeSet};

use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use tower::{Layer as _, ServiceExt as _, service_fn};
use webinar_plan::{
    Admission, Attended, Condition, ConditionType, MediaFigures, Outcome, Reason, Schedule, Status, Tier,
    Truth,
};

use super::catalog::{ALL, Kind};
use super::*;

fn text(registry: &Registry) -> String {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).expect("metrics");
    text
}

/// A status with everything in it.
fn full() -> Status {
    let at = Timestamp::UNIX_EPOCH;
    Status {
        phase: None,
        run: 1,
        tier: Some(Tier::K10),
        schedule: Some(Schedule {
            ramp: at,
            ready_by: at,
            start: at,
            floor_until: at,
            end: at,
            release: at,
            lead: SignedDuration::ZERO,
            jitter: SignedDuration::ZERO,
        }),
        pools: Vec::new(),
        seats_desired: Some(10_000),
        seats_ready: Some(9_000),
        attendance: Some(Attended {
            current: 7,
            peak: 8,
            observed: at,
        }),
        admission: Some(Admission {
            open: true,
            max_attendees: 10_000,
            joins_per_second: 150,
        }),
        addresses: Vec::new(),
        media: MediaFigures {
            inbound: Some(4_000),
            last_byte: Some(at),
            failovers: 1,
        },
        outcome: Some(Outcome {
            lead: Some(SignedDuration::from_secs(-90)),
            ..Outcome::default()
        }),
        conditions: vec![Condition {
            kind: ConditionType::Ready,
            truth: Truth::True,
            reason: Reason::Live,
            message: String::new(),
        }],
        strangers: 2,
        notices: Vec::new(),
    }
}

/// Sends one request through the layer that counts.
async fn call(metrics: &Metrics, uri: &str, code: Option<u16>) {
    let answers = service_fn(move |_: Request<()>| async move {
        let code = code.ok_or("no answer")?;
        Ok::<_, &str>(Response::builder().status(code).body(()).expect("an answer"))
    });
    let request = Request::get(uri).body(()).expect("a request");
    let _ = metrics.count_calls().layer(answers).oneshot(request).await;
}

/// Families as exposed: type, and the labels of their series, by name.
fn families(text: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut found = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (family, kind) = rest.split_once(' ').expect("a type");
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            name = format!("{family}{suffix}");
            found.insert(name.clone(), (kind.to_owned(), BTreeSet::new()));
        } else if !line.starts_with('#')
            && let Some((_, rest)) = line.split_once('{')
            && let Some((labels, _)) = rest.rsplit_once('}')
        {
            let labels = labels.split("\",").filter_map(|l| l.split_once('='));
            let labels = labels.map(|(key, _)| key.to_owned()).filter(|key| key != "le");
            found.get_mut(&name).expect("a family").1.extend(labels);
        }
    }
    found
}

#[tokio::test]
async fn everything_exposed_is_in_the_catalogue_and_the_other_way_round() {
    let (metrics, registry) = Metrics::new();
    metrics.show("events", "talk", &full());
    call(&metrics, "/api/v1/pods", Some(200)).await;
    let exposed = families(&text(&registry));
    let described: BTreeMap<String, (String, BTreeSet<String>)> = ALL
        .iter()
        .map(|d| {
            let labels = d.labels.iter().map(|l| (*l).to_owned()).collect();
            (d.name.to_owned(), (d.kind.as_str().to_owned(), labels))
        })
        .collect();
    assert_eq!(exposed, described);
}

#[test]
fn the_catalogue_reads_well() {
    for d in ALL {
        assert!(d.name.starts_with("webinar_"), "{}", d.name);
        assert_eq!(d.name.ends_with("_total"), d.kind == Kind::Counter, "{}", d.name);
        assert_eq!(
            d.name.contains("_seconds"),
            d.unit.starts_with("seconds"),
            "{}",
            d.name
        );
        assert!(
            d.meaning.ends_with('.') && !d.meaning.contains('\n'),
            "{}",
            d.name
        );
    }
}

#[test]
fn counters_with_known_labels_begin_at_zero() {
    let (_, registry) = Metrics::new();
    let text = text(&registry);
    for series in [
        "webinar_operator_pods_deleted_total{reason=\"overdue\"} 0",
        "webinar_operator_reconcile_errors_total{error=\"unreadable\"} 0",
        "webinar_operator_scrape_errors_total{error=\"timeout\"} 0",
        "webinar_operator_pods_created_total 0",
        "webinar_operator_clock_skew_seconds NaN",
    ] {
        assert!(text.lines().any(|l| l == series), "{series}\n{text}");
    }
    let reasons = text
        .lines()
        .filter(|l| l.starts_with("webinar_operator_pods_deleted_total{"));
    assert_eq!(reasons.count(), RemovalReason::ALL.len());
}

#[test]
fn a_webinar_shows_what_holds_now_and_nothing_of_before() {
    let (metrics, registry) = Metrics::new();
    metrics.show("events", "talk", &full());
    metrics.show("events", "talk", &full());
    let shown = text(&registry);
    for series in [
        "webinar_ready_lead_seconds{namespace=\"events\",name=\"talk\"} -90.0",
        "webinar_capacity_attendees{namespace=\"events\",name=\"talk\",state=\"ready\"} 9000.0",
        "webinar_condition{namespace=\"events\",name=\"talk\",type=\"Ready\",status=\"False\"} 0.0",
        "webinar_failovers_total{namespace=\"events\",name=\"talk\"} 2.0",
    ] {
        assert!(shown.lines().any(|l| l == series), "{series}\n{shown}");
    }
    let unknown = Status {
        attendance: None,
        admission: None,
        media: MediaFigures::default(),
        ..full()
    };
    metrics.show("events", "talk", &unknown);
    let shown = text(&registry);
    for gone in [
        "webinar_attendees{",
        "webinar_joins",
        "webinar_media",
        "webinar_last_media",
    ] {
        assert!(!shown.contains(gone), "{gone}\n{shown}");
    }
    assert!(shown.contains("webinar_failovers_total{namespace=\"events\",name=\"talk\"} 2.0"));
}

#[test]
fn series_go_with_their_webinar_and_with_the_lease() {
    let (metrics, registry) = Metrics::new();
    let shown = |name: &str| text(&registry).contains(&format!("name=\"{name}\""));
    for (namespace, name) in [("a", "kept"), ("a", "deleted"), ("b", "elsewhere"), ("a", "far")] {
        metrics.show(namespace, name, &full());
    }
    metrics.forget("a", "far");
    let here = HashSet::from([("a".to_owned(), "kept".to_owned())]);
    metrics.keep(Some("a"), &here);
    let state = ["kept", "deleted", "elsewhere", "far"].map(shown);
    assert_eq!(state, [true, false, true, false]);
    metrics.keep(None, &here);
    assert!(!shown("elsewhere"), "{}", text(&registry));
    metrics.leads(true);
    assert!(shown("kept"));
    metrics.leads(false);
    assert!(!shown("kept"));
}

#[tokio::test]
async fn calls_are_counted_and_timed_but_watches_only_counted() {
    let (metrics, registry) = Metrics::new();
    call(&metrics, "/api/v1/pods?watch=true&resourceVersion=0", Some(200)).await;
    let of_watch = text(&registry);
    assert!(of_watch.contains("webinar_operator_api_requests_total{method=\"GET\",code=\"200\"} 1"));
    assert!(!of_watch.contains("webinar_operator_api_request_seconds_count"));
    call(&metrics, "/api/v1/pods", Some(409)).await;
    call(&metrics, "/api/v1/pods", None).await;
    let shown = text(&registry);
    for series in [
        "webinar_operator_api_requests_total{method=\"GET\",code=\"0\"} 1",
        "webinar_operator_api_request_seconds_count{method=\"GET\",code=\"4xx\"} 1",
        "webinar_operator_api_request_seconds_count{method=\"GET\",code=\"none\"} 1",
    ] {
        assert!(shown.lines().any(|l| l == series), "{series}\n{shown}");
    }
}

#[test]
fn pods_are_counted_by_why_they_went() {
    let (metrics, registry) = Metrics::new();
    metrics.wrote(
        3,
        &[
            RemovalReason::Drained,
            RemovalReason::Fenced,
            RemovalReason::Drained,
        ],
    );
    let shown = text(&registry);
    for series in [
        "webinar_operator_pods_created_total 3",
        "webinar_operator_pods_deleted_total{reason=\"drained\"} 2",
        "webinar_operator_pods_deleted_total{reason=\"fenced\"} 1",
    ] {
        assert!(shown.lines().any(|l| l == series), "{series}\n{shown}");
    }
}
