//! What time it is. The one place that reads the wall clock.
//!
//! Decisions follow the API server's time, which all replicas share. It is heard from its answers and carried on by a clock
//! that only runs forward, so that whatever happens to this machine's wall clock moves no boundary of an event. The wall
//! clock serves until the first answer, and to say how far the two differ. Leases follow neither: see `leader`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// What time it is. Cheap to clone; all clones tell the same time.
#[derive(Debug, Clone)]
pub(crate) struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    wall: Wall,
    /// An instant and the wall clock's time then. From here on the steady clock counts.
    begun: (Instant, Timestamp),
    /// How far the API server is ahead of that count. Absent until it was heard.
    ahead: Mutex<Option<SignedDuration>>,
}

/// A wall clock.
#[derive(Debug)]
enum Wall {
    /// This machine's.
    Machine {
        /// A file with seconds to add. For tests alone: they move the clock while the operator runs.
        offset: Option<PathBuf>,
    },
    /// One that nobody else has.
    Given {
        /// What it told at which instant.
        begun: (Instant, Timestamp),
        /// Milliseconds by which it was moved since.
        moved: Arc<AtomicI64>,
    },
}

impl Default for Clock {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Clock {
    /// `offset`: a file with seconds to add to the wall clock, read each time. For tests alone.
    pub(crate) fn new(offset: Option<PathBuf>) -> Self {
        Self::with(Wall::Machine { offset })
    }

    /// A clock whose wall clock tells `now` now and goes on from there; `moved` are milliseconds to add, read each time.
    pub(crate) fn given(now: Timestamp, moved: Arc<AtomicI64>) -> Self {
        let begun = (Instant::now(), now);
        Self::with(Wall::Given { begun, moved })
    }

    fn with(wall: Wall) -> Self {
        let begun = (Instant::now(), wall.now());
        Self(Arc::new(Inner {
            wall,
            begun,
            ahead: Mutex::default(),
        }))
    }

    /// Now, by the API server's clock once it was heard.
    pub(crate) fn now(&self) -> Timestamp {
        let ahead = *self.ahead();
        ahead.map_or_else(
            || self.0.wall.now(),
            |ahead| after(self.counted(Instant::now()), ahead),
        )
    }

    /// How far this machine's wall clock is ahead of the API server's; negative: behind. Nothing until that was heard.
    pub(crate) fn skew(&self) -> SignedDuration {
        self.0.wall.now().duration_since(self.now())
    }

    /// The API server wrote `date`, which has whole seconds, between these two instants.
    ///
    /// What was believed is moved only as far as it contradicts that: so it becomes better with each answer, and does
    /// not follow the length of a call.
    pub(crate) fn heard(&self, date: Timestamp, sent: Instant, received: Instant) {
        let least = date.duration_since(self.counted(received));
        let most = after(date, SignedDuration::from_secs(1)).duration_since(self.counted(sent));
        let mut ahead = self.ahead();
        let believed = ahead.unwrap_or(least + (most - least) / 2);
        *ahead = Some(believed.clamp(least, most.max(least)));
    }

    fn counted(&self, at: Instant) -> Timestamp {
        counted(self.0.begun, at)
    }

    fn ahead(&self) -> MutexGuard<'_, Option<SignedDuration>> {
        self.0.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wall {
    #[expect(
        clippy::disallowed_methods,
        reason = "every other module gets `now` as an argument"
    )]
    fn now(&self) -> Timestamp {
        match self {
            Self::Machine { offset } => {
                let text = offset
                    .as_ref()
                    .and_then(|file| std::fs::read_to_string(file).ok());
                let seconds = text.and_then(|text| text.trim().parse().ok());
                after(Timestamp::now(), SignedDuration::from_secs(seconds.unwrap_or(0)))
            }
            Self::Given { begun, moved } => {
                let moved = SignedDuration::from_millis(moved.load(Ordering::Relaxed));
                after(counted(*begun, Instant::now()), moved)
            }
        }
    }
}

/// What a clock tells at an instant, which told this then and only runs forward.
fn counted((instant, time): (Instant, Timestamp), at: Instant) -> Timestamp {
    let passed = at.saturating_duration_since(instant);
    after(
        time,
        SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX),
    )
}

fn after(t: Timestamp, d: SignedDuration) -> Timestamp {
    t.saturating_add(d).unwrap_or(t)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn whole(t: Timestamp) -> Timestamp {
        Timestamp::from_second(t.as_second()).unwrap()
    }

    fn near(a: Timestamp, b: Timestamp, seconds: f64) -> bool {
        a.duration_since(b).as_secs_f64().abs() <= seconds
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_heard_goes_on_by_the_steady_clock() {
        let clock = Clock::default();
        let server = whole(after(clock.now(), HOUR));
        clock.heard(server, Instant::now(), Instant::now());
        assert!(near(clock.now(), server, 1.0));
        assert!((clock.skew() + HOUR).abs() < SignedDuration::from_secs(2));
        tokio::time::advance(Duration::from_secs(600)).await;
        // The wall clock of this test stood still: it isn't asked.
        assert!(near(
            clock.now(),
            after(server, SignedDuration::from_secs(600)),
            1.0
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wall_clock_that_jumps_moves_the_skew_and_not_the_time() {
        let directory = std::env::temp_dir().join(format!("webinar-clock-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let file = directory.join("offset");
        let clock = Clock::new(Some(file.clone()));
        let server = whole(clock.now());
        clock.heard(server, Instant::now(), Instant::now());
        for seconds in [3600, -3600, 600, -600] {
            std::fs::write(&file, format!("{seconds}\n")).unwrap();
            assert!(near(clock.now(), server, 1.0), "{seconds}");
            let off = clock.skew() - SignedDuration::from_secs(seconds);
            assert!(off.abs() < SignedDuration::from_secs(2), "{seconds}: {off}");
        }
        std::fs::remove_dir_all(directory).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn each_answer_makes_it_better_and_a_slow_one_no_worse() {
        let clock = Clock::default();
        // The API server's clock is 300.7 s ahead; it tells whole seconds.
        let true_ahead = SignedDuration::from_millis(300_700);
        let truth = |at: Instant| after(clock.counted(at), true_ahead);
        let off = || clock.now().duration_since(truth(Instant::now())).abs();
        for _ in 0..20 {
            let at = Instant::now();
            clock.heard(whole(truth(at)), at, at);
            tokio::time::advance(Duration::from_millis(1_900)).await;
        }
        let good = off();
        assert!(good < SignedDuration::from_millis(150), "{good}");
        // Written at once, and eight seconds on the way.
        let sent = Instant::now();
        let date = whole(truth(sent));
        tokio::time::advance(Duration::from_secs(8)).await;
        clock.heard(date, sent, Instant::now());
        assert_eq!(off(), good);
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_whose_clock_was_moved_is_followed() {
        let clock = Clock::default();
        let server = whole(clock.now());
        for by in [HOUR, -HOUR] {
            let moved = after(server, by);
            clock.heard(moved, Instant::now(), Instant::now());
            assert!(near(clock.now(), moved, 1.0), "{by}");
        }
    }
}
