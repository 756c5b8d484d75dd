//! The CRDs in the chart.

use serde_json::Value;

use crate::helm::{chart, render};

const KINDS: [&str; 2] = [
    "webinarclasses.webinar-operator.io",
    "webinars.webinar-operator.io",
];

#[test]
fn they_are_those_of_the_repository() {
    let objects = render(&[]);
    assert_eq!(objects.names("CustomResourceDefinition"), KINDS);
    for name in KINDS {
        let plural = name.split('.').next().unwrap();
        let file = chart().join(format!("../../crds/{plural}.yaml"));
        let crd: Value = serde_saphyr::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(objects.one("CustomResourceDefinition", name)["spec"], crd["spec"]);
    }
    // Helm would never upgrade them there.
    assert!(!chart().join("crds").exists());
}

#[test]
fn they_and_all_webinars_outlive_the_release() {
    let kept = |values: &[&str]| -> Vec<bool> {
        render(values)
            .all("CustomResourceDefinition")
            .iter()
            .map(|crd| crd["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep")
            .collect()
    };
    assert_eq!(kept(&[]), [true, true]);
    assert_eq!(kept(&["crds.keep=false"]), [false, false]);
}

#[test]
fn they_can_be_left_to_somebody_else() {
    let objects = render(&["crds.enabled=false"]);
    assert!(objects.all("CustomResourceDefinition").is_empty());
    assert_eq!(objects.names("Deployment"), ["webinar-operator"]);
}
