//! A class that may have only so many pods over all its events: who starts first is served first.

use anyhow::ensure;

use crate::support::assertions::verdict;
use crate::support::manifests::{class, tiny, webinar};
use crate::support::scene::{SOON, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

#[test]
fn the_later_event_waits_for_the_earlier_one_and_says_so() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        // Room for one fleet of 20 pods, not for two.
        scene
            .apply(&class("shared", &format!("{}  maxTotalPods: 30\n", tiny())))
            .await?;
        let spec = |start| format!("tier: 10k, className: shared, startTime: '{start}', readyBefore: 10m");
        // Both ramps are due at once, and the later event is applied first.
        for (name, start) in [("later", in_seconds(300)), ("earlier", in_seconds(240))] {
            scene.apply(&webinar("events", name, &spec(start))).await?;
        }
        scene.start_operator().await?;
        Fleet::complete(scene, "events", "earlier", FLEET, SOON).await?;
        let waiting = scene
            .until("events", "later", "waiting", SOON, |s| {
                verdict(s, "CapacityAtRisk").1 == "QuotaExceeded"
            })
            .await?;
        let (_, _, message) = verdict(&waiting, "CapacityAtRisk");
        println!("{message}");
        ensure!(message.contains("kept for events/earlier"), "{message}");
        let pods = Fleet::of(scene, "events", "later").await?.0.len();
        ensure!(pods == 0, "{pods} pods beyond the ceiling");

        scene.kubectl("delete webinar/earlier -n events").await?;
        Fleet::complete(scene, "events", "later", FLEET, SOON).await?;
        Ok(())
    });
}
