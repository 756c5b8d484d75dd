//! Which calls are made.

mod patch;
mod write;

use anyhow::{Result, ensure};
use http::Method;
use serde_json::{Value, json};
use webinar_simulator::server::Kind;

use super::objects::{self, FOREIGN};
use super::world::{END, Step, World, uid, version};
use patch::{apply, json_patch, json_patch_status, merge_patch, merge_patch_status};
use write::{bind, create, create_event, delete, put, put_status};

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

fn manager(world: &mut World) -> String {
    match world.dice.below(3) {
        0 => "fieldManager=webinar-operator".to_owned(),
        1 => "fieldManager=other".to_owned(),
        _ => String::new(),
    }
}
