//! The preset that the chart ships, scaled down to one small node.

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::generated::OPERATOR_NAMESPACE;

const PRESET: &str = include_str!("../../../../charts/webinar-operator/files/presets/mediamtx.yaml");

const RELAY: &str = "standard-relay";
const LIMITED_RELAY: &str = "limited-relay";

/// CPU that a pod asks for, in thousandths: fourteen fit beside the control plane on two cores.
const CPU: &str = "80m";
const MEMORY: &str = "128Mi";
/// With [`CPU`] a relay carries 2,080 viewers on paper, so that a `10k` has nine relays.
const PACKETS_PER_SECOND_PER_CPU: u32 = 8_000_000;
/// Names of the classes beside the preset's.
pub(super) const QUICK: &str = "quick";
pub(super) const SINGLE: &str = "single";
pub(super) const LIMITED: &str = "limited";

/// What a relay of the class [`LIMITED`] may use, so that a small crowd finds its limit.
pub(super) const LIMIT: &str = "250m";
/// So that nine relays need mids.
const FAN_OUT: u32 = 6;

/// Namespaces, the class and its templates. Besides what is asked for nothing differs from the preset.
///
/// # Errors
/// When the preset is not as expected.
pub(super) fn manifests(namespace: &str) -> Result<String> {
    let mut yaml = String::new();
    for name in [OPERATOR_NAMESPACE, namespace] {
        // The API server itself holds the preset's pods to the strictest of its profiles.
        yaml += &format!(
            "---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{\"pod-security.kubernetes.io/enforce\": \
             restricted}}}}\n"
        );
    }
    let documents: Vec<Value> = serde_saphyr::from_multiple(PRESET).context("reading the preset")?;
    let mut kinds = Vec::new();
    let mut more = String::new();
    for mut document in documents {
        let kind = document["kind"].as_str().unwrap_or_default().to_owned();
        match kind.as_str() {
            "WebinarClass" => {
                scale_class(&mut document);
                more += &format!(
                    "---\n{}\n---\n{}\n",
                    hurried(document.clone()),
                    single(document.clone())
                );
                more += &format!("---\n{}\n", limited(document.clone()));
            }
            "PodTemplate" => {
                scale_template(&mut document)?;
                if document["metadata"]["name"] == RELAY {
                    more += &format!("---\n{}\n", limited_relay(document.clone()));
                }
            }
            other => bail!("the preset holds a {other}"),
        }
        yaml += &format!("---\n{document}\n");
        kinds.push(kind);
    }
    kinds.sort();
    ensure!(
        kinds == ["PodTemplate", "PodTemplate", "WebinarClass"],
        "the preset holds {kinds:?}"
    );
    Ok(yaml + &more)
}

fn scale_class(class: &mut Value) {
    class["spec"]["sizing"]["packetsPerSecondPerCPU"] = json!(PACKETS_PER_SECOND_PER_CPU);
    class["spec"]["sizing"]["fanOut"] = json!(FAN_OUT);
}

/// The same class with a shrink that one can watch: ten minutes become twenty seconds.
fn hurried(mut class: Value) -> Value {
    class["metadata"] = json!({"name": QUICK});
    class["spec"]["live"] = json!({"floorAfterStart": "0s", "shrinkAfter": "20s", "shrinkInterval": "10s"});
    class
}

/// The same class with one SFU and one relay, so that the machine has time for viewers.
fn single(mut class: Value) -> Value {
    class["metadata"] = json!({"name": SINGLE});
    class["spec"]["topology"]["zones"] = json!(1);
    let sizing = &mut class["spec"]["sizing"];
    sizing["spares"] = json!({"min": 0, "percent": 0});
    sizing["sfu"]["counts"] = json!({"10k": 1});
    // Figures with which one relay carries everybody on paper.
    sizing["viewer"] = json!({"packetsPerSecond": 10, "bitrateKbps": 100});
    class
}

/// The same with a relay that may not use more than [`LIMIT`].
fn limited(class: Value) -> Value {
    let mut class = single(class);
    class["metadata"] = json!({"name": LIMITED});
    class["spec"]["templates"]["relay"] = json!(LIMITED_RELAY);
    class
}

fn limited_relay(mut template: Value) -> Value {
    template["metadata"]["name"] = json!(LIMITED_RELAY);
    template["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!(LIMIT);
    template
}

fn scale_template(template: &mut Value) -> Result<()> {
    let containers = template["template"]["spec"]["containers"].as_array_mut();
    for container in containers.context("a template without containers")? {
        container["resources"] = json!({
            "requests": {"cpu": CPU, "memory": MEMORY},
            "limits": {"memory": "1Gi"},
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use webinar_testbed::tools::Tool;

    use super::*;

    #[test]
    fn only_resources_and_two_sizes_differ_from_the_preset() {
        let ours: Vec<Value> =
            serde_saphyr::from_multiple(&manifests("events").expect("manifests")).expect("YAML");
        let preset: Vec<Value> = serde_saphyr::from_multiple(PRESET).expect("YAML");
        // Two namespaces before, and what three more classes need behind.
        assert_eq!(ours.len(), 2 + preset.len() + 4);
        for (mut ours, mut preset) in ours.into_iter().skip(2).zip(preset) {
            for document in [&mut ours, &mut preset] {
                if document["kind"] == "WebinarClass" {
                    document["spec"]["sizing"]["packetsPerSecondPerCPU"] = Value::Null;
                    document["spec"]["sizing"]["fanOut"] = Value::Null;
                } else {
                    document["template"]["spec"]["containers"][0]["resources"] = Value::Null;
                }
            }
            assert_eq!(ours, preset);
        }
    }

    #[test]
    fn the_preset_names_the_media_server_that_is_tested() {
        let image = format!("image: bluenviron/mediamtx:{}\n", Tool::MediaMtx.version());
        assert_eq!(PRESET.matches(&image).count(), 2);
        assert_eq!(PRESET.matches("image: ").count(), 2);
    }
}
