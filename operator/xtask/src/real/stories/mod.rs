//! The stories, each a life of one event.

mod flow;
mod freeze;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use webinar_api::Phase;

use super::encoder::Encoder;
use super::event::Event;
use super::lane::Lane;

/// Which story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Story {
    /// Pictures through SFU, mid and relay; who watches and what comes in is counted right.
    Flow,
    /// The encoder freezes, with a backup stream.
    Freeze,
}

impl Story {
    /// What happens.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Flow => "an encoder, viewers on every relay, and what the operator counts of them",
            Self::Freeze => "the encoder freezes, and a backup stream takes over at the same addresses",
        }
    }

    /// Plays it.
    ///
    /// # Errors
    /// When it doesn't go as it should, with what was seen.
    pub(super) async fn tell(self, lane: &mut Lane, freezes: u32) -> Result<()> {
        match self {
            Self::Flow => flow::tell(lane).await,
            Self::Freeze => freeze::tell(lane, freezes).await,
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// A fleet of fourteen pods on a small machine.
const READY: Duration = Duration::from_secs(120);
/// From the start to the first look of the operator.
const SOON: Duration = Duration::from_secs(60);

/// An event of nine relays that is on air.
async fn on_air(lane: &mut Lane, spec: &str) -> Result<Event> {
    let event = lane.event(spec).await?;
    event.says("CapacityReady", &["AllReady"], READY).await?;
    event.reaches(Phase::Live, SOON).await?;
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
