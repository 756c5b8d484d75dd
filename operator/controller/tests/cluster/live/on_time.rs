//! Everybody who was expected comes, and everybody gets in.

use std::time::Duration;

use anyhow::ensure;
use webinar_testbed::dataplane::Publishing;
use webinar_testbed::wait::Stopwatch;

use crate::support::assertions::verdict;
use crate::support::audience::{Booking, Show, nothing_deleted};
use crate::support::length::length;
use crate::support::scene::{OPERATOR, Setting, story};

#[test]
fn everybody_gets_in_on_time() {
    let nodes = length(3, 90);
    story(Setting::watched(nodes), async |scene| {
        scene.start_operator().await?;
        let (booking, audience) = Booking::largest();
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Single, audience);
        show.on_air(scene).await?;
        let moment = scene.mark().await?;
        let begun = scene.operator()?.usage()?;
        let stopwatch = Stopwatch::start();
        let results = show.watched_by(audience, Duration::from_secs(120)).await?;
        println!("{}", results.summary());
        ensure!(
            results.joined == audience && results.refused == 0 && results.dropped.total == 0,
            "{results:?}"
        );

        // The operator has counted the same people, and has seen the picture.
        let status = show.counted(scene, audience, Duration::from_secs(60)).await?;
        ensure!(verdict(&status, "AttendanceKnown").1 == "Fresh", "{status:?}");
        ensure!(verdict(&status, "MediaFlowing").1 == "Flowing", "{status:?}");
        // Everybody came who was booked for: more could not come in.
        ensure!(
            verdict(&status, "CapacityAtRisk").1 == "AboveCeiling",
            "{status:?}"
        );
        let admission = status.admission.unwrap_or_default();
        ensure!(
            i64::from(admission.max_attendees) >= i64::try_from(audience)?,
            "{admission:?}"
        );

        let minutes = stopwatch.elapsed().as_secs_f64() / 60.0;
        let used = scene.operator()?.usage()?;
        let records = scene.since(moment).await?;
        let spoken = records
            .by(OPERATOR)
            .filter(|r| r.done() && r.resource == "webinars")
            .count();
        println!(
            "{:.1} status writes a minute; {:.1} % of a core, {} MiB",
            spoken as f64 / minutes,
            (used.cpu_seconds - begun.cpu_seconds) / (minutes * 60.0) * 100.0,
            used.rss >> 20
        );
        nothing_deleted(&records, &show)?;
        Ok(())
    });
}
