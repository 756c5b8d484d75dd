//! Objects that are sent whole, bound or deleted.

use http::Method;
use serde_json::{Value, json};
use webinar_simulator::server::Kind;

use super::super::objects::{self, FOREIGN};
use super::super::world::{Step, World};
use super::{PARTIAL, PLAIN, Place, changed, manager, step, uid_of, version_of, which};

pub(super) fn create(world: &mut World, at: &Place) -> Step {
    let mut body = if world.dice.percent(15) {
        objects::wrong(&mut world.dice, at.kind, &at.name)
    } else {
        objects::object(&mut world.dice, at.kind, &at.name)
    };
    match world.dice.below(60) {
        0 => body["metadata"]["namespace"] = "elsewhere".into(),
        1 if PLAIN.contains(&&*at.namespace) => body["kind"] = "Widget".into(),
        2 => body["metadata"]["uid"] = FOREIGN.into(),
        3 => body["metadata"]["generation"] = 7.into(),
        _ => {}
    }
    let mut step = step(at, "create", Method::POST, at.collection(), &body);
    step.query = manager(world);
    if world.dice.percent(10) {
        step.accept = Some(PARTIAL);
    }
    step
}

pub(super) fn create_event(world: &mut World, at: &Place) -> Step {
    let mut body = objects::object(
        &mut world.dice,
        Kind::Event,
        &format!("event-{}", world.tally.calls()),
    );
    body["regarding"] = json!({"kind": "Webinar", "name": "webinar-0", "namespace": at.namespace});
    body["metadata"]["namespace"] = at.namespace.as_str().into();
    step(at, "create", Method::POST, at.collection(), &body)
}

pub(super) fn put(world: &mut World, at: &Place) -> Step {
    let mut body = changed(world, at);
    let (u, v) = (which(world, [50, 5, 5, 40]), which(world, [65, 15, 5, 15]));
    set(&mut body["metadata"], "uid", uid_of(world, at, u));
    set(&mut body["metadata"], "resourceVersion", version_of(world, at, v));
    match world.dice.below(60) {
        0 => body["metadata"]["name"] = "another".into(),
        1 => body["metadata"]["namespace"] = "elsewhere".into(),
        2 => body["metadata"]["finalizers"] = json!(["example.org/more", "example.org/hold"]),
        3 => body["metadata"]["generation"] = 99.into(),
        _ => {}
    }
    let mut step = step(at, "put", Method::PUT, at.path(), &body);
    step.query = manager(world);
    step
}

pub(super) fn put_status(world: &mut World, at: &Place) -> Step {
    let mut body = changed(world, at);
    body["status"] = objects::status(&mut world.dice, at.kind);
    let (u, v) = (which(world, [50, 5, 5, 40]), which(world, [80, 10, 0, 10]));
    set(&mut body["metadata"], "uid", uid_of(world, at, u));
    set(&mut body["metadata"], "resourceVersion", version_of(world, at, v));
    step(
        at,
        "put status",
        Method::PUT,
        format!("{}/status", at.path()),
        &body,
    )
}

fn set(meta: &mut Value, key: &str, value: Option<String>) {
    match value {
        Some(value) => meta[key] = value.into(),
        None => _ = meta.as_object_mut().map(|m| m.remove(key)),
    }
}

pub(super) fn bind(world: &mut World, at: &Place) -> Step {
    let mut body = json!({
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": at.name},
        "target": {"apiVersion": "v1", "kind": "Node", "name": world.dice.one(&["node-0", "node-1"])},
    });
    let u = which(world, [40, 3, 3, 54]);
    if let Some(uid) = uid_of(world, at, u) {
        body["metadata"]["uid"] = uid.into();
    }
    step(at, "bind", Method::POST, format!("{}/binding", at.path()), &body)
}

pub(super) fn delete(world: &mut World, at: &Place) -> Step {
    let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions"});
    let (u, v) = (which(world, [60, 5, 5, 30]), which(world, [30, 10, 2, 58]));
    if let Some(uid) = uid_of(world, at, u) {
        body["preconditions"]["uid"] = uid.into();
    }
    if let Some(version) = version_of(world, at, v) {
        body["preconditions"]["resourceVersion"] = version.into();
    }
    if world.dice.percent(50) {
        body["gracePeriodSeconds"] = world.dice.one(&[0, 120, 240, 900, -1]).into();
    }
    if world.dice.percent(20) {
        body["propagationPolicy"] = world.dice.one(&["Foreground", "Background", "Orphan"]).into();
    }
    let body = if world.dice.percent(15) { Value::Null } else { body };
    step(at, "delete", Method::DELETE, at.path(), &body)
}
