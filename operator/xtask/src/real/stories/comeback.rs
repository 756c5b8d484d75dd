//! The only encoder freezes, for longer than media servers wait, and comes back.

use std::time::Duration;

use anyhow::{Result, ensure};
use webinar_testbed::wait::{Stopwatch, eventually};

use super::super::lane::Lane;
use super::freeze::{Returned, last_packet, returned};
use super::{PROMISE, SOON, deleted, entrances, on_air, presenter, restarts};
use crate::clock::now;
use crate::spread::{Spread, seconds};

const VIEWERS: usize = 36;
const RATE: u32 = 20;
const AWAY: Duration = Duration::from_secs(40);

pub(super) async fn tell(lane: &mut Lane) -> Result<()> {
    let event = on_air(lane, "tier: 10k").await?;
    let encoder = presenter(lane, &event).await?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let mut viewers = lane.viewers(&entrances(&event).await?, VIEWERS, RATE)?;
    let before = viewers.all_see(SOON).await?;
    let mark = lane.control_plane.audit().now()?;

    let (clock, frozen_at) = (Stopwatch::start(), now().as_millisecond());
    encoder.freeze()?;
    let (said, told_at) = eventually("the word of it", AWAY, async || {
        let condition = event.condition("MediaFlowing").await?;
        ensure!(condition.status == "False", "{}", condition.reason);
        Ok((condition, now().as_millisecond()))
    })
    .await?;
    println!("{}: {}", said.reason, said.message);
    ensure!(said.reason == "NoStandby", "{}", said.reason);
    tokio::time::sleep(AWAY.saturating_sub(clock.elapsed())).await;
    let gone = viewers.report()?;
    let sent_away: u64 = gone.viewers.iter().map(|v| v.ended_by_server).sum();
    let resumed_at = now().as_millisecond();
    encoder.go_on()?;

    let Returned { gaps, report } = returned(&mut viewers, VIEWERS, frozen_at).await?;
    let last = last_packet(&gaps);
    let told = seconds(last, told_at);
    let after: Spread = gaps.iter().map(|(_, end)| seconds(resumed_at, *end)).collect();
    println!(
        "told {told:.1} s after the last packet; {sent_away} of {VIEWERS} were sent away by the media servers; the \
         picture is back {after} s after the encoder, {} reconnects",
        report.total.reconnects - before.total.reconnects
    );
    ensure!(told <= PROMISE, "told after {told:.1} s");
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let deleted = deleted(lane, mark)?;
    ensure!(deleted.is_empty(), "deleted {deleted:?}");
    let restarts = restarts(&event).await?;
    ensure!(restarts == 0, "{restarts} containers were restarted");
    viewers.leave().await?;
    drop(encoder);
    event.delete().await
}
