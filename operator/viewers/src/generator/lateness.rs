//! Whether this process keeps up: how late a timer goes off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::clock;

const TICK: Duration = Duration::from_millis(20);

/// The worst lateness of a tick since it was last asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lateness(Arc<AtomicU64>);

impl Lateness {
    /// Measures until it is stopped, on the runtime of the task that runs it.
    pub(crate) async fn measure(self, stop: CancellationToken) {
        let mut due = clock::now() + TICK;
        while stop.run_until_cancelled(sleep_until(due.into())).await.is_some() {
            let now = clock::now();
            let late = now.saturating_duration_since(due).as_millis();
            self.0
                .fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            due = now + TICK;
        }
    }

    /// The worst lateness since the last call, in milliseconds.
    pub(crate) fn take_ms(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}
