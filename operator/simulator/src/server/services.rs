//! What the API server fills into Services, and the addresses and ports that it gives them.

use serde_json::{Map, Value, json};

use super::kind::Kind;
use super::value::{default, fields, fields_mut, part, part_mut, text};

/// Defaults of a Service.
pub(super) fn fill_in(service: &mut Value) {
    let spec = part_mut(service, "spec");
    default(spec, "sessionAffinity", "None");
    default(spec, "type", "ClusterIP");
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().map(fields_mut) {
        default(port, "protocol", "TCP");
        if let Some(number) = port.get("port").cloned() {
            default(port, "targetPort", number);
        }
    }
    if is_outside(spec) {
        default(spec, "externalTrafficPolicy", "Cluster");
    }
    if text(spec, "type") != "ExternalName" {
        default(spec, "internalTrafficPolicy", "Cluster");
    }
    if text(spec, "type") == "LoadBalancer" {
        default(spec, "allocateLoadBalancerNodePorts", true);
    }
}

/// It can be reached from outside the cluster, hence has ports on nodes.
fn is_outside(spec: &Map<String, Value>) -> bool {
    matches!(text(spec, "type"), "NodePort" | "LoadBalancer")
}

/// Gives a Service the addresses and ports that it needs, or those that it had. `seed`: so that no two are alike.
pub(super) fn allocate(kind: Kind, service: &mut Value, old: Option<&Value>, seed: u64) {
    if kind != Kind::Service {
        return;
    }
    let before = old.map(|o| part(o, "spec"));
    let spec = part_mut(service, "spec");
    if let Some(before) = before {
        forget(spec, before);
        keep(spec, before);
    }
    if text(spec, "type") != "ExternalName" {
        let address = format!("10.96.{}.{}", seed / 250 % 256, seed % 250 + 1);
        default(spec, "clusterIP", address);
        let address = spec["clusterIP"].clone();
        default(spec, "clusterIPs", json!([address]));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", "SingleStack");
    }
    if is_outside(spec) && spec.get("allocateLoadBalancerNodePorts") != Some(&Value::Bool(false)) {
        let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
        for (port, i) in ports.into_iter().flatten().zip(0u64..) {
            default(fields_mut(port), "nodePort", 30_000 + (seed + i) % 2_767);
        }
    }
    if text(spec, "type") != "LoadBalancer" {
        part_mut(service, "status").insert("loadBalancer".to_owned(), json!({}));
    }
}

/// Drops what another type needed, if it was not changed.
fn forget(spec: &mut Map<String, Value>, before: &Map<String, Value>) {
    let was = |fields: &Map<String, Value>, types: &[&str]| types.contains(&text(fields, "type"));
    let mut drop = |key: &str, types: &[&str]| {
        if was(before, types) && !was(spec, types) && spec.get(key) == before.get(key) {
            spec.remove(key);
        }
    };
    let outside = ["NodePort", "LoadBalancer"];
    drop("externalTrafficPolicy", &outside);
    drop("allocateLoadBalancerNodePorts", &["LoadBalancer"]);
    drop("loadBalancerClass", &["LoadBalancer"]);
    if was(before, &outside) && !was(spec, &outside) {
        let had: Vec<&Value> = ports(before).filter_map(|p| p.get("nodePort")).collect();
        let list = spec.get_mut("ports").and_then(Value::as_array_mut);
        for port in list.into_iter().flatten().map(fields_mut) {
            if port.get("nodePort").is_some_and(|p| had.contains(&p)) {
                port.remove("nodePort");
            }
        }
    }
}

/// Keeps what was allocated and is not named anew.
fn keep(spec: &mut Map<String, Value>, before: &Map<String, Value>) {
    if text(spec, "type") != "ExternalName" {
        for key in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
            if let Some(value) = before.get(key) {
                default(spec, key, value.clone());
            }
        }
    }
    if !is_outside(spec) {
        return;
    }
    let had: Vec<(String, Value)> = ports(before)
        .filter_map(|p| Some((same_port(p), p.get("nodePort")?.clone())))
        .collect();
    let list = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in list.into_iter().flatten().map(fields_mut) {
        let key = same_port(port);
        if let Some((_, number)) = had.iter().find(|(k, _)| *k == key) {
            default(port, "nodePort", number.clone());
        }
    }
}

fn ports(spec: &Map<String, Value>) -> impl Iterator<Item = &Map<String, Value>> {
    let ports = spec.get("ports").and_then(Value::as_array);
    ports.into_iter().flatten().map(fields)
}

fn same_port(port: &Map<String, Value>) -> String {
    let number = port.get("port").unwrap_or(&Value::Null);
    format!("{number}/{}", text(port, "protocol"))
}
