//! What the API server tells of pods and EndpointSlices.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::future::ready;
use std::sync::Arc;

use anyhow::Result;
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::facts::{Ending, EventKey, PodFacts, Role};
use super::handle::Shared;
use super::model::{Model, Slice};
use super::options::DataPlaneOptions;
use crate::wait::wall_clock;

/// Labels that an event's pods and Services carry; EndpointSlices have those of their Service.
const WEBINAR: &str = "webinar-operator.io/webinar";
const WEBINAR_UID: &str = "webinar-operator.io/webinar-uid";
const SERVICE: &str = "kubernetes.io/service-name";
/// Seconds after which the API server ends a watch, so that one that hangs is noticed soon.
const WATCH_LIFE: u32 = 50;

/// Follows all pods until it is dropped. `filled` becomes true with the first list.
pub(super) async fn pods(client: Client, shared: Arc<Shared>, filled: watch::Sender<bool>) {
    let mut seen = BTreeSet::new();
    follow::<Pod>(client, filled, |event| match event {
        Event::Init => seen.clear(),
        Event::InitApply(pod) => {
            seen.extend(pod.uid());
            shared.with(|model| apply(model, &pod));
        }
        Event::InitDone => shared.with(|model| model.pods_are(&seen, wall_clock())),
        Event::Apply(pod) => shared.with(|model| apply(model, &pod)),
        Event::Delete(pod) => {
            if let Some(uid) = pod.uid() {
                shared.with(|model| model.pod_ended(&uid, ending(&pod), wall_clock()));
            }
        }
    })
    .await;
}

/// Follows all EndpointSlices until it is dropped. `filled` becomes true with the first list.
pub(super) async fn slices(client: Client, shared: Arc<Shared>, filled: watch::Sender<bool>) {
    let mut seen = BTreeSet::new();
    let apply = |slice: &EndpointSlice| {
        if let Some(slice) = slice_facts(slice) {
            shared.with(|model| model.slice_is(slice));
        }
    };
    follow::<EndpointSlice>(client, filled, |event| match event {
        Event::Init => seen.clear(),
        Event::InitApply(slice) => {
            seen.insert(key(&slice));
            apply(&slice);
        }
        Event::InitDone => shared.with(|model| model.slices_are(&seen)),
        Event::Apply(slice) => apply(&slice),
        Event::Delete(slice) => {
            let (namespace, name) = key(&slice);
            shared.with(|model| model.slice_gone(&namespace, &name));
        }
    })
    .await;
}

fn key(slice: &EndpointSlice) -> (String, String) {
    (slice.namespace().unwrap_or_default(), slice.name_any())
}

/// Nothing is stored but what the model takes from an object.
async fn follow<K>(client: Client, filled: watch::Sender<bool>, mut apply: impl FnMut(Event<K>))
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default()
        .labels(WEBINAR_UID)
        .timeout(WATCH_LIFE)
        .streaming_lists();
    watcher(Api::<K>::all(client), config)
        .default_backoff()
        .for_each(|event| {
            match event {
                Ok(event) => {
                    let done = matches!(event, Event::InitDone);
                    apply(event);
                    if done {
                        filled.send_replace(true);
                    }
                }
                Err(error) => tracing::debug!("data plane: watching {}: {error}", K::kind(&())),
            }
            ready(())
        })
        .await;
}

fn apply(model: &mut Model, pod: &Pod) {
    let now = wall_clock();
    let Some(uid) = pod.uid() else {
        return;
    };
    let runs = runs(pod, model.options());
    match event_of(pod).zip(pod_facts(pod)).filter(|_| runs) {
        Some((event, facts)) => model.pod_runs(&event, facts, now),
        None => model.pod_ended(&uid, ending(pod), now),
    }
}

fn event_of(object: &impl kube::ResourceExt) -> Option<EventKey> {
    Some(EventKey {
        namespace: object.namespace()?,
        name: object.labels().get(WEBINAR)?.clone(),
    })
}

/// Whether the process in the pod serves.
fn runs(pod: &Pod, options: &DataPlaneOptions) -> bool {
    phase(pod) == Some("Running")
        && (!is_lost(pod) || options.serve_on_lost_nodes)
        && (pod.metadata.deletion_timestamp.is_none() || options.serve_while_terminating)
}

/// Who hears that the process in a pod has ended.
fn ending(pod: &Pod) -> Ending {
    let collected = condition(pod, "DisruptionTarget")
        .is_some_and(|condition| condition.reason.as_deref() == Some("DeletionByPodGC"));
    match phase(pod) {
        _ if collected || is_lost(pod) => Ending::WithMachine,
        Some("Failed") => Ending::Killed,
        _ => Ending::Orderly,
    }
}

/// What the node lifecycle controller writes about pods of a node that is silent; a kubelet changes both.
fn is_lost(pod: &Pod) -> bool {
    let is = |kind: &str| condition(pod, kind).map(|condition| condition.status == "True");
    is("Ready") == Some(false) && is("ContainersReady") == Some(true)
}

fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    let mut conditions = pod.status.as_ref()?.conditions.iter().flatten();
    conditions.find(|condition| condition.type_ == kind)
}

/// `None` for pods that are no media servers.
fn pod_facts(pod: &Pod) -> Option<PodFacts> {
    let containers = &pod.spec.as_ref()?.containers;
    let env = |name: &str| {
        let mut all = containers
            .iter()
            .flat_map(|container| container.env.iter().flatten());
        all.find(|env| env.name == name)?.value.as_deref()
    };
    Some(PodFacts {
        uid: pod.uid()?,
        name: pod.name_any(),
        ip: pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()?,
        slot: env("WEBINAR_SLOT")?.to_owned(),
        role: Role::parse(env("WEBINAR_ROLE")?)?,
        upstream: env("WEBINAR_UPSTREAM")
            .and_then(|host| host.split('.').next())
            .filter(|service| !service.is_empty())
            .map(str::to_owned),
        max_viewers: env("WEBINAR_MAX_VIEWERS")
            .and_then(|n| n.parse().ok())
            .unwrap_or(0),
    })
}

fn slice_facts(slice: &EndpointSlice) -> Option<Slice> {
    let ready = slice.endpoints.iter().filter(|endpoint| {
        let conditions = endpoint.conditions.as_ref();
        conditions.and_then(|conditions| conditions.ready).unwrap_or(true)
    });
    Some(Slice {
        event: event_of(slice)?,
        name: slice.name_any(),
        service: slice.labels().get(SERVICE)?.clone(),
        ready: ready
            .filter_map(|endpoint| endpoint.target_ref.as_ref()?.uid.clone())
            .collect(),
    })
}

/// Waits for the first lists.
pub(super) async fn filled(mut first: watch::Receiver<bool>) -> Result<()> {
    first.wait_for(|filled| *filled).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(conditions: [(&str, &str); 2], change: impl FnOnce(&mut Value)) -> Pod {
        let conditions = conditions.map(|(kind, status)| json!({"type": kind, "status": status}));
        let env = [
            ("WEBINAR_ROLE", "relay"),
            ("WEBINAR_SLOT", "relay-3"),
            ("WEBINAR_UPSTREAM", "keynote-mid-1.stage.svc"),
            ("WEBINAR_MAX_VIEWERS", "1353"),
        ]
        .map(|(name, value)| json!({"name": name, "value": value}));
        let mut pod = json!({
            "metadata": {
                "name": "keynote-relay-3-aaaaa", "namespace": "stage", "uid": "u-3",
                "labels": {WEBINAR: "keynote", WEBINAR_UID: "u-1"},
            },
            "spec": {"containers": [{"name": "sidecar"}, {"name": "media", "env": env}]},
            "status": {"phase": "Running", "podIP": "10.64.0.9", "conditions": conditions},
        });
        change(&mut pod);
        serde_json::from_value(pod).expect("a pod")
    }

    const READY: [(&str, &str); 2] = [("Ready", "True"), ("ContainersReady", "True")];
    const LOST: [(&str, &str); 2] = [("Ready", "False"), ("ContainersReady", "True")];
    const STARTING: [(&str, &str); 2] = [("Ready", "False"), ("ContainersReady", "False")];

    fn model_runs(options: &DataPlaneOptions, pods: &[Pod]) -> bool {
        let mut model = Model::new(options.clone());
        for pod in pods {
            apply(&mut model, pod);
        }
        model.reply([10, 64, 0, 9].into()).is_some()
    }

    #[test]
    fn a_pod_tells_what_its_process_would_know() {
        let pod = pod(READY, |_| ());
        let facts = pod_facts(&pod).expect("a media server");
        assert_eq!(
            (facts.slot.as_str(), facts.role, facts.max_viewers),
            ("relay-3", Role::Relay, 1353)
        );
        assert_eq!(facts.upstream.as_deref(), Some("keynote-mid-1"));
        let event = event_of(&pod).expect("labels");
        assert_eq!(
            (event.namespace.as_str(), event.name.as_str()),
            ("stage", "keynote")
        );
    }

    #[test]
    fn a_process_runs_until_its_pod_ends() {
        let usual = DataPlaneOptions::default();
        let ready = pod(READY, |_| ());
        assert!(model_runs(&usual, std::slice::from_ref(&ready)));
        assert!(
            model_runs(&usual, &[pod(STARTING, |_| ())]),
            "it need not be ready"
        );
        assert!(!model_runs(
            &usual,
            &[pod(READY, |pod| pod["status"]["phase"] = json!("Pending"))]
        ));
        let failed = pod(STARTING, |pod| pod["status"]["phase"] = json!("Failed"));
        assert!(!model_runs(&usual, &[ready.clone(), failed]));
        let foreign = pod(READY, |pod| pod["spec"]["containers"] = json!([{"name": "main"}]));
        assert!(!model_runs(&usual, &[foreign]));

        let ending = pod(READY, |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-05-01T16:00:00Z");
        });
        let graceful = DataPlaneOptions {
            serve_while_terminating: true,
            ..usual.clone()
        };
        assert!(!model_runs(&usual, &[ready.clone(), ending.clone()]));
        assert!(model_runs(&graceful, &[ready.clone(), ending]));

        let lost = pod(LOST, |_| ());
        let partition = DataPlaneOptions {
            serve_on_lost_nodes: true,
            ..usual.clone()
        };
        assert!(!model_runs(&usual, &[ready.clone(), lost.clone()]));
        assert!(model_runs(&partition, &[ready, lost]));
    }

    #[test]
    fn who_hears_of_an_end_depends_on_its_kind() {
        let deleted = pod(READY, |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-05-01T16:00:00Z");
        });
        assert_eq!(ending(&deleted), Ending::Orderly);
        assert_eq!(ending(&pod(READY, |_| ())), Ending::Orderly);
        assert_eq!(ending(&pod(LOST, |_| ())), Ending::WithMachine);
        let failed = |pod: &mut Value| pod["status"]["phase"] = json!("Failed");
        assert_eq!(ending(&pod(STARTING, failed)), Ending::Killed);
        let collected = pod(READY, |pod| {
            failed(pod);
            pod["status"]["conditions"][0] =
                json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"});
        });
        assert_eq!(ending(&collected), Ending::WithMachine);
    }

    #[test]
    fn an_address_leads_to_what_is_ready() {
        let slice = json!({
            "metadata": {
                "name": "keynote-origin-abcde", "namespace": "stage",
                "labels": {WEBINAR: "keynote", WEBINAR_UID: "u-1", SERVICE: "keynote-origin"},
            },
            "addressType": "IPv4",
            "endpoints": [
                {"addresses": ["10.64.0.1"], "conditions": {"ready": true}, "targetRef": {"uid": "u-7"}},
                {"addresses": ["10.64.0.2"], "conditions": {"ready": false}, "targetRef": {"uid": "u-8"}},
                {"addresses": ["10.64.0.3"], "conditions": {"ready": true}},
            ],
            "ports": [],
        });
        let slice = slice_facts(&serde_json::from_value(slice).expect("a slice")).expect("labels");
        assert_eq!(
            (slice.service.as_str(), slice.ready),
            ("keynote-origin", vec!["u-7".to_owned()])
        );
    }
}
