//! Mids and relays that die, each in its way.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use webinar_api::labels;
use webinar_testbed::real::Signal;
use webinar_testbed::wait::eventually;
use webinar_viewers::{Report, Viewer};

use super::super::event::{Event, ip, is_ready};
use super::super::lane::{Lane, SERVER};
use super::{READY, SOON, entrances, on_air, presenter};
use crate::clock::now;
use crate::served;
use crate::spread::{Spread, seconds};
use crate::viewers::{Viewers, placed};

const VIEWERS: usize = 54;
const RATE: u32 = 20;
const BACK: Duration = Duration::from_secs(90);
/// Shorter ones are a packet that was late.
const GAP_MS: i64 = 1_500;

/// How a mid dies.
#[derive(Debug, Clone, Copy)]
enum Death {
    /// Its process is killed; the kubelet starts another in the same pod.
    Killed,
    /// Its process is killed and its pod deleted at once, as when its node is gone.
    Gone,
    /// Its process hangs, with all connections up.
    Hangs,
}

pub(super) async fn tell(lane: &mut Lane) -> Result<()> {
    let event = on_air(lane, "tier: 10k, duration: 4h").await?;
    let encoder = presenter(lane, &event).await?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    let mut viewers = lane.viewers(&entrances(&event).await?, VIEWERS, RATE)?;
    viewers.all_see(SOON).await?;

    for (slot, death) in [
        ("mid-0", Death::Killed),
        ("mid-1", Death::Gone),
        ("mid-2", Death::Hangs),
    ] {
        mid(lane, &event, &mut viewers, slot, death).await?;
    }
    relay(lane, &event, &mut viewers).await?;
    viewers.leave().await?;
    drop(encoder);
    event.delete().await
}

async fn mid(lane: &Lane, event: &Event, viewers: &mut Viewers, slot: &str, death: Death) -> Result<()> {
    let before = viewers.all_see(SOON).await?;
    let pod = event.pod(slot).await?;
    let children = children(event, slot).await?;
    let watching: Vec<usize> = before
        .viewers
        .iter()
        .filter(|viewer| {
            viewer
                .remote
                .is_some_and(|at| children.contains_key(&at.ip().to_string()))
        })
        .map(|viewer| viewer.index)
        .collect();
    ensure!(!watching.is_empty(), "nobody watches below {slot}");
    let mut fed = Fed::look_first(children.keys()).await?;
    let at = now().as_millisecond();
    match death {
        Death::Killed => lane.node.signal(&pod, SERVER, Signal::KILL)?,
        Death::Gone => {
            lane.node.signal(&pod, SERVER, Signal::KILL)?;
            event.force_delete(&pod).await?;
        }
        Death::Hangs => lane.node.signal(&pod, SERVER, Signal::STOP)?,
    }
    let mut stood_in = None;
    let report = eventually("the picture below it", BACK, async || {
        if stood_in.is_none() {
            let to = event.selects(slot).await?;
            stood_in = (to != slot).then(|| (to, now().as_millisecond()));
        }
        fed.look().await;
        ensure!(fed.all(), "{fed:?}");
        let report = viewers.report()?;
        let back = watching
            .iter()
            .filter(|i| report.viewers.get(**i).is_some_and(|v| gap(v, at).is_some()));
        let back = back.count();
        ensure!(back == watching.len(), "{back} of {}", watching.len());
        Ok(report)
    })
    .await
    .with_context(|| format!("{slot} {death:?}"))?;
    let gaps: Spread = watching
        .iter()
        .filter_map(|i| gap(report.viewers.get(*i)?, at))
        .map(|(begin, end)| seconds(begin, end))
        .collect();
    let others = others_touched(&report, &watching, at);
    let told = stood_in.as_ref().map_or_else(
        || "nobody stood in".to_owned(),
        |(by, when)| format!("{by} stood in after {:.1} s", seconds(at, *when)),
    );
    println!(
        "{slot} {death:?}: {told}; its {} relays are fed again after {} s; {} viewers without a picture for {gaps} s; \
         {others} others saw a gap",
        children.len(),
        fed.after(at),
        watching.len()
    );
    match death {
        // It is back before anybody could act.
        Death::Killed => {}
        Death::Gone | Death::Hangs => ensure!(stood_in.is_some(), "{told}"),
    }
    ensure!(others == 0, "{others} viewers of other mids saw a gap");
    whole(event, slot).await?;
    event.says("MediaFlowing", &["Flowing"], SOON).await?;
    viewers.all_see(SOON).await?;
    Ok(())
}

/// When relays are fed again that were cut off.
#[derive(Debug)]
struct Fed(BTreeMap<String, Feed>);

/// What a relay has received, whether it received nothing for a time, and when it did again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Feed {
    bytes: u64,
    grew_ms: i64,
    back_ms: Option<i64>,
}

impl Feed {
    /// The counter at a moment. Who has no source shows 0, and begins anew with the next one.
    fn shows(&mut self, bytes: u64, at_ms: i64) {
        if bytes > self.bytes {
            if at_ms - self.grew_ms >= GAP_MS && self.back_ms.is_none() {
                self.back_ms = Some(at_ms);
            }
            self.grew_ms = at_ms;
        }
        self.bytes = bytes;
    }
}

impl Fed {
    /// Before anything happens to them.
    async fn look_first<'a>(relays: impl Iterator<Item = &'a String>) -> Result<Self> {
        let mut feeds = BTreeMap::new();
        for relay in relays {
            let feed = Feed {
                bytes: served::received(relay).await?,
                grew_ms: now().as_millisecond(),
                back_ms: None,
            };
            feeds.insert(relay.clone(), feed);
        }
        Ok(Self(feeds))
    }

    async fn look(&mut self) {
        let addresses: Vec<String> = self.0.keys().cloned().collect();
        let answers = addresses
            .iter()
            .map(|address| async move { (address, served::received(address).await, now().as_millisecond()) });
        for (address, answer, at_ms) in futures::future::join_all(answers).await {
            if let (Ok(bytes), Some(feed)) = (answer, self.0.get_mut(address)) {
                feed.shows(bytes, at_ms);
            }
        }
    }

    fn all(&self) -> bool {
        self.0.values().all(|feed| feed.back_ms.is_some())
    }

    fn after(&self, at_ms: i64) -> Spread {
        let back = self.0.values().filter_map(|feed| feed.back_ms);
        back.map(|back| seconds(at_ms, back)).collect()
    }
}

async fn relay(lane: &Lane, event: &Event, viewers: &mut Viewers) -> Result<()> {
    let before = viewers.all_see(SOON).await?;
    let relays = event.role("relay").await?;
    let placed = placed(&before);
    let busiest = relays
        .iter()
        .filter_map(|(slot, pod)| Some((placed.get(&ip(pod).ok()?)?, slot, pod)))
        .max_by_key(|(count, slot, _)| (**count, *slot));
    let (count, slot, pod) = busiest.context("nobody watches")?;
    let address = ip(pod)?;
    let at = now().as_millisecond();
    lane.node.signal(pod, SERVER, Signal::KILL)?;
    let touched: Vec<usize> = before
        .viewers
        .iter()
        .filter(|v| v.remote.is_some_and(|remote| remote.ip().to_string() == address))
        .map(|v| v.index)
        .collect();
    let report = eventually("its viewers elsewhere", BACK, async || {
        let report = viewers.report()?;
        let back = touched
            .iter()
            .filter(|i| report.viewers.get(**i).is_some_and(|v| gap(v, at).is_some()));
        let back = back.count();
        ensure!(back == touched.len(), "{back} of {}", touched.len());
        Ok(report)
    })
    .await?;
    let gaps: Spread = touched
        .iter()
        .filter_map(|i| gap(report.viewers.get(*i)?, at))
        .map(|(begin, end)| seconds(begin, end))
        .collect();
    let again = touched
        .iter()
        .filter(|i| {
            report
                .viewers
                .get(**i)
                .and_then(|v| v.remote)
                .is_some_and(|r| r.ip().to_string() == address)
        })
        .count();
    println!(
        "{slot} killed: {count} viewers without a picture for {gaps} s; {} are elsewhere, {again} at the same pod, \
         started again",
        touched.len() - again
    );
    let others = others_touched(&report, &touched, at);
    ensure!(others == 0, "{others} viewers of other relays saw a gap");
    whole(event, slot).await
}

/// The relays that a mid feeds by their labels, by address.
async fn children(event: &Event, mid: &str) -> Result<BTreeMap<String, Pod>> {
    let relays = event.role("relay").await?.into_values();
    relays
        .filter(|relay| {
            relay
                .labels()
                .get(labels::PARENT)
                .is_some_and(|parent| parent == mid)
        })
        .map(|relay| Ok((ip(&relay)?, relay)))
        .collect()
}

/// Waits until the slot has a Ready pod that its Service leads to.
async fn whole(event: &Event, slot: &str) -> Result<()> {
    eventually(&format!("{slot} to be Ready"), READY, async || {
        ensure!(is_ready(&event.pod(slot).await?), "it is not");
        if slot.starts_with("mid-") {
            let to = event.selects(slot).await?;
            ensure!(to == slot, "its Service leads to {to}");
        }
        Ok(())
    })
    .await
}

fn gap(viewer: &Viewer, since_ms: i64) -> Option<(i64, i64)> {
    let gaps = viewer.gaps.iter().map(|gap| (gap.begin_ms, gap.end_ms));
    gaps.into_iter()
        .find(|(begin, end)| *end > since_ms && end - begin >= GAP_MS)
}

/// How many of the others saw a gap since then, or are in one.
fn others_touched(report: &Report, touched: &[usize], since_ms: i64) -> usize {
    let others = report
        .viewers
        .iter()
        .filter(|viewer| !touched.contains(&viewer.index));
    others
        .filter(|viewer| {
            gap(viewer, since_ms).is_some()
                || i64::try_from(viewer.silent_ms).is_ok_and(|silent| silent >= GAP_MS)
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_fed_again_only_after_a_pause() {
        let mut feed = Feed {
            bytes: 100,
            grew_ms: 0,
            back_ms: None,
        };
        for (bytes, at_ms) in [(150, 400), (150, 800), (200, 1_200), (0, 1_600), (0, 4_000)] {
            feed.shows(bytes, at_ms);
            assert_eq!(feed.back_ms, None, "{bytes} at {at_ms}");
        }
        feed.shows(10, 5_000);
        feed.shows(20, 5_300);
        assert_eq!(feed.back_ms, Some(5_000));
    }

    #[test]
    fn a_gap_counts_while_it_lasts() {
        let viewer = |gaps: Vec<webinar_viewers::Gap>, silent_ms| Viewer {
            index: 3,
            gaps,
            silent_ms,
            ..Viewer::default()
        };
        let ended = webinar_viewers::Gap {
            begin_ms: 1_000,
            end_ms: 4_000,
            reconnects: 1,
        };
        assert_eq!(gap(&viewer(vec![ended], 0), 2_000), Some((1_000, 4_000)));
        assert_eq!(gap(&viewer(vec![ended], 0), 5_000), None);
    }
}
