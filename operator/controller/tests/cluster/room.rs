//! An ad-hoc meeting.

use std::time::Duration;

use anyhow::ensure;
use webinar_testbed::wait::{Stopwatch, eventually};

use crate::support::assertions::{endpoints, verdict};
use crate::support::manifests::{class, webinar};
use crate::support::scene::{SOON, Setting, story};
use crate::support::world::Fleet;

/// Nobody likes to wait for a meeting that begins now.
const AT_ONCE: Duration = Duration::from_secs(10);

#[test]
fn a_room_without_a_start_is_ready_within_ten_seconds() {
    story(Setting::default(), async |scene| {
        scene
            .apply(&class(
                "plain",
                "\n  templates: {sfu: media-sfu}\n  maxTier: room\n",
            ))
            .await?;
        scene.namespace("events").await?;
        scene.start_operator().await?;
        let stopwatch = Stopwatch::start();
        scene
            .apply(&webinar("events", "huddle", "tier: room, className: plain"))
            .await?;
        let status = scene
            .until("events", "huddle", "ready", SOON, |s| {
                verdict(s, "CapacityReady").1 == "AllReady"
            })
            .await?;
        let took = stopwatch.elapsed();
        println!("ready {:.1} s after it was asked for", took.as_secs_f32());
        println!("{}", verdict(&status, "Ready").2);
        ensure!(took < AT_ONCE, "ready after {took:?}");
        ensure!(
            verdict(&status, "Ready").0 == "True" && verdict(&status, "CapacityAtRisk").1 == "OnPlan",
            "{status:?}"
        );
        Fleet::complete(scene, "events", "huddle", [1, 0, 0], SOON).await?;
        let warned = scene.events("events", "huddle", "TooLate").await?;
        ensure!(warned.is_empty(), "{warned:?}");
        for address in ["huddle-ingest", "huddle-viewers-0"] {
            eventually(address, SOON, async || {
                let pods = endpoints(scene, "events", address).await?.len();
                ensure!(pods == 1, "it leads to {pods} pods");
                Ok(())
            })
            .await?;
        }
        Ok(())
    });
}
