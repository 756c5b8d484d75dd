//! The operator's own permissions: the least it needs, written once and used by chart, demo and tests.

use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::core::ObjectMeta;
use serde::Serialize;
use webinar_api::GROUP;

use crate::leader;

/// Name of the ServiceAccount, the roles and their bindings.
pub const NAME: &str = "webinar-operator";

/// What the operator may do, as objects.
#[derive(Debug, Clone)]
pub struct Manifests {
    /// Whom the operator runs as.
    pub service_account: ServiceAccount,
    /// What it may do in every namespace.
    pub cluster_role: ClusterRole,
    /// Grants [`Manifests::cluster_role`].
    pub cluster_role_binding: ClusterRoleBinding,
    /// What it may do in its own namespace.
    pub role: Role,
    /// Grants [`Manifests::role`].
    pub role_binding: RoleBinding,
}

/// The permissions of an operator that lives in `namespace` and watches every namespace.
pub fn manifests(namespace: &str) -> Manifests {
    let rules = rules();
    let subject = Subject {
        kind: "ServiceAccount".to_owned(),
        name: NAME.to_owned(),
        namespace: Some(namespace.to_owned()),
        ..Subject::default()
    };
    let role_ref = |kind: &str| RoleRef {
        api_group: "rbac.authorization.k8s.io".to_owned(),
        kind: kind.to_owned(),
        name: NAME.to_owned(),
    };
    Manifests {
        service_account: ServiceAccount {
            metadata: meta(Some(namespace)),
            ..ServiceAccount::default()
        },
        cluster_role: ClusterRole {
            metadata: meta(None),
            rules: Some([rules.classes, rules.namespaces].concat()),
            ..ClusterRole::default()
        },
        cluster_role_binding: ClusterRoleBinding {
            metadata: meta(None),
            role_ref: role_ref("ClusterRole"),
            subjects: Some(vec![subject.clone()]),
        },
        role: Role {
            metadata: meta(Some(namespace)),
            rules: Some(rules.home),
        },
        role_binding: RoleBinding {
            metadata: meta(Some(namespace)),
            role_ref: role_ref("Role"),
            subjects: Some(vec![subject]),
        },
    }
}

impl Manifests {
    /// The objects as one YAML stream.
    ///
    /// # Errors
    ///
    /// When the serializer refuses an object.
    pub fn yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        let documents = [
            serde_saphyr::to_string(&self.service_account)?,
            serde_saphyr::to_string(&self.cluster_role)?,
            serde_saphyr::to_string(&self.cluster_role_binding)?,
            serde_saphyr::to_string(&self.role)?,
            serde_saphyr::to_string(&self.role_binding)?,
        ];
        Ok(documents
            .iter()
            .map(|d| format!("---\n{}\n", d.trim_end()))
            .collect())
    }
}

fn meta(namespace: Option<&str>) -> ObjectMeta {
    ObjectMeta {
        name: Some(NAME.to_owned()),
        namespace: namespace.map(str::to_owned),
        ..ObjectMeta::default()
    }
}

fn rule(group: &str, resources: &[&str], verbs: &[&str]) -> PolicyRule {
    let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
    PolicyRule {
        api_groups: Some(vec![group.to_owned()]),
        resources: Some(owned(resources)),
        verbs: owned(verbs),
        ..PolicyRule::default()
    }
}

/// What the operator may do, by where: the chart grants it with these.
#[derive(Debug, Clone, Serialize)]
pub struct Rules {
    /// In every namespace that it watches.
    pub namespaces: Vec<PolicyRule>,
    /// In the whole cluster: classes belong to no namespace.
    pub classes: Vec<PolicyRule>,
    /// In the namespace `default`, where Events about classes land.
    pub events: Vec<PolicyRule>,
    /// In its own namespace.
    pub home: Vec<PolicyRule>,
}

impl Rules {
    /// As one YAML document.
    ///
    /// # Errors
    ///
    /// When the serializer refuses a rule.
    pub fn yaml(&self) -> Result<String, serde_saphyr::ser::Error> {
        serde_saphyr::to_string(self)
    }
}

/// The least that the operator needs.
pub fn rules() -> Rules {
    Rules {
        namespaces: namespace_rules(),
        classes: vec![
            rule(GROUP, &["webinarclasses"], READ),
            rule(GROUP, &["webinarclasses/status"], &["patch"]),
        ],
        events: vec![event_rule()],
        home: own_namespace_rules(),
    }
}

const READ: &[&str] = &["get", "list", "watch"];

fn event_rule() -> PolicyRule {
    rule("events.k8s.io", &["events"], &["create", "patch"])
}

fn namespace_rules() -> Vec<PolicyRule> {
    const KEEP: &[&str] = &["get", "list", "watch", "create", "patch", "delete"];
    vec![
        rule(GROUP, &["webinars"], READ),
        rule(GROUP, &["webinars/status"], &["patch"]),
        // Owner references that block the owner's deletion need this where the API server enforces it.
        rule(GROUP, &["webinars/finalizers"], &["update"]),
        rule("", &["pods", "services"], KEEP),
        rule("policy", &["poddisruptionbudgets"], KEEP),
        rule("apps", &["controllerrevisions"], KEEP),
        rule("discovery.k8s.io", &["endpointslices"], READ),
        event_rule(),
    ]
}

fn own_namespace_rules() -> Vec<PolicyRule> {
    let lease = PolicyRule {
        resource_names: Some(vec![leader::NAME.to_owned()]),
        ..rule("coordination.k8s.io", &["leases"], &["get", "update"])
    };
    vec![
        rule("", &["podtemplates"], READ),
        // A name can't be asked for on create.
        rule("coordination.k8s.io", &["leases"], &["create"]),
        lease,
    ]
}
