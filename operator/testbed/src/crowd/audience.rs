//! The audience of one event.

use std::time::Duration;

use fastrand::Rng;
use jiff::Timestamp;

use super::queue::{Cohort, Queue, Share};
use super::results::{Dropped, Results, Waited};
use super::{Crowd, Manners};

/// What came of one viewer's attempt to get in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// A seat was taken.
    Seated,
    /// There was no seat.
    Refused,
    /// There was no server, or no stage on it.
    Unanswered,
}

/// Why viewers were dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    PodGone,
    Server,
}

/// Who comes, waits and was dropped. Who watches is known to the relays.
#[derive(Debug, Default)]
pub(crate) struct Audience {
    crowds: Vec<Crowd>,
    /// Crowds that were sent home are gone from the list.
    arrived_before: u64,
    arrived: u64,
    queue: Queue,
    /// Attempts of dropped viewers that are allowed by now; below 1 between ticks.
    allowance: f64,
    leaving_rate: f64,
    leaving_owed: f64,

    joined: u64,
    left: u64,
    refused: u64,
    unanswered: u64,
    waited: Waited,
    dropped: Dropped,
    rejoined: u64,
}

impl Audience {
    pub(crate) fn come(&mut self, crowd: Crowd) {
        self.crowds.push(crowd);
    }

    /// So many per second leave from now on.
    pub(crate) fn leave_at(&mut self, rate: f64) {
        self.leaving_rate = rate.max(0.0);
        self.leaving_owed = 0.0;
    }

    /// Nobody comes any more, and nobody waits.
    pub(crate) fn send_home(&mut self) {
        self.arrived_before = self.arrived;
        self.crowds.clear();
        self.left += self.queue.leave(&mut Share::of(1, 1, 0.0));
        self.leave_at(0.0);
    }

    /// A share of those who wait gives up.
    pub(crate) fn give_up(&mut self, share: &mut Share) {
        self.left += self.queue.leave(share);
    }

    /// Viewers have left their relays by themselves.
    pub(crate) fn gone(&mut self, count: u64) {
        self.left += count;
    }

    /// How many leave in this tick.
    pub(crate) fn leavers(&mut self, passed: Duration) -> u64 {
        let owed = self.leaving_owed + self.leaving_rate * passed.as_secs_f64();
        self.leaving_owed = owed.fract();
        owed.floor() as u64
    }

    /// Viewers are without a picture from now on, and want to be in again at `back` at the earliest.
    pub(crate) fn drop_viewers(&mut self, now: Timestamp, count: u64, cause: Cause, back: Timestamp) {
        if count == 0 {
            return;
        }
        self.dropped.total += count;
        match cause {
            Cause::PodGone => self.dropped.by_pod_gone += count,
            Cause::Server => self.dropped.by_server += count,
        }
        let cohort = Cohort {
            dropped: true,
            since: now,
            counted: false,
        };
        self.queue.wait(back, cohort, count);
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.queue.len()
    }

    /// Everybody whose turn it is tries to get in. `relays` take viewers.
    pub(crate) fn step(
        &mut self,
        now: Timestamp,
        passed: Duration,
        relays: usize,
        manners: &Manners,
        rng: &mut Rng,
        mut attempt: impl FnMut(&mut Rng) -> Attempt,
    ) {
        for (cohort, count) in self.queue.due(now) {
            self.try_to_join(now, cohort, count, manners, rng, &mut attempt);
        }

        let arrived = self.arrived_before + self.crowds.iter().map(|crowd| crowd.arrived(now)).sum::<u64>();
        let newcomers = arrived.saturating_sub(self.arrived);
        self.arrived += newcomers;
        let cohort = Cohort {
            dropped: false,
            since: now,
            counted: false,
        };
        self.try_to_join(now, cohort, newcomers, manners, rng, &mut attempt);

        let rate = manners.rejoins_per_relay * relays as f64;
        // What was not used in a second is lost: a herd does not save up.
        self.allowance = (self.allowance + rate * passed.as_secs_f64()).min(rate.max(1.0));
        while self.allowance >= 1.0 {
            let Some((cohort, count)) = self.queue.next_in_line(self.allowance.floor() as u64) else {
                break;
            };
            self.allowance -= count as f64;
            self.try_to_join(now, cohort, count, manners, rng, &mut attempt);
        }
    }

    fn try_to_join(
        &mut self,
        now: Timestamp,
        cohort: Cohort,
        count: u64,
        manners: &Manners,
        rng: &mut Rng,
        attempt: &mut impl FnMut(&mut Rng) -> Attempt,
    ) {
        let (mut seated, mut refused) = (0, 0);
        for _ in 0..count {
            match attempt(rng) {
                Attempt::Seated => seated += 1,
                Attempt::Refused => refused += 1,
                Attempt::Unanswered => (),
            }
        }
        let failed = count - seated;
        self.seated(now, cohort, seated);
        self.refused += refused;
        self.unanswered += failed - refused;
        if !cohort.dropped && !cohort.counted {
            self.waited.viewers += failed;
        }
        if failed > 0 {
            let again = Cohort {
                counted: true,
                ..cohort
            };
            self.queue.wait(now + manners.retry, again, failed);
        }
    }

    fn seated(&mut self, now: Timestamp, cohort: Cohort, count: u64) {
        if count == 0 {
            return;
        }
        let seconds = seconds(cohort.since, now);
        let total = seconds * count as f64;
        if cohort.dropped {
            self.rejoined += count;
            self.dropped.away_seconds += total;
            self.dropped.longest_away_seconds = self.dropped.longest_away_seconds.max(seconds);
        } else {
            self.joined += count;
            if cohort.counted {
                self.waited.total_seconds += total;
                self.waited.max_seconds = self.waited.max_seconds.max(seconds);
            }
        }
    }

    /// What is known without the relays.
    pub(crate) fn results(&self, now: Timestamp) -> Results {
        let (mut waited, mut dropped) = (self.waited, self.dropped);
        for (cohort, count) in self.queue.cohorts() {
            let seconds = seconds(cohort.since, now);
            let (total, longest) = if cohort.dropped {
                (&mut dropped.away_seconds, &mut dropped.longest_away_seconds)
            } else {
                (&mut waited.total_seconds, &mut waited.max_seconds)
            };
            *total += seconds * count as f64;
            *longest = longest.max(seconds);
        }
        Results {
            audience: self.arrived_before + self.crowds.iter().map(|crowd| crowd.audience).sum::<u64>(),
            arrived: self.arrived,
            joined: self.joined,
            waiting: self.waiting(),
            left: self.left,
            refused: self.refused,
            unanswered: self.unanswered,
            waited,
            dropped,
            rejoined: self.rejoined,
            ..Results::default()
        }
    }
}

fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
