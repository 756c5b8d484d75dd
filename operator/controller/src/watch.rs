//! Caches: watches of our own objects, trimmed before they are stored, and how far they have come.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::StreamExt as _;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, PodSpec};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use webinar_api::{Webinar, labels};
use webinar_plan::EntryKind;

use crate::build::labels::MANAGED_BY;

/// What a watch says has changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Touched {
    /// Something of the Webinar `name` in `namespace`.
    Webinar {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
    },
    /// Something that may concern every Webinar.
    All,
}

/// How far a cache has come: a view older than our own last write must not be acted upon.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    version: AtomicU64,
    lists_begun: AtomicU64,
    lists_done: AtomicU64,
    // A `Store`'s own wait wakes only the last of several waiters (kube-runtime 5.0).
    filled: tokio::sync::watch::Sender<bool>,
}

/// A write of ours that a cache has yet to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    version: u64,
    lists_begun: u64,
}

impl Progress {
    fn see(&self, version: Option<&str>) {
        self.version
            .fetch_max(version.and_then(number).unwrap_or(0), Ordering::AcqRel);
    }

    fn listed(&self) {
        self.lists_done
            .store(self.lists_begun.load(Ordering::Acquire), Ordering::Release);
        self.filled.send_replace(true);
    }

    /// Waits until the cache has been filled once.
    pub(crate) async fn filled(&self) {
        // It can only fail when `self` is gone.
        let _ = self.filled.subscribe().wait_for(|filled| *filled).await;
    }

    /// The mark of a write that the API server answered with `version`.
    pub(crate) fn mark(&self, version: &str) -> Option<Mark> {
        Some(Mark {
            version: number(version)?,
            lists_begun: self.lists_begun.load(Ordering::Acquire),
        })
    }

    /// The cache shows the write, by its version or by a whole list that began after it.
    pub(crate) fn shows(&self, mark: Mark) -> bool {
        self.version.load(Ordering::Acquire) >= mark.version
            || self.lists_done.load(Ordering::Acquire) > mark.lists_begun
    }
}

/// Resource versions of one kind can be compared as numbers (guaranteed since Kubernetes 1.35, true before).
fn number(version: &str) -> Option<u64> {
    version.parse().ok()
}

/// Takes what a watch tells into a cache.
#[derive(Debug)]
pub(crate) struct Filler<K: Resource<DynamicType = ()> + Clone + 'static> {
    writer: reflector::store::Writer<K>,
    progress: Arc<Progress>,
    trim: fn(&mut K),
    touches: fn(&K) -> Option<Touched>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Filler<K> {
    /// An empty cache and what fills it.
    ///
    /// `trim` drops what isn't used before an object is stored. `touches` says whom a change concerns.
    pub(crate) fn new(trim: fn(&mut K), touches: fn(&K) -> Option<Touched>) -> (Watched<K>, Self) {
        let (store, writer) = reflector::store();
        let progress = Arc::new(Progress::default());
        let watched = Watched {
            store,
            progress: Arc::clone(&progress),
        };
        let filler = Self {
            writer,
            progress,
            trim,
            touches,
        };
        (watched, filler)
    }

    /// Takes in what has happened. Says whom it concerns.
    pub(crate) fn take(&mut self, event: watcher::Event<K>) -> Option<Touched> {
        let event = event.modify(self.trim);
        self.writer.apply_watcher_event(&event);
        match &event {
            watcher::Event::Init => {
                self.progress.lists_begun.fetch_add(1, Ordering::AcqRel);
                None
            }
            watcher::Event::InitApply(object) => {
                self.progress.see(object.meta().resource_version.as_deref());
                None
            }
            watcher::Event::InitDone => {
                self.progress.listed();
                Some(Touched::All)
            }
            watcher::Event::Apply(object) | watcher::Event::Delete(object) => {
                self.progress.see(object.meta().resource_version.as_deref());
                (self.touches)(object)
            }
        }
    }
}

/// A cache and how far it has come.
#[derive(Debug, Clone)]
pub(crate) struct Watched<K: Resource<DynamicType = ()> + 'static> {
    pub(crate) store: Store<K>,
    pub(crate) progress: Arc<Progress>,
}

/// Objects of one namespace, or of all.
pub(crate) fn scoped<K>(client: &Client, scope: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// Watches only what carries our labels. Where the policy on ownership is in force, nobody else can give the UID's.
pub(crate) fn ours() -> watcher::Config {
    everything().labels(&format!(
        "{}={MANAGED_BY},{}",
        labels::APP_MANAGED_BY,
        labels::WEBINAR_UID
    ))
}

/// Watches whatever our Services may select, which is more than what is ours: every selector names a Webinar's UID.
pub(crate) fn selectable() -> watcher::Config {
    everything().labels(labels::WEBINAR_UID)
}

/// Watches where the addresses of the stage lead. Those of viewers change with every relay, and nobody asks for them.
pub(crate) fn stage() -> watcher::Config {
    let kinds = [EntryKind::Ingest, EntryKind::Origin].map(|k| k.to_string());
    everything().labels(&format!("{} in ({})", labels::ENTRY, kinds.join(",")))
}

/// Seconds after which the API server ends a watch. One that it has not ended five seconds later hangs; so a silent one is
/// noticed, and begun anew, within a minute.
const WATCH_LIFE: u32 = 50;

/// Watches everything of a kind.
pub(crate) fn everything() -> watcher::Config {
    watcher::Config::default().timeout(WATCH_LIFE).streaming_lists()
}

/// Keeps a cache filled with what `api` tells.
pub(crate) async fn watch<K>(
    api: Api<K>,
    config: watcher::Config,
    mut filler: Filler<K>,
    touched: mpsc::Sender<Touched>,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    while let Some(event) = events.next().await {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                tracing::warn!(kind = %K::kind(&()), "{}; trying again", trouble(&error));
                continue;
            }
        };
        if let Some(concerns) = filler.take(event)
            && touched.send(concerns).await.is_err()
        {
            return;
        }
    }
}

/// What keeps a watch from working, in words.
fn trouble(error: &watcher::Error) -> String {
    let (watcher::Error::InitialListFailed(source)
    | watcher::Error::WatchStartFailed(source)
    | watcher::Error::WatchFailed(source)) = error
    else {
        return format!("the watch failed: {error}");
    };
    match source {
        kube::Error::Api(status) if status.code == 404 => {
            "the API server doesn't know this kind: are the CRDs installed?".to_owned()
        }
        kube::Error::Api(status) => format!("the API server refuses the watch: {}", status.message),
        other => format!("the API server can't be reached: {other}"),
    }
}

/// The Webinar that controls `object`, or that its labels name when it is nobody's.
pub(crate) fn owner<K: Resource>(object: &K) -> Option<Touched> {
    let controller = object
        .owner_references()
        .iter()
        .find(|o| o.controller == Some(true));
    let name = match controller.filter(|o| o.kind == Webinar::kind(&())) {
        Some(owner) => &owner.name,
        None => object.labels().get(labels::WEBINAR)?,
    };
    Some(Touched::Webinar {
        namespace: object.namespace()?,
        name: name.clone(),
    })
}

/// A Webinar concerns itself.
pub(crate) fn itself<K: Resource>(object: &K) -> Option<Touched> {
    Some(Touched::Webinar {
        namespace: object.namespace()?,
        name: object.name_any(),
    })
}

/// Whom a class or template concerns.
pub(crate) fn everyone<K>(_: &K) -> Option<Touched> {
    Some(Touched::All)
}

impl Touched {
    /// As the Controller names it.
    pub(crate) fn reference<K>(&self) -> Option<ObjectRef<K>>
    where
        K: Resource<DynamicType = ()>,
    {
        match self {
            Self::Webinar { namespace, name } => Some(ObjectRef::new(name).within(namespace)),
            Self::All => None,
        }
    }
}

/// Drops what nobody reads.
pub(crate) fn trim<K: Resource>(object: &mut K) {
    object.meta_mut().managed_fields = None;
}

/// Keeps of a pod what decisions are made from: metadata, node, conditions, why it waits, and where it can be asked.
pub(crate) fn trim_pod(pod: &mut Pod) {
    trim(pod);
    pod.spec = pod.spec.take().map(|spec| PodSpec {
        node_name: spec.node_name,
        termination_grace_period_seconds: spec.termination_grace_period_seconds,
        ..PodSpec::default()
    });
    if let Some(status) = &mut pod.status {
        let waiting = status
            .container_statuses
            .take()
            .into_iter()
            .flatten()
            .filter_map(|c| {
                let state = c.state.filter(|s| s.waiting.is_some())?;
                Some(ContainerStatus {
                    name: c.name,
                    state: Some(state),
                    ..ContainerStatus::default()
                })
            });
        let waiting: Vec<_> = waiting.collect();
        *status = k8s_openapi::api::core::v1::PodStatus {
            phase: status.phase.take(),
            start_time: status.start_time.take(),
            conditions: status.conditions.take(),
            pod_ip: status.pod_ip.take(),
            container_statuses: (!waiting.is_empty()).then_some(waiting),
            ..Default::default()
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_of_nobody_concerns_the_webinar_that_its_labels_name() {
        let pod = |metadata: serde_json::Value| -> Pod {
            serde_json::from_value(serde_json::json!({"metadata": metadata})).expect("a pod")
        };
        let webinar = |name: &str| {
            Some(Touched::Webinar {
                namespace: "events".to_owned(),
                name: name.to_owned(),
            })
        };
        let owned_by = |kind: &str| {
            pod(serde_json::json!({
                "namespace": "events", "labels": {labels::WEBINAR: "keynote"}, "ownerReferences":
                [{"apiVersion": "v1", "kind": kind, "name": "talk", "uid": "uid-1", "controller": true}],
            }))
        };
        assert_eq!(owner(&owned_by("Webinar")), webinar("talk"));
        assert_eq!(owner(&owned_by("ReplicaSet")), webinar("keynote"));
        assert_eq!(owner(&pod(serde_json::json!({"namespace": "events"}))), None);
    }

    #[test]
    fn a_cache_shows_a_write_by_version_or_by_a_later_list() {
        let progress = Progress::default();
        progress.see(Some("10"));
        let mark = progress.mark("12").unwrap();
        assert!(!progress.shows(mark));
        progress.see(Some("11"));
        assert!(!progress.shows(mark));
        progress.see(Some("12"));
        assert!(progress.shows(mark));

        let later = progress.mark("99").unwrap();
        progress
            .lists_done
            .store(progress.lists_begun.load(Ordering::Acquire), Ordering::Release);
        assert!(
            !progress.shows(later),
            "a list that began before the write proves nothing"
        );
        progress.lists_begun.fetch_add(1, Ordering::AcqRel);
        progress.listed();
        assert!(progress.shows(later));
    }
}
