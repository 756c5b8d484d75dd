//! What linters say of the chart and of what it renders.

use std::process::Command;

use serde_json::Value;
use webinar_testbed::tools::Tool;

use crate::helm::{CLASS_API, chart, program, read, text};

#[test]
fn helm_finds_nothing() {
    let done = Command::new(program(Tool::Helm))
        .args(["lint", "--strict"])
        .arg(chart())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{said}");
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with('[')).collect();
    // There is no icon.
    assert_eq!(told, ["[INFO] Chart.yaml: icon is recommended"]);
}

/// What the linter would have otherwise, and why it is as it is.
const EXPLAINED: [(&str, &str); 8] = [
    // A limit would slow the ramp down; the request says what is needed.
    ("webinar-operator", "(operator) CPU limit is not set"),
    // Tags are not moved, and a digest may be set.
    (
        "webinar-operator",
        "(operator) ImagePullPolicy is not set to Always",
    ),
    // It writes no file; its root is read-only.
    (
        "webinar-operator",
        "(operator) Ephemeral Storage limit is not set",
    ),
    (
        "webinar-operator",
        "(operator) Ephemeral Storage request is not set",
    ),
    // It asks pods on ports that classes choose.
    (
        "webinar-operator",
        "The pod does not have a matching egress NetworkPolicy",
    ),
    // They are spread instead.
    (
        "webinar-operator",
        "Deployment does not have a host podAntiAffinity set",
    ),
    // It listens to nothing.
    (
        "webinar-operator-smoke-test",
        "The pod does not have a matching NetworkPolicy",
    ),
    ("webinar-operator-smoke-test", "(smoke-test) "),
];

/// What kube-score has against a rendered manifest: object and sentence.
fn faults(manifest: &str) -> Vec<(String, String)> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("manifest.yaml");
    std::fs::write(&file, manifest).unwrap();
    let done = Command::new(program(Tool::KubeScore))
        .args(["score", "--output-format=json"])
        .arg(file)
        .output()
        .unwrap();
    let scored: Vec<Value> = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&done.stderr)));
    let mut faults = Vec::new();
    for object in &scored {
        let name = object["object_meta"]["name"].as_str().unwrap();
        for check in object["checks"].as_array().unwrap() {
            if check["skipped"] == true || check["grade"].as_i64().unwrap() >= 10 {
                continue;
            }
            for comment in check["comments"].as_array().unwrap() {
                let path = comment["path"].as_str().unwrap_or_default();
                let place = if path.is_empty() {
                    String::new()
                } else {
                    format!("({path}) ")
                };
                let summary = comment["summary"].as_str().unwrap();
                faults.push((name.to_owned(), format!("{place}{summary}")));
            }
        }
    }
    faults
}

fn rendered(values: &[&str]) -> String {
    text(values, &["--api-versions", CLASS_API])
}

#[test]
fn kube_score_finds_nothing_unexplained() {
    let faults = faults(&rendered(&["metrics.serviceMonitor.enabled=true"]));
    let explained = |name: &str, said: &str| EXPLAINED.iter().any(|(n, s)| *n == name && said.starts_with(s));
    let left: Vec<_> = faults
        .iter()
        .filter(|(name, said)| !explained(name, said))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    // Nothing is explained that nobody asks.
    for (name, said) in EXPLAINED {
        assert!(
            faults.iter().any(|(n, s)| n == name && s.starts_with(said)),
            "{name}: {said} is not said"
        );
    }
}

#[test]
fn kube_score_finds_a_root_that_may_be_written_to() {
    let manifest = rendered(&[]).replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false");
    let said = format!("{:?}", faults(&manifest));
    assert!(said.contains("writable root filesystem"), "{said}");
}

#[test]
fn artifact_hub_is_told_what_is_there() {
    let chart: Value = serde_saphyr::from_str(&read("Chart.yaml")).unwrap();
    let annotation = |key: &str| -> Value {
        let text = chart["annotations"][format!("artifacthub.io/{key}")].as_str();
        serde_saphyr::from_str(text.unwrap_or_else(|| panic!("no {key}"))).unwrap()
    };
    assert_eq!(annotation("license"), "Apache-2.0");
    let crds = webinar_api::crds();
    let told = annotation("crds");
    assert_eq!(told.as_array().unwrap().len(), crds.len());
    for (crd, told) in crds.iter().zip(told.as_array().unwrap()) {
        assert_eq!(told["kind"], crd.spec.names.kind);
        assert_eq!(told["name"], crd.metadata.name.clone().unwrap());
        assert_eq!(told["version"], crd.spec.versions[0].name);
    }
    for example in annotation("crdsExamples").as_array().unwrap() {
        webinar_api::check(example).unwrap();
    }
    let kinds = ["added", "changed", "deprecated", "removed", "fixed", "security"];
    for change in annotation("changes").as_array().unwrap() {
        assert!(kinds.contains(&change["kind"].as_str().unwrap()), "{change}");
        assert!(change["description"].is_string(), "{change}");
    }
    let images = annotation("images");
    assert!(!images.as_array().unwrap().is_empty());
}
