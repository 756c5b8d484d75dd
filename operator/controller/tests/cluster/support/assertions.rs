//! What must hold of a fleet, its Services and its writes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use kube::api::{ListParams, PostParams};
use kube::{Api, ResourceExt};
use webinar_api::{WebinarClass, WebinarStatus, labels};
use webinar_plan::{Role, Slot};
use webinar_testbed::audit::{Record, Records};
use webinar_testbed::wait::eventually;

use super::scene::{ENDPOINTS, OPERATOR, Scene};
use super::world::{Fleet, env, slot_of_name};

/// Status, reason and message of a condition.
pub(crate) fn verdict<'a>(status: &'a WebinarStatus, kind: &str) -> (&'a str, &'a str, &'a str) {
    let found = status.conditions.iter().find(|c| c.type_ == kind);
    found.map_or(("", "", ""), |c| (&c.status, &c.reason, &c.message))
}

/// Seats that so many relays give, at the viewers per relay that the class tells. Of every 110 places ten are for
/// viewers who are placed unevenly.
pub(crate) async fn seats(scene: &Scene, class: &str, relays: usize) -> Result<u32> {
    let classes: Api<WebinarClass> = Api::all(scene.control_plane.client());
    let status = classes.get(class).await?.status.unwrap_or_default();
    let viewers = status
        .viewers_per_relay
        .context("the class tells no viewers per relay")?;
    Ok(u32::try_from(relays * usize::try_from(viewers)? * 100 / 110)?)
}

/// Two maps are alike; if not, says how many entries differ, and shows one.
pub(crate) fn same<V: Debug + PartialEq>(
    what: &str,
    is: &BTreeMap<Slot, V>,
    should: &BTreeMap<Slot, V>,
) -> Result<()> {
    let slots: BTreeSet<&Slot> = is.keys().chain(should.keys()).collect();
    let differ: Vec<&&Slot> = slots.iter().filter(|s| is.get(s) != should.get(s)).collect();
    if let Some(first) = differ.first() {
        let (is, should) = (is.get(first), should.get(first));
        anyhow::bail!(
            "{what}: {} slots differ, {first} for one:\n{is:#?}\nand not\n{should:#?}",
            differ.len()
        );
    }
    Ok(())
}

/// One of the operator's writes of pods.
#[derive(Debug)]
pub(crate) struct PodWrite {
    pub(crate) time: Timestamp,
    pub(crate) slot: Slot,
}

/// What the operator did to pods of `webinar` by this verb, in the order in which it asked.
pub(crate) fn pod_writes(records: &Records, verb: &str, namespace: &str, webinar: &str) -> Vec<PodWrite> {
    let mut writes: Vec<PodWrite> = records
        .by(OPERATOR)
        .filter(|r| r.done() && r.verb == verb && r.resource == "pods" && r.namespace == namespace)
        .filter_map(|r| {
            Some(PodWrite {
                time: r.time,
                slot: slot_of_name(&r.name, webinar)?,
            })
        })
        .collect();
    writes.sort_by_key(|w| w.time);
    writes
}

/// Writes that are sent without waiting for one another may overtake each other by this much.
pub(crate) const SIMULTANEOUS: SignedDuration = SignedDuration::from_millis(50);

/// Every write of one role was asked for before the first one of the next role.
pub(crate) fn role_by_role(what: &str, writes: &[PodWrite], order: [Role; 3]) -> Result<()> {
    let times = |role| writes.iter().filter(move |w| w.slot.role == role).map(|w| w.time);
    for pair in order.windows(2) {
        let last = times(pair[0])
            .max()
            .with_context(|| format!("{what}: no {}", pair[0]))?;
        let first = times(pair[1])
            .min()
            .with_context(|| format!("{what}: no {}", pair[1]))?;
        ensure!(
            last.duration_since(first) < SIMULTANEOUS,
            "{what}: the first {} at {first}, the last {} at {last}",
            pair[1],
            pair[0]
        );
    }
    Ok(())
}

/// Every slot was created once, and the operator deleted nothing.
pub(crate) fn nothing_was_replaced(
    records: &Records,
    fleet: &Fleet,
    namespace: &str,
    webinar: &str,
) -> Result<()> {
    let mut names: BTreeMap<Slot, BTreeSet<String>> = BTreeMap::new();
    let mut done: BTreeMap<Slot, usize> = BTreeMap::new();
    for record in records.by(OPERATOR) {
        let of_pods = record.verb == "create" && record.resource == "pods" && record.namespace == namespace;
        if let Some(slot) = slot_of_name(&record.name, webinar).filter(|_| of_pods) {
            names.entry(slot).or_default().insert(record.name.clone());
            *done.entry(slot).or_default() += usize::from(record.done());
        }
    }
    // A create whose client was killed in the middle may be done without an answer.
    let once = fleet.names().into_iter();
    same(
        "names asked for",
        &names,
        &once.map(|(slot, name)| (slot, BTreeSet::from([name]))).collect(),
    )?;
    let twice: Vec<_> = done.iter().filter(|(_, times)| **times > 1).collect();
    ensure!(twice.is_empty(), "created more than once: {twice:?}");
    nothing_was_deleted(records, namespace)
}

/// The operator deleted nothing in a namespace.
pub(crate) fn nothing_was_deleted(records: &Records, namespace: &str) -> Result<()> {
    let deleted = records
        .by(OPERATOR)
        .filter(|r| r.done() && r.verb == "delete" && r.namespace == namespace)
        .count();
    ensure!(deleted == 0, "the operator deleted {deleted} objects");
    Ok(())
}

/// The fleet's names are those of one in which no pod was ever replaced.
pub(crate) async fn first_names(scene: &Scene, fleet: &Fleet, namespace: &str, webinar: &str) -> Result<()> {
    let stored = scene.webinars(namespace).get(webinar).await?;
    let uid = stored.uid().context("no UID")?;
    same("the names", &fleet.names(), &fleet.first_names(webinar, &uid))
}

/// Mids pull from the origin, relays from mids (`direct` of them from the origin), and no mid has more than 50 children.
pub(crate) fn tree(fleet: &Fleet, namespace: &str, webinar: &str, direct: usize) -> Result<()> {
    let service = |name: &str| format!("{webinar}-{name}.{namespace}.svc");
    let origin = service("origin");
    for (slot, pod) in fleet.of_role(Role::Sfu) {
        ensure!(env(pod, "WEBINAR_UPSTREAM") == Some(""), "{slot} has an upstream");
    }
    let mut mids: BTreeMap<String, usize> = BTreeMap::new();
    for (slot, pod) in fleet.of_role(Role::Mid) {
        let upstream = env(pod, "WEBINAR_UPSTREAM");
        ensure!(upstream == Some(&origin), "{slot} pulls from {upstream:?}");
        mids.insert(service(&slot.to_string()), 0);
    }
    let mut from_origin = 0;
    for (slot, pod) in fleet.of_role(Role::Relay) {
        let upstream = env(pod, "WEBINAR_UPSTREAM").unwrap_or_default();
        match mids.get_mut(upstream) {
            Some(children) => *children += 1,
            None if upstream == origin => from_origin += 1,
            None => anyhow::bail!("{slot} pulls from {upstream:?}, which is no mid"),
        }
    }
    ensure!(from_origin == direct, "{from_origin} relays pull from the origin");
    let most = mids.values().max().copied().unwrap_or_default();
    ensure!(most <= 50, "a mid has {most} children");
    ensure!(
        from_origin + mids.len() <= 50,
        "the SFU has {} children",
        from_origin + mids.len()
    );
    Ok(())
}

/// Endpoints of a Service that are Ready.
pub(crate) async fn endpoints(scene: &Scene, namespace: &str, service: &str) -> Result<Vec<Endpoint>> {
    let slices: Api<EndpointSlice> = Api::namespaced(scene.control_plane.client(), namespace);
    let of_service = ListParams::default().labels(&format!("kubernetes.io/service-name={service}"));
    let slices = slices.list(&of_service).await?;
    let ready = |e: &Endpoint| e.conditions.as_ref().and_then(|c| c.ready) == Some(true);
    Ok(slices
        .into_iter()
        .flat_map(|s| s.endpoints)
        .filter(ready)
        .collect())
}

fn target(endpoint: &Endpoint) -> String {
    endpoint
        .target_ref
        .as_ref()
        .and_then(|t| t.name.clone())
        .unwrap_or_default()
}

/// `origin` and `ingest` lead to one pod, the active SFU. Returns its slot.
pub(crate) async fn one_active_sfu(
    scene: &Scene,
    namespace: &str,
    webinar: &str,
    fleet: &Fleet,
) -> Result<Slot> {
    let services: Api<Service> = Api::namespaced(scene.control_plane.client(), namespace);
    let ingest = services.get(&format!("{webinar}-ingest")).await?;
    let selector = ingest.spec.and_then(|s| s.selector).unwrap_or_default();
    let active: Slot = selector
        .get(labels::SLOT)
        .and_then(|s| s.parse().ok())
        .context("ingest selects no slot")?;
    let name = fleet
        .0
        .get(&active)
        .context("the active SFU is missing")?
        .name_any();
    for kind in ["origin", "ingest"] {
        eventually(&format!("{kind} to lead to {name}"), ENDPOINTS, async || {
            let seen: Vec<String> = endpoints(scene, namespace, &format!("{webinar}-{kind}"))
                .await?
                .iter()
                .map(target)
                .collect();
            ensure!(seen == [name.clone()], "{seen:?}");
            Ok(())
        })
        .await?;
    }
    Ok(active)
}

/// The viewers Services have at most 250 endpoints each, relays of all three zones, and together every relay once.
pub(crate) async fn viewers(
    scene: &Scene,
    namespace: &str,
    webinar: &str,
    fleet: &Fleet,
    shards: usize,
) -> Result<()> {
    let relays: BTreeSet<String> = fleet
        .of_role(Role::Relay)
        .map(|(_, pod)| pod.name_any())
        .collect();
    eventually(
        "the viewers Services to lead to every relay",
        ENDPOINTS,
        async || {
            let services: Api<Service> = Api::namespaced(scene.control_plane.client(), namespace);
            let ours = ListParams::default().labels(&format!("{}={webinar}", labels::WEBINAR));
            let names: Vec<String> = services
                .list(&ours)
                .await?
                .iter()
                .map(ResourceExt::name_any)
                .collect();
            let names: Vec<&String> = names
                .iter()
                .filter(|n| n.starts_with(&format!("{webinar}-viewers-")))
                .collect();
            ensure!(names.len() == shards, "{names:?}");
            let mut led_to = Vec::new();
            let mut sizes = Vec::new();
            for name in names {
                let endpoints = endpoints(scene, namespace, name).await?;
                let zones: BTreeSet<&String> = endpoints.iter().filter_map(|e| e.zone.as_ref()).collect();
                ensure!(endpoints.len() <= 250, "{name} leads to {} pods", endpoints.len());
                ensure!(
                    zones.len() == 3,
                    "{name} leads to {} pods in {zones:?}",
                    endpoints.len()
                );
                sizes.push(endpoints.len());
                led_to.extend(endpoints.iter().map(target));
            }
            let all: BTreeSet<String> = led_to.iter().cloned().collect();
            ensure!(
                all == relays && led_to.len() == relays.len(),
                "{sizes:?} of {}",
                relays.len()
            );
            println!("viewers Services: {sizes:?}");
            Ok(())
        },
    )
    .await
}

/// The operator wrote nothing in a namespace.
pub(crate) fn nothing_was_written(records: &Records, namespace: &str) -> Result<()> {
    let there: Vec<&Record> = records
        .by(OPERATOR)
        .filter(|r| r.namespace == namespace)
        .collect();
    ensure!(there.is_empty(), "{there:?}");
    Ok(())
}

/// The API server says that the operator may do this; `resource` with its subresource, as `pods/exec`.
pub(crate) async fn allowed(
    scene: &Scene,
    verb: &str,
    group: &str,
    resource: &str,
    namespace: &str,
) -> Result<bool> {
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
