//! Which calls are made.

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};
use webinar_simulator::server::Kind;

use super::objects::{self, FOREIGN};
use super::world::{END, Step, World, uid, version};

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE_PATCH: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const PARTIAL: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const PARTIAL_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

const PLAIN: [&str; 2] = ["honest-a", "honest-a-b"];
const LIMITED: &str = "honest-limited";
const GOING: &str = "honest-going";
const NOWHERE: &str = "honest-nowhere";

const NAMESPACED: [(usize, Kind); 9] = [
    (40, Kind::Pod),
    (16, Kind::Service),
    (14, Kind::PodDisruptionBudget),
    (8, Kind::ControllerRevision),
    (5, Kind::Lease),
    (18, Kind::Webinar),
    (3, Kind::PodTemplate),
    (4, Kind::EndpointSlice),
    (2, Kind::Event),
];

/// An object of these tests by its name.
#[derive(Debug, Clone)]
struct Place {
    kind: Kind,
    namespace: String,
    name: String,
}

impl Place {
    fn collection(&self) -> String {
        self.kind.path(&self.namespace)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.name)
    }
}

/// Which object or version a call means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Right,
    Stale,
    Foreign,
    Absent,
}

fn step(place: &Place, verb: &'static str, method: Method, path: String, body: &Value) -> Step {
    Step {
        kind: place.kind,
        verb,
        method,
        path,
        query: String::new(),
        accept: None,
        content_type: JSON,
        body: if body.is_null() {
            String::new()
        } else {
            body.to_string()
        },
    }
}

/// Makes `calls` calls, random ones between a beginning and an end.
pub(crate) async fn play(world: &mut World, calls: usize) -> Result<()> {
    for namespace in PLAIN.into_iter().chain([LIMITED, GOING]) {
        make_namespace(world, namespace).await?;
    }
    let quota = place(Kind::ResourceQuota, LIMITED, "quota");
    let body = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "quota"}, "spec": {"hard": {"pods": "4"}}});
    world
        .ask(&step(&quota, "create", Method::POST, quota.collection(), &body))
        .await?;
    let mut round = 0;
    limit(world, &mut round).await?;
    while world.tally.calls() < calls {
        if world.dice.percent(1) {
            match world.dice.below(3) {
                0 => namespace_comes_and_goes(world).await?,
                _ => limit(world, &mut round).await?,
            }
            continue;
        }
        let step = any(world);
        world.ask(&step).await?;
    }
    for kind in Kind::ALL {
        if kind == Kind::Event {
            continue;
        }
        let namespace = if kind.namespaced() { PLAIN[0] } else { "" };
        let place = place(kind, namespace, END);
        let mut body = objects::object(&mut world.dice, kind, END);
        body["metadata"] = json!({"name": END, "labels": {"role": "relay", "slot": "end"}});
        let answer = world
            .ask(&step(&place, "create", Method::POST, place.collection(), &body))
            .await?;
        ensure!(answer.code == 201, "{answer:?}");
        // For those that watch what is no relay.
        let body = json!([{"op": "remove", "path": "/metadata/labels/role"}]);
        let mut step = step(&place, "json patch", Method::PATCH, place.path(), &body);
        step.content_type = JSON_PATCH;
        world.ask(&step).await?;
    }
    Ok(())
}

fn place(kind: Kind, namespace: &str, name: &str) -> Place {
    Place {
        kind,
        namespace: namespace.to_owned(),
        name: name.to_owned(),
    }
}

async fn make_namespace(world: &mut World, name: &str) -> Result<()> {
    let at = place(Kind::Namespace, "", name);
    let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
    let answer = world
        .ask(&step(&at, "create", Method::POST, at.collection(), &body))
        .await?;
    ensure!(answer.code == 201, "{answer:?}");
    world.real.settled(name, "\"kind\":\"ConfigMap\"").await
}

/// The quota controller's part: what may be and what is, written into the status.
async fn limit(world: &mut World, round: &mut usize) -> Result<()> {
    *round += 1;
    let used = world.server.all(Kind::Pod);
    let used = used.filter(|p| p["metadata"]["namespace"] == LIMITED).count();
    // What stands here says which round admission has heard of.
    let marker = round.to_string();
    let mut hard = json!({"pods": world.dice.one(&[2, 4, 5]).to_string(), "count/configmaps": marker});
    let mut is = json!({"pods": used.to_string(), "count/configmaps": marker});
    if world.dice.percent(50) {
        hard["count/services"] = "2".into();
        is["count/services"] = "0".into();
    }
    if world.dice.percent(50) {
        hard["count/webinars.webinar-operator.io"] = "3".into();
        is["count/webinars.webinar-operator.io"] = "1".into();
    }
    let quota = place(Kind::ResourceQuota, LIMITED, "quota");
    let mut step = step(
        &quota,
        "json patch status",
        Method::PATCH,
        format!("{}/status", quota.path()),
        &json!([{"op": "add", "path": "/status", "value": {"hard": hard, "used": is}}]),
    );
    step.content_type = JSON_PATCH;
    world.ask(&step).await?;
    world
        .real
        .settled(LIMITED, &format!("limited: count/configmaps={marker}"))
        .await
}

/// A namespace is deleted, refuses what is new, goes, and is made anew.
async fn namespace_comes_and_goes(world: &mut World) -> Result<()> {
    let at = place(Kind::Namespace, "", GOING);
    let delete = step(&at, "delete", Method::DELETE, at.path(), &Value::Null);
    let status = world.ask(&delete).await?.body["status"]["phase"].clone();
    ensure!(status == "Terminating", "{status}");
    for _ in 0..12 {
        let kind = world.dice.weighed(&NAMESPACED);
        let name = objects::name(&mut world.dice, kind);
        let step = at_place(world, &place(kind, GOING, &name));
        world.ask(&step).await?;
    }
    world.ask(&delete).await?;
    world.real.finalize(GOING).await?;
    world.server.remove(Kind::Namespace, "", GOING);
    for _ in 0..12 {
        let kind = world.dice.weighed(&NAMESPACED);
        let name = objects::name(&mut world.dice, kind);
        let step = at_place(world, &place(kind, GOING, &name));
        world.ask(&step).await?;
    }
    make_namespace(world, GOING).await
}

/// Any call.
fn any(world: &mut World) -> Step {
    let place = match world.dice.below(100) {
        0..=5 => {
            let name = objects::name(&mut world.dice, Kind::WebinarClass);
            place(Kind::WebinarClass, "", &name)
        }
        6 => {
            let name = world.dice.one(&[PLAIN[0], NOWHERE]);
            let at = place(Kind::Namespace, "", name);
            let step = match world.dice.below(3) {
                0 => get(world, &at),
                1 => list(world, &at),
                _ => {
                    let body =
                        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLAIN[0]}});
                    step(&at, "create", Method::POST, at.collection(), &body)
                }
            };
            return step;
        }
        7 => {
            let at = place(Kind::ResourceQuota, LIMITED, "quota");
            return get(world, &at);
        }
        _ => {
            let kind = world.dice.weighed(&NAMESPACED);
            let namespace = world.dice.weighed(&[
                (30, PLAIN[0]),
                (12, PLAIN[1]),
                (15, LIMITED),
                (6, GOING),
                // The real server waits a moment for it each time.
                (1, NOWHERE),
            ]);
            let name = objects::name(&mut world.dice, kind);
            place(kind, namespace, &name)
        }
    };
    at_place(world, &place)
}

type Make = fn(&mut World, &Place) -> Step;

/// Any call about this object.
fn at_place(world: &mut World, place: &Place) -> Step {
    if place.kind == Kind::Event {
        return create_event(world, place);
    }
    let there = world
        .server
        .get(place.kind, &place.namespace, &place.name)
        .is_some();
    let status = place.kind.has_status();
    let applied = place.kind.is_applied();
    let make: Make = world.dice.weighed(&[
        (if there { 4 } else { 40 }, create as Make),
        (8, get),
        (4, list),
        (8, put),
        (12, merge_patch),
        (12, json_patch),
        (if applied { 25 } else { 0 }, apply),
        (if status { 8 } else { 0 }, json_patch_status),
        (if status { 8 } else { 0 }, merge_patch_status),
        // The real server makes a Service of a status, without an address.
        (
            if status && (there || place.kind != Kind::Service) {
                3
            } else {
                0
            },
            put_status,
        ),
        (if place.kind == Kind::Pod { 10 } else { 0 }, bind),
        (9, delete),
    ]);
    make(world, place)
}

fn which(world: &mut World, weights: [usize; 4]) -> Which {
    let all = [Which::Right, Which::Stale, Which::Foreign, Which::Absent];
    let weighed: Vec<(usize, Which)> = weights.into_iter().zip(all).collect();
    world.dice.weighed(&weighed)
}

fn uid_of(world: &mut World, at: &Place, which: Which) -> Option<String> {
    let past = world.past(at.kind, &at.namespace, &at.name);
    let last = past.last()?.0.clone();
    match which {
        Which::Right => Some(uid(&last)),
        Which::Stale => Some(
            past.iter()
                .rev()
                .find(|(u, _)| *u != last)
                .map_or_else(|| FOREIGN.to_owned(), |(u, _)| uid(u)),
        ),
        Which::Foreign => Some(FOREIGN.to_owned()),
        Which::Absent => None,
    }
}

fn version_of(world: &mut World, at: &Place, which: Which) -> Option<String> {
    let past = world.past(at.kind, &at.namespace, &at.name);
    match which {
        Which::Right => past.last().map(|(_, v)| version(v)),
        Which::Stale => past.iter().rev().nth(1).map(|(_, v)| version(v)),
        // The first version of all, which is no object's.
        Which::Foreign => Some("1".to_owned()),
        Which::Absent => None,
    }
}

fn create(world: &mut World, at: &Place) -> Step {
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

fn create_event(world: &mut World, at: &Place) -> Step {
    let mut body = objects::object(
        &mut world.dice,
        Kind::Event,
        &format!("event-{}", world.tally.calls()),
    );
    body["regarding"] = json!({"kind": "Webinar", "name": "webinar-0", "namespace": at.namespace});
    body["metadata"]["namespace"] = at.namespace.as_str().into();
    step(at, "create", Method::POST, at.collection(), &body)
}

fn manager(world: &mut World) -> String {
    match world.dice.below(3) {
        0 => "fieldManager=webinar-operator".to_owned(),
        1 => "fieldManager=other".to_owned(),
        _ => String::new(),
    }
}

fn get(world: &mut World, at: &Place) -> Step {
    let mut step = step(at, "get", Method::GET, at.path(), &Value::Null);
    if world.dice.percent(30) {
        step.accept = Some(PARTIAL);
    }
    step
}

fn list(world: &mut World, at: &Place) -> Step {
    let everywhere = world.dice.percent(30);
    let path = if everywhere {
        at.kind.path("")
    } else {
        at.collection()
    };
    let mut step = step(at, "list", Method::GET, path, &Value::Null);
    let labels = world.dice.one(&[
        "",
        "role=relay",
        "role==sfu",
        "role!=relay",
        "role",
        "!role",
        "role in (relay,mid),slot",
        "slot notin (s-0, s-1)",
        "slot in (s-0),!accepting",
        "example.org/long-key=",
    ]);
    let by_phase: &[&str] = &[
        "status.phase!=Failed,status.phase!=Succeeded",
        "status.phase=Running",
        "spec.nodeName=",
        "spec.nodeName!=",
        "metadata.name=pod-1",
        "status.nonsense=x",
    ];
    let by_name = format!("metadata.name={}", at.name);
    let mut query = form_urlencoded::Serializer::new(String::new());
    if !labels.is_empty() && world.dice.percent(80) {
        query.append_pair("labelSelector", labels);
    }
    if world.dice.percent(30) {
        let fields = if at.kind == Kind::Pod {
            world.dice.one(by_phase).to_owned()
        } else {
            by_name
        };
        query.append_pair("fieldSelector", &fields);
    }
    step.query = query.finish();
    if world.dice.percent(30) {
        step.accept = Some(PARTIAL_LIST);
    }
    step
}

/// The object as it is, or a new one, somehow changed.
fn changed(world: &mut World, at: &Place) -> Value {
    let there = world.server.get(at.kind, &at.namespace, &at.name);
    let mut body = match there.map(|o| Value::clone(o)) {
        Some(object) => object,
        None => objects::object(&mut world.dice, at.kind, &at.name),
    };
    // Drawn at random by each server.
    if let Some(spec) = body["spec"].as_object_mut().filter(|_| at.kind == Kind::Service) {
        spec.retain(|key, _| !matches!(key.as_str(), "clusterIP" | "clusterIPs"));
        for port in spec
            .get_mut("ports")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            _ = port.as_object_mut().map(|p| p.remove("nodePort"));
        }
    }
    match world.dice.below(8) {
        0 => body["metadata"]["labels"] = objects::labels(&mut world.dice),
        1 => body["metadata"]["annotations"] = json!({"example.org/note": "put"}),
        2 => _ = body["metadata"].as_object_mut().map(|m| m.remove("finalizers")),
        3 if at.kind.has_status() => body["status"] = objects::status(&mut world.dice, at.kind),
        4..=6 => {
            let fresh = if world.dice.percent(15) {
                objects::wrong(&mut world.dice, at.kind, &at.name)
            } else {
                objects::object(&mut world.dice, at.kind, &at.name)
            };
            for key in ["spec", "data", "revision", "template", "endpoints"] {
                if let Some(value) = fresh.get(key) {
                    body[key] = value.clone();
                }
            }
        }
        _ => {}
    }
    body
}

fn put(world: &mut World, at: &Place) -> Step {
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

fn put_status(world: &mut World, at: &Place) -> Step {
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

fn merge_patch(world: &mut World, at: &Place) -> Step {
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

fn json_patch(world: &mut World, at: &Place) -> Step {
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

fn json_patch_status(world: &mut World, at: &Place) -> Step {
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

fn merge_patch_status(world: &mut World, at: &Place) -> Step {
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

fn apply(world: &mut World, at: &Place) -> Step {
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

fn bind(world: &mut World, at: &Place) -> Step {
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

fn delete(world: &mut World, at: &Place) -> Step {
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
