//! Media pods: the pinned template plus what the operator adds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{
    Affinity, EnvVar, NodeAffinity, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, PodTemplateSpec,
    PreferredSchedulingTerm, Toleration, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use webinar_api::labels;
use webinar_plan::{Memory, NewPod, Parent, Role, Schedule};

use super::labels as ours;
use crate::memory::Pinned;
use crate::ownership::Owner;

/// What all pods of one pass have in common.
#[derive(Debug)]
pub(crate) struct Common<'a> {
    pub(crate) owner: &'a Owner,
    pub(crate) memory: &'a Memory,
    pub(crate) pinned: &'a Pinned,
    pub(crate) schedule: &'a Schedule,
    pub(crate) revision: &'a str,
}

/// The pod for one slot. `None` when the class has no template for its role.
pub(crate) fn build(common: &Common<'_>, new: &NewPod) -> Option<Pod> {
    let template = match new.slot.role {
        Role::Sfu => &common.pinned.sfu,
        Role::Mid | Role::Relay => common.pinned.relay.as_ref()?,
    };
    let mut spec = template.spec.clone()?;
    add_env(&mut spec, &env(common, new));
    spread(&mut spec, common, new);
    if common.pinned.class.disruption.tolerate_node_failure {
        spec.tolerations
            .get_or_insert_default()
            .extend(node_failure_tolerations());
    }
    spec.automount_service_account_token = Some(false);

    let mut meta = ours::meta(common.owner, new.name.clone(), pod_labels(common, template, new));
    meta.annotations = Some(annotations(common, template, new));
    Some(Pod {
        metadata: meta,
        spec: Some(spec),
        status: None,
    })
}

fn pod_labels(common: &Common<'_>, template: &PodTemplateSpec, new: &NewPod) -> BTreeMap<String, String> {
    let mut out = template
        .metadata
        .as_ref()
        .and_then(|m| m.labels.clone())
        .unwrap_or_default();
    out.extend(ours::common(common.owner));
    let mut own = |key: &str, value: String| out.insert(key.to_owned(), value);
    own(labels::RUN, common.memory.run.to_string());
    own(labels::ROLE, new.slot.role.to_string());
    own(labels::SLOT, new.slot.to_string());
    own(labels::ACCEPTING, "true".to_owned());
    if let Some(shard) = new.shard {
        own(labels::SHARD, shard.to_string());
    }
    if let Some(parent) = new.parent {
        own(labels::PARENT, parent_label(parent));
    }
    out
}

/// A parent as its label has it.
pub(crate) fn parent_label(parent: Parent) -> String {
    match parent {
        Parent::Origin => "origin".to_owned(),
        Parent::Mid(i) => format!("mid-{i}"),
    }
}

fn annotations(common: &Common<'_>, template: &PodTemplateSpec, new: &NewPod) -> BTreeMap<String, String> {
    let mut out = template
        .metadata
        .as_ref()
        .and_then(|m| m.annotations.clone())
        .unwrap_or_default();
    out.insert(labels::REVISION.to_owned(), common.revision.to_owned());
    if !new.fallbacks.is_empty() {
        let mids = new
            .fallbacks
            .iter()
            .map(|i| format!("mid-{i}"))
            .collect::<Vec<_>>();
        out.insert(labels::FALLBACK_PARENTS.to_owned(), mids.join(","));
    }
    if common.pinned.class.disruption.do_not_disrupt {
        out.insert(labels::KARPENTER_DO_NOT_DISRUPT.to_owned(), "true".to_owned());
        out.insert(labels::AUTOSCALER_SAFE_TO_EVICT.to_owned(), "false".to_owned());
    }
    out
}

fn env(common: &Common<'_>, new: &NewPod) -> Vec<EnvVar> {
    let owner = common.owner;
    let spec = &common.memory.accepted.spec;
    let host = |service: &str| format!("{}-{service}.{}.svc", owner.name, owner.namespace);
    let upstream = new.parent.map_or_else(String::new, |p| host(&parent_label(p)));
    let upstreams: Vec<String> = new
        .parent
        .map(|_| upstream.clone())
        .into_iter()
        .chain(new.fallbacks.iter().map(|i| host(&format!("mid-{i}"))))
        .collect();
    [
        ("WEBINAR_NAME", owner.name.clone()),
        ("WEBINAR_NAMESPACE", owner.namespace.clone()),
        ("WEBINAR_UID", owner.uid.clone()),
        ("WEBINAR_RUN", common.memory.run.to_string()),
        ("WEBINAR_ROLE", new.slot.role.to_string()),
        ("WEBINAR_SLOT", new.slot.to_string()),
        ("WEBINAR_UPSTREAM", upstream),
        ("WEBINAR_UPSTREAMS", upstreams.join(",")),
        ("WEBINAR_MAX_VIEWERS", new.max_viewers.to_string()),
        ("WEBINAR_PANELISTS", spec.panelists.to_string()),
        ("WEBINAR_TIER", spec.tier.to_string()),
        ("WEBINAR_START_TIME", seconds(common.schedule.start)),
        ("WEBINAR_END_TIME", seconds(common.schedule.end)),
    ]
    .into_iter()
    .map(|(name, value)| EnvVar {
        name: name.to_owned(),
        value: Some(value),
        value_from: None,
    })
    .collect()
}

fn seconds(t: Timestamp) -> String {
    t.strftime("%FT%TZ").to_string()
}

/// Prepended, so that `$(WEBINAR_…)` expands in the template's own variables.
fn add_env(spec: &mut PodSpec, env: &[EnvVar]) {
    for container in spec
        .init_containers
        .iter_mut()
        .flatten()
        .chain(&mut spec.containers)
    {
        let own = container.env.take().unwrap_or_default();
        container.env = Some(env.iter().cloned().chain(own).collect());
    }
}

fn spread(spec: &mut PodSpec, common: &Common<'_>, new: &NewPod) {
    let key = &common.pinned.class.topology.key;
    let role = new.slot.role.to_string();
    spec.topology_spread_constraints
        .get_or_insert_default()
        .push(TopologySpreadConstraint {
            max_skew: 1,
            topology_key: key.clone(),
            // A zone outage must not hold up the fleet.
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            label_selector: Some(LabelSelector {
                match_labels: Some(ours::selector(common.owner, [(labels::ROLE, role)])),
                ..LabelSelector::default()
            }),
            ..TopologySpreadConstraint::default()
        });
    let Some(zone) = &new.zone else { return };
    let affinity: &mut Affinity = spec.affinity.get_or_insert_default();
    let nodes: &mut NodeAffinity = affinity.node_affinity.get_or_insert_default();
    nodes
        .preferred_during_scheduling_ignored_during_execution
        .get_or_insert_default()
        .push(PreferredSchedulingTerm {
            weight: 100,
            preference: NodeSelectorTerm {
                match_expressions: Some(vec![NodeSelectorRequirement {
                    key: key.clone(),
                    operator: "In".to_owned(),
                    values: Some(vec![zone.clone()]),
                }]),
                ..NodeSelectorTerm::default()
            },
        });
}

/// Without a time limit: taint eviction would delete pods with viewers seconds into a partition.
fn node_failure_tolerations() -> [Toleration; 2] {
    ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(|key| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        ..Toleration::default()
    })
}
