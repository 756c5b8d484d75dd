//! Every file under `examples/`, and the preset that the chart ships, is what it says it is.
#![allow(clippy::unwrap_used)]

use std::{fs, path::PathBuf};

use k8s_openapi::api::core::v1::{Container, PodTemplate};
use serde_json::Value;
use webinar_api::{Tier, Webinar, WebinarClass, check};

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

const PRESET: &str = "../charts/webinar-operator/files/presets/mediamtx.yaml";

/// By the path from the examples.
fn documents(name: &str) -> Vec<Value> {
    let text = fs::read_to_string(directory().join(name)).unwrap();
    assert!(
        text.starts_with("# "),
        "{name} opens with a line that says what it shows"
    );
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn webinar(name: &str) -> Webinar {
    let documents = documents(name);
    assert_eq!(documents.len(), 1, "{name}");
    serde_json::from_value(documents[0].clone()).unwrap()
}

#[test]
fn every_example_is_accepted_and_decodes() {
    let mut seen = 0;
    for entry in fs::read_dir(directory()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        accepted(path.file_name().unwrap().to_str().unwrap(), &["Webinar"]);
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} examples");
}

#[test]
fn the_preset_is_accepted_and_decodes() {
    accepted(PRESET, &["WebinarClass", "PodTemplate", "PodTemplate"]);
}

/// Each document of a file is, and the file holds these kinds.
fn accepted(name: &str, kinds: &[&str]) {
    let documents = documents(name);
    let found: Vec<&str> = documents
        .iter()
        .map(|document| document["kind"].as_str().unwrap())
        .collect();
    assert_eq!(found, kinds, "{name}");
    for document in documents {
        match document["kind"].as_str().unwrap() {
            "Webinar" => {
                assert_eq!(check(&document), Ok(()), "{name}");
                serde_json::from_value::<Webinar>(document).unwrap();
            }
            "WebinarClass" => {
                assert_eq!(check(&document), Ok(()), "{name}");
                serde_json::from_value::<WebinarClass>(document).unwrap();
            }
            _ => restricted(&serde_json::from_value(document).unwrap()),
        }
    }
}

/// What the Pod Security standard `restricted` asks for, and the CPU request capacity is computed from.
fn restricted(template: &PodTemplate) {
    let spec = template.template.as_ref().unwrap().spec.as_ref().unwrap();
    let pod = spec.security_context.as_ref().unwrap();
    assert_eq!(pod.run_as_non_root, Some(true));
    assert_eq!(pod.seccomp_profile.as_ref().unwrap().type_, "RuntimeDefault");
    for container in &spec.containers {
        let security = container.security_context.as_ref().unwrap();
        assert_eq!(security.allow_privilege_escalation, Some(false));
        assert_eq!(
            security.capabilities.as_ref().unwrap().drop,
            Some(vec!["ALL".to_owned()])
        );
        assert!(container.readiness_probe.is_some());
    }
    assert_eq!(cpu_request(&spec.containers[0]), "15");
}

fn cpu_request(container: &Container) -> &str {
    &container.resources.as_ref().unwrap().requests.as_ref().unwrap()["cpu"].0
}

#[test]
fn there_is_one_example_per_tier() {
    for tier in Tier::ALL {
        let name = format!("webinar-{}.yaml", tier.as_str().to_lowercase());
        assert_eq!(webinar(&name).spec.tier, tier, "{name}");
    }
    assert!(webinar("webinar-room.yaml").spec.start_time.is_none());
}

#[test]
fn the_minimal_example_takes_the_documented_defaults() {
    let spec = webinar("webinar-minimal.yaml").spec;
    assert_eq!(spec.tier, Tier::T100k);
    assert_eq!(
        spec.start_time.unwrap().0,
        "2027-03-04T17:00:00Z".parse().unwrap()
    );
    assert_eq!(spec.duration.as_secs(), 3600);
    assert_eq!(spec.panelists, 10);
    assert_eq!(spec.max_tier, None);
    assert_eq!(spec.class_name, None);
    assert_eq!(spec.ready_before, None);
    assert_eq!(spec.overrun, None);
}
