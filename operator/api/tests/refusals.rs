//! What the definitions refuse, and in which words. `accepted` lists what they must let through.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use webinar_api::check;

const START_TIME: &str = "`startTime` must be a time with an offset, from 2000 to 2199, with at most 9 \
                          fractional digits, for example 2027-03-04T17:00:00Z";
const TIERS: &str = "must be one of room, 10k, 50k, 100k, 250k, 500k, 1M";

fn webinar(spec: Value) -> Value {
    named("q3-keynote", spec)
}

fn named(name: &str, mut spec: Value) -> Value {
    spec.as_object_mut()
        .unwrap()
        .entry("tier")
        .or_insert(json!("100k"));
    json!({
        "apiVersion": "webinar-operator.io/v1alpha1",
        "kind": "Webinar",
        "metadata": {"name": name},
        "spec": spec
    })
}

fn class(mut spec: Value) -> Value {
    spec.as_object_mut()
        .unwrap()
        .entry("templates")
        .or_insert(json!({"sfu": "s", "relay": "r"}));
    json!({
        "apiVersion": "webinar-operator.io/v1alpha1",
        "kind": "WebinarClass",
        "metadata": {"name": "standard"},
        "spec": spec
    })
}

fn ports(ports: &Value) -> Value {
    class(json!({"services": {"viewers": {"ports": ports}}}))
}

#[track_caller]
fn refused(manifest: &Value, path: &str, message: &str) {
    let refusals = check(manifest).expect_err(&manifest.to_string());
    let found = refusals
        .iter()
        .any(|refusal| refusal.path == path && refusal.message == message);
    assert!(
        found,
        "expected {path}: {message}\nfound {refusals:#?}\nfor {manifest}"
    );
}

#[track_caller]
fn accepted(manifest: &Value) {
    assert_eq!(check(manifest), Ok(()), "{manifest}");
}

#[test]
fn tiers() {
    let wrong_case = format!("`1m` is not supported: {TIERS}");
    refused(&webinar(json!({"tier": "1m"})), "spec.tier", &wrong_case);
    refused(&webinar(json!({"maxTier": "1m"})), "spec.maxTier", &wrong_case);
    let below = "`maxTier` must not be below `tier`";
    refused(
        &webinar(json!({"tier": "100k", "maxTier": "50k"})),
        "spec.maxTier",
        below,
    );
    refused(
        &webinar(json!({"tier": "1M", "maxTier": "room"})),
        "spec.maxTier",
        below,
    );
    accepted(&webinar(json!({"tier": "100k", "maxTier": "100k"})));
    accepted(&webinar(json!({"tier": "room", "maxTier": "1M"})));

    let mut without = webinar(json!({}));
    without["spec"].as_object_mut().unwrap().remove("tier");
    refused(&without, "spec", "`tier` must be set");
}

#[test]
fn names() {
    let long =
        "`metadata.name` must be at most 40 characters long: names of pods and Services are made from it";
    let letters = "`metadata.name` must be lower-case letters, digits and hyphens, begin with a letter and not \
                   end with a hyphen";
    assert_eq!(
        check(&named(&"a".repeat(41), json!({}))).unwrap_err()[0].to_string(),
        long
    );
    refused(&named(&"a".repeat(41), json!({})), "", long);
    accepted(&named(&"a".repeat(40), json!({})));
    accepted(&named("a", json!({})));
    for name in ["3-keynote", "keynote-", "-keynote", "key.note", "Keynote"] {
        refused(&named(name, json!({})), "", letters);
    }
    refused(&named("", json!({})), "metadata.name", "must be set");
    let mut class = class(json!({}));
    class["metadata"]["name"] = "c".repeat(64).into();
    refused(
        &class,
        "",
        "`metadata.name` must be at most 63 characters long: `className` holds no more",
    );
}

#[test]
fn durations() {
    for (field, min, max, below, above) in [
        ("duration", "1m", "72h", Some("59s999ms"), "72h1ms"),
        ("readyBefore", "0s", "24h", None, "24h1s"),
        ("overrun", "0s", "72h", None, "99999h"),
    ] {
        let path = format!("spec.{field}");
        let message = format!("`{field}` must be between {min} and {max}");
        for value in [below, Some(above)].into_iter().flatten() {
            refused(&webinar(json!({field: value})), &path, &message);
        }
        accepted(&webinar(json!({field: min})));
        accepted(&webinar(json!({field: max})));
        for value in [
            "1.5h",
            "-1h",
            "+1h",
            "1d",
            "100000s",
            "1h1h1h1h1h",
            "",
            "60",
            "1h 30m",
            "1us",
        ] {
            assert!(
                check(&webinar(json!({field: value}))).is_err(),
                "{field}: {value}"
            );
        }
        assert!(check(&webinar(json!({field: 60}))).is_err());
    }
    accepted(&webinar(json!({"duration": "1h1h"})));
    accepted(&webinar(json!({"duration": "1h30m15s500ms"})));
}

#[test]
fn class_durations() {
    for (group, field, min, max, below, above) in [
        ("ramp", "waveInterval", "1s", "1h", Some("999ms"), "61m"),
        ("ramp", "readyBefore", "0s", "24h", None, "25h"),
        ("live", "floorAfterStart", "0s", "72h", None, "73h"),
        ("live", "overrun", "0s", "72h", None, "73h"),
        ("live", "drainTimeout", "1s", "24h", Some("0s"), "25h"),
    ] {
        let path = format!("spec.{group}.{field}");
        let message = format!("`{field}` must be between {min} and {max}");
        for value in [below, Some(above)].into_iter().flatten() {
            refused(&class(json!({group: {field: value}})), &path, &message);
        }
        accepted(&class(json!({group: {field: min}})));
        accepted(&class(json!({group: {field: max}})));
    }
    for field in [
        "nodeStartup",
        "imagePull",
        "podStartup",
        "upstream",
        "loadBalancer",
    ] {
        let manifest = class(json!({"ramp": {"settle": {field: "61m"}}}));
        let message = format!("`{field}` must be between 0s and 1h");
        refused(&manifest, &format!("spec.ramp.settle.{field}"), &message);
        accepted(&class(json!({"ramp": {"settle": {field: "0s"}}})));
    }
}

#[test]
fn start_times() {
    for value in [
        "1999-12-31T23:59:59Z",
        "2200-01-01T00:00:00Z",
        "2199-12-31T23:59:59-00:01",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2027-03-04T17:00:00.1234567890Z",
        "2027-03-04T17:00:00.Z",
        "2027-03-04T17:00:00",
        "2027-03-04T17:00Z",
        "2027-03-04 17:00:00Z",
        "2027-03-04t17:00:00z",
        "2027-03-04T24:00:00Z",
        "2027-03-04T17:00:60Z",
        "2027-13-04T17:00:00Z",
        "2027-03-04T17:00:00+24:00",
        "2027-03-04T17:00:00+01",
        "2027-03-04",
        "tomorrow",
        "",
    ] {
        refused(
            &webinar(json!({"startTime": value})),
            "spec.startTime",
            START_TIME,
        );
    }
    let no_such_day = check(&webinar(json!({"startTime": "2027-02-30T17:00:00Z"}))).unwrap_err();
    assert!(
        no_such_day[0].to_string().starts_with("spec.startTime: "),
        "{}",
        no_such_day[0]
    );
    assert!(check(&webinar(json!({"startTime": 1_804_179_600}))).is_err());
    for value in [
        "2000-01-01T00:00:00Z",
        "2199-12-31T23:59:59.999999999Z",
        "2028-02-29T12:00:00Z",
        "2027-03-04T17:00:00+05:30",
        "2027-03-04T17:00:00.5-11:00",
    ] {
        let manifest = webinar(json!({"startTime": value}));
        accepted(&manifest);
        serde_json::from_value::<webinar_api::Webinar>(manifest).unwrap();
    }
}

#[test]
fn overrides() {
    let order = |field: &str, value: Value| {
        let mut order = json!({"relays": 40, "reason": "all hands", "until": "2027-03-04T18:00:00Z"});
        order[field] = value;
        webinar(json!({"override": order}))
    };
    refused(
        &order("until", json!("tomorrow")),
        "spec.override.until",
        &START_TIME.replace("startTime", "until"),
    );
    refused(
        &order("relays", json!(0)),
        "spec.override.relays",
        "0 is too small: must be at least 1",
    );
    assert!(check(&order("reason", json!(""))).is_err());
    assert!(check(&order("reason", json!("r".repeat(201)))).is_err());
    accepted(&order("reason", json!("r".repeat(200))));
    for field in ["relays", "reason", "until"] {
        let mut without = order("relays", json!(40));
        without["spec"]["override"].as_object_mut().unwrap().remove(field);
        refused(&without, "spec.override", &format!("`{field}` must be set"));
    }
}

#[test]
fn other_fields_of_a_webinar() {
    let empty = "`className` must not be empty: leave it out for the default class";
    refused(&webinar(json!({"className": ""})), "spec.className", empty);
    assert!(check(&webinar(json!({"className": "c".repeat(64)}))).is_err());
    accepted(&webinar(json!({"className": "c".repeat(63)})));

    refused(
        &webinar(json!({"panelists": 0})),
        "spec.panelists",
        "0 is too small: must be at least 1",
    );
    let many = "1001 is too large: must be at most 1000";
    refused(&webinar(json!({"panelists": 1001})), "spec.panelists", many);
    assert!(check(&webinar(json!({"panelists": 1.5}))).is_err());
    accepted(&webinar(json!({"panelists": 1000})));

    refused(
        &webinar(json!({"panelist": 4})),
        "spec",
        "unknown field `panelist`",
    );
    let mut extra = webinar(json!({}));
    extra["specs"] = json!({});
    refused(&extra, "", "unknown field `specs`");
    accepted(&webinar(json!({"startTime": null, "maxTier": null})));
}

#[test]
fn kinds() {
    let mut other = webinar(json!({}));
    other["kind"] = "webinar".into();
    refused(&other, "kind", "must be Webinar or WebinarClass");
    other["apiVersion"] = "v1".into();
    refused(&other, "apiVersion", "must be webinar-operator.io/v1alpha1");
    refused(&json!(null), "apiVersion", "must be webinar-operator.io/v1alpha1");
}

#[test]
fn classes() {
    let relay = "`templates.relay` must be set unless `maxTier` is room";
    refused(
        &class(json!({"templates": {"sfu": "s"}})),
        "spec.templates",
        relay,
    );
    accepted(&class(json!({"templates": {"sfu": "s"}, "maxTier": "room"})));
    refused(
        &class(json!({"templates": {"relay": "r"}})),
        "spec.templates",
        "`sfu` must be set",
    );

    let cpu = "`hardUtilizationPercent` must not be below `maxCPUUtilizationPercent`";
    let egress = "`hardUtilizationPercent` must not be below `maxEgressUtilizationPercent`";
    refused(
        &class(json!({"sizing": {"hardUtilizationPercent": 64}})),
        "spec.sizing",
        cpu,
    );
    refused(
        &class(json!({"sizing": {"hardUtilizationPercent": 74}})),
        "spec.sizing",
        egress,
    );
    accepted(&class(json!({"sizing": {"hardUtilizationPercent": 75}})));

    let zones = "`zoneNames` must be empty or name exactly as many zones as `zones` says";
    refused(
        &class(json!({"topology": {"zoneNames": ["a"]}})),
        "spec.topology",
        zones,
    );
    assert!(check(&class(json!({"topology": {"zoneNames": ["a", "b", "b"]}}))).is_err());
    accepted(&class(json!({"topology": {"zones": 1, "zoneNames": ["a"]}})));

    let count = "11 is too large: must be at most 10";
    refused(
        &class(json!({"sizing": {"sfu": {"counts": {"1M": 11}}}})),
        "spec.sizing.sfu.counts.1M",
        count,
    );
    let tier = json!({"sizing": {"sfu": {"counts": {"1m": 3}}}});
    refused(&class(tier), "spec.sizing.sfu.counts", "unknown field `1m`");
    let safety = "99 is too small: must be at least 100";
    refused(
        &class(json!({"ramp": {"safetyPercent": 99}})),
        "spec.ramp.safetyPercent",
        safety,
    );
}

#[test]
fn services() {
    let balancer = "`loadBalancerClass` must be left out unless `type` is LoadBalancer";
    let settings = json!({"services": {"ingest": {"loadBalancerClass": "example.com/internal"}}});
    refused(&class(settings), "spec.services.ingest", balancer);
    let settings = json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/internal"});
    accepted(&class(json!({"services": {"ingest": settings}})));
    let settings = json!({"services": {"ingest": {"type": "ExternalName"}}});
    let kind = "`ExternalName` is not supported: must be one of ClusterIP, NodePort, LoadBalancer";
    refused(&class(settings), "spec.services.ingest.type", kind);

    let twice = "`ports` must not use a name, or a port with its protocol, twice";
    let same_port = json!([{"name": "a", "port": 80}, {"name": "b", "port": 80}]);
    let same_name = json!([{"name": "a", "port": 80}, {"name": "a", "port": 81}]);
    refused(&ports(&same_port), "spec.services.viewers", twice);
    refused(&ports(&same_name), "spec.services.viewers", twice);
    accepted(&ports(&json!([
        {"name": "a", "port": 80, "targetPort": 8080},
        {"name": "b", "port": 80, "targetPort": "media", "protocol": "UDP"},
    ])));
    for target in [json!(0), json!(65_536), json!(""), json!("no_port"), json!(true)] {
        assert!(
            check(&ports(&json!([{"name": "a", "port": 80, "targetPort": target}]))).is_err(),
            "{target}"
        );
    }
    let path = "spec.services.viewers.ports[0].port";
    refused(
        &ports(&json!([{"name": "a", "port": 0}])),
        path,
        "0 is too small: must be at least 1",
    );
}
