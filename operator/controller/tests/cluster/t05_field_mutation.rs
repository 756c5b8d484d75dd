//! 05 field-mutation: every field of both kinds taken away, emptied, at its bounds and past them. It is refused in words that
//! name it and say what may be in it, or it is obeyed, exactly as if it had never been different; and back again.

mod bench;
mod cases;
mod fields;
mod likeness;
mod on_air;
mod truth;

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use kube::Api;
use kube::api::ApiResource;
use serde_json::{Value, json};
use webinar_api::{Webinar, WebinarClass, crds};
use webinar_testbed::wait::Stopwatch;

use self::bench::Bench;
use self::cases::Case;
use self::fields::Field;
use crate::support::manifests::{class, templates};
use crate::support::scene::{Setting, in_seconds, story};

/// A spec with a value in every field, and most of them unlike the defaults.
const CLASS: &str = r#"{
  "templates": {"sfu": "media-sfu", "relay": "secretive"}, "maxTier": "500k", "maxPods": 4000, "maxTotalPods": 8000,
  "allowCredentials": true,
  "topology": {"zones": 2, "zoneNames": ["zone-a", "zone-b"], "key": "example.com/zone"},
  "sizing": {
    "viewer": {"bitrateKbps": 1200, "packetsPerSecond": 150}, "packetsPerSecondPerCPU": 20000,
    "maxCPUUtilizationPercent": 60, "egressMbps": 8000, "maxEgressUtilizationPercent": 70,
    "hardUtilizationPercent": 100, "maxViewersPerRelay": 1000, "imbalancePercent": 12,
    "spares": {"min": 3, "percent": 4}, "fanOut": 40,
    "stage": {"packetsPerSecond": 1300, "bitrateKbps": 8000, "packetsPerSecondPerPanelist": 900},
    "sfu": {"counts": {"room": 2, "10k": 3, "50k": 3, "100k": 4, "250k": 4, "500k": 4, "1M": 4}}},
  "ramp": {"waveSize": 200, "waveInterval": "2m", "safetyPercent": 120, "readyBefore": "12m",
    "settle": {"nodeStartup": "3m", "imagePull": "50s", "podStartup": "6s", "upstream": "9s", "loadBalancer": "80s"}},
  "live": {"floorAfterStart": "10m", "overrun": "90m", "drainTimeout": "5m", "growAtPercent": 70, "shrinkAfter": "9m",
    "shrinkInterval": "4m", "goneAfter": "3m", "joinsPerSecondPerRelay": 12},
  "attendance": {"podMetrics": {"port": 9998, "path": "/figures",
    "viewers": {"sum": [{"metric": "readers", "match": {"name": ["stage"]}}],
                "minus": [{"metric": "own_readers", "match": {"name": ["stage"]}}]},
    "bytesIn": {"sum": [{"metric": "bytes_in", "match": {"name": ["stage"]}}],
                "minus": [{"metric": "own_bytes_in", "match": {"name": ["stage"]}}]},
    "bytesOut": {"sum": [{"metric": "bytes_out", "match": {"name": ["stage"]}}],
                 "minus": [{"metric": "own_bytes_out", "match": {"name": ["stage"]}}]}}},
  "stall": {"floorKbps": 3, "after": "9s", "noSignalAfter": "25s", "standbyAfter": "11s"},
  "services": {
    "ingest": {"type": "LoadBalancer", "loadBalancerClass": "example.com/internal",
      "annotations": {"example.com/who": "ops"},
      "ports": [{"name": "rtmp", "port": 1935, "targetPort": "media", "protocol": "TCP"}]},
    "viewers": {"type": "LoadBalancer", "loadBalancerClass": "example.com/public",
      "annotations": {"example.com/who": "ops"},
      "ports": [{"name": "whep", "port": 8889, "targetPort": 8889, "protocol": "UDP"}]}},
  "disruption": {"podDisruptionBudgets": false, "doNotDisrupt": false, "tolerateNodeFailure": false}
}"#;

/// What stands in for the pods' own figures in a second class.
const PROMETHEUS: &str = r#"{"attendance": {"podMetrics": null, "prometheus": {"url": "http://prometheus:9090",
  "scrapeInterval": "10s", "queries": {"viewers": "sum(readers)", "bytesIn": "sum(in)", "bytesOut": "sum(out)"}}}}"#;

/// The class of the Webinars: 100k at most.
const CLASS_OF_WEBINARS: &str = "
  templates: {sfu: media-sfu, relay: media-relay}
  maxTier: 100k
  ramp: {waveInterval: 1s, safetyPercent: 100, readyBefore: 0s, settle:
    {nodeStartup: 0s, imagePull: 0s, podStartup: 5s, upstream: 0s, loadBalancer: 0s}}
  live: {floorAfterStart: 0s, overrun: 0s, drainTimeout: 5s}
";

/// A template that only a class with `allowCredentials` may use.
const SECRETIVE: &str = "
apiVersion: v1
kind: PodTemplate
metadata: {name: secretive, namespace: webinar-system}
template:
  spec:
    containers:
    - name: media
      image: example.com/media:1
      ports: [{name: media, containerPort: 8554}]
      resources: {requests: {cpu: '15'}}
      volumeMounts: [{name: key, mountPath: /key}]
    volumes: [{name: key, secret: {secretName: key}}]
";

#[test]
fn t05_every_field_of_a_class_is_refused_with_reason_or_obeyed_as_in_a_fresh_one() {
    let setting = Setting {
        nodes: 0,
        ..Setting::default()
    };
    story(setting, async |scene| {
        let sample: Value = serde_json::from_str(CLASS)?;
        let mut other = sample.clone();
        json_patch::merge(&mut other, &serde_json::from_str(PROMETHEUS)?);
        let samples = [sample, other];
        let cases = all_cases("WebinarClass", &fields::of_class(), &samples)?;
        let ruled = together_in_a_class(&samples[0]);

        scene.apply(&format!("{}---{SECRETIVE}", templates())).await?;
        scene.start_operator().await?;
        let classes = Api::all_with(
            scene.control_plane.client(),
            &ApiResource::erase::<WebinarClass>(&()),
        );
        let bench = Bench {
            kind: "WebinarClass",
            edited: classes.clone(),
            fresh: classes,
            prefixes: ["edited", "fresh"],
            at_once: 12,
            truth: truth::of_class,
        };
        judged(&bench, &samples[0], &[&cases[..], &ruled].concat()).await?;
        let together = cases::together(&samples[0], &obeyed(&cases));
        let all: Vec<&Case> = together.iter().chain(obeyed(&ruled)).collect();
        obey(&bench, &samples[0], &all).await
    });
}

#[test]
fn t05_every_field_of_a_webinar_is_refused_with_reason_or_obeyed_as_in_a_fresh_one() {
    let setting = Setting {
        nodes: 6,
        ..Setting::default()
    };
    story(setting, async |scene| {
        let sample = json!({
            "tier": "10k", "maxTier": "50k", "startTime": in_seconds(30 * 24 * 3600).to_string(), "duration": "90m",
            "className": truth::CLASS, "panelists": 20, "readyBefore": "5m", "overrun": "30m", "release": "AfterPeak",
            "override": {"relays": 30, "reason": "all hands", "until": "2150-01-01T00:00:00Z"}, "suspend": false,
        });
        let mut cases = all_cases("Webinar", &fields::of_webinar(), std::slice::from_ref(&sample))?;
        cases.extend(together_in_a_webinar(&sample));

        for name in ["edited", "fresh"] {
            scene.namespace(name).await?;
        }
        for name in [truth::CLASS, truth::DEFAULT_CLASS] {
            scene.apply(&class(name, CLASS_OF_WEBINARS)).await?;
        }
        let default = format!(
            "annotate webinarclass {} webinar-operator.io/is-default-class=true",
            truth::DEFAULT_CLASS
        );
        scene.kubectl(&default).await?;
        scene.start_operator().await?;
        let webinars = |namespace| {
            Api::namespaced_with(
                scene.control_plane.client(),
                namespace,
                &ApiResource::erase::<Webinar>(&()),
            )
        };
        let bench = Bench {
            kind: "Webinar",
            edited: webinars("edited"),
            fresh: webinars("fresh"),
            prefixes: ["edited", "fresh"],
            at_once: 16,
            truth: truth::of_webinar,
        };
        // That one begins at once. There is a story of its own for what is on air.
        judged(&bench, &sample, &cases).await?;
        let mut obeyed = obeyed(&cases);
        obeyed.retain(|c| c.spec.get("startTime").is_some());
        obey(&bench, &sample, &obeyed).await
    });
}

async fn judged(bench: &Bench, sample: &Value, cases: &[Case]) -> Result<()> {
    let refused = bench.refusals(sample, cases).await?;
    let nulls = bench.nulls(sample, cases).await?;
    println!("{refused} mutations were refused; {nulls} nulls were as good as nothing");
    Ok(())
}

fn obeyed(cases: &[Case]) -> Vec<&Case> {
    let accepted = cases.iter().filter(|c| c.refused.is_none());
    accepted.filter(|c| !c.is_null).collect()
}

async fn obey(bench: &Bench, sample: &Value, cases: &[&Case]) -> Result<()> {
    let stopwatch = Stopwatch::start();
    bench.round_trips(sample, cases).await?;
    let took = stopwatch.elapsed().as_secs_f32();
    println!("{} specs were obeyed and taken back in {took:.1} s", cases.len());
    Ok(())
}

/// The cases of all fields. Fails when the definition has others, or other required ones.
fn all_cases(kind: &str, fields: &[Field], samples: &[Value]) -> Result<Vec<Case>> {
    let defined = cases::pointers(&definition(kind)?, samples);
    let covered: BTreeSet<String> = fields.iter().map(|f| f.at.clone()).collect();
    let differ: Vec<&String> = defined.symmetric_difference(&covered).collect();
    ensure!(
        differ.is_empty(),
        "{kind}: these fields are in the definition or have cases, but not both: {differ:?}"
    );
    let mut all = Vec::new();
    for field in fields {
        all.extend(cases::of(field, samples)?);
    }
    println!("{kind}: {} fields, {} mutations", fields.len(), all.len());
    Ok(all)
}

/// The schema of a kind's spec.
fn definition(kind: &str) -> Result<Value> {
    let crds = crds();
    let crd = crds.iter().find(|crd| crd.spec.names.kind == kind);
    let version = serde_json::to_value(&crd.context("no definition")?.spec.versions[0])?;
    let schema = version.pointer("/schema/openAPIV3Schema/properties/spec");
    Ok(schema.context("no schema")?.clone())
}

/// What rules say about several fields.
fn together_in_a_webinar(sample: &Value) -> Vec<Case> {
    let below = Some("`maxTier` must not be below `tier`");
    let cases = [
        ("/maxTier", json!({"tier": "100k", "maxTier": "50k"}), below),
        ("/maxTier", json!({"tier": "10k", "maxTier": "room"}), below),
        ("/maxTier", json!({"tier": "50k", "maxTier": "50k"}), None),
        ("/maxTier", json!({"tier": "100k", "maxTier": null}), None),
        (
            "/startTime",
            json!({"startTime": "2001-01-01T00:00:00Z", "suspend": true}),
            None,
        ),
    ];
    cases
        .map(|(at, change, refused)| together(sample, at, &change, refused))
        .into()
}

fn together_in_a_class(sample: &Value) -> Vec<Case> {
    let cpu = Some("`hardUtilizationPercent` must not be below `maxCPUUtilizationPercent`");
    let egress = Some("`hardUtilizationPercent` must not be below `maxEgressUtilizationPercent`");
    let zones = Some("`zoneNames` must be empty or name exactly as many zones as `zones` says");
    let balancer = Some("`loadBalancerClass` must be left out unless `type` is LoadBalancer");
    let twice = Some("`ports` must not use a name, or a port with its protocol, twice");
    let source = Some("`attendance` must have one of `podMetrics` and `prometheus`");
    let prometheus = json!({"url": "http://prometheus:9090", "queries": {"viewers": "sum(readers)"}});
    let ports = |first: Value, second: Value| json!({"services": {"viewers": {"ports": [first, second]}}});
    let port =
        |name: &str, port: u16, protocol: &str| json!({"name": name, "port": port, "protocol": protocol});
    let cases = [
        (
            "/attendance",
            json!({"attendance": {"prometheus": prometheus}}),
            source,
        ),
        (
            "/maxTier",
            json!({"maxTier": "room", "templates": {"relay": null}}),
            None,
        ),
        (
            "/sizing",
            json!({"sizing": {"hardUtilizationPercent": 69, "maxCPUUtilizationPercent": 70}}),
            cpu,
        ),
        (
            "/sizing",
            json!({"sizing": {"hardUtilizationPercent": 69, "maxEgressUtilizationPercent": 70}}),
            egress,
        ),
        (
            "/sizing",
            json!({"sizing": {"hardUtilizationPercent": 70, "maxEgressUtilizationPercent": 70}}),
            None,
        ),
        ("/topology", json!({"topology": {"zones": 3}}), zones),
        ("/topology", json!({"topology": {"zoneNames": ["zone-a"]}}), zones),
        (
            "/topology/zoneNames",
            json!({"topology": {"zoneNames": ["zone-a", "zone-a"]}}),
            Some("Duplicate value"),
        ),
        (
            "/services/viewers",
            json!({"services": {"viewers": {"type": "NodePort"}}}),
            balancer,
        ),
        (
            "/services/viewers",
            ports(port("a", 80, "TCP"), port("b", 80, "TCP")),
            twice,
        ),
        (
            "/services/viewers",
            ports(port("a", 80, "TCP"), port("a", 81, "TCP")),
            Some("Duplicate value"),
        ),
        (
            "/services/viewers",
            ports(port("a", 80, "TCP"), port("b", 80, "UDP")),
            None,
        ),
    ];
    cases
        .map(|(at, change, refused)| together(sample, at, &change, refused))
        .into()
}

fn together(sample: &Value, at: &str, change: &Value, refused: Option<&str>) -> Case {
    let mut spec = sample.clone();
    json_patch::merge(&mut spec, change);
    Case {
        at: at.to_owned(),
        what: format!("with {change}"),
        spec,
        is_null: false,
        refused: refused.map(|sentence| vec![sentence.to_owned()]),
    }
}
