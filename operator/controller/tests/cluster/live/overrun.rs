//! The planned end passes, and people stay.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use webinar_api::Phase;
use webinar_testbed::dataplane::Publishing;

use crate::support::audience::{Booking, Show, nobody_dropped};
use crate::support::scene::{Setting, story};

#[test]
fn capacity_stays_for_those_who_stay_and_goes_at_the_limit() {
    story(Setting::watched(3), async |scene| {
        scene.start_operator().await?;
        let booking = Booking {
            spec: "tier: 10k, duration: 1m",
            live: "floorAfterStart: 0s, overrun: 75s, drainTimeout: 5s, shrinkAfter: 4s, shrinkInterval: 2s, goneAfter: 5s",
            ..Booking::default()
        };
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Single, 4_000);
        show.on_air(scene).await?;
        show.watched_by(4_000, Duration::from_secs(90)).await?;
        let status = scene
            .until(
                &show.namespace,
                "event",
                "running over",
                Duration::from_secs(120),
                |s| s.phase == Some(Phase::Overrun),
            )
            .await?;
        let before = show.stage.results();
        ensure!(before.watching == 4_000, "{before:?}");
        ensure!(status.attendance.context("nobody is counted")?.current == 4_000);

        // Half of them leave: relays that are empty by then may go, and nobody loses a place.
        show.stage.leave(0.5);
        let status = scene
            .until(
                &show.namespace,
                "event",
                "smaller",
                Duration::from_secs(60),
                |s| {
                    s.pools
                        .iter()
                        .any(|p| p.role == webinar_api::Role::Relay && p.desired < 15)
                },
            )
            .await?;
        println!("{:?}", status.pools);
        nobody_dropped(&show.stage.results())?;
        let warned = scene.events(&show.namespace, "event", "OverrunEnding").await?;
        ensure!(warned.len() == 1, "{warned:?}");

        // The others stay until the limit.
        let status = scene
            .until(
                &show.namespace,
                "event",
                "draining",
                Duration::from_secs(120),
                |s| s.phase == Some(Phase::Draining),
            )
            .await?;
        let release = status
            .schedule
            .and_then(|s| s.release_time)
            .context("no release")?
            .0;
        ensure!(crate::support::scene::now() >= release, "before {release}");
        let results = show.stage.results();
        println!("at the limit: {}", results.summary());
        scene
            .until(&show.namespace, "event", "over", Duration::from_secs(60), |s| {
                s.phase == Some(Phase::Finished)
            })
            .await?;
        let outcome = scene
            .status(&show.namespace, "event")
            .await?
            .outcome
            .unwrap_or_default();
        ensure!(outcome.peak_attendees == Some(4_000), "{outcome:?}");
        Ok(())
    });
}
