//! What is known of the event's pods: only what the demo shows and proves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use kube::runtime::watcher::Event;
use webinar_api::{Role, labels};

use super::counts::{Counts, ROLES};

/// One pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    role: Role,
    /// When it became Ready, if it is.
    ready: Option<Timestamp>,
    created: Timestamp,
}

/// The pods that exist, as a watch tells them.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    members: BTreeMap<String, Member>,
    /// The members of a list that is still coming in.
    listed: BTreeMap<String, Member>,
    first_create: Option<Timestamp>,
}

impl Fleet {
    /// Takes note of what a watch tells.
    pub(super) fn saw(&mut self, event: Event<Pod>) {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(pod) => self.note(&pod, true),
            Event::InitDone => self.members = std::mem::take(&mut self.listed),
            Event::Apply(pod) => self.note(&pod, false),
            Event::Delete(pod) => _ = self.members.remove(&pod.name_any()),
        }
    }

    fn note(&mut self, pod: &Pod, listed: bool) {
        let Some(mut member) = member(pod) else { return };
        let name = pod.name_any();
        // A pod's name is never used again. One that is still Ready has been since it first was, even when a simulated
        // kubelet reports it a second time with a new time.
        let known = self.members.get(&name).and_then(|known| known.ready);
        member.ready = member
            .ready
            .map(|ready| known.map_or(ready, |known| ready.min(known)));
        self.first_create = Some(
            self.first_create
                .map_or(member.created, |t| t.min(member.created)),
        );
        let members = if listed {
            &mut self.listed
        } else {
            &mut self.members
        };
        members.insert(name, member);
    }

    /// When the first pod ever was created.
    pub(super) fn first_create(&self) -> Option<Timestamp> {
        self.first_create
    }

    /// Pods that exist.
    pub(super) fn created(&self) -> Counts {
        self.count(|_| true)
    }

    /// Pods that are Ready.
    pub(super) fn ready(&self) -> Counts {
        self.count(|member| member.ready.is_some())
    }

    /// Pods that are Ready and have been since before an instant.
    pub(super) fn ready_before(&self, instant: Timestamp) -> Counts {
        self.count(|member| member.ready.is_some_and(|ready| ready < instant))
    }

    fn count(&self, counted: impl Fn(&Member) -> bool) -> Counts {
        let mut counts = Counts::default();
        for member in self.members.values().filter(|member| counted(member)) {
            match member.role {
                Role::Sfu => counts.sfu += 1,
                Role::Mid => counts.mid += 1,
                Role::Relay => counts.relay += 1,
            }
        }
        counts
    }

    /// Since when as many pods of each role as `wanted` have been Ready. `None` if they are not.
    pub(super) fn complete_since(&self, wanted: Counts) -> Option<Timestamp> {
        let mut since = self.first_create?;
        for role in ROLES {
            let ready = self.members.values().filter(|member| member.role == role);
            let mut ready: Vec<Timestamp> = ready.filter_map(|member| member.ready).collect();
            ready.sort_unstable();
            if let Some(last) = wanted.of(role).checked_sub(1) {
                since = since.max(*ready.get(last)?);
            }
        }
        Some(since)
    }
}

/// `None` for a pod without a role, which is not ours.
fn member(pod: &Pod) -> Option<Member> {
    let role = pod.labels().get(labels::ROLE)?;
    let role = ROLES.into_iter().find(|r| r.as_str() == role)?;
    let leaving = pod.metadata.deletion_timestamp.is_some();
    let conditions = pod
        .status
        .iter()
        .flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions
        .filter(|condition| condition.type_ == "Ready" && condition.status == "True" && !leaving)
        .find_map(|condition| condition.last_transition_time.as_ref());
    Some(Member {
        role,
        ready: ready.map(|time| time.0),
        created: pod.metadata.creation_timestamp.as_ref()?.0,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// A time of a test's event.
    pub(in crate::demo) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).expect("a time")
    }

    fn pod(name: &str, created: i64, ready: Option<i64>) -> Pod {
        let role = name.split('-').next();
        let conditions: Vec<_> = ready
            .map(|second| json!({"type": "Ready", "status": "True", "lastTransitionTime": at(second)}))
            .into_iter()
            .collect();
        let pod = json!({
            "metadata": {"name": name, "labels": {labels::ROLE: role}, "creationTimestamp": at(created)},
            "status": {"conditions": conditions},
        });
        serde_json::from_value(pod).expect("a pod")
    }

    /// A fleet of pods given by name, which begins with the role, creation and readiness.
    pub(in crate::demo) fn fleet(pods: &[(&str, i64, Option<i64>)]) -> Fleet {
        let mut fleet = Fleet::default();
        for (name, created, ready) in pods {
            fleet.saw(Event::Apply(pod(name, *created, *ready)));
        }
        fleet
    }

    #[test]
    fn pods_are_counted_by_role() {
        let fleet = fleet(&[
            ("sfu-0", 0, Some(6)),
            ("relay-0", 1, Some(5)),
            ("relay-1", 1, Some(9)),
            ("relay-2", 2, None),
        ]);
        let counts = |sfu, relay| Counts { sfu, mid: 0, relay };
        assert_eq!(fleet.created(), counts(1, 3));
        assert_eq!(fleet.ready(), counts(1, 2));
        assert_eq!(fleet.ready_before(at(9)), counts(1, 1));
        assert_eq!(fleet.ready_before(at(10)), counts(1, 2));
    }

    #[test]
    fn a_fleet_is_complete_with_the_last_pod_that_is_needed() {
        let fleet = fleet(&[
            ("sfu-0", 0, Some(6)),
            ("relay-0", 1, Some(5)),
            ("relay-1", 1, Some(9)),
            ("relay-2", 2, None),
        ]);
        let since = |sfu, relay| fleet.complete_since(Counts { sfu, mid: 0, relay });
        assert_eq!(since(1, 0), Some(at(6)));
        assert_eq!(since(1, 1), Some(at(6)));
        assert_eq!(since(1, 2), Some(at(9)));
        assert_eq!(since(1, 3), None);
        assert_eq!(since(2, 1), None);
        assert_eq!(fleet.first_create(), Some(at(0)));
    }

    #[test]
    fn pods_that_go_are_not_ready() {
        let mut fleet = fleet(&[("relay-0", 1, Some(5))]);
        let mut going = pod("relay-0", 1, Some(5));
        going.metadata.deletion_timestamp = going.metadata.creation_timestamp.clone();
        fleet.saw(Event::Apply(going.clone()));
        assert_eq!((fleet.created().relay, fleet.ready().relay), (1, 0));
        fleet.saw(Event::Delete(going));
        assert_eq!(fleet.created().total(), 0);
    }

    #[test]
    fn a_pod_is_ready_since_it_first_was() {
        let mut fleet = fleet(&[("relay-0", 1, Some(5)), ("relay-0", 1, Some(9))]);
        assert_eq!(fleet.ready_before(at(6)).relay, 1);
        fleet.saw(Event::Apply(pod("relay-0", 1, None)));
        fleet.saw(Event::Apply(pod("relay-0", 1, Some(12))));
        assert_eq!(fleet.ready_before(at(12)).relay, 0);
    }

    #[test]
    fn a_new_list_replaces_what_was_known() {
        let mut fleet = fleet(&[("relay-0", 1, Some(5))]);
        fleet.saw(Event::Init);
        fleet.saw(Event::InitApply(pod("relay-1", 2, None)));
        assert_eq!(fleet.ready().relay, 1);
        fleet.saw(Event::InitDone);
        assert_eq!((fleet.created().relay, fleet.ready().relay), (1, 0));
    }
}
