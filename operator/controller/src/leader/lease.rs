//! Who may take the lease, from what was seen of it. Pure.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::core::ObjectMeta;
use tokio::time::Instant;

/// Name of the lease, in the operator's namespace.
pub(crate) const NAME: &str = "webinar-operator";

/// A lease of somebody else, and since when it has not changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sighting {
    version: Option<String>,
    since: Instant,
}

impl Sighting {
    /// What `lease` at `now` adds to the `last` sighting.
    pub(super) fn of(lease: &Lease, last: Option<Self>, now: Instant) -> Self {
        let version = lease.metadata.resource_version.clone();
        last.filter(|l| l.version == version)
            .unwrap_or(Self { version, since: now })
    }
}

/// `me` may take the lease: it is nobody's, its own, or was not renewed for as long as its holder said, and at least for
/// `ours`, since we saw it.
pub(super) fn may_take(lease: &Lease, seen: &Sighting, me: &str, ours: Duration, now: Instant) -> bool {
    let spec = lease.spec.as_ref();
    let holder = spec
        .and_then(|s| s.holder_identity.as_deref())
        .unwrap_or_default();
    if holder.is_empty() || holder == me {
        return true;
    }
    let said = spec.and_then(|s| s.lease_duration_seconds).unwrap_or(0);
    let said = Duration::from_secs(u64::try_from(said).unwrap_or(0));
    now.duration_since(seen.since) > said.max(ours)
}

/// The lease as `me` writes it: over `last`, whose version must not have changed. The time is for people.
pub(super) fn taken(last: Option<&Lease>, me: &str, ours: Duration, time: Timestamp) -> Lease {
    let before = last.and_then(|l| l.spec.as_ref());
    let was = before
        .and_then(|s| s.holder_identity.as_deref())
        .unwrap_or_default();
    let changes = before.and_then(|s| s.lease_transitions).unwrap_or(0);
    let same = was == me;
    let acquired = before.and_then(|s| s.acquire_time.clone()).filter(|_| same);
    Lease {
        metadata: ObjectMeta {
            name: Some(NAME.to_owned()),
            resource_version: last.and_then(|l| l.metadata.resource_version.clone()),
            ..last.map(|l| l.metadata.clone()).unwrap_or_default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(me.to_owned()),
            // Whole seconds, never less than we mean.
            lease_duration_seconds: Some(i32::try_from(ours.as_secs_f64().ceil() as u64).unwrap_or(i32::MAX)),
            acquire_time: Some(acquired.unwrap_or(MicroTime(time))),
            renew_time: Some(MicroTime(time)),
            lease_transitions: Some(if same || last.is_none() {
                changes
            } else {
                changes.saturating_add(1)
            }),
            ..LeaseSpec::default()
        }),
    }
}

/// The lease given back.
pub(super) fn given_back(lease: &Lease) -> Lease {
    let mut lease = lease.clone();
    if let Some(spec) = &mut lease.spec {
        spec.holder_identity = Some(String::new());
        spec.lease_duration_seconds = Some(1);
    }
    lease
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Duration = Duration::from_secs(15);

    fn lease(holder: &str, version: &str, seconds: i32) -> Lease {
        let mut lease = taken(None, holder, OURS, Timestamp::UNIX_EPOCH);
        lease.metadata.resource_version = Some(version.to_owned());
        if let Some(spec) = &mut lease.spec {
            spec.lease_duration_seconds = Some(seconds);
        }
        lease
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_elses_lease_is_taken_when_it_stood_still_for_its_whole_time() {
        let begun = Instant::now();
        let theirs = lease("other", "1", 15);
        let seen = Sighting::of(&theirs, None, begun);
        let at = |s| begun + Duration::from_secs(s);
        assert!(!may_take(&theirs, &seen, "me", OURS, at(15)));
        assert!(may_take(&theirs, &seen, "me", OURS, at(16)));
        // Renewed at 14 s: it counts anew from there.
        let renewed = lease("other", "2", 15);
        let seen = Sighting::of(&renewed, Some(seen), at(14));
        assert!(!may_take(&renewed, &seen, "me", OURS, at(28)));
        // A holder that asked for more time has it.
        let longer = lease("other", "3", 60);
        let seen = Sighting::of(&longer, Some(seen), at(30));
        assert!(!may_take(&longer, &seen, "me", OURS, at(80)));
        assert!(may_take(&longer, &seen, "me", OURS, at(91)));
    }

    #[tokio::test(start_paused = true)]
    async fn times_that_others_wrote_do_not_count() {
        let now = Instant::now();
        let mut theirs = lease("other", "1", 15);
        for years in [-1, 1] {
            if let Some(spec) = &mut theirs.spec {
                let time = Timestamp::UNIX_EPOCH + jiff::SignedDuration::from_hours(24 * 365 * (57 + years));
                spec.renew_time = Some(MicroTime(time));
            }
            let seen = Sighting::of(&theirs, None, now);
            assert!(!may_take(
                &theirs,
                &seen,
                "me",
                OURS,
                now + Duration::from_secs(10)
            ));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_nobodys_or_ours_is_taken_at_once() {
        let now = Instant::now();
        for holder in ["", "me"] {
            let free = lease(holder, "1", 15);
            let seen = Sighting::of(&free, None, now);
            assert!(may_take(&free, &seen, "me", OURS, now), "{holder:?}");
        }
        let back = given_back(&lease("other", "1", 15));
        assert!(may_take(&back, &Sighting::of(&back, None, now), "me", OURS, now));
    }

    #[test]
    fn taking_counts_changes_of_the_holder() {
        let first = taken(None, "a", OURS, Timestamp::UNIX_EPOCH);
        let again = taken(Some(&first), "a", OURS, Timestamp::MAX);
        let other = taken(Some(&again), "b", OURS, Timestamp::MAX);
        let count = |l: &Lease| l.spec.as_ref().and_then(|s| s.lease_transitions);
        assert_eq!([&first, &again, &other].map(count), [Some(0), Some(0), Some(1)]);
        let since = |l: &Lease| l.spec.as_ref().and_then(|s| s.acquire_time.clone());
        assert_eq!(since(&first), since(&again));
        assert_ne!(since(&again), since(&other));
    }
}
