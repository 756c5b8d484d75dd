//! What keeps the operator at work.

use crate::helm::render;

#[test]
fn one_replica_stays_while_nodes_are_drained() {
    let objects = render(&[]);
    assert_eq!(
        objects.one("Deployment", "webinar-operator")["spec"]["replicas"],
        2
    );
    let budget = &objects.one("PodDisruptionBudget", "webinar-operator")["spec"];
    assert_eq!(budget["minAvailable"], 1);
    let deployment = &objects.one("Deployment", "webinar-operator")["spec"];
    assert_eq!(budget["selector"], deployment["selector"]);
}

#[test]
fn a_budget_never_blocks_a_single_replica() {
    assert!(render(&["replicaCount=1"]).all("PodDisruptionBudget").is_empty());
    let off = render(&["podDisruptionBudget.enabled=false"]);
    assert!(off.all("PodDisruptionBudget").is_empty());
}

#[test]
fn replicas_of_one_version_are_spread() {
    let objects = render(&[]);
    let spread = objects.pod()["topologySpreadConstraints"].as_array().unwrap();
    let keys: Vec<_> = spread
        .iter()
        .map(|s| s["topologyKey"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]);
    for constraint in spread {
        assert_eq!(
            constraint["labelSelector"],
            objects.one("Deployment", "webinar-operator")["spec"]["selector"]
        );
    }
}

#[test]
fn the_operator_preempts_nobody() {
    let objects = render(&[]);
    let class = objects.one("PriorityClass", "webinar-operator");
    assert_eq!(class["preemptionPolicy"], "Never");
    assert_eq!(class["value"], 1_000_000);
    assert_eq!(objects.pod()["priorityClassName"], "webinar-operator");
    let existing = render(&[r#"priorityClass={"create":false,"name":"system"}"#]);
    assert!(existing.all("PriorityClass").is_empty());
    assert_eq!(existing.pod()["priorityClassName"], "system");
    let none = render(&["priorityClass.create=false"]);
    assert!(none.pod()["priorityClassName"].is_null());
}

#[test]
fn probes_ask_what_the_operator_serves() {
    let objects = render(&[]);
    let container = &objects.pod()["containers"][0];
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    assert_eq!(container["ports"][0]["name"], "http");
    for probe in ["livenessProbe", "readinessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "http");
    }
}

#[test]
fn nothing_but_the_port_of_the_metrics_can_be_reached() {
    let objects = render(&[]);
    let policy = &objects.one("NetworkPolicy", "webinar-operator")["spec"];
    let deployment = &objects.one("Deployment", "webinar-operator")["spec"];
    assert_eq!(
        policy["podSelector"]["matchLabels"],
        deployment["selector"]["matchLabels"]
    );
    assert_eq!(policy["policyTypes"], serde_json::json!(["Ingress"]));
    assert_eq!(policy["ingress"].as_array().unwrap().len(), 1);
    assert_eq!(policy["ingress"][0]["ports"][0]["port"], "http");
    assert!(policy["ingress"][0]["from"].is_null());
    let closer = render(&[r#"networkPolicy.from=[{"namespaceSelector":{"matchLabels":{"a":"b"}}}]"#]);
    let from = &closer.one("NetworkPolicy", "webinar-operator")["spec"]["ingress"][0]["from"];
    assert_eq!(from[0]["namespaceSelector"]["matchLabels"]["a"], "b");
    let off = render(&["networkPolicy.enabled=false"]);
    assert!(off.all("NetworkPolicy").is_empty());
}
