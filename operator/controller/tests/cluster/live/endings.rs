//! How events end that go well: nobody is alarmed, and nothing is kept for hours.

use std::time::Duration;

use anyhow::{Result, ensure};
use webinar_api::Phase;
use webinar_testbed::dataplane::{Encoder, Publishing};

use crate::support::assertions::verdict;
use crate::support::audience::{Booking, Show, nobody_dropped};
use crate::support::scene::{Scene, Setting, story};

/// The event was over soon after its end, and nobody was warned of anything.
async fn ends_well(scene: &Scene, show: &Show, within: Duration) -> Result<()> {
    let status = scene
        .until(&show.namespace, "event", "over", within, |s| {
            s.phase == Some(Phase::Finished)
        })
        .await?;
    let outcome = status.outcome.unwrap_or_default();
    println!("{outcome:?}; {}", show.stage.results().summary());
    ensure!(outcome.incidents == 0, "{outcome:?}");
    nobody_dropped(&show.stage.results())?;
    for reason in ["PublisherStalled", "NoStandby", "UpstreamBroken"] {
        let told = scene.events(&show.namespace, "event", reason).await?;
        ensure!(told.is_empty(), "{reason}: {told:?}");
    }
    Ok(())
}

#[test]
fn the_speaker_leaves_two_minutes_before_the_end_and_then_everybody_does() {
    story(Setting::watched(3), async |scene| {
        scene.start_operator().await?;
        // An overrun of hours would be a costly mistake.
        let booking = Booking {
            spec: "tier: 10k, duration: 2m",
            live: "floorAfterStart: 0s, overrun: 2h, drainTimeout: 5s, goneAfter: 5s",
            ..Booking::default()
        };
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Single, 6_000);
        show.on_air(scene).await?;
        show.watched_by(6_000, Duration::from_secs(90)).await?;
        show.says(scene, "MediaFlowing", "Flowing", Duration::from_secs(60))
            .await?;
        show.stage.stop(Encoder::All);
        let left = show
            .says(scene, "MediaFlowing", "PublisherLeft", Duration::from_secs(60))
            .await?;
        println!("{left}");
        // "End for all": believed when it has been said for a minute.
        show.stage.leave(1.0);
        let status = show.counted(scene, 0, Duration::from_secs(150)).await?;
        ensure!(verdict(&status, "CapacityAtRisk").0 == "False", "{status:?}");
        ends_well(scene, &show, Duration::from_secs(240)).await
    });
}
