//! What the caches show of one Webinar.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, PodTemplate, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::{Resource, ResourceExt as _};
use webinar_api::{Webinar, WebinarClass, labels};

use crate::memory::Pinned;
use crate::neighbours::Everyone;
use crate::ownership::{Owner, called, concerns, is_owned_by, is_owned_by_namesake, told_apart};
use crate::recent::{Kind, Known};
use crate::watch::{self, Filler, Progress, Watched};

/// The caches of one scope: one namespace, or all.
#[derive(Debug, Clone)]
pub(crate) struct Caches {
    pub(crate) pods: Watched<Pod>,
    pub(crate) services: Watched<Service>,
    /// Of the stage's Services.
    pub(crate) slices: Watched<EndpointSlice>,
    pub(crate) budgets: Watched<PodDisruptionBudget>,
    pub(crate) revisions: Watched<ControllerRevision>,
    pub(crate) classes: Watched<WebinarClass>,
    pub(crate) templates: Watched<PodTemplate>,
    /// The Webinars themselves, once their controller has a store.
    pub(crate) webinars: Arc<OnceLock<Store<DeserializeGuard<Webinar>>>>,
}

/// What fills the caches of one scope, but that of the Webinars themselves.
#[derive(Debug)]
pub(crate) struct Fillers {
    pub(crate) pods: Filler<Pod>,
    pub(crate) services: Filler<Service>,
    pub(crate) slices: Filler<EndpointSlice>,
    pub(crate) budgets: Filler<PodDisruptionBudget>,
    pub(crate) revisions: Filler<ControllerRevision>,
    pub(crate) classes: Filler<WebinarClass>,
    pub(crate) templates: Filler<PodTemplate>,
}

/// Everything that belongs to one Webinar, and what it may refer to.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) pods: Vec<Arc<Pod>>,
    /// Pods that carry the Webinar's labels and are not its own.
    pub(crate) strangers: Vec<Arc<Pod>>,
    pub(crate) services: Vec<Arc<Service>>,
    /// Where the stage's Services lead.
    pub(crate) slices: Vec<Arc<EndpointSlice>>,
    pub(crate) budgets: Vec<Arc<PodDisruptionBudget>>,
    /// Newest run first.
    pub(crate) revisions: Vec<Arc<ControllerRevision>>,
    /// What a Webinar of the same name that is gone has left behind, as [`called`]: the garbage collector is about to take
    /// it, and its names are not free before.
    pub(crate) left_behind: BTreeSet<String>,
    /// What the newest run pinned, if that was read already.
    pub(crate) pinned: Option<Result<Pinned, String>>,
    pub(crate) platform: Platform,
    /// Filled when a class has a ceiling over all its Webinars.
    pub(crate) everyone: Everyone,
}

/// What the platform team offers to every Webinar.
#[derive(Debug, Default, Clone)]
pub(crate) struct Platform {
    pub(crate) classes: Vec<Arc<WebinarClass>>,
    /// PodTemplates of the operator's namespace.
    pub(crate) templates: Vec<Arc<PodTemplate>>,
}

impl Platform {
    /// The class of this name.
    pub(crate) fn class(&self, name: &str) -> Option<&WebinarClass> {
        let mut classes = self.classes.iter().map(AsRef::as_ref);
        classes.find(|c: &&WebinarClass| c.name_any() == name)
    }

    /// The PodTemplate of this name.
    pub(crate) fn template(&self, name: &str) -> Option<&PodTemplate> {
        let mut templates = self.templates.iter().map(AsRef::as_ref);
        templates.find(|t: &&PodTemplate| t.name_any() == name)
    }

    /// A class has a ceiling over all its Webinars.
    pub(crate) fn shares(&self) -> bool {
        self.classes.iter().any(|c| c.spec.max_total_pods.is_some())
    }
}

impl Caches {
    /// Empty caches and what fills them: what is kept of each kind, and whom a change of it concerns.
    pub(crate) fn new() -> (Self, Fillers) {
        let (pods, fill_pods) = Filler::new(watch::trim_pod, watch::owner);
        let (services, fill_services) = Filler::new(watch::trim, watch::owner);
        let (slices, fill_slices) = Filler::new(watch::trim, watch::owner);
        let (budgets, fill_budgets) = Filler::new(watch::trim, watch::owner);
        let (revisions, fill_revisions) = Filler::new(watch::trim, watch::owner);
        let (classes, fill_classes) = Filler::new(watch::trim, watch::everyone);
        let (templates, fill_templates) = Filler::new(watch::trim, watch::everyone);
        let caches = Self {
            pods,
            services,
            slices,
            budgets,
            revisions,
            classes,
            templates,
            webinars: Arc::default(),
        };
        let fillers = Fillers {
            pods: fill_pods,
            services: fill_services,
            slices: fill_slices,
            budgets: fill_budgets,
            revisions: fill_revisions,
            classes: fill_classes,
            templates: fill_templates,
        };
        (caches, fillers)
    }

    /// How far the cache of `kind` has come.
    pub(crate) fn progress(&self, kind: Kind) -> &Progress {
        match kind {
            Kind::Pod => &self.pods.progress,
            Kind::Service => &self.services.progress,
            Kind::Budget => &self.budgets.progress,
            Kind::Revision => &self.revisions.progress,
        }
    }

    /// Every cache shows what we wrote last for this Webinar.
    pub(crate) fn show_own_writes(&self, known: &Known) -> bool {
        known
            .written
            .iter()
            .all(|(kind, mark)| self.progress(*kind).shows(*mark))
    }

    /// What belongs to this Webinar, or looks as if it did.
    pub(crate) fn look(&self, owner: &Owner) -> Seen {
        let (namespace, uid) = (owner.namespace.as_str(), owner.uid.as_str());
        let (mut revisions, left_revisions) = owned(&self.revisions.store, owner);
        let (services, left_services) = owned(&self.services.store, owner);
        let (budgets, left_budgets) = owned(&self.budgets.store, owner);
        revisions.sort_by_key(|r| std::cmp::Reverse(r.revision));
        let platform = self.platform();
        let everyone = if platform.shares() {
            Everyone {
                webinars: in_order(self.webinars.get().map(Store::state).unwrap_or_default()),
                revisions: in_order(self.revisions.store.state()),
            }
        } else {
            Everyone::default()
        };
        let near = in_order(self.pods.store.state_filter(|pod| concerns(pod, owner)));
        let (pods, strangers) = told_apart(near, owner);
        Seen {
            pods,
            strangers,
            services,
            slices: in_order(self.slices.store.state_filter(|s| {
                s.namespace().as_deref() == Some(namespace)
                    && s.labels().get(labels::WEBINAR_UID).map(String::as_str) == Some(uid)
            })),
            budgets,
            revisions,
            left_behind: [left_services, left_budgets, left_revisions]
                .concat()
                .into_iter()
                .collect(),
            pinned: None,
            platform,
            everyone,
        }
    }

    /// What the platform team offers.
    pub(crate) fn platform(&self) -> Platform {
        Platform {
            classes: self.classes.store.state(),
            templates: self.templates.store.state(),
        }
    }

    /// Waits until every cache has been filled once.
    pub(crate) async fn filled(&self) {
        let Self {
            pods,
            services,
            slices,
            budgets,
            revisions,
            classes,
            templates,
            webinars: _,
        } = self;
        tokio::join!(
            pods.progress.filled(),
            services.progress.filled(),
            slices.progress.filled(),
            budgets.progress.filled(),
            revisions.progress.filled(),
            classes.progress.filled(),
            templates.progress.filled(),
        );
    }
}

/// In the order of namespaces and names: a store's own order is another one in each process, and the same objects are to
/// make the same plan.
fn in_order<K: Resource>(mut objects: Vec<Arc<K>>) -> Vec<Arc<K>> {
    objects.sort_by(|a, b| {
        let (a, b) = (a.meta(), b.meta());
        (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name))
    });
    objects
}

/// What is owned by UID, for what merely carries our labels is nobody's of ours; and what the garbage collector is about
/// to take from a namesake, as [`called`].
fn owned<K>(store: &Store<K>, owner: &Owner) -> (Vec<Arc<K>>, Vec<String>)
where
    K: Resource<DynamicType = ()> + Clone + 'static,
{
    let near = in_order(store.state_filter(|object| {
        object.namespace().as_deref() == Some(&owner.namespace)
            && (is_owned_by(object, owner) || is_owned_by_namesake(object, owner))
    }));
    let (own, left): (Vec<_>, Vec<_>) = near
        .into_iter()
        .partition(|object| is_owned_by(object.as_ref(), owner));
    let left = left.iter().map(|object| called(object.as_ref()));
    (own, left.collect())
}
