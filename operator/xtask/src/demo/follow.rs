//! Follows the event: watches its pods and its status, shows them, and remembers what was true at the start.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use webinar_api::{Phase, Webinar, WebinarStatus, labels};

use super::counts::Counts;
use super::fleet::Fleet;
use super::manifests::{EVENT, NAMESPACE};
use super::progress::{Progress, View};
use super::scenario::Drama;
use super::stage::Stage;
use crate::clock::{countdown, minutes, now, time_of_day};
use crate::screen::Screen;

const READY: &str = "Ready";
const AT_RISK: &str = "CapacityAtRisk";
const MEDIA: &str = "MediaFlowing";

const TICK: Duration = Duration::from_secs(1);

/// How much later than promised the operator may say that the event is live, or over.
const PATIENCE: SignedDuration = SignedDuration::from_secs(240);

/// How long before the planned end everybody goes home.
const LEAVES_BEFORE: SignedDuration = SignedDuration::from_secs(2);

/// The event, as far as it was seen.
#[derive(Debug)]
pub(super) struct Story {
    applied: Timestamp,
    pub(super) start: Timestamp,
    pub(super) fleet: Fleet,
    pub(super) status: WebinarStatus,
    /// The seats that the status last told of before the start.
    pub(super) seats_before_start: i32,
    /// What was true at the start.
    pub(super) at_start: Option<AtStart>,
    /// Since when the whole fleet, spares included, was Ready for the first time.
    pub(super) whole_since: Option<Timestamp>,
}

/// The fleet at the start.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AtStart {
    /// Pods that existed.
    pub(super) created: Counts,
    /// Pods that had become Ready before it.
    pub(super) ready: Counts,
    /// Since when every seat was there, if so.
    pub(super) full_since: Option<Timestamp>,
}

/// Where to stop following.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Live,
    End,
}

impl Story {
    /// The story of an event that has just been applied.
    pub(super) fn new(applied: Timestamp, start: Timestamp) -> Self {
        Self {
            applied,
            start,
            fleet: Fleet::default(),
            status: WebinarStatus::default(),
            seats_before_start: 0,
            at_start: None,
            whole_since: None,
        }
    }

    /// Watches until the event is live, or over and its pods gone.
    ///
    /// # Errors
    /// When the operator ends, or does not get there in time.
    pub(super) async fn follow(
        &mut self,
        stage: &mut Stage,
        drama: &mut Drama,
        screen: &Screen,
        until: Until,
    ) -> Result<()> {
        let client = stage.control_plane.client();
        let ours = watcher::Config::default().labels(&format!("{}={EVENT}", labels::WEBINAR));
        let mut pods = watcher(Api::namespaced(client.clone(), NAMESPACE), ours)
            .default_backoff()
            .boxed();
        let event = watcher::Config::default().fields(&format!("metadata.name={EVENT}"));
        let mut webinars = watcher(Api::<Webinar>::namespaced(client, NAMESPACE), event)
            .default_backoff()
            .boxed();
        let mut tick = tokio::time::interval(TICK);
        let mut progress = Progress::new(screen, stage.plan.planned);
        let mut open = true;
        loop {
            // A watch that fails is tried again by itself; the deadline below bounds it.
            tokio::select! {
                Some(Ok(event)) = pods.next() => self.fleet.saw(event),
                Some(Ok(event)) = webinars.next() => {
                    for line in self.saw(event, now()) {
                        screen.say(&line);
                    }
                }
                _ = tick.tick() => {
                    let now = now();
                    stage.operator_usage().with_context(|| self.phase_name())?;
                    if self.at_start.is_none() && now > self.start {
                        self.at_start = Some(self.look_back(stage));
                    }
                    self.whole_since = self.whole_since.or_else(|| self.fleet.complete_since(stage.plan.planned));
                    drama.play(now, &self.status, stage, screen).await?;
                    if until == Until::End && open && self.ends_soon(now) {
                        open = false;
                        drama.close();
                    }
                    if self.status.phase.is_some() {
                        progress.show(&self.view(stage, drama, now));
                    }
                    if self.reached(until, drama) {
                        return Ok(());
                    }
                    let deadline = self.deadline(until);
                    ensure!(now < deadline, "the event is {} at {}", self.phase_name(), time_of_day(now));
                }
            }
        }
    }

    /// Takes note of the event's status; returns what there is to say about it.
    fn saw(&mut self, event: Event<Webinar>, now: Timestamp) -> Vec<String> {
        let (Event::Apply(webinar) | Event::InitApply(webinar)) = event else {
            return Vec::new();
        };
        let status = webinar.status.unwrap_or_default();
        let before = std::mem::replace(&mut self.status, status);
        if now < self.start {
            self.seats_before_start = self.status.capacity.as_ref().map_or(0, |c| c.ready);
        }
        let mut lines = Vec::new();
        if before.schedule.is_none() {
            lines.extend(self.schedule());
        }
        let phase_is_new = before.phase != self.status.phase;
        if phase_is_new {
            lines.push(self.news(now, &self.phase_name(), self.message(READY)));
        }
        let told_already = phase_is_new && self.message(AT_RISK) == self.message(READY);
        if trouble(&before, AT_RISK, "True") != trouble(&self.status, AT_RISK, "True") && !told_already {
            let at_risk = trouble(&self.status, AT_RISK, "True").is_some();
            let state = if at_risk { "at risk" } else { "on plan" };
            lines.push(self.news(now, state, self.message(AT_RISK)));
        }
        if trouble(&before, MEDIA, "False") != trouble(&self.status, MEDIA, "False") {
            let frozen = trouble(&self.status, MEDIA, "False").is_some();
            let state = if frozen { "no media" } else { "media" };
            lines.push(self.news(now, state, self.message(MEDIA)));
        }
        lines
    }

    /// The times of the run.
    fn schedule(&self) -> Option<String> {
        let schedule = self.status.schedule.as_ref()?;
        let ramp = schedule.ramp_time.as_ref()?.0;
        let time = |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| {
            time.as_ref().map_or_else(String::new, |time| time_of_day(time.0))
        };
        let mut line = format!(
            "  ramp {}, ready by {}, start {}, end {}",
            time_of_day(ramp),
            time(&schedule.ready_by_time),
            time_of_day(self.start),
            time(&schedule.end_time),
        );
        if ramp < self.applied {
            let late = minutes(self.applied.duration_since(ramp));
            line += &format!("\n  applied {late} after the ramp should have begun: it is compressed");
        }
        Some(line)
    }

    /// A line about a change.
    fn news(&self, now: Timestamp, state: &str, message: &str) -> String {
        format!("▸ {:<7} {state}: {message}", countdown(now, self.start))
    }

    /// What a condition says.
    fn message(&self, condition: &str) -> &str {
        let conditions = &self.status.conditions;
        let found = conditions.iter().find(|c| c.type_ == condition);
        found.map_or("", |c| c.message.as_str())
    }

    fn phase_name(&self) -> String {
        self.status.phase.map_or("just applied", Phase::as_str).to_owned()
    }

    fn look_back(&self, stage: &Stage) -> AtStart {
        let full_since = self.fleet.complete_since(stage.plan.needed());
        AtStart {
            created: self.fleet.created(),
            ready: self.fleet.ready_before(self.start),
            full_since: full_since.filter(|since| *since < self.start),
        }
    }

    fn view(&self, stage: &Stage, drama: &Drama, now: Timestamp) -> View {
        let (planned, created) = (stage.plan.planned, self.fleet.created());
        let state = match self.status.phase {
            Some(Phase::Ramping) => View::ramping(created, planned, stage.plan.wave_size()),
            _ => self.phase_name(),
        };
        View {
            now,
            start: self.start,
            state,
            planned,
            created,
            ready: self.fleet.ready(),
            seats: self.status.capacity.as_ref().map_or(0, |c| c.ready),
            viewers: drama.results().watching,
        }
    }

    /// The planned end is a moment away: people begin to leave.
    fn ends_soon(&self, now: Timestamp) -> bool {
        let end = self.status.schedule.as_ref().and_then(|s| s.end_time.as_ref());
        end.is_some_and(|end| now + LEAVES_BEFORE >= end.0)
    }

    fn reached(&self, until: Until, drama: &Drama) -> bool {
        match until {
            Until::Live => {
                self.at_start.is_some() && self.status.phase >= Some(Phase::Live) && drama.is_over()
            }
            Until::End => self.status.phase >= Some(Phase::Finished) && self.fleet.created().total() == 0,
        }
    }

    fn deadline(&self, until: Until) -> Timestamp {
        let schedule = self.status.schedule.as_ref();
        let release = schedule.and_then(|schedule| schedule.release_time.as_ref());
        match until {
            Until::Live => self.start + PATIENCE,
            Until::End => release.map_or(self.start, |time| time.0) + PATIENCE,
        }
    }
}

/// The reason of a condition that has the status that means trouble.
fn trouble<'a>(status: &'a WebinarStatus, condition: &str, is: &str) -> Option<&'a str> {
    let mut conditions = status.conditions.iter();
    let found = conditions.find(|c| c.type_ == condition && c.status == is)?;
    Some(&found.reason)
}
