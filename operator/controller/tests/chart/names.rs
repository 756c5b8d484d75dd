//! Names, labels and what people add.

use crate::helm::{CLASS_API, refusal_with, render, render_with};

#[test]
fn every_object_says_whose_it_is() {
    let objects = render(&[r#"commonLabels={"team":"live"}"#]);
    assert!(objects.0.len() > 20, "{}", objects.0.len());
    for object in &objects.0 {
        let labels = &object["metadata"]["labels"];
        let which = format!("{} {}", object["kind"], object["metadata"]["name"]);
        assert_eq!(labels["app.kubernetes.io/managed-by"], "Helm", "{which}");
        assert_eq!(labels["helm.sh/chart"], "webinar-operator-0.1.0", "{which}");
        assert_eq!(labels["team"], "live", "{which}");
    }
}

#[test]
fn no_two_objects_have_one_name() {
    let objects = render(&[
        "metrics.podMonitor.enabled=true",
        "metrics.prometheusRule.enabled=true",
        "metrics.dashboards.enabled=true",
    ]);
    let mut seen = std::collections::BTreeSet::new();
    for object in &objects.0 {
        let meta = &object["metadata"];
        let id = format!("{} {} {}", object["kind"], meta["namespace"], meta["name"]);
        assert!(seen.insert(id.clone()), "{id} twice");
    }
}

#[test]
fn the_test_is_not_taken_for_the_operator() {
    let objects = render(&[]);
    let selector = objects.one("Deployment", "webinar-operator")["spec"]["selector"]["matchLabels"].clone();
    let labels = objects.one("Pod", "webinar-operator-smoke-test")["metadata"]["labels"].clone();
    let selected = selector
        .as_object()
        .unwrap()
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value));
    assert!(!selected, "{selector} selects {labels}");
}

#[test]
fn names_follow_the_release() {
    let named = |value: &str| {
        let objects = render(&[value]);
        objects.names("Deployment")[0].to_owned()
    };
    assert_eq!(named(r#"nameOverride="media""#), "webinar-operator-media");
    assert_eq!(named(r#"fullnameOverride="media""#), "media");
    let long = "x".repeat(52);
    assert_eq!(named(&format!(r#"fullnameOverride="{long}""#)), long);
}

#[test]
fn a_name_of_digits_stays_a_text() {
    let objects = render_with(
        &[r#"class.name="1080""#],
        &["--api-versions", CLASS_API, "--namespace", "2024"],
    );
    for object in &objects.0 {
        let namespace = &object["metadata"]["namespace"];
        assert!(namespace.is_null() || namespace == "2024", "{object}");
    }
    let role = objects.one("Role", "webinar-operator-smoke-test");
    assert_eq!(role["rules"][2]["resourceNames"], serde_json::json!(["1080"]));
}

#[test]
fn more_objects_may_be_text_or_yaml() {
    let objects = render(&[
        r#"extraObjects=["kind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-text}",
            {"kind":"ConfigMap","metadata":{"name":"{{ .Release.Name }}-yaml"}}]"#,
    ]);
    assert_eq!(
        objects.names("ConfigMap"),
        ["webinar-operator-text", "webinar-operator-yaml"]
    );
}

#[test]
fn an_old_cluster_is_refused() {
    let accepted = render_with(&[], &["--kube-version", "1.33.0"]);
    assert!(!accepted.0.is_empty());
    let said = refusal_with(&[], &["--kube-version", "1.32.9"]);
    assert!(said.contains("requires kubeVersion"), "{said}");
}
