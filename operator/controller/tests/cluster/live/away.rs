//! The operator, or the API server, is away across the start: nobody notices.

use std::time::Duration;

use anyhow::{Result, ensure};
use webinar_testbed::dataplane::{Lie, Publishing, Target};
use webinar_testbed::tools::Tool;

use crate::support::audience::{Booking, Show, nothing_deleted};
use crate::support::length::length;
use crate::support::scene::{Scene, Setting, story};
use crate::support::world::Fleet;

const AUDIENCE: u64 = 9_000;

#[test]
fn nobody_notices_an_operator_that_is_away_across_the_start() {
    story(Setting::watched(3), async |scene| {
        scene.start_operator().await?;
        // Capacity may fall, and soon: what is not known must not count as nobody.
        let booking = Booking {
            spec: "tier: 10k, release: AfterPeak",
            live: "floorAfterStart: 0s, overrun: 30s, drainTimeout: 5s, shrinkAfter: 4s, shrinkInterval: 2s",
            ..booking()
        };
        let show = Show::booked(scene, &booking).await?;
        let before = Fleet::of(scene, &show.namespace, "event").await?;
        let moment = scene.mark().await?;
        show.opens(Publishing::Single, AUDIENCE);
        scene.kill_operator()?;
        tokio::time::sleep(away()).await;
        // Too few relays tell the new process of their viewers.
        for relay in 10..15 {
            show.stage
                .lie(Target::Slot(format!("relay-{relay}")), Lie::Unavailable);
        }
        scene.start_operator().await?;
        show.on_air(scene).await?;
        show.watched_by(AUDIENCE, Duration::from_secs(90)).await?;
        tokio::time::sleep(Duration::from_secs(20)).await;
        let status = scene.status(&show.namespace, "event").await?;
        ensure!(status.pools.iter().all(|p| p.draining == 0), "{:?}", status.pools);
        show.stage.tell_the_truth();
        everybody_is_there(scene, &show, &before).await?;
        let records = scene.since(moment).await?;
        nothing_deleted(&records, &show)?;
        Ok(())
    });
}

#[test]
fn nobody_notices_an_api_server_that_is_away_across_the_start() {
    story(Setting::watched(3), async |scene| {
        scene.start_operator().await?;
        let show = Show::booked(scene, &booking()).await?;
        let before = Fleet::of(scene, &show.namespace, "event").await?;
        show.opens(Publishing::Single, AUDIENCE);
        scene.control_plane.kill(Tool::ApiServer)?;
        tokio::time::sleep(away()).await;
        scene.operator()?.process().check_running()?;
        scene.restart_api_server().await?;
        scene.operator_ready(Duration::from_secs(60)).await?;
        everybody_is_there(scene, &show, &before).await
    });
}

fn booking() -> Booking<'static> {
    Booking {
        starts_in: length(35, 360),
        ..Booking::default()
    }
}

/// From before the start until after it.
fn away() -> Duration {
    Duration::from_secs(length(30, 600))
}

async fn everybody_is_there(scene: &Scene, show: &Show, before: &Fleet) -> Result<()> {
    show.on_air(scene).await?;
    let results = show.watched_by(AUDIENCE, Duration::from_secs(90)).await?;
    println!("{}", results.summary());
    ensure!(
        results.joined == AUDIENCE && results.refused == 0 && results.dropped.total == 0,
        "{results:?}"
    );
    let after = show.whole(scene, [2, 3, 15], Duration::from_secs(60)).await?;
    ensure!(after.uids() == before.uids(), "another fleet");
    show.says(scene, "AttendanceKnown", "Fresh", Duration::from_secs(90))
        .await?;
    Ok(())
}
