//! A frozen encoder with a backup.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_testbed::wait::eventually;
use webinar_viewers::Viewer;

use super::super::encoder::Encoder;
use super::super::event::Event;
use super::super::lane::Lane;
use super::super::times::{Spread, seconds};
use super::super::viewers::Viewers;
use super::{SOON, entrances, on_air};
use crate::clock::now;
use crate::operator::user;

const VIEWERS: usize = 36;
const RATE: u32 = 20;
/// From the last packet to the word of it, at most.
const PROMISE: f64 = 20.0;
/// The standby must have received media for ten seconds, and there is one failover a minute at most.
const BETWEEN: Duration = Duration::from_secs(62);

/// What one freeze took.
struct Freeze {
    /// From the last packet that any viewer got to the status that says so.
    told: f64,
    /// From the last packet to the patch of the ingest Service.
    patched: f64,
    /// From that patch to the deletion of the old SFU, the fence.
    fenced: f64,
    /// From the fence to the first packet, for each viewer.
    returned: Spread,
    /// The longest gap of each viewer.
    gaps: Spread,
    reconnects: u64,
}

pub(super) async fn tell(lane: &mut Lane, freezes: u32) -> Result<()> {
    let event = on_air(lane, "tier: 10k, duration: 4h").await?;
    let mut encoders = Vec::new();
    for slot in ["sfu-0", "sfu-1"] {
        encoders.push(Encoder::start(&lane.clips, &lane.clips.moving, &event.address(slot).await?)?);
    }
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let mut viewers = Viewers::come(lane, &entrances(&event).await?, VIEWERS, RATE)?;
    viewers.all_see(Duration::from_secs(60)).await?;

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
    drop(encoders);
    viewers.leave().await?;
    event.delete().await
}

async fn one(lane: &Lane, event: &Event, encoders: &[Encoder], viewers: &mut Viewers) -> Result<Freeze> {
    let before = viewers.all_see(Duration::from_secs(60)).await?;
    let reconnects = before.total.reconnects;
    let active = event.selects("ingest").await?;
    let index: usize = active.trim_start_matches("sfu-").parse().context("the active SFU")?;
    let old = event.pod(&active).await?;
    let mark = lane.control_plane.audit().now()?;
    let frozen_at = now().as_millisecond();
    encoders[index].freeze()?;

    let told_at = eventually("the word of it", Duration::from_secs(40), async || {
        let condition = event.condition("MediaFlowing").await?;
        ensure!(condition.status == "False", "{}", condition.reason);
        Ok(now().as_millisecond())
    })
    .await?;
    // A frozen process is brought back only when its SFU is another one, as somebody restarts an encoder.
    let standby = eventually("another SFU to be active", SOON, async || {
        let now = event.selects("origin").await?;
        ensure!(now != active, "{now}");
        Ok(now)
    })
    .await?;
    let returned = eventually("the picture on every viewer", Duration::from_secs(60), async || {
        let report = viewers.report()?;
        let back = report.viewers.iter().filter(|viewer| gap(viewer, frozen_at).is_some());
        let back = back.count();
        ensure!(back == VIEWERS, "{back} of {VIEWERS}");
        Ok(report)
    })
    .await?;
    encoders[index].go_on()?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;

    let gaps: Vec<(i64, i64)> = returned.viewers.iter().filter_map(|v| gap(v, frozen_at)).collect();
    let last_packet = gaps.iter().map(|(begin, _)| *begin).max().context("no gap")?;
    let records = lane.control_plane.audit().since(mark)?;
    let ours: Vec<_> = records.by(&user()).filter(|record| record.done()).collect();
    let at = |verb: &str, resource: &str, name: &str| {
        ours.iter()
            .find(|r| r.verb == verb && r.resource == resource && r.name == name)
            .map(|r| r.time.as_millisecond())
            .with_context(|| format!("no {verb} of {resource} {name}"))
    };
    let patched = at("patch", "services", &format!("{}-ingest", event.name))?;
    let name = old.metadata.name.clone().context("a pod without a name")?;
    let fenced = at("delete", "pods", &name)?;
    let deleted: Vec<&str> = ours
        .iter()
        .filter(|r| r.verb == "delete" && r.resource == "pods")
        .map(|r| r.name.as_str())
        .collect();
    ensure!(deleted == [name.as_str()], "deleted {deleted:?}");
    ensure!(standby != active, "{standby}");
    Ok(Freeze {
        told: seconds(last_packet, told_at),
        patched: seconds(last_packet, patched),
        fenced: seconds(patched, fenced),
        returned: gaps.iter().map(|(_, end)| seconds(fenced, *end)).collect(),
        gaps: gaps.iter().map(|(begin, end)| seconds(*begin, *end)).collect(),
        reconnects: returned.total.reconnects - reconnects,
    })
}

/// The gap that began around a moment and has ended, as begin and end.
fn gap(viewer: &Viewer, around_ms: i64) -> Option<(i64, i64)> {
    let gaps = viewer.gaps.iter().rev();
    gaps.map(|gap| (gap.begin_ms, gap.end_ms))
        .find(|(begin, end)| (begin - around_ms).abs() < 3_000 && end - begin > 2_000)
}
