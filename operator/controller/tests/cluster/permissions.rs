//! What the operator may do: written here, to be changed on purpose.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Api;
use kube::api::PostParams;
use webinar_operator::rbac;

use crate::support::manifests::OPERATOR_NAMESPACE;
use crate::support::scene::{OPERATOR, Scene, Setting, story};

/// API group, resource and verbs.
type Right = (&'static str, &'static str, &'static str);

const EVERYWHERE: &[Right] = &[
    ("", "pods", "create delete get list patch watch"),
    ("", "services", "create delete get list patch watch"),
    (
        "apps",
        "controllerrevisions",
        "create delete get list patch watch",
    ),
    ("discovery.k8s.io", "endpointslices", "get list watch"),
    ("events.k8s.io", "events", "create patch"),
    (
        "policy",
        "poddisruptionbudgets",
        "create delete get list patch watch",
    ),
    ("webinar-operator.io", "webinarclasses", "get list watch"),
    ("webinar-operator.io", "webinarclasses/status", "patch"),
    ("webinar-operator.io", "webinars", "get list watch"),
    ("webinar-operator.io", "webinars/finalizers", "update"),
    ("webinar-operator.io", "webinars/status", "patch"),
];

const AT_HOME: &[Right] = &[
    ("", "podtemplates", "get list watch"),
    ("coordination.k8s.io", "leases", "create"),
    // Of one lease only.
    ("coordination.k8s.io", "leases", "get update"),
];

/// Verb, API group, resource with its subresource, namespace: what must be refused.
const NEVER: &[(&str, &str, &str, &str)] = &[
    ("get", "", "secrets", "events"),
    ("list", "", "nodes", ""),
    ("create", "", "pods/exec", "events"),
    ("deletecollection", "", "pods", "events"),
    ("create", "", "pods/eviction", "events"),
    ("create", "", "serviceaccounts/token", "events"),
    ("get", "", "podtemplates", "events"),
    ("patch", "webinar-operator.io", "webinars", "events"),
    ("delete", "webinar-operator.io", "webinars", "events"),
    ("create", "rbac.authorization.k8s.io", "rolebindings", "events"),
    ("update", "coordination.k8s.io", "leases", OPERATOR_NAMESPACE),
    ("list", "coordination.k8s.io", "leases", OPERATOR_NAMESPACE),
    ("create", "coordination.k8s.io", "leases", "events"),
    (
        "create",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
    ),
];

#[test]
fn the_rules_are_these_and_no_more() {
    let manifests = rbac::manifests(OPERATOR_NAMESPACE);
    assert_eq!(rights(manifests.cluster_role.rules.as_deref()), known(EVERYWHERE));
    assert_eq!(rights(manifests.role.rules.as_deref()), known(AT_HOME));
    assert_eq!(
        manifests.role.metadata.namespace.as_deref(),
        Some(OPERATOR_NAMESPACE)
    );
    let yaml = manifests.yaml().expect("YAML");
    for word in [
        "*",
        "secrets",
        "nodes",
        "exec",
        "deletecollection",
        "impersonate",
        "escalate",
        "bind\n",
    ] {
        assert!(!yaml.contains(word), "{word:?} in\n{yaml}");
    }
}

#[test]
fn the_api_server_refuses_the_rest() {
    story(
        Setting {
            nodes: 0,
            ..Setting::default()
        },
        async |scene| {
            for &(verb, group, resource, namespace) in NEVER {
                ensure!(
                    !allowed(scene, verb, group, resource, namespace).await?,
                    "may {verb} {resource} of {group:?}"
                );
            }
            // The question is asked in a way that can be answered with yes.
            ensure!(
                allowed(scene, "create", "", "pods", "events").await?,
                "may not create pods"
            );
            ensure!(
                allowed(scene, "get", "", "podtemplates", OPERATOR_NAMESPACE).await?,
                "may not read its templates"
            );
            Ok(())
        },
    );
}

fn known(rights: &[Right]) -> BTreeSet<(String, String, String)> {
    rights
        .iter()
        .map(|(g, r, v)| ((*g).to_owned(), (*r).to_owned(), (*v).to_owned()))
        .collect()
}

fn rights(rules: Option<&[PolicyRule]>) -> BTreeSet<(String, String, String)> {
    let mut rights = BTreeSet::new();
    for rule in rules.unwrap_or_default() {
        let PolicyRule {
            api_groups,
            non_resource_urls,
            resource_names,
            resources,
            verbs,
        } = rule;
        assert!(non_resource_urls.is_none(), "{rule:?}");
        let one_lease =
            verbs.iter().any(|v| v == "update") && resources.iter().flatten().any(|r| r == "leases");
        assert_eq!(
            resource_names.as_deref(),
            one_lease
                .then(|| ["webinar-operator".to_owned()])
                .as_ref()
                .map(<[String; 1]>::as_slice),
            "{rule:?}"
        );
        let verbs: BTreeSet<&str> = verbs.iter().map(String::as_str).collect();
        let verbs = verbs.into_iter().collect::<Vec<_>>().join(" ");
        for group in api_groups.iter().flatten() {
            for resource in resources.iter().flatten() {
                rights.insert((group.clone(), resource.clone(), verbs.clone()));
            }
        }
    }
    rights
}

async fn allowed(scene: &Scene, verb: &str, group: &str, resource: &str, namespace: &str) -> Result<bool> {
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let text = |text: &str| Some(text.to_owned());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: text(OPERATOR),
            resource_attributes: Some(ResourceAttributes {
                verb: text(verb),
                group: text(group),
                resource: text(resource),
                subresource: text(subresource),
                namespace: text(namespace),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(scene.control_plane.client());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("no answer")?.allowed)
}
