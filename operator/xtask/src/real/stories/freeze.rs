//! A frozen encoder with a backup.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_testbed::wait::eventually;
use webinar_viewers::{Report, Viewer};

use super::super::encoder::Encoder;
use super::super::event::Event;
use super::super::lane::Lane;
use super::{PROMISE, SOON, deleted, entrances, on_air};
use crate::clock::now;
use crate::operator::user;
use crate::spread::{Spread, seconds};
use crate::viewers::Viewers;

const VIEWERS: usize = 36;
const RATE: u32 = 20;
/// The standby must have received media for ten seconds, and there is one failover a minute at most.
const BETWEEN: Duration = Duration::from_secs(62);
const BACK: Duration = Duration::from_secs(60);

/// What one freeze took, in seconds.
struct Freeze {
    /// From the last packet that any viewer got to the status that says so.
    told: f64,
    /// From the last packet to the patch of the ingest Service.
    patched: f64,
    /// From that patch to the deletion of the old SFU, the fence.
    fenced: f64,
    /// From the fence to the first packet, for each viewer.
    returned: Spread,
    /// The gap of each viewer.
    gaps: Spread,
    reconnects: u64,
}

pub(super) async fn tell(lane: &mut Lane, freezes: u32) -> Result<()> {
    let event = on_air(lane, "tier: 10k, duration: 4h").await?;
    let mut encoders = Vec::new();
    for slot in ["sfu-0", "sfu-1"] {
        let address = event.address(slot).await?;
        encoders.push(Encoder::start(&lane.clips, &lane.clips.moving, &address)?);
    }
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let entrances = entrances(&event).await?;
    let mut viewers = lane.viewers(&entrances, VIEWERS, RATE)?;
    viewers.all_see(SOON).await?;

    let mut all = Vec::new();
    for run in 1..=freezes {
        tokio::time::sleep(BETWEEN).await;
        let freeze = one(lane, &event, &encoders, &mut viewers).await?;
        println!(
            "freeze {run}: told after {:.1} s, patched after {:.1} s, fenced {:.1} s later, first packet {} s after \
             that; gaps {} s, {} reconnects",
            freeze.told, freeze.patched, freeze.fenced, freeze.returned, freeze.gaps, freeze.reconnects
        );
        all.push(freeze);
    }
    let spread = |of: fn(&Freeze) -> f64| all.iter().map(of).collect::<Spread>();
    println!(
        "{} freezes: told {} s, patched {} s, fenced {} s, returned {} s, longest gap {} s",
        all.len(),
        spread(|f| f.told),
        spread(|f| f.patched),
        spread(|f| f.fenced),
        spread(|f| f.returned.median()),
        spread(|f| f.gaps.most()),
    );
    ensure!(
        all.iter().all(|freeze| freeze.told <= PROMISE),
        "told later than {PROMISE} s after the last packet"
    );
    ensure!(
        super::entrances(&event).await? == entrances,
        "the viewers' addresses changed"
    );
    viewers.leave().await?;
    drop(encoders);
    event.delete().await
}

async fn one(lane: &Lane, event: &Event, encoders: &[Encoder], viewers: &mut Viewers) -> Result<Freeze> {
    let before = viewers.all_see(SOON).await?;
    let active = event.selects("ingest").await?;
    let index: usize = active
        .trim_start_matches("sfu-")
        .parse()
        .context("the active SFU")?;
    let encoder = encoders.get(index).context("an encoder for the active SFU")?;
    let old = event
        .pod(&active)
        .await?
        .metadata
        .name
        .context("a pod without a name")?;
    let mark = lane.control_plane.audit().now()?;
    let frozen_at = now().as_millisecond();
    encoder.freeze()?;

    let told_at = eventually("the word of it", Duration::from_secs(40), async || {
        let condition = event.condition("MediaFlowing").await?;
        ensure!(condition.status == "False", "{}", condition.reason);
        Ok(now().as_millisecond())
    })
    .await?;
    let Returned { gaps, report } = returned(viewers, VIEWERS, frozen_at).await?;
    // As somebody restarts an encoder that hangs: it is the standby's from now on.
    encoder.go_on()?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;

    let last = last_packet(&gaps);
    let records = lane.control_plane.audit().since(mark)?;
    let user = user();
    let at = |verb: &str, resource: &str, name: &str| {
        records
            .by(&user)
            .find(|r| r.done() && r.verb == verb && r.resource == resource && r.name == name)
            .map(|r| r.time.as_millisecond())
            .with_context(|| format!("no {verb} of {resource} {name}"))
    };
    let patched = at("patch", "services", &format!("{}-ingest", event.name))?;
    let fenced = at("delete", "pods", &old)?;
    let deleted = deleted(lane, mark)?;
    ensure!(deleted == [old.as_str()], "deleted {deleted:?}");
    Ok(Freeze {
        told: seconds(last, told_at),
        patched: seconds(last, patched),
        fenced: seconds(patched, fenced),
        returned: gaps.iter().map(|(_, end)| seconds(fenced, *end)).collect(),
        gaps: gaps.iter().map(|(begin, end)| seconds(*begin, *end)).collect(),
        reconnects: report.total.reconnects - before.total.reconnects,
    })
}

/// How the picture came back.
pub(super) struct Returned {
    /// Of each viewer: when the gap began and when it ended, in Unix milliseconds.
    pub(super) gaps: Vec<(i64, i64)>,
    pub(super) report: Report,
}

/// Waits until the gap of each viewer that began around a moment has ended.
pub(super) async fn returned(viewers: &mut Viewers, count: usize, around_ms: i64) -> Result<Returned> {
    eventually("the picture on every viewer", BACK, async || {
        let report = viewers.report()?;
        let gaps: Vec<_> = report.viewers.iter().filter_map(|v| gap(v, around_ms)).collect();
        ensure!(gaps.len() == count, "{} of {count}", gaps.len());
        Ok(Returned { gaps, report })
    })
    .await
}

/// When the last packet before the gap came to anybody.
pub(super) fn last_packet(gaps: &[(i64, i64)]) -> i64 {
    gaps.iter().map(|(begin, _)| *begin).max().unwrap_or_default()
}

/// The gap that began around a moment and has ended.
fn gap(viewer: &Viewer, around_ms: i64) -> Option<(i64, i64)> {
    let gaps = viewer.gaps.iter().rev().map(|gap| (gap.begin_ms, gap.end_ms));
    gaps.into_iter()
        .find(|(begin, end)| (begin - around_ms).abs() < 3_000 && end - begin > 2_000)
}
