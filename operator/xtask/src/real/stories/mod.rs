//! The stories, each a life of one event.

mod calibrate;
mod comeback;
mod flow;
mod freeze;
mod killed;
mod muted;
mod shrink;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use webinar_api::Phase;
use webinar_testbed::audit::Offset;

use super::encoder::Encoder;
use super::event::Event;
use super::lane::Lane;
use crate::choice;
use crate::operator::user;

/// Which story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Story {
    /// An encoder, viewers on every relay, and what the operator counts of them.
    Flow,
    /// The encoder freezes, and a backup stream takes over at the same addresses.
    Freeze,
    /// The only encoder freezes for 40 seconds and comes back, with nothing restarted.
    Comeback,
    /// Mids die in three ways, and a relay does.
    Killed,
    /// Only empty relays go while people watch, and a drain of the node is held.
    Shrink,
    /// Five minutes of a slide and silence are no alarm.
    Muted,
    /// What a relay and an SFU carry on this machine, and where a relay's limit is.
    Calibrate,
}

impl Story {
    /// In a few words.
    pub(super) fn what(self) -> String {
        choice::what(&self)
    }

    /// Plays it.
    ///
    /// # Errors
    /// When it doesn't go as it should, with what was seen.
    pub(super) async fn tell(self, lane: &mut Lane, freezes: u32) -> Result<()> {
        match self {
            Self::Flow => flow::tell(lane).await,
            Self::Freeze => freeze::tell(lane, freezes).await,
            Self::Comeback => comeback::tell(lane).await,
            Self::Killed => killed::tell(lane).await,
            Self::Shrink => shrink::tell(lane).await,
            Self::Muted => muted::tell(lane).await,
            Self::Calibrate => calibrate::tell(lane).await,
        }
    }
}

/// As on the command line.
impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&choice::name(self))
    }
}

/// A fleet of fourteen pods on a small machine.
const READY: Duration = Duration::from_secs(120);
/// From the start to the first look of the operator.
const SOON: Duration = Duration::from_secs(60);

/// Seconds from the last packet to the word of it, at most.
const PROMISE: f64 = 20.0;

/// An event of nine relays that is on air.
async fn on_air(lane: &mut Lane, spec: &str) -> Result<Event> {
    let event = lane.event(spec).await?;
    event.says("CapacityReady", &["AllReady"], READY).await?;
    event.reaches(Phase::Live, SOON).await?;
    event.is_whole(READY).await?;
    Ok(event)
}

/// One that sends to the event's one address.
async fn presenter(lane: &Lane, event: &Event) -> Result<Encoder> {
    Encoder::start(&lane.clips, &lane.clips.moving, &event.address("ingest").await?)
}

/// Addresses of all entry points of viewers.
async fn entrances(event: &Event) -> Result<Vec<String>> {
    let points = event.status().await?.entry_points;
    let mut addresses = Vec::new();
    for point in points.iter().filter(|point| point.name.starts_with("viewers")) {
        let suffix = point.service.strip_prefix(&format!("{}-", event.name));
        addresses.push(event.address(suffix.unwrap_or(&point.service)).await?);
    }
    Ok(addresses)
}

/// Pods that the operator has deleted since then.
fn deleted(lane: &Lane, mark: Offset) -> Result<Vec<String>> {
    let records = lane.control_plane.audit().since(mark)?;
    let user = user();
    let deleted = records
        .by(&user)
        .filter(|r| r.done() && r.verb == "delete" && r.resource == "pods");
    Ok(deleted.map(|r| r.name.clone()).collect())
}

/// Containers of the event that were started again, all together.
async fn restarts(event: &Event) -> Result<i32> {
    let pods = event.pods().await?;
    let statuses = pods
        .values()
        .filter_map(|pod| pod.status.as_ref()?.container_statuses.as_ref());
    Ok(statuses.flatten().map(|container| container.restart_count).sum())
}
