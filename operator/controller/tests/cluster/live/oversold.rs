//! Many more come than were booked: the event grows, and nobody is thrown out.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use webinar_testbed::crowd::Crowd;
use webinar_testbed::dataplane::Publishing;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{pod_writes, verdict};
use crate::support::audience::{Booking, Show, nobody_dropped, nothing_deleted};
use crate::support::length::length;
use crate::support::scene::{Setting, story};

#[test]
fn an_oversold_event_grows_before_its_seats_run_out() {
    story(Setting::watched(length(4, 12)), async |scene| {
        scene.start_operator().await?;
        let booking = Booking {
            sizing: length("fanOut: 10", "fanOut: 50"),
            spec: length("tier: 10k, maxTier: 50k", "tier: 50k, maxTier: 250k"),
            counts: length([2, 3, 15], [3, 3, 63]),
            starts_in: 50,
            ..Booking::default()
        };
        let audience = length(38_000, 190_000);
        let show = Show::booked(scene, &booking).await?;
        let moment = scene.mark().await?;
        // Growth takes as long as ever: people come a little slower than in other stories.
        show.stage.publish(Publishing::Single);
        show.stage.crowd(Crowd::new(audience, show.start).scale(40.0));

        let seats_when_it_grew = eventually("the first new relay", Duration::from_secs(90), async || {
            let records = scene.control_plane.audit().since(moment)?;
            let created = pod_writes(&records, "create", &show.namespace, "event");
            ensure!(!created.is_empty(), "none");
            Ok(show.stage.results())
        })
        .await?;
        println!("it grew when: {}", seats_when_it_grew.summary());
        ensure!(
            seats_when_it_grew.watching < seats_when_it_grew.seats.now,
            "every seat was taken: {seats_when_it_grew:?}"
        );

        let results = show.watched_by(audience, Duration::from_secs(180)).await?;
        println!("{}\n{results:?}", results.summary());
        nobody_dropped(&results)?;
        ensure!(results.dropped.total == 0, "{results:?}");
        let status = show.counted(scene, audience, Duration::from_secs(60)).await?;
        let (_, reason, message) = verdict(&status, "Ready");
        println!("{reason}: {message}");
        ensure!(
            reason == "Live" && message.contains(webinar_plan::grouped(audience).as_str()),
            "{message}"
        );
        let admission = status.admission.context("nothing for a join gate")?;
        ensure!(admission.open, "{admission:?}");
        let records = scene.since(moment).await?;
        nothing_deleted(&records, &show)?;
        Ok(())
    });
}
