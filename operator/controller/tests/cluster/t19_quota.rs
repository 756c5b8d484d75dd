//! 19 quota: five pods allowed, twenty wanted. Few requests are refused, the number that is missing is told, and a raise
//! heals it.

use anyhow::{Result, ensure};

use crate::support::assertions::verdict;
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];

#[test]
fn t19_a_quota_is_told_of_with_what_is_missing_and_asked_sparingly() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        quota(scene, 5).await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        let start = in_seconds(180);
        let spec = format!("tier: 10k, className: tiny, startTime: '{start}', readyBefore: 3m");
        scene.apply(&webinar("events", "event", &spec)).await?;
        let told = scene
            .until("events", "event", "short of a quota", SOON, |s| {
                let (is, reason, message) = verdict(s, "CapacityAtRisk");
                (is, reason) == ("True", "QuotaExceeded") && message.contains("15 pods")
            })
            .await?;
        let (_, _, message) = verdict(&told, "CapacityAtRisk");
        println!("{message}");
        ensure!(message.contains("Raise the ResourceQuota"), "{message}");
        ensure!(verdict(&told, "Ready").1 == "CapacityAtRisk", "{told:?}");
        let there = Fleet::of(scene, "events", "event").await?.0.len();
        ensure!(there == 5, "{there} pods");
        let records = scene.since(moment).await?;
        let refused = records.by(OPERATOR).filter(|r| r.code == 403).count();
        println!("{refused} requests were refused");
        // One, two, and two of the next four fit in; then it stops.
        ensure!(refused <= 4, "{refused} requests were refused");

        scene.refusing = true;
        quota(scene, 100).await?;
        Fleet::complete(scene, "events", "event", FLEET, SOON).await?;
        scene
            .until("events", "event", "on plan", SOON, |s| {
                verdict(s, "CapacityAtRisk").1 == "OnPlan"
            })
            .await?;
        Ok(())
    });
}

async fn quota(scene: &Scene, pods: u32) -> Result<()> {
    scene
        .apply(&format!(
            "{{apiVersion: v1, kind: ResourceQuota, metadata: {{name: media, namespace: events}}, spec: {{hard: {{pods: '{pods}'}}}}}}"
        ))
        .await
}
