//! Whether the process gets on with its work. A process that does not is to be started again; one that only waits for
//! an API server is not.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// While passes are under way, one ends in less than this. Each call in one has a deadline of seconds, and a pass ends
/// with the first that fails; all that wait for a turn to write are through in half a minute.
const PASSES: Duration = Duration::from_secs(300);

/// When each part last moved. Cheap to clone; all clones feel the same pulse.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<Mutex<Felt>>);

#[derive(Debug, Default)]
struct Felt {
    loops: Vec<Round>,
    under_way: usize,
    /// When a pass last ended, or the first one under way began.
    moved: Option<Instant>,
}

/// A loop that never rests for long.
#[derive(Debug)]
struct Round {
    standstill: &'static str,
    patience: Duration,
    moved: Instant,
}

impl Pulse {
    /// A loop begins. It goes round in less than `patience`; if not, `standstill` says what does not happen.
    pub(crate) fn begin(&self, standstill: &'static str, patience: Duration) -> Beat {
        let mut felt = self.lock();
        felt.loops.push(Round {
            standstill,
            patience,
            moved: Instant::now(),
        });
        Beat {
            pulse: self.clone(),
            index: felt.loops.len() - 1,
        }
    }

    /// A pass is under way until the guard is dropped.
    pub(crate) fn pass(&self) -> Pass {
        let mut felt = self.lock();
        felt.under_way += 1;
        felt.moved.get_or_insert_with(Instant::now);
        Pass(self.clone())
    }

    /// What stands still, in words. `None`: all is well.
    pub(crate) fn stopped(&self) -> Option<String> {
        let now = Instant::now();
        let felt = self.lock();
        let loops = felt
            .loops
            .iter()
            .map(|round| (round.moved, round.patience, round.standstill));
        let passes = felt
            .moved
            .map(|moved| (moved, PASSES, "passes are under way and none has ended"));
        loops.chain(passes).find_map(|(moved, patience, what)| {
            let still = now.saturating_duration_since(moved);
            (still > patience).then(|| format!("for {} s {what}", still.as_secs()))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Felt> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A loop that has begun.
#[derive(Debug)]
pub(crate) struct Beat {
    pulse: Pulse,
    index: usize,
}

impl Beat {
    /// The loop goes round once more.
    pub(crate) fn again(&self) {
        if let Some(round) = self.pulse.lock().loops.get_mut(self.index) {
            round.moved = Instant::now();
        }
    }
}

/// A pass that is under way.
#[derive(Debug)]
pub(crate) struct Pass(Pulse);

impl Drop for Pass {
    fn drop(&mut self) {
        let mut felt = self.0.lock();
        felt.under_way -= 1;
        felt.moved = (felt.under_way > 0).then(Instant::now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn wait(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_not_begun_does_not_stand_still() {
        let pulse = Pulse::default();
        wait(10_000).await;
        assert_eq!(pulse.stopped(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_no_longer_goes_round_is_named() {
        let pulse = Pulse::default();
        let minutes = Duration::from_secs(180);
        let scopes = [
            pulse.begin("no one was looked for", minutes),
            pulse.begin("nothing was looked for", minutes),
        ];
        let lease = pulse.begin("nobody asked", Duration::from_secs(120));
        wait(120).await;
        scopes[0].again();
        assert_eq!(pulse.stopped(), None);
        wait(1).await;
        assert_eq!(pulse.stopped().as_deref(), Some("for 121 s nobody asked"));
        lease.again();
        assert_eq!(pulse.stopped(), None);
        wait(60).await;
        assert_eq!(
            pulse.stopped().as_deref(),
            Some("for 181 s nothing was looked for")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn passes_get_on_as_long_as_one_after_the_other_ends() {
        let pulse = Pulse::default();
        let long = pulse.pass();
        for _ in 0..5 {
            let short = pulse.pass();
            wait(250).await;
            drop(short);
        }
        assert_eq!(pulse.stopped(), None);
        wait(301).await;
        assert_eq!(
            pulse.stopped().as_deref(),
            Some("for 301 s passes are under way and none has ended")
        );
        drop(long);
        assert_eq!(pulse.stopped(), None);
        wait(10_000).await;
        let _next = pulse.pass();
        assert_eq!(pulse.stopped(), None);
    }
}
