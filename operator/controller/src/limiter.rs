//! One bound on writes for the whole process: so many a second, so many at once, shared fairly.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::fair::{Claimant, Order, Queue};

/// Claims that may wait to be queued; whoever comes later waits before that.
const QUEUE: usize = 1_024;

/// A token bucket with a bound on writes under way.
#[derive(Debug)]
pub(crate) struct Limiter {
    claims: mpsc::Sender<Claim>,
}

#[derive(Debug)]
struct Claim {
    by: Claimant,
    grant: oneshot::Sender<OwnedSemaphorePermit>,
}

impl Limiter {
    /// `per_second` writes a second on average, at most a tenth of a second's worth at once, and `in_flight` writes
    /// under way. Must be called within a runtime; what grants the turns ends with the limiter.
    pub(crate) fn new(per_second: u32, in_flight: u32) -> Self {
        let (claims, claimed) = mpsc::channel(QUEUE);
        let interval = Duration::from_secs(1) / per_second.max(1);
        let bucket = Bucket {
            interval,
            burst: interval * (per_second / 10).max(1),
            next: None,
        };
        let permits = Arc::new(Semaphore::new(in_flight.max(1) as usize));
        tokio::spawn(grant(claimed, bucket, permits));
        Self { claims }
    }

    /// Waits for a turn. The write is under way until the permit is dropped.
    pub(crate) async fn turn(&self, by: &Claimant) -> OwnedSemaphorePermit {
        let (grant, granted) = oneshot::channel();
        let claim = Claim {
            by: by.clone(),
            grant,
        };
        // Without anyone to grant it the process is stopping: nothing is written any more.
        if self.claims.send(claim).await.is_err() {
            return std::future::pending().await;
        }
        match granted.await {
            Ok(permit) => permit,
            Err(_) => std::future::pending().await,
        }
    }
}

async fn grant(mut claimed: mpsc::Receiver<Claim>, mut bucket: Bucket, permits: Arc<Semaphore>) {
    let mut queue = Queue::new(Order::Turns);
    loop {
        if queue.is_empty() {
            match claimed.recv().await {
                Some(claim) => queue.push(claim.by, claim.grant),
                None => return,
            }
        }
        let permit = Arc::clone(&permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        sleep_until(bucket.reserve(Instant::now())).await;
        while let Ok(claim) = claimed.try_recv() {
            queue.push(claim.by, claim.grant);
        }
        let next = std::iter::from_fn(|| queue.pop()).find(|grant| !grant.is_closed());
        if let Some(grant) = next {
            // Whoever waits no longer gives the permit back.
            let _ = grant.send(permit);
        }
    }
}

#[derive(Debug)]
struct Bucket {
    interval: Duration,
    burst: Duration,
    next: Option<Instant>,
}

impl Bucket {
    fn reserve(&mut self, now: Instant) -> Instant {
        let earliest = now.checked_sub(self.burst).unwrap_or(now);
        let turn = self.next.unwrap_or(earliest).max(earliest);
        self.next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fair::tests::claimant;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_rate() {
        let limiter = Limiter::new(100, 64);
        let start = Instant::now();
        for _ in 0..110 {
            drop(limiter.turn(&claimant("a", 0)).await);
        }
        let took = start.elapsed();
        assert!(
            took >= Duration::from_millis(980) && took <= Duration::from_millis(1_020),
            "{took:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn bounds_writes_under_way() {
        let limiter = Limiter::new(1_000, 2);
        let me = claimant("a", 0);
        let first = limiter.turn(&me).await;
        let _second = limiter.turn(&me).await;
        let third = tokio::time::timeout(Duration::from_secs(5), limiter.turn(&me)).await;
        assert!(third.is_err(), "a third write must wait");
        drop(first);
        let _third = limiter.turn(&me).await;
    }

    /// Who has the first `turns` of a hundred claims by each.
    async fn served(claimants: &[Claimant], turns: usize) -> Vec<usize> {
        let limiter = Arc::new(Limiter::new(100, 1));
        let (done, mut order) = mpsc::channel(1_024);
        for (i, by) in claimants.iter().enumerate() {
            for _ in 0..100 {
                let (limiter, by, done) = (Arc::clone(&limiter), by.clone(), done.clone());
                tokio::spawn(async move {
                    let _permit = limiter.turn(&by).await;
                    done.send(i).await.unwrap();
                });
            }
        }
        let mut counts = vec![0; claimants.len()];
        for _ in 0..turns {
            counts[order.recv().await.unwrap()] += 1;
        }
        counts
    }

    #[tokio::test(start_paused = true)]
    async fn the_nearest_start_goes_first_and_nobody_starves() {
        let counts = served(
            &[
                claimant("late", 900),
                claimant("next", 60),
                claimant("later", 500),
            ],
            120,
        )
        .await;
        assert!(counts[1] >= 60, "{counts:?}");
        assert!(counts[0] >= 20 && counts[2] >= 20, "{counts:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_claim_that_is_given_up_holds_up_nobody() {
        let limiter = Limiter::new(100, 1);
        let held = limiter.turn(&claimant("a", 0)).await;
        let given_up = tokio::time::timeout(Duration::from_secs(1), limiter.turn(&claimant("b", 0))).await;
        assert!(given_up.is_err());
        drop(held);
        drop(limiter.turn(&claimant("c", 9)).await);
    }
}
