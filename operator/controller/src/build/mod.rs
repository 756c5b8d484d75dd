//! From decisions to objects. Nothing here talks to the API server or decides anything.

pub(crate) mod budget;
pub(crate) mod labels;
pub(crate) mod pod;
pub(crate) mod prepare;
pub(crate) mod revision;
pub(crate) mod service;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;
use webinar_api::Webinar;

/// The Webinar as the owner of what is built for it.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Namespace of everything that is built.
    pub(crate) namespace: String,
    /// Name of the Webinar.
    pub(crate) name: String,
    /// UID of the Webinar.
    pub(crate) uid: String,
    /// Version of its spec.
    pub(crate) generation: Option<i64>,
}

impl Owner {
    /// `None` for an object that was never stored.
    pub(crate) fn of(webinar: &Webinar) -> Option<Self> {
        let meta = webinar.meta();
        Some(Self {
            namespace: meta.namespace.clone()?,
            name: meta.name.clone()?,
            uid: meta.uid.clone()?,
            generation: meta.generation,
        })
    }

    /// The reference that makes the garbage collector take everything with the Webinar.
    pub(crate) fn reference(&self) -> OwnerReference {
        OwnerReference {
            api_version: Webinar::api_version(&()).into_owned(),
            kind: Webinar::kind(&()).into_owned(),
            name: self.name.clone(),
            uid: self.uid.clone(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }
    }
}
