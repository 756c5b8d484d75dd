//! 21 viewer-safe: whatever pods say of themselves while capacity may fall, nobody is thrown out.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_testbed::dataplane::{Lie, Publishing, Role, Target};
use webinar_testbed::wait::eventually;

use crate::support::audience::{Booking, Show, nobody_dropped, nothing_deleted};
use crate::support::length::length;
use crate::support::scene::{Scene, Setting, story};

/// Nothing scraped may make the operator larger than this.
const MOST_MEMORY: u64 = 200 << 20;

/// Relays on which the operator lets nobody in any more.
async fn draining(scene: &Scene, show: &Show) -> Result<i32> {
    let status = scene.status(&show.namespace, "event").await?;
    let relays = status.pools.iter().find(|p| p.role == webinar_api::Role::Relay);
    Ok(relays.context("no relays")?.draining)
}

/// The wrong answer that is most like a right one: it is doubted at first, and never enough to take a relay away.
async fn nobody_is_there_they_say(scene: &Scene, show: &Show) -> Result<()> {
    show.stage.lie(Target::Role(Role::Relay), Lie::NoViewers);
    // Two answers, and time to begin drains.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let cordoned = draining(scene, show).await?;
    ensure!(cordoned == 0, "believed at once: {cordoned} relays drain");
    eventually("it to be believed", Duration::from_secs(90), async || {
        ensure!(draining(scene, show).await? > 0, "no relay drains");
        Ok(())
    })
    .await?;
    // Longer than it takes to end a drain.
    tokio::time::sleep(Duration::from_secs(20)).await;
    let results = show.stage.results();
    nobody_dropped(&results)?;
    ensure!(results.dropped.total == 0, "{results:?}");
    show.stage.tell_the_truth();
    Ok(())
}

#[test]
fn t21_lies_throw_nobody_out() {
    story(Setting::watched(3), async |scene| {
        scene.start_operator().await?;
        let booking = Booking {
            spec: "tier: 10k, release: AfterPeak",
            live: "floorAfterStart: 0s, overrun: 30s, drainTimeout: 5s, shrinkAfter: 4s, shrinkInterval: 2s",
            ..Booking::default()
        };
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Single, 9_000);
        show.on_air(scene).await?;
        show.watched_by(9_000, Duration::from_secs(90)).await?;
        show.says(scene, "AttendanceKnown", "Fresh", Duration::from_secs(60))
            .await?;
        let moment = scene.mark().await?;
        nobody_is_there_they_say(scene, &show).await?;
        let lies = [
            Lie::Unavailable,
            Lie::Close,
            Lie::Hang,
            Lie::Drip,
            Lie::Negative,
            Lie::Huge,
            Lie::NotANumber,
            Lie::Stale,
            Lie::NoViewers,
            Lie::Endless,
            Lie::ManySeries,
            Lie::Garbage,
        ];
        for lie in lies {
            // One relay, all relays, everything; each for longer than it takes to begin and end a drain.
            let targets = [
                Target::Slot("relay-14".to_owned()),
                Target::Role(Role::Relay),
                Target::All,
            ];
            for target in length(&targets[1..2], &targets[..]) {
                show.stage.lie(target.clone(), lie);
                tokio::time::sleep(Duration::from_secs(length(6, 40))).await;
                show.stage.tell_the_truth();
            }
            let results = show.stage.results();
            nobody_dropped(&results).with_context(|| format!("{lie:?}"))?;
            ensure!(results.dropped.total == 0, "{lie:?}: {results:?}");
        }
        let usage = scene.operator()?.usage()?;
        println!("{} MiB at most", usage.peak_rss >> 20);
        ensure!(usage.peak_rss < MOST_MEMORY, "{} bytes", usage.peak_rss);
        let records = scene.since(moment).await?;
        nothing_deleted(&records, &show)?;

        // It sees again.
        show.says(scene, "AttendanceKnown", "Fresh", Duration::from_secs(120))
            .await?;
        show.counted(scene, 9_000, Duration::from_secs(60)).await?;
        Ok(())
    });
}
