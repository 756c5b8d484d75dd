//! Every field of both kinds, and what may be in it. The bounds are written here once more, so that one that gets lost in the
//! definition is missed.

use serde_json::{Value, json};

pub(super) const TIERS: &[&str] = &["room", "10k", "50k", "100k", "250k", "500k", "1M"];

/// What may be in a field.
#[derive(Debug, Clone)]
pub(super) enum Domain {
    OneOf(&'static [&'static str]),
    /// From, to.
    Whole(i64, i64),
    /// From, to.
    Span(&'static str, &'static str),
    Time,
    Switch,
    /// So many characters, at least and at most, the first of which are these.
    Text(usize, usize, &'static str),
    /// Also so many characters, but not this text.
    Pattern(usize, usize, &'static str, &'static str),
    /// Whatever text one likes.
    AnyText,
    /// A number of a port, or the name of one.
    Port,
    /// So many entries, at least and at most, and what the n-th is like.
    List(usize, usize, fn(usize) -> Value),
    /// So many entries at most, each like this.
    Map(usize, fn() -> Value),
    /// An object that must have these fields.
    Group(&'static [&'static str]),
    /// An object for which a rule holds, which says this about an empty one.
    Ruled(&'static str),
}

/// What becomes of an object without the field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Without {
    Accepted,
    Required,
    /// A rule refuses it, in this sentence.
    Ruled(&'static str),
    /// It is an entry of a list, which moves up.
    Entry,
}

#[derive(Debug, Clone)]
pub(super) struct Field {
    /// Where it is in the spec: a JSON pointer.
    pub(super) at: String,
    pub(super) domain: Domain,
    pub(super) without: Without,
    /// What the rest of the spec must be like so that all of the domain may be in this field: a JSON merge patch.
    pub(super) beside: Value,
}

impl Field {
    fn new(at: &str, domain: Domain, without: Without) -> Self {
        Self {
            at: at.to_owned(),
            domain,
            without,
            beside: json!({}),
        }
    }

    fn beside(self, beside: Value) -> Self {
        Self { beside, ..self }
    }
}

fn may(at: &str, domain: Domain) -> Field {
    Field::new(at, domain, Without::Accepted)
}

fn must(at: &str, domain: Domain) -> Field {
    Field::new(at, domain, Without::Required)
}

fn entry(at: &str, domain: Domain) -> Field {
    Field::new(at, domain, Without::Entry)
}

fn ruled(at: &str, domain: Domain, sentence: &'static str) -> Field {
    Field::new(at, domain, Without::Ruled(sentence))
}

pub(super) fn of_webinar() -> Vec<Field> {
    use Domain::*;
    vec![
        must("/tier", OneOf(TIERS)).beside(json!({"maxTier": null})),
        may("/maxTier", OneOf(TIERS)).beside(json!({"tier": "room"})),
        may("/startTime", Time),
        may("/duration", Span("1m", "72h")),
        may("/className", Text(1, 63, "")),
        may("/panelists", Whole(1, 1000)),
        may("/readyBefore", Span("0s", "24h")),
        may("/overrun", Span("0s", "72h")),
        may("/release", OneOf(&["Never", "AfterPeak"])),
        may("/override", Group(&["reason", "relays", "until"])),
        must("/override/relays", Whole(1, 50_000)),
        must("/override/reason", Text(1, 200, "")),
        must("/override/until", Time),
        may("/suspend", Switch),
    ]
}

pub(super) fn of_class() -> Vec<Field> {
    use Domain::*;
    let one_source = "`attendance` must have one of `podMetrics` and `prometheus`";
    let mut fields = vec![
        must("/templates", Group(&["sfu"])),
        must("/templates/sfu", Text(1, 253, "")),
        ruled(
            "/templates/relay",
            Text(1, 253, ""),
            "`templates.relay` must be set unless `maxTier` is room",
        ),
        may("/maxTier", OneOf(TIERS)),
        may("/maxPods", Whole(1, 50_000)),
        may("/maxTotalPods", Whole(1, 1_000_000)),
        may("/allowCredentials", Switch),
        may("/attendance", Ruled(one_source)),
        ruled("/attendance/podMetrics", Group(&["port", "viewers"]), one_source),
        must("/attendance/podMetrics/port", Whole(1, 65_535)),
        may("/attendance/podMetrics/path", Pattern(1, 200, "/", "metrics")),
        ruled("/attendance/prometheus", Group(&["queries", "url"]), one_source),
        must(
            "/attendance/prometheus/url",
            Pattern(8, 500, "http://", "ftp://here"),
        ),
        may("/attendance/prometheus/scrapeInterval", Span("1s", "5m")),
        must("/attendance/prometheus/queries", Group(&["viewers"])),
        must("/attendance/prometheus/queries/viewers", Text(1, 1000, "")),
        may("/attendance/prometheus/queries/bytesIn", Text(1, 1000, "")),
        may("/attendance/prometheus/queries/bytesOut", Text(1, 1000, "")),
    ];
    fields.extend(figures());
    fields.extend(times());
    fields.extend(services());
    fields.extend(sizing());
    fields
}

/// What pods tell of themselves.
fn figures() -> Vec<Field> {
    use Domain::*;
    let series = |n: usize| json!({"metric": format!("m{n}")});
    let mut fields = Vec::new();
    for figure in ["viewers", "bytesIn", "bytesOut"] {
        let at = format!("/attendance/podMetrics/{figure}");
        let group = Group(&["sum"]);
        fields.push(if figure == "viewers" {
            must(&at, group)
        } else {
            may(&at, group)
        });
        for (list, least) in [("sum", 1), ("minus", 0)] {
            let at = format!("{at}/{list}");
            let domain = List(least, 8, series);
            fields.push(if least > 0 {
                must(&at, domain)
            } else {
                may(&at, domain)
            });
            fields.extend([
                entry(&format!("{at}/0"), Group(&["metric"])),
                must(&format!("{at}/0/metric"), Pattern(1, 200, "", "0-a")),
                may(&format!("{at}/0/match"), Map(8, || json!(["stage"]))),
                may(
                    &format!("{at}/0/match/name"),
                    List(1, 16, |n| json!(format!("v{n}"))),
                ),
                entry(&format!("{at}/0/match/name/0"), Text(0, 200, "")),
            ]);
        }
    }
    fields
}

fn times() -> Vec<Field> {
    use Domain::*;
    vec![
        may("/ramp", Group(&[])),
        may("/ramp/waveSize", Whole(1, 10_000)),
        may("/ramp/waveInterval", Span("1s", "1h")),
        may("/ramp/safetyPercent", Whole(100, 1000)),
        may("/ramp/readyBefore", Span("0s", "24h")),
        may("/ramp/settle", Group(&[])),
        may("/ramp/settle/nodeStartup", Span("0s", "1h")),
        may("/ramp/settle/imagePull", Span("0s", "1h")),
        may("/ramp/settle/podStartup", Span("0s", "1h")),
        may("/ramp/settle/upstream", Span("0s", "1h")),
        may("/ramp/settle/loadBalancer", Span("0s", "1h")),
        may("/live", Group(&[])),
        may("/live/floorAfterStart", Span("0s", "72h")),
        may("/live/overrun", Span("0s", "72h")),
        may("/live/drainTimeout", Span("1s", "24h")),
        may("/live/growAtPercent", Whole(10, 100)),
        may("/live/shrinkAfter", Span("0s", "24h")),
        may("/live/shrinkInterval", Span("1s", "24h")),
        may("/live/goneAfter", Span("0s", "1h")),
        may("/live/joinsPerSecondPerRelay", Whole(1, 1000)),
        may("/stall", Group(&[])),
        may("/stall/floorKbps", Whole(1, 100_000)),
        may("/stall/after", Span("4s", "5m")),
        may("/stall/noSignalAfter", Span("5s", "5m")),
        may("/stall/standbyAfter", Span("0s", "5m")),
    ]
}

fn services() -> Vec<Field> {
    use Domain::*;
    let port = |n: usize| json!({"name": format!("p{n}"), "port": 8000 + n});
    let mut fields = vec![may("/services", Group(&[]))];
    for service in ["ingest", "viewers"] {
        let at = |name: &str| format!("/services/{service}{name}");
        fields.extend([
            may(&at(""), Group(&[])),
            may(&at("/type"), OneOf(&["ClusterIP", "NodePort", "LoadBalancer"]))
                .beside(json!({"services": {service: {"loadBalancerClass": null}}})),
            may(&at("/loadBalancerClass"), Text(1, 317, "")),
            may(&at("/annotations"), Map(100, || json!("x"))),
            may(&at("/annotations/example.com~1who"), AnyText),
            may(&at("/ports"), List(0, 20, port)),
            entry(&at("/ports/0"), Group(&["name", "port"])),
            must(&at("/ports/0/name"), Pattern(1, 63, "", "No")),
            must(&at("/ports/0/port"), Whole(1, 65_535)),
            may(&at("/ports/0/targetPort"), Port),
            may(&at("/ports/0/protocol"), OneOf(&["TCP", "UDP"])),
        ]);
    }
    fields.extend([
        may("/disruption", Group(&[])),
        may("/disruption/podDisruptionBudgets", Switch),
        may("/disruption/doNotDisrupt", Switch),
        may("/disruption/tolerateNodeFailure", Switch),
    ]);
    fields
}

fn sizing() -> Vec<Field> {
    use Domain::*;
    let no_names = json!({"topology": {"zoneNames": []}});
    let mut fields = vec![
        may("/topology", Group(&[])),
        may("/topology/zones", Whole(1, 10)).beside(no_names),
        may("/topology/zoneNames", List(0, 10, |n| json!(format!("zone-{n}"))))
            .beside(json!({"topology": {"zones": 10}})),
        entry("/topology/zoneNames/0", Text(1, 63, "")),
        may("/topology/key", Text(1, 317, "")),
        may("/sizing", Group(&[])),
        may("/sizing/viewer", Group(&[])),
        may("/sizing/viewer/bitrateKbps", Whole(1, 1_000_000)),
        may("/sizing/viewer/packetsPerSecond", Whole(1, 1_000_000)),
        may("/sizing/packetsPerSecondPerCPU", Whole(1, 10_000_000)),
        may("/sizing/maxCPUUtilizationPercent", Whole(1, 100)),
        may("/sizing/egressMbps", Whole(1, 1_000_000)),
        may("/sizing/maxEgressUtilizationPercent", Whole(1, 100)),
        may("/sizing/hardUtilizationPercent", Whole(1, 100))
            .beside(json!({"sizing": {"maxCPUUtilizationPercent": 1, "maxEgressUtilizationPercent": 1}})),
        may("/sizing/maxViewersPerRelay", Whole(1, 1_000_000)),
        may("/sizing/imbalancePercent", Whole(0, 100)),
        may("/sizing/spares", Group(&[])),
        may("/sizing/spares/min", Whole(0, 1000)),
        may("/sizing/spares/percent", Whole(0, 100)),
        may("/sizing/fanOut", Whole(1, 1000)),
        may("/sizing/stage", Group(&[])),
        may("/sizing/stage/packetsPerSecond", Whole(1, 1_000_000)),
        may("/sizing/stage/bitrateKbps", Whole(1, 10_000_000)),
        may("/sizing/stage/packetsPerSecondPerPanelist", Whole(0, 1_000_000)),
        may("/sizing/sfu", Group(&[])),
        may("/sizing/sfu/counts", Group(&[])),
    ];
    let counts = TIERS.iter().map(|tier| format!("/sizing/sfu/counts/{tier}"));
    fields.extend(counts.map(|at| may(&at, Whole(1, 10))));
    fields
}
