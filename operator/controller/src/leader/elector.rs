//! Competing for the lease, keeping it, and giving it back.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::PostParams;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Leadership;
use super::lease::{NAME, Sighting, given_back, may_take, taken};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::pulse::{Beat, Pulse};

/// How long leadership lasts and how often it is renewed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timings {
    /// A lease that stood still for this long may be taken.
    pub(crate) lease: Duration,
    /// Who could not renew for this long stops writing. Shorter than `lease`.
    pub(crate) renew_deadline: Duration,
    /// Time between two tries.
    pub(crate) retry: Duration,
}

/// Who competes, and how.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Name in the lease: no other process may have it at the same time.
    pub(crate) identity: String,
    pub(crate) timings: Timings,
}

/// Competes for the lease until `stop`, then gives it back if it is ours.
pub(crate) async fn campaign(
    leases: Api<Lease>,
    me: Candidate,
    clock: Clock,
    leadership: Leadership,
    metrics: Metrics,
    pulse: Pulse,
    stop: CancellationToken,
) {
    let Candidate { identity, timings } = &me;
    // Several times what one try may take.
    let patience = (timings.renew_deadline + timings.retry) * 5;
    let beat = pulse.begin("the lease was neither renewed nor asked for", patience);
    loop {
        let (lease, since) = tokio::select! {
            () = stop.cancelled() => return,
            won = win(&leases, &me, &clock, &beat) => won,
        };
        leadership.begin(since + timings.renew_deadline);
        metrics.leads(true);
        tracing::info!(identity, "leads");
        let mut held = lease;
        let kept = tokio::select! {
            biased;
            () = stop.cancelled() => true,
            () = keep(&leases, &me, &clock, &leadership, &beat, &mut held, since) => false,
        };
        leadership.end();
        metrics.leads(false);
        if kept {
            give_back(&leases, &held, timings.renew_deadline).await;
            return;
        }
        tracing::warn!(
            identity,
            "leads no longer: the lease could not be renewed in time"
        );
    }
}

/// Waits until the lease is ours. Says since when: from before we asked for it.
async fn win(leases: &Api<Lease>, me: &Candidate, clock: &Clock, beat: &Beat) -> (Lease, Instant) {
    let Candidate { identity, timings } = me;
    let mut seen: Option<Sighting> = None;
    let mut told = false;
    loop {
        beat.again();
        let begun = Instant::now();
        match timeout(timings.renew_deadline, attempt(leases, me, clock, &mut seen)).await {
            Ok(Ok(Some(lease))) => return (lease, begun),
            Ok(Ok(None)) => {}
            // Somebody else was faster.
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {}
            failed => {
                let why = match failed {
                    Ok(Err(error)) => error.to_string(),
                    _ => "no answer in time".to_owned(),
                };
                if !told {
                    tracing::warn!(
                        identity,
                        error = why,
                        "the lease can't be read or taken; trying again"
                    );
                }
                told = true;
            }
        }
        tokio::time::sleep(timings.retry).await;
    }
}

async fn attempt(
    leases: &Api<Lease>,
    me: &Candidate,
    clock: &Clock,
    seen: &mut Option<Sighting>,
) -> kube::Result<Option<Lease>> {
    let Candidate { identity, timings } = me;
    let params = PostParams::default();
    let Some(found) = leases.get_opt(NAME).await? else {
        let new = taken(None, identity, timings.lease, clock.now());
        return leases.create(&params, &new).await.map(Some);
    };
    let now = Instant::now();
    let sighting = Sighting::of(&found, seen.take(), now);
    let free = may_take(&found, &sighting, identity, timings.lease, now);
    *seen = Some(sighting);
    if !free {
        return Ok(None);
    }
    let ours = taken(Some(&found), identity, timings.lease, clock.now());
    leases.replace(NAME, &params, &ours).await.map(Some)
}

/// Renews until that has failed for too long, or the lease is somebody else's.
async fn keep(
    leases: &Api<Lease>,
    me: &Candidate,
    clock: &Clock,
    leadership: &Leadership,
    beat: &Beat,
    held: &mut Lease,
    since: Instant,
) {
    let Candidate { identity, timings } = me;
    let mut until = since + timings.renew_deadline;
    loop {
        beat.again();
        let next = Instant::now() + timings.retry;
        if timeout_at(until, tokio::time::sleep_until(next)).await.is_err() {
            return;
        }
        let begun = Instant::now();
        // One call that hangs must not use up the time for all others.
        let patience = (begun + timings.renew_deadline / 2).min(until);
        match timeout_at(patience, renew(leases, identity, timings.lease, clock, held)).await {
            Ok(Ok(true)) => {
                until = begun + timings.renew_deadline;
                leadership.extend(until);
            }
            Ok(Ok(false)) => return,
            Ok(Err(error)) => tracing::debug!(%error, "the lease was not renewed"),
            Err(_) => tracing::debug!("the lease was not renewed in time"),
        }
        if Instant::now() >= until {
            return;
        }
    }
}

/// Renews once. False: the lease is somebody else's.
async fn renew(
    leases: &Api<Lease>,
    identity: &str,
    lease: Duration,
    clock: &Clock,
    held: &mut Lease,
) -> kube::Result<bool> {
    let ours = taken(Some(held), identity, lease, clock.now());
    match leases.replace(NAME, &PostParams::default(), &ours).await {
        Ok(stored) => {
            *held = stored;
            Ok(true)
        }
        // It was written since: by us, if the answer was lost.
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {
            let Some(found) = leases.get_opt(NAME).await? else {
                return Ok(false);
            };
            let spec = found.spec.as_ref();
            if spec.and_then(|s| s.holder_identity.as_deref()) != Some(identity) {
                return Ok(false);
            }
            let ours = taken(Some(&found), identity, lease, clock.now());
            *held = leases.replace(NAME, &PostParams::default(), &ours).await?;
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

/// So that another one needn't wait until it expires. Best effort.
async fn give_back(leases: &Api<Lease>, held: &Lease, patience: Duration) {
    let params = PostParams::default();
    match timeout(patience, leases.replace(NAME, &params, &given_back(held))).await {
        Ok(Ok(_)) => tracing::info!("the lease is given back"),
        Ok(Err(error)) => tracing::debug!(%error, "the lease was not given back"),
        Err(_) => tracing::debug!("the lease was not given back in time"),
    }
}
