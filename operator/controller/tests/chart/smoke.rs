//! What `helm test` is given.

use serde_json::json;

use crate::helm::{Objects, refusal, render, texts};

const NAME: &str = "webinar-operator-smoke-test";

fn args(objects: &Objects) -> Vec<&str> {
    texts(&objects.one("Pod", NAME)["spec"]["containers"][0]["args"])
}

#[test]
fn it_makes_an_event_of_the_presets_class() {
    let objects = render(&[]);
    let expected = [
        "smoke-test",
        "--namespace=webinar-system",
        "--class=standard",
        "--timeout=3m",
    ];
    assert_eq!(args(&objects), expected);
    let role = objects.one("Role", NAME);
    assert_eq!(role["metadata"]["namespace"], "webinar-system");
    let use_of_class = json!({
        "apiGroups": ["webinar-operator.io"],
        "resources": ["webinarclasses"],
        "resourceNames": ["standard"],
        "verbs": ["use"],
    });
    assert!(role["rules"].as_array().unwrap().contains(&use_of_class));
}

#[test]
fn it_goes_where_the_operator_looks() {
    let objects = render(&[r#"watchNamespaces=["events","more"]"#]);
    assert_eq!(args(&objects)[1], "--namespace=events");
    assert_eq!(objects.one("Role", NAME)["metadata"]["namespace"], "events");
    let binding = objects.one("RoleBinding", NAME);
    assert_eq!(binding["metadata"]["namespace"], "events");
    assert_eq!(binding["subjects"][0]["namespace"], "webinar-system");
    assert_eq!(
        objects.one("Pod", NAME)["metadata"]["namespace"],
        "webinar-system"
    );
}

#[test]
fn it_does_not_go_where_nobody_looks() {
    let said = refusal(&[r#"watchNamespaces=["events"]"#, r#"smokeTest.namespace="other""#]);
    assert!(
        said.contains("smokeTest.namespace is other, which is not among watchNamespaces"),
        "{said}"
    );
}

#[test]
fn without_a_preset_it_takes_the_default_class() {
    let objects = render(&[r#"preset="none""#]);
    assert!(!args(&objects).iter().any(|arg| arg.starts_with("--class")));
    let objects = render(&[
        r#"preset="none""#,
        r#"smokeTest={"className":"mine","namespace":"events"}"#,
    ]);
    assert_eq!(args(&objects)[1..3], ["--namespace=events", "--class=mine"]);
}

#[test]
fn nothing_of_it_is_there_but_while_it_runs() {
    let objects = render(&[]);
    for kind in ["ServiceAccount", "Role", "RoleBinding", "Pod"] {
        let annotations = &objects.one(kind, NAME)["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/hook"], "test", "{kind}");
        let policy = annotations["helm.sh/hook-delete-policy"].as_str().unwrap();
        assert!(policy.contains("hook-succeeded"), "{kind}: {policy}");
    }
}
