//! What is there before anyone asks for anything: namespaces, templates and classes.

use serde_json::{Value, json};
use webinar_api::labels;

use super::World;
use crate::server::Kind;

/// Where the operator and its templates live.
pub(crate) const OPERATOR_NAMESPACE: &str = "webinar-system";

/// The class of a Webinar that names none.
pub(crate) const DEFAULT_CLASS: &str = "tree";

/// Namespaces of event teams.
pub(crate) const TENANTS: [&str; 2] = ["blue", "red"];

impl World {
    pub(super) fn furnish(&mut self) {
        let now = self.now.time();
        for name in TENANTS.into_iter().chain([OPERATOR_NAMESPACE]) {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            self.server.put(now, Kind::Namespace, namespace);
        }
        for name in ["media-sfu", "media-relay"] {
            self.server.put(now, Kind::PodTemplate, template(name));
        }
        for class in classes() {
            self.server.put(now, Kind::WebinarClass, class);
        }
    }
}

fn template(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PodTemplate",
        "metadata": {"name": name, "namespace": OPERATOR_NAMESPACE},
        "template": {"spec": {"containers": [{
            "name": "media", "image": "example.com/media:1",
            "ports": [{"name": "rtsp", "containerPort": 8554}],
            "resources": {"requests": {"cpu": "15"}},
        }]}},
    })
}

/// `tree` (the default) has mids and grows to 50k; `flat` has none, and its pods can't be asked; `rooms` has SFUs alone;
/// of `shared` all Webinars together may have 20 pods; `broken` names a template that isn't there.
fn classes() -> Vec<Value> {
    let figure = |metric: &str| json!({"sum": [{"metric": metric}]});
    let asked = json!({"podMetrics": {
        "port": 9998, "viewers": figure("viewers"), "bytesIn": figure("bytes_in"), "bytesOut": figure("bytes_out"),
    }});
    let ramp = json!({
        "waveSize": 8, "waveInterval": "10s", "safetyPercent": 150, "readyBefore": "60s",
        "settle": {"nodeStartup": "30s", "imagePull": "30s", "podStartup": "5s", "upstream": "5s", "loadBalancer": "5s"},
    });
    let live = json!({
        "floorAfterStart": "2m", "overrun": "10m", "drainTimeout": "2m", "shrinkAfter": "1m", "shrinkInterval": "30s",
        "goneAfter": "30s", "joinsPerSecondPerRelay": 100,
    });
    let class = |name: &str, max_tier: &str, fan_out: u32| {
        json!({
            "apiVersion": "webinar-operator.io/v1alpha1", "kind": "WebinarClass",
            "metadata": {"name": name, "generation": 1},
            "spec": {
                "templates": {"sfu": "media-sfu", "relay": "media-relay"}, "maxTier": max_tier,
                "sizing": {"fanOut": fan_out, "packetsPerSecondPerCPU": 38_000},
                "attendance": asked, "ramp": ramp, "live": live,
            },
        })
    };
    let mut tree = class(DEFAULT_CLASS, "50k", 8);
    tree["metadata"]["annotations"] = json!({labels::IS_DEFAULT_CLASS: "true"});
    let mut flat = class("flat", "10k", 50);
    if let Some(spec) = flat["spec"].as_object_mut() {
        spec.remove("attendance");
    }
    let mut shared = class("shared", "10k", 8);
    shared["spec"]["maxTotalPods"] = json!(20);
    let rooms = class("rooms", "room", 8);
    let mut broken = class("broken", "10k", 8);
    broken["spec"]["templates"]["relay"] = json!("media-nowhere");
    vec![tree, flat, shared, rooms, broken]
}
