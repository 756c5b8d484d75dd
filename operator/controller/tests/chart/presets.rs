//! Classes and templates of the presets.

use serde_json::{Value, json};

use crate::helm::{Objects, refusal, render, render_with};

const PRESETS: [&str; 4] = ["mediamtx", "livekit", "generic", "moq"];

/// A preset with what it needs.
fn preset(name: &str, values: &[&str]) -> Objects {
    let preset = format!("preset={name:?}");
    let mut all = vec![preset.as_str()];
    if name == "generic" {
        all.push(r#"class.image="registry.example/media:1.0""#);
    }
    all.extend(values);
    render(&all)
}

fn container(objects: &Objects, template: &str) -> Value {
    objects.one("PodTemplate", template)["template"]["spec"]["containers"][0].clone()
}

#[test]
fn each_is_a_class_with_its_templates() {
    for name in PRESETS {
        let objects = preset(name, &[]);
        let class = objects.one("WebinarClass", "standard");
        assert_eq!(
            class["metadata"]["annotations"],
            json!({"webinar-operator.io/is-default-class": "true"}),
            "{name}"
        );
        for (role, template) in class["spec"]["templates"].as_object().unwrap() {
            assert_eq!(template, &format!("standard-{role}"), "{name}");
            let template = objects.one("PodTemplate", template.as_str().unwrap());
            assert_eq!(template["metadata"]["namespace"], "webinar-system", "{name}");
        }
    }
}

#[test]
fn a_class_may_have_another_name() {
    let objects = preset("mediamtx", &[r#"class.name="gold""#, "defaultClass=false"]);
    let class = objects.one("WebinarClass", "gold");
    assert_eq!(
        class["spec"]["templates"],
        json!({"sfu": "gold-sfu", "relay": "gold-relay"})
    );
    assert_eq!(objects.names("PodTemplate"), ["gold-relay", "gold-sfu"]);
    assert_eq!(class["metadata"]["annotations"], json!({}));
}

#[test]
fn what_the_platform_team_knows_better_is_merged() {
    let objects = preset(
        "mediamtx",
        &[
            r#"class.spec={"sizing":{"packetsPerCpu":11000},"services":{"viewers":{"type":"LoadBalancer"}}}"#,
            r#"class.image="mirror.example/mediamtx:1.19.3""#,
            r#"class.relay={"container":{"resources":{"requests":{"cpu":"7"}}},"pod":{"serviceAccountName":"media"}}"#,
        ],
    );
    let spec = &objects.one("WebinarClass", "standard")["spec"];
    assert_eq!(spec["sizing"]["packetsPerCpu"], 11_000);
    assert_eq!(spec["services"]["viewers"]["type"], "LoadBalancer");
    assert_eq!(spec["services"]["viewers"]["ports"][0]["port"], 8_889);
    let (sfu, relay) = (
        container(&objects, "standard-sfu"),
        container(&objects, "standard-relay"),
    );
    assert_eq!(sfu["image"], "mirror.example/mediamtx:1.19.3");
    assert_eq!(relay["image"], "mirror.example/mediamtx:1.19.3");
    assert_eq!(
        relay["resources"]["requests"],
        json!({"cpu": "7", "memory": "8Gi"})
    );
    assert_eq!(
        sfu["resources"]["requests"],
        json!({"cpu": "15", "memory": "8Gi"})
    );
    let pod = |name: &str| objects.one("PodTemplate", name)["template"]["spec"]["serviceAccountName"].clone();
    assert_eq!(pod("standard-relay"), "media");
    assert_eq!(pod("standard-sfu"), Value::Null);
}

#[test]
fn the_generic_one_needs_an_image() {
    let said = refusal(&[r#"preset="generic""#]);
    assert!(
        said.contains("preset generic has no image of its own: set class.image"),
        "{said}"
    );
}

#[test]
fn there_may_be_none() {
    let objects = render(&[r#"preset="none""#]);
    assert!(objects.all("WebinarClass").is_empty() && objects.all("PodTemplate").is_empty());
}

#[test]
fn while_the_cluster_does_not_know_classes_the_class_comes_after_its_crd() {
    let objects = render_with(&[], &[]);
    let hooks: Vec<(&str, &str)> = objects
        .all("WebinarClass")
        .iter()
        .map(|class| {
            let annotations = &class["metadata"]["annotations"];
            let text = |key: &str| annotations[key].as_str().unwrap_or_default();
            assert_eq!(text("webinar-operator.io/is-default-class"), "true");
            (text("helm.sh/hook"), text("meta.helm.sh/release-name"))
        })
        .collect();
    assert_eq!(
        hooks,
        [
            ("pre-delete", ""),
            ("post-install,post-upgrade,post-rollback", "webinar-operator")
        ]
    );
    let known = render(&[]);
    let annotations = &known.one("WebinarClass", "standard")["metadata"]["annotations"];
    assert!(annotations["helm.sh/hook"].is_null(), "{annotations}");
}

#[test]
fn all_of_them_are_plain_pods() {
    for name in PRESETS {
        let objects = preset(name, &[]);
        for template in objects.all("PodTemplate") {
            let pod = &template["template"]["spec"];
            let which = format!("{name}: {}", template["metadata"]["name"]);
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{which}");
            for container in pod["containers"].as_array().unwrap() {
                let security = &container["securityContext"];
                assert_eq!(security["allowPrivilegeEscalation"], false, "{which}");
                assert_eq!(security["capabilities"]["drop"], json!(["ALL"]), "{which}");
                assert_eq!(security["readOnlyRootFilesystem"], true, "{which}");
                assert!(container["resources"]["requests"]["cpu"].is_string(), "{which}");
            }
        }
    }
}
