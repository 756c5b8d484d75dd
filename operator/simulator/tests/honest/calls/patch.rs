//! Patches of all kinds, and what they change.

use http::Method;
use serde_json::{Value, json};
use webinar_simulator::server::Kind;

use super::super::objects;
use super::super::world::{Step, World};
use super::{APPLY, JSON_PATCH, MERGE_PATCH, Place, manager, step, uid_of, version_of, which};

pub(super) fn merge_patch(world: &mut World, at: &Place) -> Step {
    let mut patch = json!({});
    match world.dice.below(9) {
        0 => patch["metadata"]["labels"] = objects::labels(&mut world.dice),
        1 => patch["metadata"]["labels"]["role"] = Value::Null,
        2 => patch["metadata"]["annotations"] = json!({"example.org/note": null, "example.org/more": "x"}),
        3 => patch["metadata"]["annotations"] = Value::Null,
        4 => {
            patch["metadata"]["finalizers"] =
                world
                    .dice
                    .one(&[Value::Null, json!(["example.org/hold"]), json!([])]);
        }
        5 => patch["status"] = objects::status(&mut world.dice, at.kind),
        6 => patch["metadata"]["annotations"]["example.org/note"] = world.dice.one(&["one", "two"]).into(),
        _ => patch["spec"] = part_of_spec(world, at.kind),
    }
    let (u, v) = (which(world, [25, 3, 3, 69]), which(world, [30, 6, 2, 62]));
    if let Some(uid) = uid_of(world, at, u) {
        patch["metadata"]["uid"] = uid.into();
    }
    if let Some(version) = version_of(world, at, v) {
        patch["metadata"]["resourceVersion"] = version.into();
    }
    let mut step = step(at, "merge patch", Method::PATCH, at.path(), &patch);
    step.content_type = MERGE_PATCH;
    step.query = manager(world);
    step
}

fn part_of_spec(world: &mut World, kind: Kind) -> Value {
    let dice = &mut world.dice;
    match kind {
        Kind::Webinar => dice.one(&[
            json!({"tier": "50k"}),
            json!({"suspend": true}),
            json!({"suspend": null}),
            json!({"tier": "2k"}),
            json!({"maxTier": "room"}),
            json!({"override": null}),
            json!({"colour": "red"}),
        ]),
        Kind::WebinarClass => dice.one(&[
            json!({"maxPods": 7}),
            json!({"sizing": null}),
            json!({"maxPods": 0}),
        ]),
        Kind::Pod => dice.one(&[
            json!({"priority": 5}),
            json!({"terminationGracePeriodSeconds": 5}),
            json!({"nodeName": "node-9"}),
            json!({"tolerations": []}),
        ]),
        Kind::Service => dice.one(&[
            json!({"selector": {"role": "mid"}}),
            json!({"selector": {"slot": null}}),
            json!({"type": "ClusterIP"}),
            json!({"type": "NodePort"}),
            json!({"type": "LoadBalancer"}),
            json!({"ports": [{"name": "media", "port": 7000}]}),
            json!({"type": "Nonsense"}),
        ]),
        Kind::PodDisruptionBudget => dice.one(&[
            json!({"minAvailable": 2, "maxUnavailable": null}),
            json!({"minAvailable": null, "maxUnavailable": 1}),
            json!({"minAvailable": -2}),
        ]),
        Kind::Lease => dice.one(&[json!({"holderIdentity": "c"}), json!({"leaseDurationSeconds": 0})]),
        _ => json!({}),
    }
}

fn tests(world: &mut World, at: &Place) -> Vec<Value> {
    let mut steps = Vec::new();
    let (u, v) = (which(world, [60, 5, 5, 30]), which(world, [60, 12, 3, 25]));
    if let Some(uid) = uid_of(world, at, u) {
        steps.push(json!({"op": "test", "path": "/metadata/uid", "value": uid}));
    }
    if let Some(version) = version_of(world, at, v) {
        steps.push(json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}));
    }
    steps
}

pub(super) fn json_patch(world: &mut World, at: &Place) -> Step {
    let mut steps = tests(world, at);
    let add = |path: &str, value: Value| json!({"op": "add", "path": path, "value": value});
    let remove = |path: &str| json!({"op": "remove", "path": path});
    match world.dice.below(11) {
        0 => steps.push(remove("/metadata/labels/accepting")),
        1 => {
            steps.push(add("/metadata/annotations", json!({})));
            steps.push(add(
                "/metadata/annotations/example.org~1drain",
                "2027-03-04T17:00:00Z".into(),
            ));
        }
        2 => steps.push(add("/metadata/annotations/example.org~1note", "two".into())),
        3 => {
            steps.push(add("/metadata/labels", json!({})));
            steps.push(add("/metadata/labels/accepting", "true".into()));
        }
        4 => steps.push(add(
            "/metadata/labels/slot",
            world.dice.one(&["s-1", "no value!"]).into(),
        )),
        5 => steps.push(remove("/metadata/finalizers")),
        6 => steps.push(json!({"op": "replace", "path": "/metadata/labels/role", "value": "mid"})),
        7 => steps.push(json!({"op": "test", "path": "/metadata/labels/role", "value": "relay"})),
        8 => steps.push(remove("/metadata/labels/slot")),
        9 => {
            let part = part_of_spec(world, at.kind);
            // A null in a map of texts is a text to the real server.
            let fields = part.as_object().into_iter().flatten();
            for (key, value) in fields.filter(|(_, v)| !v.to_string().contains("null")) {
                steps.push(add(&format!("/spec/{key}"), value.clone()));
            }
        }
        _ => steps.push(add("/status", objects::status(&mut world.dice, at.kind))),
    }
    let mut step = step(at, "json patch", Method::PATCH, at.path(), &steps.into());
    step.content_type = JSON_PATCH;
    step.query = manager(world);
    step
}

pub(super) fn json_patch_status(world: &mut World, at: &Place) -> Step {
    let mut steps = tests(world, at);
    steps.push(json!({"op": "add", "path": "/status", "value": objects::status(&mut world.dice, at.kind)}));
    if world.dice.percent(10) {
        steps.push(
            json!({"op": "add", "path": "/metadata/annotations", "value": {"example.org/by": "status"}}),
        );
    }
    if world.dice.percent(10) {
        steps.push(json!({"op": "add", "path": "/spec", "value": objects::spec(&mut world.dice, at.kind)}));
    }
    let path = format!("{}/status", at.path());
    let mut step = step(at, "json patch status", Method::PATCH, path, &steps.into());
    step.content_type = JSON_PATCH;
    step.query = manager(world);
    step
}

pub(super) fn merge_patch_status(world: &mut World, at: &Place) -> Step {
    let mut patch = json!({"status": objects::status(&mut world.dice, at.kind)});
    match world.dice.below(10) {
        0 => patch["metadata"]["labels"] = json!({"slot": "by-status"}),
        1 => patch["spec"] = part_of_spec(world, at.kind),
        2 if at.kind.custom() => patch["status"] = Value::Null,
        3 if at.kind.custom() => patch["status"] = json!({"phase": "Nonsense", "observedGeneration": -7}),
        _ => {}
    }
    let (u, v) = (which(world, [15, 3, 3, 79]), which(world, [20, 6, 2, 72]));
    if let Some(uid) = uid_of(world, at, u) {
        patch["metadata"]["uid"] = uid.into();
    }
    if let Some(version) = version_of(world, at, v) {
        patch["metadata"]["resourceVersion"] = version.into();
    }
    let path = format!("{}/status", at.path());
    let mut step = step(at, "merge patch status", Method::PATCH, path, &patch);
    step.content_type = MERGE_PATCH;
    step
}

pub(super) fn apply(world: &mut World, at: &Place) -> Step {
    let mut body = if world.dice.percent(8) {
        objects::wrong(&mut world.dice, at.kind, &at.name)
    } else {
        objects::object(&mut world.dice, at.kind, &at.name)
    };
    body["metadata"]["name"] = at.name.as_str().into();
    if let Some(meta) = body["metadata"].as_object_mut() {
        meta.remove("finalizers");
    }
    let (u, v) = (which(world, [30, 4, 4, 62]), which(world, [25, 8, 2, 65]));
    if let Some(uid) = uid_of(world, at, u) {
        body["metadata"]["uid"] = uid.into();
    }
    if let Some(version) = version_of(world, at, v) {
        body["metadata"]["resourceVersion"] = version.into();
    }
    let mut step = step(at, "apply", Method::PATCH, at.path(), &body);
    step.content_type = APPLY;
    let manager = world.dice.weighed(&[(5, "webinar-operator"), (1, "other")]);
    step.query = format!("force=true&fieldManager={manager}");
    step
}
