//! Bodies: objects as the operator and its neighbours write them, and some that are wrong.

use serde_json::{Value, json};
use webinar_simulator::server::Kind;

use super::dice::Dice;

/// Names in a namespace. Few, so that they are taken, gone and taken again.
pub(crate) fn name(dice: &mut Dice, kind: Kind) -> String {
    let most = match kind {
        Kind::Pod => 6,
        Kind::Webinar => 4,
        Kind::Lease | Kind::WebinarClass | Kind::PodTemplate | Kind::EndpointSlice => 2,
        _ => 3,
    };
    let number = dice.below(most);
    match kind {
        Kind::WebinarClass => format!("honest-class-{number}"),
        _ => format!("{}-{number}", kind.name().to_lowercase()),
    }
}

/// Labels that selectors ask for.
pub(crate) fn labels(dice: &mut Dice) -> Value {
    let mut labels = json!({});
    for (key, values) in [
        ("role", &["relay", "sfu", "mid"][..]),
        ("slot", &["s-0", "s-1", "s-2"]),
        ("accepting", &["true"]),
        ("example.org/long-key", &[""]),
    ] {
        if dice.percent(60) {
            labels[key] = dice.one(values).into();
        }
    }
    labels
}

fn metadata(dice: &mut Dice, name: &str) -> Value {
    let mut meta = json!({"name": name});
    if dice.percent(85) {
        meta["labels"] = labels(dice);
    }
    if dice.percent(40) {
        meta["annotations"] = json!({"example.org/note": dice.one(&["one", "two", ""])});
    }
    if dice.percent(30) {
        meta["ownerReferences"] = json!([owner()]);
    }
    if dice.percent(12) {
        meta["finalizers"] = json!(["example.org/hold"]);
    }
    meta
}

/// An owner that nobody has seen.
fn owner() -> Value {
    json!({
        "apiVersion": "webinar-operator.io/v1alpha1",
        "kind": "Webinar",
        "name": "webinar-0",
        "uid": FOREIGN,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The UID of no object.
pub(crate) const FOREIGN: &str = "11111111-2222-4333-8444-555555555555";

/// An object that is right in itself.
pub(crate) fn object(dice: &mut Dice, kind: Kind, name: &str) -> Value {
    let mut out = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.name(),
        "metadata": metadata(dice, name),
    });
    match kind {
        Kind::ControllerRevision => {
            out["revision"] = dice.one(&[1, 2, 7]).into();
            out["data"] = json!({"class": {"empty": {}, "none": null, "list": []}, "n": dice.below(3)});
        }
        Kind::PodTemplate => {
            out["template"] = json!({"metadata": {"labels": labels(dice)}, "spec": pod_spec(dice)});
        }
        Kind::EndpointSlice => {
            out["addressType"] = "IPv4".into();
            out["endpoints"] = json!([
                {"addresses": [format!("10.64.0.{}", 1 + dice.below(9))], "conditions": {"ready": dice.percent(50)}},
            ]);
            out["ports"] = json!([{"name": "media", "port": 8080, "protocol": "TCP"}, {"port": 9090}]);
        }
        Kind::Event => {
            out["eventTime"] = "2027-03-04T17:00:00.123456Z".into();
            out["reportingController"] = "example.org/honest".into();
            out["reportingInstance"] = "honest-1".into();
            out["action"] = "Plan".into();
            out["reason"] = "Tested".into();
            out["type"] = "Normal".into();
            out["note"] = "A note.".into();
        }
        _ => out["spec"] = spec(dice, kind),
    }
    if dice.percent(10) && kind.has_status() {
        out["status"] = status(dice, kind);
    }
    out
}

/// A spec that is right.
pub(crate) fn spec(dice: &mut Dice, kind: Kind) -> Value {
    match kind {
        Kind::Webinar => webinar(dice),
        Kind::WebinarClass => class(dice),
        Kind::Pod => pod_spec(dice),
        Kind::Service => service(dice),
        Kind::PodDisruptionBudget => budget(dice),
        Kind::Lease => json!({
            "holderIdentity": dice.one(&["a", "b", ""]),
            "leaseDurationSeconds": dice.one(&[1, 15]),
            "acquireTime": "2027-03-04T17:00:00.000000Z",
            "renewTime": dice.one(&["2027-03-04T17:00:01.500000Z", "2027-03-04T17:00:03.250000Z"]),
            "leaseTransitions": dice.below(3),
        }),
        _ => json!({}),
    }
}

fn webinar(dice: &mut Dice) -> Value {
    let mut spec = json!({"tier": dice.one(&["room", "10k", "50k"])});
    if dice.percent(50) {
        spec["startTime"] = dice
            .one(&["2027-03-04T17:00:00Z", "2027-03-05T18:00:00+01:00"])
            .into();
    }
    if dice.percent(40) {
        spec["duration"] = dice.one(&["90m", "2h"]).into();
    }
    if dice.percent(30) {
        spec["maxTier"] = "100k".into();
    }
    if dice.percent(20) {
        spec["suspend"] = dice.percent(50).into();
    }
    if dice.percent(20) {
        spec["className"] = "honest-class-0".into();
    }
    if dice.percent(15) {
        spec["override"] = json!({"relays": 1 + dice.below(5), "until": "2027-03-04T18:00:00Z", "reason": "a test", "more": 1});
    }
    if dice.percent(15) {
        // Dropped by the definition.
        spec["colour"] = "blue".into();
    }
    if dice.percent(15) {
        spec["panelists"] = Value::Null;
    }
    spec
}

fn class(dice: &mut Dice) -> Value {
    let mut spec = json!({"templates": {"sfu": "sfu", "relay": "relay"}});
    if dice.percent(40) {
        spec["maxPods"] = dice.one(&[100, 1000]).into();
    }
    if dice.percent(40) {
        spec["sizing"] = json!({"fanOut": dice.one(&[10, 50]), "spares": {"percent": 3}});
    }
    if dice.percent(30) {
        spec["ramp"] = json!({"settle": {"imagePull": "2m"}});
    }
    if dice.percent(30) {
        spec["services"] =
            json!({"viewers": {"type": "LoadBalancer", "ports": [{"name": "media", "port": 443}]}});
    }
    spec
}

fn pod_spec(dice: &mut Dice) -> Value {
    let mut container = json!({
        "name": "media",
        "image": dice.one(&["example.org/media", "example.org/media:1.2", "example.org:5000/media:latest"]),
    });
    if dice.percent(70) {
        container["env"] = json!([
            {"name": "WEBINAR_NAME", "value": "webinar-0"},
            {"name": "WEBINAR_UPSTREAM", "value": ""},
            {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        ]);
    }
    if dice.percent(60) {
        container["ports"] = json!([
            {"name": "media", "containerPort": 8080},
            {"containerPort": 9000, "protocol": "UDP"},
        ]);
    }
    if dice.percent(50) {
        container["readinessProbe"] = dice.one(&[
            json!({"tcpSocket": {"port": "media"}, "periodSeconds": 2}),
            json!({"httpGet": {"port": 8080}}),
        ]);
    }
    if dice.percent(60) {
        container["resources"] = dice.one(&[
            json!({"requests": {"cpu": "15", "memory": "8Gi"}, "limits": {"memory": "8Gi"}}),
            json!({"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}}),
            json!({"limits": {"cpu": "2", "memory": "1Gi"}}),
        ]);
    }
    if dice.percent(40) {
        container["securityContext"] =
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
    }
    if dice.percent(30) {
        container["lifecycle"] = json!({"preStop": {"httpGet": {"port": 8080}}});
    }
    let mut spec = json!({"containers": [container], "automountServiceAccountToken": false});
    if dice.percent(40) {
        spec["tolerations"] = json!([
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
        ]);
    }
    if dice.percent(40) {
        spec["topologySpreadConstraints"] = json!([{
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {"role": "relay"}},
        }]);
    }
    if dice.percent(20) {
        spec["affinity"] = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
            "weight": 100,
            "preference": {"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]},
            ]},
        }]}});
    }
    if dice.percent(50) {
        spec["terminationGracePeriodSeconds"] = dice.one(&[300, 600, 0]).into();
    }
    if dice.percent(30) {
        spec["securityContext"] =
            json!({"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}});
    }
    if dice.percent(20) {
        spec["volumes"] = json!([{"name": "scratch"}, {"name": "keys", "secret": {"secretName": "keys"}}]);
    }
    spec
}

fn service(dice: &mut Dice) -> Value {
    let mut ports = vec![json!({"name": "media", "port": 8080, "targetPort": "media"})];
    if dice.percent(50) {
        ports.push(json!({"name": "udp", "port": dice.one(&[8080, 9000]), "protocol": "UDP"}));
    }
    if dice.percent(30) {
        ports[0]["targetPort"] = 8000.into();
    }
    let mut spec = json!({"ports": ports, "selector": {"role": dice.one(&["relay", "sfu"])}});
    if dice.percent(40) {
        spec["selector"]["slot"] = "s-0".into();
    }
    match dice.below(6) {
        0 => spec["type"] = "NodePort".into(),
        1 => spec["type"] = "LoadBalancer".into(),
        2 => {
            spec["type"] = "LoadBalancer".into();
            spec["loadBalancerClass"] = "example.org/balancer".into();
        }
        3 => spec["type"] = "ClusterIP".into(),
        _ => {}
    }
    if dice.percent(20) {
        spec["publishNotReadyAddresses"] = true.into();
    }
    spec
}

fn budget(dice: &mut Dice) -> Value {
    let mut spec = json!({"selector": {"matchLabels": {"role": dice.one(&["relay", "sfu"])}}});
    match dice.below(4) {
        0 => spec["maxUnavailable"] = dice.one(&[json!(1), json!("10%")]),
        _ => spec["minAvailable"] = dice.below(4).into(),
    }
    if dice.percent(60) {
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow".into();
    }
    spec
}

/// A status that is right.
pub(crate) fn status(dice: &mut Dice, kind: Kind) -> Value {
    let condition = |dice: &mut Dice, type_: &str| {
        json!({
            "type": type_,
            "status": dice.one(&["True", "False"]),
            "reason": dice.one(&["Ramping", "Armed"]),
            "message": "0 of 17 pods are Ready.",
            "lastTransitionTime": "2027-03-04T17:00:00Z",
        })
    };
    match kind {
        Kind::Webinar => json!({
            "observedGeneration": 1 + dice.below(3),
            "phase": dice.one(&["Ramping", "Live"]),
            "conditions": [condition(dice, "Ready")],
            "pools": [{"role": "relay", "desired": dice.below(9)}],
        }),
        Kind::WebinarClass => json!({
            "observedGeneration": 1,
            "conditions": [condition(dice, "Accepted")],
        }),
        Kind::Pod => {
            let phase = dice.one(&["Running", "Running", "Running", "Succeeded", "Failed"]);
            json!({
                "phase": phase,
                "podIP": "10.64.0.7",
                "podIPs": [{"ip": "10.64.0.7"}],
                "conditions": [
                    {"type": "Ready", "status": dice.one(&["True", "False"]), "lastTransitionTime": "2027-03-04T17:00:00Z"},
                ],
            })
        }
        Kind::Service => json!({"loadBalancer": {}}),
        Kind::PodDisruptionBudget => json!({
            "observedGeneration": 1,
            "disruptionsAllowed": dice.below(3),
            "currentHealthy": 3,
            "desiredHealthy": 2,
            "expectedPods": 3,
        }),
        _ => json!({}),
    }
}

/// An object that is refused, if the kind has any of its own.
pub(crate) fn wrong(dice: &mut Dice, kind: Kind, name: &str) -> Value {
    let mut out = object(dice, kind, name);
    let own = match kind {
        Kind::Pod => dice.below(5),
        Kind::Service => dice.below(4),
        Kind::PodDisruptionBudget => dice.below(3),
        Kind::Webinar => dice.below(10),
        Kind::WebinarClass => dice.below(3),
        Kind::ControllerRevision | Kind::Lease => dice.below(2),
        _ => 9,
    };
    let spoil: (&str, Value) = match (kind, own) {
        (Kind::Pod, 0) => ("/spec/containers", json!([])),
        (Kind::Pod, 1) => ("/spec/containers/0/image", json!("")),
        (Kind::Pod, 2) => ("/spec/containers/0/name", json!("Not A Label")),
        (Kind::Pod, 3) => (
            "/spec/containers",
            json!([{"name": "a", "image": "i:1"}, {"name": "a", "image": "i:1"}]),
        ),
        (Kind::Service, 0) => ("/spec/ports", json!([])),
        (Kind::Service, 1) => ("/spec/ports/0/port", json!(0)),
        (Kind::Service, 2) => ("/spec/ports", json!([{"port": 1}, {"port": 2}])),
        (Kind::PodDisruptionBudget, 0) => (
            "/spec",
            json!({"minAvailable": 1, "maxUnavailable": 1, "selector": {}}),
        ),
        (Kind::PodDisruptionBudget, 1) => ("/spec", json!({"minAvailable": -1})),
        (Kind::Webinar, 0) => ("/spec/tier", json!("1m")),
        (Kind::Webinar, 1) => ("/spec", json!({"tier": "100k", "maxTier": "10k"})),
        (Kind::Webinar, 2) => ("/spec", json!({"tier": "10k", "duration": "5s"})),
        (Kind::Webinar, 3) => ("/spec", json!({"tier": "10k", "panelists": 0})),
        (Kind::Webinar, 4) => ("/spec", json!({})),
        (Kind::Webinar, 5) => ("/spec", json!({"tier": "10k", "startTime": "soon"})),
        (Kind::Webinar, 6) => ("/spec", json!({"tier": "10k", "suspend": "yes"})),
        (Kind::Webinar, 7) => ("/metadata/name", json!("1-begins-with-a-digit")),
        (Kind::Webinar, 8) => ("/metadata/name", json!("a".repeat(41))),
        (Kind::WebinarClass, 0) => (
            "/spec",
            json!({"templates": {"sfu": "s"}, "sizing": {"fanOut": -1}}),
        ),
        (Kind::WebinarClass, 1) => (
            "/spec",
            json!({"templates": {"sfu": "s", "relay": "r"}, "maxTier": "2M"}),
        ),
        (Kind::ControllerRevision, 0) => ("/data", Value::Null),
        (Kind::ControllerRevision, 1) => ("/revision", json!(-1)),
        (Kind::Lease, 0) => ("/spec/leaseDurationSeconds", json!(0)),
        (Kind::Lease, 1) => ("/spec/leaseTransitions", json!(-1)),
        _ => {
            let meta = &mut out["metadata"];
            match dice.below(6) {
                0 => meta["name"] = "Not_A_Name".into(),
                1 => meta["labels"] = json!({"role": "no value!"}),
                2 => meta["labels"] = json!({"no key!": ""}),
                3 => {
                    meta["ownerReferences"] =
                        json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]);
                }
                // The real server fails to give a Service without a name an address, and says so.
                4 if kind != Kind::Service => _ = meta.as_object_mut().map(|m| m.remove("name")),
                _ => meta["finalizers"] = json!(["not a finalizer"]),
            }
            return out;
        }
    };
    if let Some(place) = out.pointer_mut(spoil.0) {
        *place = spoil.1;
    }
    out
}
