//! Renders the chart.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;
use webinar_testbed::tools::{Tool, Tools};

/// The chart's directory.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/webinar-operator")
}

/// A file of the chart.
pub(crate) fn read(name: &str) -> String {
    std::fs::read_to_string(chart().join(name)).unwrap()
}

/// Where a program of the testbed is.
pub(crate) fn program(tool: Tool) -> PathBuf {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let tools = runtime.block_on(Tools::ensure(&[tool], &|text| println!("{text}")));
    tools.unwrap().path(tool).unwrap().to_owned()
}

static HELM: LazyLock<PathBuf> = LazyLock::new(|| program(Tool::Helm));

/// The kind that a cluster knows once the CRDs are there.
pub(crate) const CLASS_API: &str = "webinar-operator.io/v1alpha1/WebinarClass";

/// `helm template webinar-operator` in namespace `webinar-system`, with these values, each as for `--set-json`.
fn template(values: &[&str], more: &[&str]) -> Output {
    Command::new(&*HELM)
        .args(["template", "webinar-operator"])
        .arg(chart())
        .args(["--namespace", "webinar-system"])
        .args(values.iter().flat_map(|value| ["--set-json", value]))
        .args(more)
        .output()
        .unwrap()
}

/// What is rendered for a cluster that has the CRDs already.
pub(crate) fn render(values: &[&str]) -> Objects {
    render_with(values, &["--api-versions", CLASS_API])
}

/// What is rendered with more arguments of Helm.
pub(crate) fn render_with(values: &[&str], more: &[&str]) -> Objects {
    let text = text(values, more);
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    Objects(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// The YAML that is rendered.
pub(crate) fn text(values: &[&str], more: &[&str]) -> String {
    let done = template(values, more);
    let text = String::from_utf8(done.stdout).unwrap();
    assert!(
        done.status.success(),
        "{values:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    text
}

/// Why these values are refused.
pub(crate) fn refusal(values: &[&str]) -> String {
    refusal_with(values, &[])
}

/// Why Helm refuses, with more arguments.
pub(crate) fn refusal_with(values: &[&str], more: &[&str]) -> String {
    let done = template(values, more);
    assert!(!done.status.success(), "{values:?} were accepted");
    String::from_utf8(done.stderr).unwrap()
}

/// Rendered objects.
pub(crate) struct Objects(pub(crate) Vec<Value>);

impl Objects {
    /// All of a kind.
    pub(crate) fn all(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The only one of a kind that has this name.
    pub(crate) fn one(&self, kind: &str, name: &str) -> &Value {
        let named: Vec<&Value> = self
            .all(kind)
            .into_iter()
            .filter(|object| object["metadata"]["name"] == name)
            .collect();
        assert_eq!(named.len(), 1, "{kind} {name} among {:?}", self.names(kind));
        named[0]
    }

    /// The names of a kind, sorted.
    pub(crate) fn names(&self, kind: &str) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .all(kind)
            .iter()
            .map(|object| object["metadata"]["name"].as_str().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    /// The Deployment's pod spec.
    pub(crate) fn pod(&self) -> &Value {
        &self.one("Deployment", "webinar-operator")["spec"]["template"]["spec"]
    }

    /// The arguments of the operator.
    pub(crate) fn args(&self) -> Vec<&str> {
        texts(&self.pod()["containers"][0]["args"])
    }
}

/// An array of texts.
pub(crate) fn texts(array: &Value) -> Vec<&str> {
    let array = array.as_array().unwrap_or_else(|| panic!("{array} is no array"));
    array.iter().map(|text| text.as_str().unwrap()).collect()
}
