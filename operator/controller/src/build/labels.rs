//! Labels of what we own, and selectors for it.

use std::collections::BTreeMap;

use kube::core::ObjectMeta;
use webinar_api::labels;

use crate::ownership::Owner;

/// The value of `app.kubernetes.io/managed-by`, by which every watch of ours selects.
pub(crate) const MANAGED_BY: &str = "webinar-operator";

/// Labels of every object that belongs to a Webinar.
pub(crate) fn common(owner: &Owner) -> BTreeMap<String, String> {
    BTreeMap::from(
        [
            (labels::WEBINAR, owner.name.as_str()),
            (labels::WEBINAR_UID, &owner.uid),
            (labels::APP_NAME, "webinar"),
            (labels::APP_MANAGED_BY, MANAGED_BY),
            (labels::APP_PART_OF, &owner.name),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    )
}

/// Metadata of an object that belongs to a Webinar.
pub(crate) fn meta(owner: &Owner, name: String, labels: BTreeMap<String, String>) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(owner.namespace.clone()),
        labels: Some(labels),
        owner_references: Some(vec![owner.reference()]),
        ..ObjectMeta::default()
    }
}

/// A selector for pods of this very Webinar: a namesake that came later is another one.
pub(crate) fn selector<const N: usize>(owner: &Owner, more: [(&str, String); N]) -> BTreeMap<String, String> {
    let mut out = BTreeMap::from([(labels::WEBINAR_UID.to_owned(), owner.uid.clone())]);
    out.extend(more.map(|(key, value)| (key.to_owned(), value)));
    out
}
