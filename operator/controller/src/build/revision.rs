//! The ControllerRevision that is a run's memory.

use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::apimachinery::pkg::runtime::RawExtension;
use kube::ResourceExt as _;
use webinar_api::labels;
use webinar_plan::Memory;

use super::labels as ours;
use crate::memory::{self, Pinned};
use crate::observe::Seen;
use crate::ownership::Owner;

/// `<webinar>-<run>`.
pub(crate) fn name(owner: &Owner, run: u32) -> String {
    format!("{}-{run}", owner.name)
}

/// The memory of a run that begins.
///
/// # Errors
///
/// When a part can't be written as JSON.
pub(crate) fn build(
    owner: &Owner,
    memory: &Memory,
    pinned: &Pinned,
) -> Result<ControllerRevision, serde_json::Error> {
    let data = serde_json::to_value(pinned)?;
    let mut annotations = memory::annotations(memory)?;
    annotations.insert(labels::CONTENT_HASH.to_owned(), memory::content_hash(&data));
    let mut all = ours::common(owner);
    all.insert(labels::RUN.to_owned(), memory.run.to_string());
    let mut metadata = ours::meta(owner, name(owner, memory.run), all);
    metadata.annotations = Some(annotations);
    Ok(ControllerRevision {
        metadata,
        revision: i64::from(memory.run),
        data: Some(RawExtension(data)),
    })
}

/// The memory as status shows it: the stored one, or the one that was just written.
pub(crate) fn shown(
    owner: &Owner,
    seen: &Seen,
    memory: Option<&Memory>,
    pinned: Option<&Pinned>,
) -> Option<webinar_api::Revision> {
    let name = name(owner, memory?.run);
    let stored = seen.revisions.iter().find(|r| r.name_any() == name);
    let hash = match stored {
        Some(stored) => stored.annotations().get(labels::CONTENT_HASH)?.clone(),
        None => memory::content_hash(&serde_json::to_value(pinned?).ok()?),
    };
    Some(webinar_api::Revision { name, hash })
}
