//! One bound on writes for the whole process: so many a second, so many at once.

use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// A token bucket with a bound on writes under way.
#[derive(Debug)]
pub(crate) struct Limiter {
    interval: Duration,
    burst: Duration,
    next: Mutex<Option<Instant>>,
    in_flight: Semaphore,
}

impl Limiter {
    /// `per_second` writes a second on average, at most a tenth of a second's worth at once, and
    /// `in_flight` writes under way.
    pub(crate) fn new(per_second: u32, in_flight: u32) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self {
            interval,
            burst: interval * (per_second / 10).max(1),
            next: Mutex::new(None),
            in_flight: Semaphore::new(in_flight.max(1) as usize),
        }
    }

    /// Waits for a turn. The write is under way until the permit is dropped.
    pub(crate) async fn turn(&self) -> SemaphorePermit<'_> {
        let permit = self
            .in_flight
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let turn = self.reserve(Instant::now());
        sleep_until(turn).await;
        permit
    }

    fn reserve(&self, now: Instant) -> Instant {
        let mut next = self
            .next
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let earliest = now.checked_sub(self.burst).unwrap_or(now);
        let turn = next.unwrap_or(earliest).max(earliest);
        *next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn keeps_the_rate() {
        let limiter = Limiter::new(100, 64);
        let start = Instant::now();
        for _ in 0..110 {
            drop(limiter.turn().await);
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
        let first = limiter.turn().await;
        let _second = limiter.turn().await;
        let third = tokio::time::timeout(Duration::from_secs(5), limiter.turn()).await;
        assert!(third.is_err(), "a third write must wait");
        drop(first);
        let _third = limiter.turn().await;
    }
}
