//! What the release lets the operator do, and where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use webinar_operator::rbac;

use crate::helm::{Objects, refusal, render};

fn sorted(rules: &Value) -> BTreeSet<String> {
    rules
        .as_array()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn written(rules: &[&Vec<k8s_openapi::api::rbac::v1::PolicyRule>]) -> BTreeSet<String> {
    let rules: Vec<_> = rules.iter().copied().flatten().collect();
    sorted(&serde_json::to_value(rules).unwrap())
}

/// The operator's rules by where they hold; `*` is everywhere.
fn granted(objects: &Objects) -> BTreeMap<String, BTreeSet<String>> {
    let mut granted = BTreeMap::new();
    for kind in ["ClusterRole", "Role"] {
        let binding = format!("{kind}Binding");
        for role in objects.all(kind) {
            if role["metadata"]["name"] != "webinar-operator" {
                continue;
            }
            let namespace = &role["metadata"]["namespace"];
            let bound: Vec<&Value> = objects
                .all(&binding)
                .into_iter()
                .filter(|b| {
                    b["metadata"]["name"] == "webinar-operator" && &b["metadata"]["namespace"] == namespace
                })
                .collect();
            assert_eq!(bound.len(), 1, "{kind} in {namespace}");
            assert_eq!(bound[0]["roleRef"]["kind"], kind);
            assert_eq!(
                bound[0]["subjects"],
                json!([{"kind": "ServiceAccount", "name": "webinar-operator", "namespace": "webinar-system"}])
            );
            let place = namespace.as_str().unwrap_or("*").to_owned();
            granted.insert(place, sorted(&role["rules"]));
        }
    }
    granted
}

fn places(granted: &BTreeMap<String, BTreeSet<String>>) -> Vec<&str> {
    granted.keys().map(String::as_str).collect()
}

#[test]
fn an_operator_for_all_namespaces_has_one_cluster_role() {
    let granted = granted(&render(&[]));
    let rules = rbac::rules();
    assert_eq!(places(&granted), ["*", "webinar-system"]);
    assert_eq!(granted["*"], written(&[&rules.classes, &rules.namespaces]));
    assert_eq!(granted["webinar-system"], written(&[&rules.home]));
}

#[test]
fn an_operator_for_some_namespaces_sees_classes_alone_everywhere() {
    let granted = granted(&render(&[r#"watchNamespaces=["a","webinar-system"]"#]));
    let rules = rbac::rules();
    assert_eq!(places(&granted), ["*", "a", "default", "webinar-system"]);
    assert_eq!(granted["*"], written(&[&rules.classes]));
    assert_eq!(granted["a"], written(&[&rules.namespaces]));
    assert_eq!(granted["default"], written(&[&rules.events]));
    assert_eq!(
        granted["webinar-system"],
        written(&[&rules.home, &rules.namespaces])
    );
}

#[test]
fn the_namespace_default_may_be_watched_too() {
    let granted = granted(&render(&[r#"watchNamespaces=["default"]"#]));
    assert_eq!(granted["default"], written(&[&rbac::rules().namespaces]));
}

#[test]
fn somebody_else_may_make_the_roles() {
    assert_eq!(granted(&render(&["rbac.create=false"])), BTreeMap::new());
    let said = refusal(&["serviceAccount.create=false"]);
    assert!(said.contains("set serviceAccount.name"), "{said}");
    let objects = render(&[r#"serviceAccount={"create":false,"name":"mine"}"#]);
    assert!(!objects.names("ServiceAccount").contains(&"mine"));
    assert_eq!(objects.pod()["serviceAccountName"], "mine");
    let binding = objects.one("ClusterRoleBinding", "webinar-operator");
    assert_eq!(binding["subjects"][0]["name"], "mine");
}

#[test]
fn people_get_roles_that_their_own_take_up() {
    let objects = render(&[]);
    let verbs = |name: &str| objects.one("ClusterRole", name)["rules"][0]["verbs"].clone();
    let label = |name: &str, to: &str| {
        objects.one("ClusterRole", name)["metadata"]["labels"]
            [format!("rbac.authorization.k8s.io/aggregate-to-{to}")]
            == "true"
    };
    assert_eq!(verbs("webinar-viewer"), json!(["get", "list", "watch"]));
    assert!(label("webinar-viewer", "view") && label("webinar-editor", "edit"));
    // Who may look may not change, and nobody gets classes by being an editor.
    assert!(!label("webinar-editor", "view"));
    for to in ["view", "edit", "admin"] {
        assert!(!label("webinarclass-admin", to), "{to}");
    }
    for name in ["webinar-viewer", "webinar-editor"] {
        let rules = &objects.one("ClusterRole", name)["rules"];
        assert_eq!(rules.as_array().unwrap().len(), 1);
        assert_eq!(rules[0]["resources"], json!(["webinars"]));
    }
    let off = render(&["rbac.aggregate=false"]);
    assert_eq!(off.names("ClusterRole"), ["webinar-operator"]);
}

#[test]
fn namespaces_are_names() {
    for bad in [r#"["A"]"#, r#"["a","a"]"#, r#"["*"]"#, r#""a""#] {
        let said = refusal(&[&format!("watchNamespaces={bad}")]);
        assert!(said.contains("/watchNamespaces"), "{bad}: {said}");
    }
}
