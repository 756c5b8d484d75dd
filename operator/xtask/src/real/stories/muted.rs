//! A presenter who mutes the microphone and shows a slide.

use std::time::Duration;

use anyhow::{Result, ensure};
use webinar_plan::Reason;
use webinar_testbed::wait::Stopwatch;

use super::super::encoder::{Clips, Encoder};
use super::super::lane::Lane;
use super::{SOON, entrances, on_air};
use crate::spread::Spread;

const VIEWERS: usize = 18;
const RATE: u32 = 20;
/// First the picture moves, so that the operator knows what is usual.
const MUTED: Duration = Duration::from_secs(300);
const LOOK: Duration = Duration::from_secs(1);

pub(super) async fn tell(lane: &mut Lane) -> Result<()> {
    let event = on_air(lane, "tier: 10k").await?;
    let address = event.address("ingest").await?;
    let encoder = Encoder::start(&lane.clips, &lane.clips.then_muted, &address)?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let mut viewers = lane.viewers(&entrances(&event).await?, VIEWERS, RATE)?;
    viewers.all_see(SOON).await?;
    tokio::time::sleep(Clips::MOVING).await;

    let (clock, mut rates, mut dropped) = (Stopwatch::start(), Spread::default(), 0);
    while clock.elapsed() < MUTED {
        let condition = event.condition("MediaFlowing").await?;
        ensure!(
            condition.status == "True",
            "{}: {}",
            condition.reason,
            condition.message
        );
        let rate = lane
            .metric("webinar_media_inbound_bits_per_second", &event.name)
            .await?;
        rates.push(rate / 1000.0);
        dropped = event.told(&Reason::InboundDropped.to_string()).await?.len();
        tokio::time::sleep(LOOK).await;
    }
    println!(
        "{} looks in {:.0} s, inbound {rates} kbit/s, always Flowing; InboundDropped was told {dropped} times",
        rates.count(),
        clock.elapsed().as_secs_f64()
    );
    for alarm in [
        Reason::PublisherStalled,
        Reason::NoStandby,
        Reason::FailedOver,
        Reason::UpstreamBroken,
        Reason::EgressStalled,
    ] {
        let told = event.told(&alarm.to_string()).await?;
        ensure!(told.is_empty(), "{alarm}: {told:?}");
    }
    let report = viewers.leave().await?;
    ensure!(
        report.total.reconnects == 0,
        "{} reconnects",
        report.total.reconnects
    );
    drop(encoder);
    event.delete().await
}
