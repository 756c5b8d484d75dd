//! What is to be followed of one Webinar.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use webinar_api::{self as api, labels};
use webinar_plan::{Role, Stall};

use crate::observe::Seen;
use crate::plausible;

/// What is to be followed of one Webinar: whom to ask, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// Where the figures come from.
    pub(super) source: Source,
    /// When media counts as stalled.
    pub(super) stall: Stall,
    /// The run's pods, by UID.
    pub(super) pods: BTreeMap<String, Followed>,
}

/// Where figures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// Each pod.
    Pods(api::PodMetrics),
    /// A Prometheus server.
    Server(api::Prometheus),
}

/// One pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Followed {
    pub(super) name: String,
    pub(super) role: Role,
    /// Known while it runs.
    pub(super) address: Option<IpAddr>,
}

impl Assignment {
    /// The pods of `run`, to be asked as `attendance` says. `None`: there is nobody to ask, or no way to.
    pub(crate) fn of(seen: &Seen, run: u32, attendance: &api::Attendance, stall: &Stall) -> Option<Self> {
        let api::Attendance {
            pod_metrics,
            prometheus,
        } = attendance;
        let server = || prometheus.clone().map(Source::Server);
        let source = pod_metrics.clone().map(Source::Pods).or_else(server)?;
        let pods: BTreeMap<_, _> = seen.pods.iter().filter_map(|pod| followed(pod, run)).collect();
        (!pods.is_empty()).then(|| Self {
            source,
            stall: stall.clone(),
            pods,
        })
    }
}

/// A pod of `run`, also one that was declared lost: whoever still watches through it keeps it.
fn followed(pod: &Pod, run: u32) -> Option<(String, Followed)> {
    let label = |key: &str| pod.labels().get(key).map(String::as_str);
    if label(labels::RUN)?.parse() != Ok(run) {
        return None;
    }
    let lost = || pod.annotations().get(labels::LOST_SLOT).map(String::as_str);
    let slot = plausible::slot(label(labels::SLOT).or_else(lost)?)?;
    let status = pod.status.as_ref();
    let runs = status.is_some_and(|s| s.phase.as_deref() == Some("Running"));
    let address = status.and_then(|s| s.pod_ip.as_deref()).filter(|_| runs);
    let followed = Followed {
        name: pod.name_any(),
        role: slot.role,
        address: address.and_then(|ip| ip.parse().ok()),
    };
    Some((pod.uid()?, followed))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::watch::trim_pod;

    fn pod(name: &str, run: &str, slot: Option<&str>, phase: &str, ip: Option<&str>) -> Arc<Pod> {
        let mut pod: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"name": name, "uid": format!("uid-{name}"), "labels": {labels::RUN: run}},
            "status": {"phase": phase, "podIP": ip},
        }))
        .expect("a pod");
        if let Some(slot) = slot {
            pod.labels_mut().insert(labels::SLOT.to_owned(), slot.to_owned());
        }
        // As the cache holds it.
        trim_pod(&mut pod);
        Arc::new(pod)
    }

    fn lost(slot: &str, mut pod: Arc<Pod>) -> Arc<Pod> {
        let annotations = Arc::make_mut(&mut pod).annotations_mut();
        annotations.insert(labels::LOST_SLOT.to_owned(), slot.to_owned());
        pod
    }

    #[test]
    fn pods_of_the_run_are_followed_and_running_ones_asked() {
        let seen = Seen {
            pods: vec![
                pod("a", "2", Some("sfu-0"), "Running", Some("10.0.0.1")),
                pod("b", "2", Some("relay-7"), "Running", Some("fd00::2")),
                pod("c", "2", Some("relay-8"), "Pending", Some("10.0.0.3")),
                pod("d", "2", Some("relay-9"), "Running", Some("not an address")),
                pod("e", "1", Some("relay-7"), "Running", Some("10.0.0.5")),
                pod("f", "2", None, "Running", Some("10.0.0.6")),
                lost("relay-3", pod("g", "2", None, "Running", Some("10.0.0.7"))),
            ],
            ..Seen::default()
        };
        let attendance = |json| -> api::Attendance { serde_json::from_value(json).expect("attendance") };
        let asked = attendance(serde_json::json!({
            "podMetrics": {"port": 9998, "viewers": {"sum": [{"metric": "readers"}]}},
        }));
        let stall = crate::scrape::tests::stall();
        let assignment = Assignment::of(&seen, 2, &asked, &stall).expect("an assignment");
        let told: Vec<_> = assignment
            .pods
            .values()
            .map(|p| (p.name.as_str(), p.role, p.address.map(|ip| ip.to_string())))
            .collect();
        let at = |ip: &str| Some(ip.to_owned());
        assert_eq!(
            told,
            [
                ("a", Role::Sfu, at("10.0.0.1")),
                ("b", Role::Relay, at("fd00::2")),
                ("c", Role::Relay, None),
                ("d", Role::Relay, None),
                ("g", Role::Relay, at("10.0.0.7")),
            ]
        );
        assert_eq!(Assignment::of(&seen, 3, &asked, &stall), None, "no pods");
        let nothing = attendance(serde_json::json!({}));
        assert_eq!(Assignment::of(&seen, 2, &nothing, &stall), None, "no source");
    }
}
