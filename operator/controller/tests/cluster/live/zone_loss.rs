//! A zone disappears while everybody watches.

use std::time::Duration;

use anyhow::ensure;
use webinar_testbed::NodeShape;
use webinar_testbed::dataplane::Publishing;
use webinar_testbed::wait::eventually;

use crate::support::assertions::verdict;
use crate::support::audience::{Booking, SMALL, Show, nobody_dropped};
use crate::support::length::length;
use crate::support::scene::{Setting, story};
use crate::support::world::Fleet;

#[test]
fn those_who_lost_their_relay_find_another() {
    story(Setting::watched(length(6, 90)), async |scene| {
        // For the fleet of the zone that will be gone.
        scene
            .control_plane
            .create_nodes(&NodeShape {
                count: length(2, 30),
                cpu_millis: 512_000,
                memory_gib: 2_048,
                zones: vec!["zone-a".to_owned(), "zone-b".to_owned()],
                ..NodeShape::default()
            })
            .await?;
        scene.start_operator().await?;
        let booking = Booking {
            sizing: length(SMALL, "fanOut: 50"),
            spec: length("tier: 10k", "tier: 1M"),
            counts: length([2, 3, 15], [3, 27, 1212]),
            starts_in: length(28, 180),
            ..Booking::default()
        };
        let audience = length(10_000, 1_000_000);
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Dual, audience);
        show.on_air(scene).await?;
        let before = show.watched_by(audience, Duration::from_secs(120)).await?;
        nobody_dropped(&before)?;

        let lost = scene.control_plane.lose_zone("zone-c").await?;
        println!("{} nodes are gone", lost.len());
        let told = show
            .says(scene, "CapacityAtRisk", "PodsLost", Duration::from_secs(120))
            .await?;
        println!("{told}");
        let fell = eventually("the loss to be felt", Duration::from_secs(120), async || {
            let results = show.stage.results();
            ensure!(results.dropped.by_pod_gone > 0, "{results:?}");
            Ok(results)
        })
        .await?;
        println!("{}", fell.summary());
        let results = show.watched_by(audience, Duration::from_secs(180)).await?;
        println!(
            "{}; away for {:.0} s at most",
            results.summary(),
            results.dropped.longest_away_seconds
        );
        // A third of the relays, give or take how viewers and pods are placed.
        let share = results.dropped.by_pod_gone as f64 / audience as f64;
        ensure!((0.2..0.5).contains(&share), "{share}: {results:?}");
        Fleet::complete(
            scene,
            &show.namespace,
            "event",
            booking.counts,
            Duration::from_secs(180),
        )
        .await?;
        let status = scene
            .until(
                &show.namespace,
                "event",
                "whole again",
                Duration::from_secs(120),
                |s| verdict(s, "CapacityReady").0 == "True" && verdict(s, "AttendanceKnown").1 == "Fresh",
            )
            .await?;
        let counted = status.attendance.map_or(0, |a| a.current);
        println!("{counted} are counted");
        Ok(())
    });
}
