//! Other Webinars of a class that share its pods.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use kube::ResourceExt as _;
use kube::core::DeserializeGuard;
use webinar_api::Webinar;
use webinar_plan as plan;
use webinar_plan::Neighbour;

use crate::observe::Platform;
use crate::ruling::named_class;
use crate::{convert, memory};

/// Everyone who may share pods with a Webinar, as the caches of one scope show them.
#[derive(Debug, Default)]
pub(crate) struct Everyone {
    pub(crate) webinars: Vec<Arc<DeserializeGuard<Webinar>>>,
    pub(crate) revisions: Vec<Arc<ControllerRevision>>,
}

/// The other Webinars that `class` serves, with what they have or need. One that can't be read needs nothing.
pub(crate) fn neighbours(
    me: &Webinar,
    class: &plan::Class,
    everyone: &Everyone,
    platform: &Platform,
    now: Timestamp,
) -> Vec<Neighbour> {
    let latest = latest(&everyone.revisions);
    let all = everyone
        .webinars
        .iter()
        .filter_map(|guarded| guarded.0.as_ref().ok());
    let others = all.filter(|other| other.uid() != me.uid());
    others
        .filter(|other| named_class(other, platform).is_some_and(|c| c.name_any() == class.name))
        .filter_map(|other| {
            let uid = other.uid()?;
            let last = latest.get(uid.as_str()).and_then(|r| memory::read(r).ok());
            let key = format!("{}/{}", other.namespace()?, other.name_any());
            let created = other.creation_timestamp().map_or(now, |t| t.0);
            plan::neighbour(
                key,
                &convert::spec(&other.spec),
                created,
                last.as_ref(),
                class,
                now,
            )
        })
        .collect()
}

/// The newest memory of each Webinar, by its UID.
fn latest(revisions: &[Arc<ControllerRevision>]) -> HashMap<&str, &ControllerRevision> {
    let mut latest: HashMap<&str, &ControllerRevision> = HashMap::new();
    for revision in revisions {
        let owner = revision
            .owner_references()
            .iter()
            .find(|o| o.controller == Some(true));
        let Some(owner) = owner else {
            continue;
        };
        let newest = latest.entry(owner.uid.as_str()).or_insert(revision);
        if newest.revision < revision.revision {
            *newest = revision;
        }
    }
    latest
}
