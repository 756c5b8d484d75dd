//! Objects that an earlier operator left behind: recorded, and put back.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, PodTemplate, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use webinar_api::{Webinar, WebinarClass, labels};

use crate::support::manifests::OPERATOR_NAMESPACE;
use crate::support::scene::{Scene, now};

/// An object with its kind.
#[derive(Debug, Clone)]
pub(crate) struct Object(pub(crate) Value);

impl Object {
    fn meta(&self, field: &str) -> &str {
        self.0["metadata"][field].as_str().unwrap_or_default()
    }

    pub(crate) fn label(&self, key: &str) -> Option<&str> {
        self.0["metadata"]["labels"][key].as_str()
    }

    /// Kind, and slot or the name without its Webinar's: the same for two Webinars of one shape.
    pub(crate) fn place(&self) -> (String, String) {
        let kind = self.0["kind"].as_str().unwrap_or_default().to_owned();
        let webinar = self.label(labels::WEBINAR).unwrap_or_default();
        let name = self.meta("name");
        let slot = self.label(labels::SLOT).filter(|_| kind == "Pod");
        let rest = slot.unwrap_or_else(|| name.strip_prefix(webinar).unwrap_or(name));
        (kind, rest.to_owned())
    }

    /// Where etcd has it.
    pub(crate) fn key(&self) -> Result<String> {
        let plural = match self.0["kind"].as_str().unwrap_or_default() {
            "Webinar" => "webinar-operator.io/webinars",
            "WebinarClass" => "webinar-operator.io/webinarclasses",
            "PodTemplate" => "podtemplates",
            "ControllerRevision" => "controllerrevisions",
            "Service" => "services/specs",
            "PodDisruptionBudget" => "poddisruptionbudgets",
            "Pod" => "pods",
            other => anyhow::bail!("no key for a {other:?}"),
        };
        let place = [plural, self.meta("namespace"), self.meta("name")];
        Ok(place
            .into_iter()
            .filter(|p| !p.is_empty())
            .collect::<Vec<_>>()
            .join("/"))
    }
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/recorded/previous.json")
}

/// The recorded objects in an order in which owners come first, with their times moved as if they had been recorded now.
pub(crate) fn objects(now: Timestamp) -> Result<Vec<Object>> {
    let path = file();
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut recording: Value = serde_json::from_str(&text)?;
    let then: Timestamp = recording["time"].as_str().context("no time")?.parse()?;
    // Whole seconds, which is what most of them are.
    let passed = now.as_second() - then.as_second();
    let objects = recording["objects"].as_array_mut().context("no objects")?;
    for object in objects.iter_mut() {
        moved(object, passed);
    }
    Ok(std::mem::take(objects).into_iter().map(Object).collect())
}

fn moved(value: &mut Value, seconds: i64) {
    match value {
        Value::String(text) => *text = later(text, seconds),
        Value::Array(all) => all.iter_mut().for_each(|v| moved(v, seconds)),
        Value::Object(all) => all.values_mut().for_each(|v| moved(v, seconds)),
        _ => {}
    }
}

/// The text with every RFC 3339 time in UTC moved.
fn later(text: &str, seconds: i64) -> String {
    let mut out = String::new();
    for part in text.split_inclusive('Z') {
        let of_a_time = |c: char| c.is_ascii_digit() || "-:.TZ".contains(c);
        let begin = part
            .rfind(|c| !of_a_time(c))
            .map_or(0, |at| at + part[at..].chars().next().map_or(1, char::len_utf8));
        out.push_str(&part[..begin]);
        let moved = part[begin..]
            .parse::<Timestamp>()
            .ok()
            .and_then(|t| t.checked_add(jiff::SignedDuration::from_secs(seconds)).ok());
        match moved {
            Some(time) => out.push_str(&time.to_string()),
            None => out.push_str(&part[begin..]),
        }
    }
    out
}

/// What the operator has made for a Webinar.
pub(crate) async fn written(scene: &Scene, webinar: &str) -> Result<Vec<Object>> {
    let its = format!("{}={webinar}", labels::WEBINAR);
    let mut all = list::<ControllerRevision>(scene, Some("events"), &its).await?;
    all.extend(list::<Service>(scene, Some("events"), &its).await?);
    all.extend(list::<PodDisruptionBudget>(scene, Some("events"), &its).await?);
    all.extend(list::<Pod>(scene, Some("events"), &its).await?);
    Ok(all)
}

/// Writes the event down with all that belongs to it.
pub(crate) async fn record(scene: &Scene) -> Result<()> {
    let time = now();
    let mut all = list::<WebinarClass>(scene, None, "").await?;
    all.extend(list::<PodTemplate>(scene, Some(OPERATOR_NAMESPACE), "").await?);
    // The scene has its own, too.
    all.retain(|o| o.meta("name").starts_with("recorded"));
    all.extend(list::<Webinar>(scene, Some("events"), "").await?);
    all.extend(written(scene, "event").await?);
    let lines: Vec<String> = all.iter().map(|o| o.0.to_string()).collect();
    let text = format!(
        "{{\"time\": \"{time}\", \"objects\": [\n{}\n]}}\n",
        lines.join(",\n")
    );
    let path = file();
    std::fs::write(&path, text).with_context(|| path.display().to_string())
}

async fn list<K>(scene: &Scene, namespace: Option<&str>, which: &str) -> Result<Vec<Object>>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned + Serialize,
{
    let resource = kube::core::ApiResource::erase::<K>(&());
    let client = scene.control_plane.client();
    let api: Api<kube::api::DynamicObject> = match namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let mut out = Vec::new();
    for found in api.list(&ListParams::default().labels(which)).await? {
        let mut object = serde_json::to_value(found)?;
        object["apiVersion"] = json!(resource.api_version);
        object["kind"] = json!(resource.kind);
        let metadata = object["metadata"].as_object_mut().context("no metadata")?;
        metadata.remove("resourceVersion");
        if resource.kind == "Pod" {
            metadata.remove("managedFields");
        }
        out.push(Object(object));
    }
    Ok(out)
}

/// Parts that are nobody's format of ours: the API server's, the node's, and others' managed fields.
const FOREIGN: [&str; 4] = ["managedFields", "clusterIP", "clusterIPs", "nodeName"];

/// What is in `was` and not in `is`, or is something else there. Text that is JSON is looked into.
pub(crate) fn missing(was: &Value, is: &Value) -> Vec<String> {
    let mut out = Vec::new();
    look("", was, is, &mut out);
    out
}

fn look(path: &str, was: &Value, is: &Value, out: &mut Vec<String>) {
    let inner = |v: &Value| {
        let text = v.as_str().filter(|t| t.starts_with(['{', '[']))?;
        serde_json::from_str::<Value>(text).ok()
    };
    if let (Some(was), Some(is)) = (inner(was), inner(is)) {
        return look(path, &was, &is, out);
    }
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for (key, was) in was {
                let pod_status =
                    key == "status" && path.is_empty() && is.get("kind").is_some_and(|k| k == "Pod");
                if pod_status || FOREIGN.contains(&key.as_str()) {
                    continue;
                }
                let path = format!("{path}/{key}");
                match is.get(key) {
                    Some(is) => look(&path, was, is, out),
                    None => out.push(path),
                }
            }
        }
        (Value::Array(was), Value::Array(is)) => {
            for (n, was) in was.iter().enumerate() {
                let path = format!("{path}/{n}");
                match is.get(n) {
                    Some(is) => look(&path, was, is, out),
                    None => out.push(path),
                }
            }
        }
        _ if std::mem::discriminant(was) == std::mem::discriminant(is) => {}
        _ => out.push(format!("{path}: {was} and not {is}")),
    }
}
