//! A fleet that shrinks around those who watch, and a node that somebody wants to drain.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;
use webinar_testbed::wait::{eventually, within};

use super::super::class::QUICK;
use super::super::event::{Event, ip, is_ready};
use super::super::lane::Lane;
use super::{READY, SOON, deleted, on_air, presenter};
use crate::viewers::Viewers;

/// Of nine relays.
const WATCHED: usize = 4;
const VIEWERS: usize = 24;
const RATE: u32 = 20;
const SHRUNK: Duration = Duration::from_secs(180);
/// More than one round of a shrink, in which nobody else may go.
const STILL: Duration = Duration::from_secs(40);
const DRAIN: &str = "25s";

pub(super) async fn tell(lane: &mut Lane) -> Result<()> {
    let event = on_air(
        lane,
        &format!("tier: 10k, release: AfterPeak, className: {QUICK}"),
    )
    .await?;
    let encoder = presenter(lane, &event).await?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let relays = event.role("relay").await?;
    let watched: Vec<String> = relays.keys().take(WATCHED).cloned().collect();
    let mut addresses = Vec::new();
    for slot in &watched {
        addresses.push(ip(relays.get(slot).context("a relay")?)?);
    }
    let mark = lane.control_plane.audit().now()?;
    let mut viewers = lane.viewers(&addresses, VIEWERS, RATE)?;
    viewers.all_see(SOON).await?;

    let left = eventually("the empty relays to go", SHRUNK, async || {
        let left: Vec<String> = event.role("relay").await?.into_keys().collect();
        ensure!(left.len() <= WATCHED, "{left:?}");
        Ok(left)
    })
    .await?;
    tokio::time::sleep(STILL).await;
    let now: Vec<String> = event.role("relay").await?.into_keys().collect();
    println!(
        "watched: {watched:?}; left of {}: {now:?}; deleted: {:?}",
        relays.len(),
        deleted(lane, mark)?
    );
    ensure!(left == watched && now == watched, "relays with viewers went");
    let report = viewers.all_see(SOON).await?;
    let longest = report
        .viewers
        .iter()
        .map(|v| v.longest_gap_ms)
        .max()
        .unwrap_or_default();
    println!(
        "{} packets to {VIEWERS} viewers, {} lost, {} reconnects, longest gap {longest} ms",
        report.total.packets, report.total.lost, report.total.reconnects
    );
    ensure!(
        report.total.reconnects == 0 && report.total.lost == 0 && longest < 500,
        "viewers lost something"
    );

    drain(lane, &event, &mut viewers).await?;
    viewers.leave().await?;
    drop(encoder);
    event.delete().await
}

/// Somebody drains the only node.
async fn drain(lane: &Lane, event: &Event, viewers: &mut Viewers) -> Result<()> {
    let node = lane.node.name();
    let before = event.pods().await?.len();
    let mut command = Command::new(&lane.kubectl);
    command
        .args([
            "drain",
            node,
            "--ignore-daemonsets",
            "--delete-emptydir-data",
            "--force",
            "--timeout",
            DRAIN,
        ])
        .env("KUBECONFIG", lane.control_plane.kubeconfig())
        .kill_on_drop(true);
    let output = within("kubectl drain", READY, async { Ok(command.output().await?) }).await?;
    let text = String::from_utf8_lossy(&output.stderr);
    let held = text
        .lines()
        .filter(|line| line.contains("disruption budget"))
        .count();
    let pods = event.pods().await?;
    let running = pods.values().filter(|pod| is_ready(pod)).count();
    println!(
        "kubectl drain ended with {}, held {held} times by the budget; {running} of {before} pods run",
        output.status
    );
    lane.control_plane.kubectl(["uncordon", node]).await?;
    ensure!(
        !output.status.success() && held > 0,
        "the drain was not held:\n{text}"
    );
    event.is_whole(READY).await?;
    // Those on an evicted relay asked for its very address and find nobody there any more.
    let report = viewers.report()?;
    let cut_off = report.viewers.iter().filter(|viewer| !viewer.connected).count();
    println!("{cut_off} of {VIEWERS} viewers were on relays that the budget let go");
    // One relay is one too many, and one more is there than is planned.
    ensure!(cut_off <= 2 * VIEWERS / WATCHED, "the budget let too many go");
    Ok(())
}
