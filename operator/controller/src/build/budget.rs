//! PodDisruptionBudgets: what evictions must leave.

use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use webinar_api::labels;
use webinar_plan::Budget;

use super::{labels as ours, service::holds};
use crate::ownership::Owner;

/// The budget for one role.
pub(crate) fn build(owner: &Owner, budget: Budget) -> PodDisruptionBudget {
    let selector = ours::selector(owner, [(labels::ROLE, budget.role.to_string())]);
    PodDisruptionBudget {
        metadata: ours::meta(
            owner,
            format!("{}-{}", owner.name, budget.role),
            ours::common(owner),
        ),
        spec: Some(PodDisruptionBudgetSpec {
            min_available: Some(IntOrString::Int(
                i32::try_from(budget.min_available).unwrap_or(i32::MAX),
            )),
            selector: Some(LabelSelector {
                match_labels: Some(selector),
                ..LabelSelector::default()
            }),
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        status: None,
    }
}

/// Whether the stored budget already says what `wanted` says.
pub(crate) fn same(stored: &PodDisruptionBudget, wanted: &PodDisruptionBudget) -> bool {
    stored.spec == wanted.spec && holds(stored.metadata.labels.as_ref(), wanted.metadata.labels.as_ref())
}
