//! What happens to an event while people watch, and when that is over.

use anyhow::Result;
use clap::ValueEnum;
use jiff::{SignedDuration, Timestamp};
use webinar_api::{Duration, Tier, WebinarStatus};
use webinar_testbed::crowd::{Crowd, Results};
use webinar_testbed::dataplane::{Encoder, Event, Publishing};

use super::counts::grouped;
use super::stage::Stage;
use crate::screen::Screen;

/// The audience comes so many times faster than a real one: everybody is in 45 s after the start.
pub(super) const SCALE: f64 = 20.0;

/// How long before the start the operator is killed, and how long after it one is there again.
const AWAY: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(20), SignedDuration::from_secs(60));

/// From the event's creation to its start when that is far too late.
const LATE: Duration = Duration::from_secs(20);

/// The zone that is lost.
const ZONE: &str = "zone-c";

/// A mishap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// The presenters' first stream stops; their encoder sends a second one.
    Stall,
    /// Nearly four times as many come as were booked; the event may grow.
    Oversold,
    /// A zone is lost while everybody watches; the others have room.
    ZoneLoss,
    /// The operator is killed before the start and is back after it.
    OperatorDown,
    /// The event is applied 20 seconds before its start.
    Late,
}

impl Scenario {
    /// How far the operator may grow an event on its own.
    pub(super) fn max_tier(self, tier: Tier) -> Option<Tier> {
        let larger = |tier: &Tier| tier.attendees();
        let bound = tier.attendees().saturating_mul(5);
        let largest = Tier::ALL
            .into_iter()
            .filter(|t| t.attendees() <= bound)
            .max_by_key(larger);
        largest.filter(|_| self == Self::Oversold)
    }

    /// From the event's creation to its start, if not as asked.
    pub(super) fn starts_in(self) -> Option<Duration> {
        (self == Self::Late).then_some(LATE)
    }
}

/// The audience and what happens to it.
pub(super) struct Drama {
    scenario: Option<Scenario>,
    event: Event,
    audience: u64,
    start: Timestamp,
    /// What has been done of it.
    acts: usize,
    over: bool,
}

impl Drama {
    /// Presenters publish, and people come on the usual curve.
    pub(super) fn open(scenario: Option<Scenario>, event: Event, tier: Tier, start: Timestamp) -> Self {
        let booked = u64::from(tier.attendees());
        let audience = match scenario {
            Some(Scenario::Oversold) => booked * 38 / 10,
            _ => booked,
        };
        event.publish(match scenario {
            Some(Scenario::Stall) => Publishing::Dual,
            _ => Publishing::Single,
        });
        event.crowd(Crowd::new(audience, start).scale(SCALE));
        Self {
            scenario,
            event,
            audience,
            start,
            acts: 0,
            over: false,
        }
    }

    /// Who comes, in a sentence.
    pub(super) fn sentence(&self) -> String {
        format!(
            "{} people come, {SCALE} times as fast as to a real event: the last of them 45 s after the start",
            grouped(usize::try_from(self.audience).unwrap_or(usize::MAX))
        )
    }

    /// What the audience has felt so far.
    pub(super) fn results(&self) -> Results {
        self.event.results()
    }

    /// Everybody goes home.
    pub(super) fn close(&self) {
        self.event.leave(1.0);
    }

    /// Everything has happened, and everybody is in.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// Does what is due.
    ///
    /// # Errors
    /// When it can't be done.
    pub(super) async fn play(
        &mut self,
        now: Timestamp,
        status: &WebinarStatus,
        stage: &mut Stage,
        screen: &Screen,
    ) -> Result<()> {
        let results = self.results();
        let all_in = now > self.start && results.watching >= self.audience;
        let say = |text: &str| screen.say(&format!("▸ {text}"));
        match (self.scenario, self.acts) {
            (None | Some(Scenario::Oversold | Scenario::Late), _) => self.over = all_in,
            (Some(Scenario::Stall), 0) if all_in && holds(status, "MediaFlowing") => {
                say("the presenters' first stream stops, with its connection open");
                self.event.stop(Encoder::Primary);
                self.acts = 1;
            }
            (Some(Scenario::Stall), 1) => {
                let outage = self.event.detail().outages.last().copied();
                self.over = outage.is_some_and(|o| o.until.is_some()) && holds(status, "MediaFlowing");
            }
            (Some(Scenario::ZoneLoss), 0) if all_in => {
                let nodes = stage.control_plane.lose_zone(ZONE).await?;
                say(&format!("{ZONE} is lost, with {} machines", grouped(nodes.len())));
                self.acts = 1;
            }
            (Some(Scenario::ZoneLoss), 1) => {
                self.over = results.dropped.total > 0 && all_in && holds(status, "CapacityReady");
            }
            (Some(Scenario::OperatorDown), 0) if now >= self.start - AWAY.0 => {
                say("the operator is killed");
                stage.kill_operator()?;
                self.acts = 1;
            }
            (Some(Scenario::OperatorDown), 1) if now >= self.start + AWAY.1 => {
                say("an operator is there again");
                stage.start_operator().await?;
                self.acts = 2;
            }
            (Some(Scenario::OperatorDown), 2) => self.over = all_in,
            (Some(Scenario::Stall | Scenario::ZoneLoss | Scenario::OperatorDown), _) => {}
        }
        Ok(())
    }
}

fn holds(status: &WebinarStatus, condition: &str) -> bool {
    let mut conditions = status.conditions.iter();
    conditions.any(|c| c.type_ == condition && c.status == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_oversold_event_may_grow() {
        assert_eq!(Scenario::Oversold.max_tier(Tier::T50k), Some(Tier::T250k));
        assert_eq!(Scenario::Oversold.max_tier(Tier::T10k), Some(Tier::T50k));
        assert_eq!(Scenario::Stall.max_tier(Tier::T50k), None);
    }
}
