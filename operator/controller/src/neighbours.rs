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
use crate::ownership::{Owner, is_owned_by};
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
    let revisions = by_namespace(&everyone.revisions);
    let all = everyone
        .webinars
        .iter()
        .filter_map(|guarded| guarded.0.as_ref().ok());
    let others = all.filter(|other| other.uid() != me.uid());
    others
        .filter_map(|other| {
            let owner = Owner::of(other)?;
            let revision = revisions
                .get(&owner.namespace)
                .and_then(|nearby| latest(nearby, &owner));
            let last = revision.and_then(|r| memory::read(r).ok());
            // A run has the pods of the class that it began with, whatever its Webinar names by now.
            let serves = match last.as_ref().filter(|m| m.active()) {
                Some(_) => revision.and_then(memory::class_name) == Some(&class.name),
                None => named_class(other, platform).is_some_and(|c| c.name_any() == class.name),
            };
            if !serves {
                return None;
            }
            let key = format!("{}/{}", owner.namespace, owner.name);
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

/// The memories in each namespace.
fn by_namespace(revisions: &[Arc<ControllerRevision>]) -> HashMap<String, Vec<&ControllerRevision>> {
    let mut out: HashMap<String, Vec<&ControllerRevision>> = HashMap::new();
    for revision in revisions {
        let namespace = revision.namespace().unwrap_or_default();
        out.entry(namespace).or_default().push(revision);
    }
    out
}

/// The newest memory of a Webinar.
fn latest<'a>(nearby: &[&'a ControllerRevision], owner: &Owner) -> Option<&'a ControllerRevision> {
    let own = nearby.iter().filter(|r| is_owned_by(**r, owner));
    own.copied().max_by_key(|r| r.revision)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;
    use webinar_api::{WebinarClass, WebinarClassSpec, labels};
    use webinar_plan::{Accepted, Counts, Memory, Shape, ShardRule, Spec, Tier};

    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn webinar(namespace: &str, name: &str, class: &str) -> Webinar {
        let webinar = json!({
            "metadata": {"namespace": namespace, "name": name, "uid": format!("uid-of-{name}")},
            "spec": {"tier": "10k", "className": class},
        });
        serde_json::from_value(webinar).expect("a Webinar")
    }

    fn templates() -> WebinarClassSpec {
        serde_json::from_value(json!({"templates": {"sfu": "s", "relay": "r"}})).expect("a class")
    }

    /// The memory of a run of `owner` with so many SFUs, in `namespace`.
    fn revision(owner: &str, namespace: &str, run: u32, sfus: u32) -> Arc<ControllerRevision> {
        let start: Timestamp = "2027-03-04T17:00:00Z".parse().expect("a time");
        let memory = Memory {
            run,
            accepted: Accepted {
                spec: Spec {
                    tier: Tier::Room,
                    max_tier: Tier::Room,
                    start: Some(start),
                    duration: SignedDuration::from_mins(60),
                    panelists: 10,
                    ready_before: None,
                    overrun: None,
                },
                start,
                since: start,
                base: Counts::default(),
            },
            shape: Shape {
                room: true,
                sfus,
                mids: false,
                shards: ShardRule::first(1),
            },
            ready_at: None,
            live_since: None,
            draining_since: None,
            finished_at: None,
            postponed_at: None,
            suspended_since: None,
            resumed_at: None,
            most_relays: 0,
            peak: None,
            incidents: webinar_plan::Incidents::default(),
            failover: None,
        };
        let revision = json!({
            "metadata": {
                "namespace": namespace, "name": format!("{owner}-{run}"),
                "annotations": memory::annotations(&memory).expect("JSON"),
                "ownerReferences": [{
                    "apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar", "name": owner,
                    "uid": format!("uid-of-{owner}"), "controller": true, "blockOwnerDeletion": true,
                }],
            },
            "revision": run, "data": {"className": "shared"},
        });
        Arc::new(serde_json::from_value(revision).expect("a ControllerRevision"))
    }

    /// The pods that others have or need, as one Webinar of the class `shared` sees them.
    fn taken(others: &[Webinar], revisions: Vec<Arc<ControllerRevision>>) -> Vec<(String, u32)> {
        let named = |name: &str| Arc::new(WebinarClass::new(name, templates()));
        let platform = Platform {
            classes: vec![named("shared"), named("other")],
            templates: Vec::new(),
        };
        let guarded = |w: &Webinar| Arc::new(DeserializeGuard(Ok(w.clone())));
        let everyone = Everyone {
            webinars: others.iter().map(guarded).collect(),
            revisions,
        };
        let cpu = plan::Cpu {
            sfu_millis: 15_000,
            relay_millis: Some(15_000),
        };
        let class = convert::class("shared", &templates(), cpu);
        let me = webinar("events", "me", "shared");
        let found = neighbours(&me, &class, &everyone, &platform, NOW);
        found.into_iter().map(|n| (n.key, n.pods)).collect()
    }

    #[test]
    fn a_run_has_the_pods_of_the_class_that_it_began_with() {
        let [moved, came] = ["moved", "came"].map(|name| webinar("events", name, "other"));
        let begun = vec![revision("moved", "events", 1, 2)];
        assert_eq!(
            taken(&[moved, came], begun),
            [("events/moved".to_owned(), 2)],
            "it names another class by now, and has its pods still"
        );
    }

    #[test]
    fn what_is_remembered_elsewhere_is_nobodys_memory() {
        let other = [webinar("events", "other", "shared")];
        let own = revision("other", "events", 1, 2);
        let forged = revision("other", "elsewhere", 9, 100);
        assert_eq!(taken(&other, vec![own, forged]), [("events/other".to_owned(), 2)]);
        let mut stranger = (*revision("other", "events", 9, 100)).clone();
        stranger.metadata.owner_references.as_mut().expect("owners")[0].controller = None;
        stranger.metadata.labels = Some([(labels::WEBINAR_UID.to_owned(), "uid-of-other".to_owned())].into());
        let found = taken(
            &other,
            vec![revision("other", "events", 1, 2), Arc::new(stranger)],
        );
        assert_eq!(found, [("events/other".to_owned(), 2)]);
    }
}
