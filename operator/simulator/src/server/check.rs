//! What makes an object invalid, in the API server's words.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::custom;
use super::kind::Kind;
use super::refusal::Wrong;
use super::value::{fields, is_going, meta, name, part, text, uid};

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const MOST_ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with an object that is new.
pub(super) fn new(kind: Kind, object: &Value) -> Vec<Wrong> {
    let mut wrong = metadata(kind, object);
    wrong.extend(unknown_finalizers(kind, object));
    // Rules of our own kinds are judged when the rest is right.
    if wrong.is_empty() || !kind.custom() {
        wrong.extend(contents(kind, object));
    }
    wrong
}

/// What is wrong with a change, through the object itself or through its status.
pub(super) fn changed(kind: Kind, sub: &str, old: &Value, new: &Value) -> Vec<Wrong> {
    let mut wrong = metadata(kind, new);
    if is_going(old) {
        wrong.extend(more_finalizers(old, new));
    }
    if uid(old) != uid(new) {
        wrong.push(Wrong::invalid("metadata.uid", &uid(new).into(), IMMUTABLE));
    }
    wrong.extend(unknown_finalizers(kind, new));
    if kind == Kind::Service && sub.is_empty() {
        wrong.extend(other_balancer(part(old, "spec"), part(new, "spec")));
    }
    if kind == Kind::ControllerRevision {
        wrong.extend(negative_revision(new));
        if old.get("data") != new.get("data") {
            let data = new.get("data").unwrap_or(&Value::Null);
            wrong.push(Wrong::invalid("data", data, IMMUTABLE));
        }
    } else if kind.custom() && sub == "status" {
        wrong.extend(custom::check_status(kind, new));
    } else if sub.is_empty() && !(kind.custom() && old.get("spec") == new.get("spec")) {
        // What has not changed is not judged again.
        wrong.extend(contents(kind, new));
    }
    if kind == Kind::Pod && sub.is_empty() {
        wrong.extend(other_pod(old, new));
    }
    wrong
}

const IMMUTABLE: &str = "field is immutable";

/// Of a pod that exists only images, and for how long and what more it tolerates, can be changed.
fn other_pod(old: &Value, new: &Value) -> Vec<Wrong> {
    let (had, has) = (part(old, "spec"), part(new, "spec"));
    if had == has {
        return Vec::new();
    }
    for kind in ["containers", "initContainers"] {
        let count = |spec: &Map<String, Value>| list(spec, kind).count();
        if count(had) != count(has) {
            let why = "pod updates may not add or remove containers";
            return vec![Wrong::forbidden(format!("spec.{kind}"), why)];
        }
    }
    let without_time = |toleration: &Value| {
        let mut out = fields(toleration).clone();
        out.remove("tolerationSeconds");
        out
    };
    let tolerated: Vec<_> = list(has, "tolerations").map(without_time).collect();
    let mut wrong = Vec::new();
    if !list(had, "tolerations").all(|t| tolerated.contains(&without_time(t))) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        wrong.push(Wrong::forbidden("spec.tolerations", why));
    }
    if fixed(had) != fixed(has) {
        wrong.push(Wrong::forbidden("spec", NO_SUCH_UPDATE));
    }
    wrong
}

const NO_SUCH_UPDATE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// What of a pod's spec never changes.
fn fixed(spec: &Map<String, Value>) -> Map<String, Value> {
    let mut out = spec.clone();
    out.remove("tolerations");
    for kind in ["containers", "initContainers"] {
        let containers = out.get_mut(kind).and_then(Value::as_array_mut);
        for container in containers.into_iter().flatten() {
            super::value::fields_mut(container).remove("image");
        }
    }
    out
}

fn list<'a>(fields: &'a Map<String, Value>, key: &str) -> impl Iterator<Item = &'a Value> {
    fields.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// As long as a Service has a load balancer, it is of the same class.
fn other_balancer(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<Wrong> {
    let key = "loadBalancerClass";
    let both = [old, new].iter().all(|s| text(s, "type") == "LoadBalancer");
    (both && old.get(key) != new.get(key)).then(|| {
        let class = new.get(key).unwrap_or(&Value::Null);
        Wrong::invalid("spec.loadBalancerClass", class, "may not change once set")
    })
}

fn more_finalizers(old: &Value, new: &Value) -> Option<Wrong> {
    let of = |object: &Value| -> BTreeSet<String> { finalizers(object).map(str::to_owned).collect() };
    let (had, has) = (of(old), of(new));
    let more: Vec<String> = has.difference(&had).map(|f| format!("{f:?}")).collect();
    (!more.is_empty()).then(|| {
        let why = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            more.join(", ")
        );
        Wrong::forbidden("metadata.finalizers", &why)
    })
}

fn metadata(kind: Kind, object: &Value) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let label = name(object);
    if label.is_empty() {
        let why = "name or generateName is required";
        wrong.push(Wrong::required("metadata.name", why));
    } else {
        let (fits, why) = match kind {
            Kind::Service | Kind::Namespace => (is_label(label), LABEL),
            // Any name will do that fits into a path.
            Kind::PodDisruptionBudget => (true, ""),
            _ => (is_subdomain(label), SUBDOMAIN),
        };
        if !fits {
            wrong.push(Wrong::invalid("metadata.name", &label.into(), why));
        }
    }
    wrong.extend(labels("metadata.labels", part_of(object, "labels")));
    let annotations = part_of(object, "annotations");
    for key in annotations.keys() {
        if !is_qualified(&key.to_lowercase()) {
            wrong.push(Wrong::invalid(
                "metadata.annotations",
                &key.as_str().into(),
                QUALIFIED,
            ));
        }
    }
    let size: usize = annotations
        .iter()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > MOST_ANNOTATIONS {
        let why = format!("may not be more than {MOST_ANNOTATIONS} bytes");
        wrong.push(Wrong::too_long("metadata.annotations", &why));
    }
    wrong.extend(owners(object));
    for finalizer in finalizers(object).filter(|f| !is_qualified(f)) {
        let field = "metadata.finalizers";
        wrong.push(Wrong::invalid(field, &finalizer.into(), QUALIFIED));
    }
    wrong
}

fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    list(meta(object), "finalizers").filter_map(Value::as_str)
}

/// Of kinds whose finalizers must have a slash, or be Kubernetes' own.
fn unknown_finalizers(kind: Kind, object: &Value) -> Vec<Wrong> {
    let concerned = finalizers(object)
        .enumerate()
        .filter(|(_, f)| has_old_finalizers(kind) && !is_known(f));
    let wrong = concerned.map(|(i, finalizer)| {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        Wrong::invalid(format!("metadata.finalizers[{i}]"), &finalizer.into(), why)
    });
    wrong.collect()
}

/// Kinds whose finalizers must have a slash, or be Kubernetes' own.
fn has_old_finalizers(kind: Kind) -> bool {
    !(kind.custom() || matches!(kind, Kind::Lease | Kind::PodDisruptionBudget | Kind::Event))
}

fn is_known(finalizer: &str) -> bool {
    finalizer.contains('/') || matches!(finalizer, "kubernetes" | "orphan" | "foregroundDeletion")
}

fn part_of<'a>(object: &'a Value, key: &str) -> &'a Map<String, Value> {
    part(object.get("metadata").unwrap_or(&Value::Null), key)
}

fn labels(field: &str, labels: &Map<String, Value>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (key, value) in labels {
        if !is_qualified(key) {
            wrong.push(Wrong::invalid(field, &key.as_str().into(), QUALIFIED));
        }
        let said = value.as_str().unwrap_or_default();
        if said.len() > 63 {
            wrong.push(Wrong::invalid(field, value, "must be no more than 63 characters"));
        }
        if !(said.is_empty() || is_name_part(said)) {
            wrong.push(Wrong::invalid(field, value, LABEL_VALUE));
        }
    }
    wrong
}

fn owners(object: &Value) -> Vec<Wrong> {
    let references = meta(object).get("ownerReferences").and_then(Value::as_array);
    let mut wrong = Vec::new();
    for reference in references.into_iter().flatten().map(fields) {
        for (key, why) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if text(reference, key).is_empty() {
                let field = format!("metadata.ownerReferences.{key}");
                wrong.push(Wrong::invalid(field, &"".into(), why));
            }
        }
    }
    wrong
}

fn contents(kind: Kind, object: &Value) -> Vec<Wrong> {
    let spec = part(object, "spec");
    match kind {
        Kind::Webinar | Kind::WebinarClass => custom::check(object),
        Kind::Pod => containers(spec),
        Kind::Service => service(spec),
        Kind::PodDisruptionBudget => budget(spec),
        Kind::ControllerRevision => revision(object),
        Kind::Lease => lease(spec),
        Kind::EndpointSlice | Kind::PodTemplate | Kind::Event | Kind::Namespace | Kind::ResourceQuota => {
            Vec::new()
        }
    }
}

fn containers(spec: &Map<String, Value>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let containers = spec.get("containers").and_then(Value::as_array);
    if containers.is_none_or(Vec::is_empty) {
        wrong.push(Wrong::required("spec.containers", ""));
    }
    let mut seen = BTreeSet::new();
    for (i, container) in containers.into_iter().flatten().map(fields).enumerate() {
        let field = |key: &str| format!("spec.containers[{i}].{key}");
        let label = text(container, "name");
        if label.is_empty() {
            wrong.push(Wrong::required(field("name"), ""));
        } else if !is_label(label) {
            wrong.push(Wrong::invalid(field("name"), &label.into(), LABEL));
        } else if !seen.insert(label) {
            wrong.push(Wrong::duplicate(field("name"), &label.into()));
        }
        if text(container, "image").is_empty() {
            wrong.push(Wrong::required(field("image"), ""));
        }
    }
    wrong
}

fn service(spec: &Map<String, Value>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    let type_ = text(spec, "type");
    let ports = spec.get("ports").and_then(Value::as_array);
    if ports.is_none_or(Vec::is_empty) && type_ != "ExternalName" && text(spec, "clusterIP") != "None" {
        wrong.push(Wrong::required("spec.ports", ""));
    }
    let several = ports.is_some_and(|p| p.len() > 1);
    let mut seen = BTreeSet::new();
    for (i, port) in ports.into_iter().flatten().map(fields).enumerate() {
        let field = |key: &str| format!("spec.ports[{i}].{key}");
        let label = text(port, "name");
        if several && label.is_empty() {
            wrong.push(Wrong::required(field("name"), ""));
        }
        if !(label.is_empty() || seen.insert(label)) {
            wrong.push(Wrong::duplicate(field("name"), &label.into()));
        }
        let number = port.get("port").unwrap_or(&Value::Null);
        if !number.as_i64().is_some_and(|n| (1..=65_535).contains(&n)) {
            let why = "must be between 1 and 65535, inclusive";
            wrong.push(Wrong::invalid(
                field("port"),
                &number.as_i64().unwrap_or(0).into(),
                why,
            ));
        }
    }
    wrong.extend(labels(
        "spec.selector",
        fields(spec.get("selector").unwrap_or(&Value::Null)),
    ));
    if spec.contains_key("loadBalancerClass") && type_ != "LoadBalancer" {
        let why = "may only be used when `type` is 'LoadBalancer'";
        wrong.push(Wrong::forbidden("spec.loadBalancerClass", why));
    }
    let known = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !known.contains(&type_) {
        wrong.push(Wrong::unsupported("spec.type", &type_.into(), &known));
    }
    wrong
}

fn budget(spec: &Map<String, Value>) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if spec.contains_key("minAvailable") && spec.contains_key("maxUnavailable") {
        let why = "minAvailable and maxUnavailable cannot be both set";
        wrong.push(Wrong::invalid("spec", &Value::Object(spec.clone()), why));
    }
    for key in ["minAvailable", "maxUnavailable"] {
        if let Some(number) = spec.get(key).filter(|n| n.as_i64().is_some_and(|n| n < 0)) {
            let why = "must be greater than or equal to 0";
            wrong.push(Wrong::invalid(format!("spec.{key}"), number, why));
        }
    }
    let policy = text(spec, "unhealthyPodEvictionPolicy");
    let known = ["AlwaysAllow", "IfHealthyBudget"];
    if !(policy.is_empty() || known.contains(&policy)) {
        let field = "spec.unhealthyPodEvictionPolicy";
        wrong.push(Wrong::unsupported(field, &policy.into(), &known));
    }
    wrong
}

fn negative_revision(object: &Value) -> Option<Wrong> {
    let number = object
        .get("revision")
        .filter(|n| n.as_i64().is_some_and(|n| n < 0))?;
    let why = "must be greater than or equal to 0";
    Some(Wrong::invalid("revision", number, why))
}

fn revision(object: &Value) -> Vec<Wrong> {
    let mut wrong: Vec<Wrong> = negative_revision(object).into_iter().collect();
    match object.get("data") {
        None | Some(Value::Null) => wrong.push(Wrong::required("data", "data is mandatory")),
        Some(Value::Object(_)) => {}
        Some(_) => wrong.push(Wrong::required("data", "data must be a valid JSON object")),
    }
    wrong
}

fn lease(spec: &Map<String, Value>) -> Vec<Wrong> {
    let below = |key: &str, least: i64, why: &str| {
        let number = spec.get(key).filter(|n| n.as_i64().is_some_and(|n| n < least))?;
        Some(Wrong::invalid(format!("spec.{key}"), number, why))
    };
    let duration = below("leaseDurationSeconds", 1, "must be greater than 0");
    let changes = below("leaseTransitions", 0, "must be greater than or equal to 0");
    duration.into_iter().chain(changes).collect()
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_plain)
}

fn is_label(text: &str) -> bool {
    text.len() <= 63 && is_plain(text)
}

/// Lower-case letters, digits and hyphens, the last not at either end.
fn is_plain(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(inner) && text.ends_with(inner) && text.chars().all(|c| inner(c) || c == '-')
}

/// An optional subdomain and a slash, then a name.
fn is_qualified(text: &str) -> bool {
    match text.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && name.len() <= 63 && is_name_part(name),
        None => text.len() <= 63 && is_name_part(text),
    }
}

fn is_name_part(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(inner)
        && text.ends_with(inner)
        && text.chars().all(|c| inner(c) || matches!(c, '-' | '_' | '.'))
}
