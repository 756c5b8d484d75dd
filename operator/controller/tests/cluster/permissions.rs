//! What the operator may do: written here, to be changed on purpose.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::authorization::v1::SelfSubjectRulesReview;
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Api;
use kube::api::PostParams;
use webinar_operator::rbac;

use crate::support::assertions::allowed;
use crate::support::manifests::OPERATOR_NAMESPACE;
use crate::support::scene::{OPERATOR, Scene, Setting, story};
use crate::support::tenant::client_as;

/// API group, resource and verbs.
type Right = (&'static str, &'static str, &'static str);

/// What it has in every namespace that it watches.
const NAMESPACES: &[Right] = &[
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
    ("webinar-operator.io", "webinars", "get list watch"),
    ("webinar-operator.io", "webinars/finalizers", "update"),
    ("webinar-operator.io", "webinars/status", "patch"),
];

/// Classes belong to no namespace.
const CLASSES: &[Right] = &[
    ("webinar-operator.io", "webinarclasses", "get list watch"),
    ("webinar-operator.io", "webinarclasses/status", "patch"),
];

/// Events about classes land in `default`.
const EVENTS: &[Right] = &[("events.k8s.io", "events", "create patch")];

/// What it has in its own namespace besides.
const AT_HOME: &[Right] = &[
    ("", "podtemplates", "get list watch"),
    ("coordination.k8s.io", "leases", "create"),
    // Of one lease only.
    ("coordination.k8s.io", "leases", "get update"),
];

/// Verb, API group, resource with its subresource, namespace: what must be refused.
const NEVER: &[(&str, &str, &str, &str)] = &[
    ("get", "", "secrets", "events"),
    ("list", "", "secrets", OPERATOR_NAMESPACE),
    ("get", "", "configmaps", "events"),
    ("get", "", "serviceaccounts", OPERATOR_NAMESPACE),
    ("impersonate", "", "serviceaccounts", "events"),
    ("get", "", "namespaces", "events"),
    ("delete", "", "namespaces", "events"),
    ("get", "", "nodes/proxy", ""),
    ("create", "", "pods/attach", "events"),
    ("create", "", "pods/portforward", "events"),
    ("patch", "", "pods/ephemeralcontainers", "events"),
    ("update", "", "pods", "events"),
    ("list", "", "nodes", ""),
    ("create", "", "pods/exec", "events"),
    ("deletecollection", "", "pods", "events"),
    ("create", "", "pods/eviction", "events"),
    ("create", "", "serviceaccounts/token", "events"),
    ("get", "", "podtemplates", "events"),
    ("patch", "webinar-operator.io", "webinars", "events"),
    ("delete", "webinar-operator.io", "webinars", "events"),
    ("create", "webinar-operator.io", "webinars", "events"),
    ("use", "webinar-operator.io", "webinarclasses", "events"),
    ("patch", "webinar-operator.io", "webinarclasses", ""),
    ("create", "discovery.k8s.io", "endpointslices", "events"),
    ("deletecollection", "apps", "controllerrevisions", "events"),
    ("create", "apps", "daemonsets", "events"),
    ("create", "rbac.authorization.k8s.io", "rolebindings", "events"),
    ("escalate", "rbac.authorization.k8s.io", "clusterroles", ""),
    ("bind", "rbac.authorization.k8s.io", "clusterroles", ""),
    (
        "delete",
        "admissionregistration.k8s.io",
        "validatingadmissionpolicies",
        "",
    ),
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
    let granted = chart_rules();
    assert_eq!(rights(&granted.namespaces), known(&[NAMESPACES]));
    assert_eq!(rights(&granted.classes), known(&[CLASSES]));
    assert_eq!(rights(&granted.events), known(&[EVENTS]));
    assert_eq!(rights(&granted.home), known(&[AT_HOME]));
    // Demo and tests grant the same.
    let manifests = rbac::manifests(OPERATOR_NAMESPACE);
    let role = manifests.role.rules.unwrap_or_default();
    let cluster_role = manifests.cluster_role.rules.unwrap_or_default();
    assert_eq!(rights(&cluster_role), known(&[NAMESPACES, CLASSES]));
    assert_eq!(rights(&role), known(&[AT_HOME]));
    assert_eq!(
        manifests.role.metadata.namespace.as_deref(),
        Some(OPERATOR_NAMESPACE)
    );
}

/// The list above can be changed on purpose, these absences can't: they are what users are promised.
#[test]
fn what_is_promised_to_be_absent_is_absent() {
    let granted = chart_rules();
    let all = [granted.namespaces, granted.classes, granted.events, granted.home].concat();
    assert!(!all.is_empty());
    for rule in &all {
        let resources = rule.resources.iter().flatten();
        for word in rule
            .api_groups
            .iter()
            .flatten()
            .chain(&rule.verbs)
            .chain(resources.clone())
        {
            assert!(!word.contains('*'), "a wildcard in {rule:?}");
        }
        for group in rule.api_groups.iter().flatten() {
            assert!(!NO_GROUPS.contains(&group.as_str()), "{rule:?}");
        }
        for resource in resources {
            let mut parts = resource.split('/');
            assert!(parts.all(|part| !NO_RESOURCES.contains(&part)), "{rule:?}");
        }
        for verb in &rule.verbs {
            assert!(!NO_VERBS.contains(&verb.as_str()), "{rule:?}");
        }
    }
}

const NO_GROUPS: &[&str] = &[
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "authentication.k8s.io",
    "authorization.k8s.io",
    "certificates.k8s.io",
    "rbac.authorization.k8s.io",
];

/// Resources and subresources.
const NO_RESOURCES: &[&str] = &[
    "attach",
    "configmaps",
    "ephemeralcontainers",
    "eviction",
    "exec",
    "namespaces",
    "nodes",
    "portforward",
    "proxy",
    "secrets",
    "serviceaccounts",
    "token",
];

const NO_VERBS: &[&str] = &[
    "approve",
    "bind",
    "deletecollection",
    "escalate",
    "impersonate",
    "sign",
    "use",
];

/// What `cargo xtask generate` wrote for the chart.
fn chart_rules() -> rbac::Rules {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/webinar-operator/files/rules.yaml");
    let yaml = std::fs::read_to_string(file).expect("the chart's rules");
    let granted: rbac::Rules = serde_saphyr::from_str(&yaml).expect("rules");
    granted
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
            everything_it_may(scene).await
        },
    );
}

/// Asked as the operator, the API server lists what is written above and what everyone may, and nothing else.
async fn everything_it_may(scene: &Scene) -> Result<()> {
    let reviews: Api<SelfSubjectRulesReview> = Api::all(client_as(scene, OPERATOR).await?);
    for (namespace, lists) in [
        ("events", &[NAMESPACES, CLASSES][..]),
        ("kube-system", &[NAMESPACES, CLASSES]),
        (OPERATOR_NAMESPACE, &[NAMESPACES, CLASSES, AT_HOME]),
    ] {
        let mut review = SelfSubjectRulesReview::default();
        review.spec.namespace = Some(namespace.to_owned());
        let answer = reviews.create(&PostParams::default(), &review).await?;
        let status = answer.status.context("no answer")?;
        ensure!(!status.incomplete, "{:?}", status.evaluation_error);
        let rules: Vec<PolicyRule> = status
            .resource_rules
            .into_iter()
            .map(|r| PolicyRule {
                api_groups: r.api_groups,
                resource_names: r.resource_names,
                resources: r.resources,
                verbs: r.verbs,
                ..PolicyRule::default()
            })
            .collect();
        let mut may = rights(&rules);
        // Whoever the API server knows may ask it who they are and what they may.
        may.retain(|(group, resource, _)| {
            let about_oneself = ["authentication.k8s.io", "authorization.k8s.io"].contains(&group.as_str());
            !(about_oneself && resource.starts_with("selfsubject"))
        });
        let should = known(lists);
        ensure!(
            may == should,
            "in {namespace} it may {may:#?} and not {should:#?}"
        );
    }
    Ok(())
}

fn known(lists: &[&[Right]]) -> BTreeSet<(String, String, String)> {
    lists
        .iter()
        .copied()
        .flatten()
        .map(|(g, r, v)| ((*g).to_owned(), (*r).to_owned(), (*v).to_owned()))
        .collect()
}

fn rights(rules: &[PolicyRule]) -> BTreeSet<(String, String, String)> {
    let mut rights = BTreeSet::new();
    for rule in rules {
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
            resource_names.as_deref().unwrap_or_default(),
            one_lease.then(|| "webinar-operator".to_owned()).as_slice(),
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
