//! What the API server fills into pods, and what it says about their quality of service.

use serde_json::{Map, Value, json};

use super::value::{default, fields, fields_mut, part, part_mut, text};

type Fields = Map<String, Value>;

/// Defaults of a pod's or a template's spec.
pub(super) fn fill_in(spec: &mut Fields) {
    default(spec, "dnsPolicy", "ClusterFirst");
    default(spec, "restartPolicy", "Always");
    default(spec, "schedulerName", "default-scheduler");
    default(spec, "securityContext", json!({}));
    default(spec, "terminationGracePeriodSeconds", 30);
    if let Some(account) = spec.get("serviceAccountName").cloned() {
        default(spec, "serviceAccount", account);
    }
    for kind in ["containers", "initContainers"] {
        each(spec, kind, container);
    }
    each(spec, "volumes", volume);
}

fn each(fields: &mut Fields, list: &str, f: fn(&mut Fields)) {
    let items = fields.get_mut(list).and_then(Value::as_array_mut);
    items.into_iter().flatten().for_each(|item| f(fields_mut(item)));
}

fn container(container: &mut Fields) {
    let image = text(container, "image");
    let policy = if is_latest(image) {
        "Always"
    } else {
        "IfNotPresent"
    };
    default(container, "imagePullPolicy", policy);
    default(container, "terminationMessagePath", "/dev/termination-log");
    default(container, "terminationMessagePolicy", "File");
    default(container, "resources", json!({}));
    each(container, "ports", |port| default(port, "protocol", "TCP"));
    each(container, "env", |variable| {
        if let Some(field) = variable.get_mut("valueFrom").and_then(|v| v.get_mut("fieldRef")) {
            default(fields_mut(field), "apiVersion", "v1");
        }
        // An empty text is as good as absent.
        if variable.get("value").and_then(Value::as_str) == Some("") {
            variable.remove("value");
        }
    });
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            fill_probe(fields_mut(probe));
        }
    }
    for moment in ["postStart", "preStop"] {
        let action = container.get_mut("lifecycle").and_then(|l| l.get_mut(moment));
        if let Some(get) = action.and_then(|a| a.get_mut("httpGet")) {
            fill_get(fields_mut(get));
        }
    }
}

/// No tag means the latest.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn fill_probe(probe: &mut Fields) {
    for (key, value) in [
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ] {
        default(probe, key, value);
    }
    if let Some(get) = probe.get_mut("httpGet") {
        fill_get(fields_mut(get));
    }
    if let Some(grpc) = probe.get_mut("grpc") {
        default(fields_mut(grpc), "service", "");
    }
}

fn fill_get(get: &mut Fields) {
    default(get, "path", "/");
    default(get, "scheme", "HTTP");
}

fn volume(volume: &mut Fields) {
    if volume.keys().all(|key| key == "name") {
        volume.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["configMap", "secret", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(source) {
            default(fields_mut(source), "defaultMode", 0o644);
        }
    }
}

/// What admission gives a pod that is new.
pub(super) fn admit(pod: &mut Value) {
    requests_from_limits(pod);
    let spec = part_mut(pod, "spec");
    default(spec, "priority", 0);
    default(spec, "preemptionPolicy", "PreemptLowerPriority");
    tolerate(spec);
}

/// Five minutes on a node that does not answer, unless the pod says otherwise. Admission sees to it at every write.
pub(super) fn tolerate(spec: &mut Fields) {
    let tolerations = spec.entry("tolerations").or_insert_with(|| json!([]));
    let Some(tolerations) = tolerations.as_array_mut() else {
        return;
    };
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let tolerated = tolerations.iter().map(fields).any(|t| {
            let (tolerates, effect) = (text(t, "key"), text(t, "effect"));
            (tolerates.is_empty() || tolerates == key) && (effect.is_empty() || effect == "NoExecute")
        });
        if !tolerated {
            tolerations.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 300,
            }));
        }
    }
}

fn requests_from_limits(pod: &mut Value) {
    let spec = part_mut(pod, "spec");
    for kind in ["containers", "initContainers"] {
        each(spec, kind, |container| {
            let resources = container.entry("resources").or_insert_with(|| json!({}));
            let limits = part(resources, "limits").clone();
            if !limits.is_empty() {
                let requests = part_mut(resources, "requests");
                limits
                    .into_iter()
                    .for_each(|(key, limit)| default(requests, &key, limit));
            }
        });
    }
}

/// The pod's class of quality of service.
pub(super) fn quality(pod: &Value) -> &'static str {
    let spec = part(pod, "spec");
    let lists = ["containers", "initContainers"];
    let containers = lists
        .iter()
        .filter_map(|kind| spec.get(*kind).and_then(Value::as_array))
        .flatten();
    let (mut none, mut all) = (true, true);
    for container in containers {
        let resources = container.get("resources").unwrap_or(&Value::Null);
        let (limits, requests) = (part(resources, "limits"), part(resources, "requests"));
        for resource in ["cpu", "memory"] {
            let (limit, request) = (limits.get(resource), requests.get(resource));
            none &= limit.is_none() && request.is_none();
            all &= limit.is_some() && (request.is_none() || request == limit);
        }
    }
    match (none, all) {
        (true, _) => "BestEffort",
        (false, true) => "Guaranteed",
        (false, false) => "Burstable",
    }
}
