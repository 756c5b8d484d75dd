//! Pictures through the whole tree.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use webinar_testbed::wait::{Stopwatch, eventually};

use super::super::encoder::publishes;
use super::super::event::{Event, ip, is_ready};
use super::super::lane::Lane;
use super::{SOON, entrances, on_air, presenter};
use crate::served;
use crate::spread::Spread;
use crate::viewers::placed;

/// So many that of a hundred thousand runs one has a relay without any.
const VIEWERS: usize = 120;
const RATE: u32 = 20;
/// Counts of the operator follow within two rounds of asking.
const COUNTED: Duration = Duration::from_secs(30);
/// That everybody left at once is believed after a minute of agreement.
const BELIEVED: Duration = Duration::from_secs(100);
/// For the rate of the encoder: three times its clip.
const MEASURED: Duration = Duration::from_secs(60);
/// As often as SFUs are asked.
const LOOK: Duration = Duration::from_secs(2);
const OFF_BY_PERCENT: f64 = 5.0;

pub(super) async fn tell(lane: &mut Lane) -> Result<()> {
    let watch = Stopwatch::start();
    let event = on_air(lane, "tier: 10k").await?;
    let pods = event.pods().await?;
    println!(
        "{} pods: {}",
        pods.len(),
        pods.keys().cloned().collect::<Vec<_>>().join(" ")
    );
    println!("on air after {:.0} s", watch.elapsed().as_secs_f64());
    ensure!(pods.values().all(is_ready), "not all are Ready");
    println!("{}", started(pods.values())?);

    strangers_are_refused(&event).await?;
    let encoder = presenter(lane, &event).await?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    fed(&event).await?;
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
    ensure!(
        placed.values().sum::<usize>() == VIEWERS,
        "viewers are elsewhere: {placed:?}"
    );

    let current = eventually("the attendance", COUNTED, async || {
        let status = event.status().await?;
        let current = status.attendance.context("unknown")?.current;
        ensure!(usize::try_from(current) == Ok(VIEWERS), "{current}");
        Ok(current)
    })
    .await?;
    println!("{VIEWERS} are connected, the operator counts {current}");

    let before = encoder.sent().await?;
    let clock = Stopwatch::start();
    let mut seen = Spread::default();
    while clock.elapsed() < MEASURED {
        seen.push(
            lane.metric("webinar_media_inbound_bits_per_second", &event.name)
                .await?
                / 1000.0,
        );
        tokio::time::sleep(LOOK).await;
    }
    let sent = encoder
        .sent()
        .await?
        .checked_sub(before)
        .context("the encoder connected again")?;
    let sent = sent as f64 * 8.0 / 1000.0 / clock.elapsed().as_secs_f64();
    println!("the encoder sends {sent:.0} kbit/s, the operator reads {seen}");
    near("the inbound rate", seen.median(), sent)?;

    let last = viewers.leave().await?;
    let lost: u64 = last.total.lost;
    println!(
        "{} packets, {lost} lost, {} reconnects, longest gap {} ms",
        last.total.packets,
        last.total.reconnects,
        last.viewers
            .iter()
            .map(|v| v.longest_gap_ms)
            .max()
            .unwrap_or_default()
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

/// Waits until every relay has the stage: until then one sends viewers to the others.
async fn fed(event: &Event) -> Result<()> {
    eventually("every relay to be fed", SOON, async || {
        for (slot, relay) in event.role("relay").await? {
            ensure!(served::received(&ip(&relay)?).await? > 0, "{slot} is not");
        }
        Ok(())
    })
    .await
}

/// Nobody publishes to a relay, and to an SFU nothing but the stage.
async fn strangers_are_refused(event: &Event) -> Result<()> {
    for (slot, path) in [
        ("relay-0", "stage"),
        ("relay-0", "other"),
        ("sfu-0", "other"),
        ("sfu-0", "probe"),
    ] {
        let address = ip(&event.pod(slot).await?)?;
        let taken = publishes(&address, path).await?;
        ensure!(!taken, "{slot} lets anybody publish to {path}");
    }
    Ok(())
}

/// How fast the node was. Kubernetes' times are in whole seconds.
fn started<'a>(pods: impl Iterator<Item = &'a Pod> + Clone) -> Result<String> {
    let created = pods
        .clone()
        .filter_map(|pod| pod.metadata.creation_timestamp.as_ref())
        .map(|t| t.0.as_second());
    let first = created.min().context("pods without a time")?;
    let running = pods.clone().filter_map(|pod| {
        let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
        let state = statuses.first()?.state.as_ref()?.running.as_ref()?;
        Some(state.started_at.as_ref()?.0.as_second())
    });
    let ready = pods.clone().filter_map(|pod| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let ready = conditions.iter().find(|condition| condition.type_ == "Ready")?;
        Some(ready.last_transition_time.as_ref()?.0.as_second())
    });
    let after = |last: Option<i64>| last.map(|last| last - first).context("no times");
    let count = pods.count();
    let (running, ready) = (after(running.max())?, after(ready.max())?);
    Ok(format!(
        "{count} containers ran {running} s after the first pod was created, {:.1} each second; all were Ready after {ready} s",
        count as f64 / running.max(1) as f64
    ))
}

fn near(what: &str, is: f64, should: f64) -> Result<()> {
    let off = (is - should).abs() * 100.0 / should.max(1.0);
    ensure!(off <= OFF_BY_PERCENT, "{what} is {is:.0} instead of {should:.0}");
    Ok(())
}
