//! `release: AfterPeak`: capacity follows a falling audience, and rises again.

use std::time::Duration;

use anyhow::ensure;
use webinar_api::Role;
use webinar_testbed::crowd::{Crowd, Curve};
use webinar_testbed::dataplane::Publishing;
use webinar_testbed::wait::eventually;

use crate::support::audience::{Booking, Show, deleted, nobody_dropped, nothing_deleted};
use crate::support::scene::{Setting, in_seconds, story};

#[test]
fn relays_drain_when_they_are_empty_and_a_second_wave_finds_seats() {
    story(Setting::watched(3), async |scene| {
        scene.start_operator().await?;
        let booking = Booking {
            spec: "tier: 10k, release: AfterPeak",
            live: "floorAfterStart: 0s, overrun: 30s, drainTimeout: 5s, shrinkAfter: 4s, shrinkInterval: 4s",
            ..Booking::default()
        };
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Single, 9_000);
        show.on_air(scene).await?;
        show.watched_by(9_000, Duration::from_secs(90)).await?;
        let moment = scene.mark().await?;
        // Slowly: a total that halves at once is not believed for a minute.
        show.stage.leave_at(250.0);
        eventually("two thirds to leave", Duration::from_secs(60), async || {
            let watching = show.stage.results().watching;
            ensure!(watching <= 3_000, "{watching}");
            Ok(())
        })
        .await?;
        show.stage.leave_at(0.0);

        // A cordoned relay keeps its viewers until they leave by themselves.
        let cordoned = eventually(
            "relays out of their entry points",
            Duration::from_secs(150),
            async || {
                let status = scene.status(&show.namespace, "event").await?;
                let draining = status
                    .pools
                    .iter()
                    .find(|p| p.role == Role::Relay)
                    .map_or(0, |p| p.draining);
                ensure!(draining >= 2, "{draining}: {:?}", status.pools);
                let draining = usize::try_from(draining)?;
                Ok(draining)
            },
        )
        .await?;
        println!("{cordoned} relays take no more viewers");
        let results = show.stage.results();
        nobody_dropped(&results)?;
        let records = scene.since(moment).await?;
        nothing_deleted(&records, &show)?;

        // The last of them are cut off without a word: relays count them for half a minute more, then the cordoned ones are
        // empty, and go.
        show.stage.vanish(1.0);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let records = scene.since(moment).await?;
        nothing_deleted(&records, &show)?;
        let gone = eventually("empty relays to go", Duration::from_secs(150), async || {
            let records = scene.control_plane.audit().since(moment)?;
            let gone = deleted(&records, &show);
            ensure!(gone.len() >= cordoned, "{gone:?}");
            Ok(gone)
        })
        .await?;
        println!("gone: {gone:?}");
        ensure!(gone.iter().all(|slot| slot.starts_with("relay-")), "{gone:?}");
        nobody_dropped(&show.stage.results())?;

        let before = show.stage.results();
        show.stage
            .crowd(Crowd::new(8_000, in_seconds(0)).curve(Curve::steady(30.0)));
        let results = show
            .watched_by(before.watching + 8_000, Duration::from_secs(150))
            .await?;
        println!("after the second wave: {}", results.summary());
        nobody_dropped(&results)
    });
}
