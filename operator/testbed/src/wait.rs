//! Waiting with a deadline, and measuring how long something took; the only place where the testbed reads a clock.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use tokio::time::Instant;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Calls `probe` until it answers `Ok`, at most for `deadline`.
///
/// It pauses for at least as long as the look took: looking at a thousand pods all the time would leave the machine to nobody
/// else.
///
/// An `Err` means "not yet": say in it what was seen, as it is quoted when the deadline passes.
/// An error made by [`give_up`] ends the wait at once. A probe that hangs is cut off at the deadline.
///
/// # Errors
/// When the deadline passes, naming `what` and the last thing seen; or what [`give_up`] was given.
pub async fn eventually<T>(
    what: &str,
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<T>,
) -> Result<T> {
    let mut seen = anyhow!("the first look did not come back");
    let polling = async {
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            match probe().await {
                Ok(value) => return Ok(value),
                Err(error) if error.is::<GiveUp>() => return Err(error),
                Err(error) => seen = error,
            }
            tokio::time::sleep(pause.max(began.elapsed())).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    };
    match tokio::time::timeout(deadline, polling).await {
        Ok(outcome) => outcome.with_context(|| format!("waiting for {what}")),
        Err(_) => Err(seen.context(format!("waited {deadline:?} in vain for {what}; last seen"))),
    }
}

/// An error that makes [`eventually`] stop waiting, because what it waits for can no longer happen.
pub fn give_up(reason: impl fmt::Display) -> anyhow::Error {
    anyhow::Error::new(GiveUp(reason.to_string()))
}

#[derive(Debug)]
struct GiveUp(String);

impl fmt::Display for GiveUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for GiveUp {}

/// Bounds a single future, for waits that are not polls.
///
/// # Errors
/// When the deadline passes, naming `what`; or the future's own error.
pub async fn within<T>(what: &str, deadline: Duration, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(deadline, future)
        .await
        .map_err(|_| anyhow!("{what} took longer than {deadline:?}"))?
        .with_context(|| what.to_owned())
}

/// The time of day, for records that are compared with those of other processes.
#[allow(clippy::disallowed_methods, reason = "real processes follow the real time")]
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::now()
}

/// Measures real time, for reports.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    #[allow(
        clippy::disallowed_methods,
        reason = "measures the real time that real processes take"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since [`Stopwatch::start`].
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    #[tokio::test]
    async fn the_last_thing_seen_is_told() {
        let mut looks = 0;
        let error = eventually("six nodes", Duration::from_millis(100), async || -> Result<()> {
            looks += 1;
            bail!("{} of 6", looks.min(2))
        })
        .await
        .expect_err("never true");
        assert_eq!(
            format!("{error:#}"),
            "waited 100ms in vain for six nodes; last seen: 2 of 6"
        );
    }

    #[tokio::test]
    async fn long_looks_are_followed_by_long_pauses() {
        let mut looks = 0;
        let look = async || -> Result<()> {
            looks += 1;
            tokio::time::sleep(Duration::from_millis(200)).await;
            bail!("not yet")
        };
        // Without pauses it would be ten.
        eventually("what never is", Duration::from_secs(2), look)
            .await
            .expect_err("never true");
        assert!((1..=5).contains(&looks), "{looks} looks");
    }

    #[tokio::test]
    async fn giving_up_ends_the_wait() {
        let error = eventually(
            "a dead process",
            Duration::from_secs(60),
            async || -> Result<()> { Err(give_up("it exited with 1")) },
        )
        .await
        .expect_err("given up");
        assert_eq!(
            format!("{error:#}"),
            "waiting for a dead process: it exited with 1"
        );
    }

    #[tokio::test]
    async fn a_hanging_probe_is_cut_off() {
        let error = eventually("an answer", Duration::from_millis(20), async || {
            std::future::pending::<Result<()>>().await
        })
        .await
        .expect_err("hangs");
        assert!(format!("{error:#}").contains("did not come back"));
    }
}
