//! Pictures through the whole tree.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_testbed::wait::{Stopwatch, eventually};

use super::super::event::{ip, is_ready};
use super::super::lane::Lane;
use crate::viewers::placed;
use super::{SOON, entrances, on_air, presenter};

/// So many that with nine relays hardly ever one has none.
const VIEWERS: usize = 60;
const RATE: u32 = 20;
/// Counts of the operator follow within two rounds of asking.
const COUNTED: Duration = Duration::from_secs(30);
/// That everybody left at once is believed after a minute of agreement.
const BELIEVED: Duration = Duration::from_secs(100);
/// For the rate of the encoder.
const MEASURED: Duration = Duration::from_secs(20);
const OFF_BY_PERCENT: f64 = 5.0;

pub(super) async fn tell(lane: &mut Lane) -> Result<()> {
    let watch = Stopwatch::start();
    let event = on_air(lane, "tier: 10k").await?;
    let pods = event.pods().await?;
    println!("{} pods: {}", pods.len(), pods.keys().cloned().collect::<Vec<_>>().join(" "));
    println!("on air after {:.0} s", watch.elapsed().as_secs_f64());
    ensure!(pods.values().all(is_ready), "not all are Ready");

    let encoder = presenter(lane, &event).await?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let mut viewers = lane.viewers(&entrances(&event).await?, VIEWERS, RATE)?;
    let report = viewers.all_see(Duration::from_secs(60)).await?;
    let placed = placed(&report);
    let relays = event.role("relay").await?;
    for (slot, relay) in &relays {
        let address = ip(relay)?;
        let here = placed.get(&address).copied().unwrap_or_default();
        println!("{slot} at {address}: {here} viewers");
        ensure!(here > 0, "nobody watches at {slot}");
    }
    ensure!(placed.values().sum::<usize>() == VIEWERS, "viewers are elsewhere: {placed:?}");

    let current = eventually("the attendance", COUNTED, async || {
        let status = event.status().await?;
        let current = status.attendance.context("unknown")?.current;
        near("attendance", f64::from(current), VIEWERS as f64)?;
        Ok(current)
    })
    .await?;
    println!("{VIEWERS} are connected, the operator counts {current}");

    let before = encoder.sent().await?;
    let clock = Stopwatch::start();
    tokio::time::sleep(MEASURED).await;
    let sent = (encoder.sent().await? - before) as f64 * 8.0 / clock.elapsed().as_secs_f64();
    let seen = eventually("the inbound rate", COUNTED, async || {
        let seen = lane.metric("webinar_media_inbound_bits_per_second", &event.name).await?;
        near("inbound rate", seen, sent)?;
        Ok(seen)
    })
    .await?;
    println!("the encoder sends {:.0} kbit/s, the operator reads {:.0}", sent / 1000.0, seen / 1000.0);

    let last = viewers.leave().await?;
    let lost: u64 = last.total.lost;
    println!(
        "{} packets, {lost} lost, {} reconnects, longest gap {} ms",
        last.total.packets,
        last.total.reconnects,
        last.viewers.iter().map(|v| v.longest_gap_ms).max().unwrap_or_default()
    );
    eventually("nobody to be counted", BELIEVED, async || {
        let current = event.status().await?.attendance.map(|a| a.current);
        ensure!(current == Some(0), "{current:?}");
        Ok(())
    })
    .await?;
    drop(encoder);
    event.delete().await
}

fn near(what: &str, is: f64, should: f64) -> Result<()> {
    let off = (is - should).abs() * 100.0 / should.max(1.0);
    ensure!(off <= OFF_BY_PERCENT, "{what} is {is:.0} instead of {should:.0}");
    Ok(())
}
