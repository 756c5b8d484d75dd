//! The operator's wall clock jumps by ten minutes and by an hour, there and back, while people watch: leases hold, nothing
//! ends early, and the metric, the log and an Event tell of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;
use webinar_api::Phase;
use webinar_testbed::audit::Offset;
use webinar_testbed::dataplane::Publishing;
use webinar_testbed::http_get;
use webinar_testbed::wait::eventually;

use crate::support::assertions::{same, verdict};
use crate::support::audience::{Booking, Show, nobody_dropped, nothing_deleted};
use crate::support::manifests::OPERATOR_NAMESPACE;
use crate::support::scene::{SOON, Scene, Setting, now, story};
use crate::support::world::Fleet;

const VIEWERS: u64 = 4_000;

/// Far beyond the end and the overrun of the event, and back.
const JUMPS: [i64; 4] = [600, -600, 3_600, -3_600];

/// Passes after which whatever a jump does would have been done.
const PASSES: f64 = 4.0;

#[test]
fn a_wall_clock_that_jumps_ends_nothing_and_is_told() {
    let offset = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("clock-{}", std::process::id()));
    std::fs::write(&offset, "0").expect("a file for the clock");
    let setting = Setting {
        operator_args: vec![format!("--clock-offset-file={}", offset.display())],
        ..Setting::watched(3)
    };
    story(setting, async |scene| {
        scene.start_operator().await?;
        let booking = Booking {
            spec: "tier: 10k, duration: 8m",
            ..Booking::default()
        };
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Single, VIEWERS);
        show.on_air(scene).await?;
        show.watched_by(VIEWERS, Duration::from_secs(90)).await?;
        show.counted(scene, VIEWERS, SOON).await?;
        let before = Fleet::of(scene, &show.namespace, "event").await?;
        let lease = holder(scene).await?;

        for seconds in JUMPS {
            jump(scene, &offset, seconds).await?;
            passes(scene).await?;
            undisturbed(scene, &show, &before).await?;
            ensure!(
                holder(scene).await? == lease,
                "{:?}, not {lease:?}",
                holder(scene).await?
            );
        }
        let told = scene.events(&show.namespace, "event", "ClockSkew").await?;
        ensure!(told.len() == 1 && told[0].type_ == "Warning", "{told:?}");
        let warned = scene
            .log()?
            .matches("this machine's clock and the API server's differ")
            .count();
        ensure!(warned == 1, "logged {warned} times");

        // The event is over by the API server's clock, and not by the operator's own.
        scene
            .edit(&show.namespace, "event", json!({"duration": "1m"}))
            .await?;
        let status = scene
            .until(&show.namespace, "event", "shortened", SOON, |s| {
                s.schedule
                    .as_ref()
                    .and_then(|s| Some(s.end_time.as_ref()?.0))
                    .is_some_and(|end| end <= now())
            })
            .await?;
        let release = status
            .schedule
            .and_then(|s| s.release_time)
            .context("no release")?
            .0;
        eventually("the end of the overrun", Duration::from_secs(90), async || {
            ensure!(now() > release, "at {release}");
            Ok(())
        })
        .await?;
        passes(scene).await?;
        undisturbed(scene, &show, &before).await?;

        // Both say so: it is given back.
        jump(scene, &offset, 0).await?;
        scene
            .until(&show.namespace, "event", "over", Duration::from_secs(90), |s| {
                s.phase == Some(Phase::Finished)
            })
            .await?;
        ensure!(
            holder(scene).await? == lease,
            "{:?}, not {lease:?}",
            holder(scene).await?
        );
        Ok(())
    });
    std::fs::remove_file(offset).expect("the file for the clock");
}

/// Moves the operator's clock, and waits until its metric shows that.
async fn jump(scene: &Scene, file: &Path, seconds: i64) -> Result<()> {
    std::fs::write(file, seconds.to_string())?;
    eventually(&format!("a skew of {seconds} s"), SOON, async || {
        let skew = metric(scene, "webinar_operator_clock_skew_seconds").await?;
        ensure!((skew - seconds as f64).abs() <= 2.0, "{skew}");
        println!("moved by {seconds} s: a skew of {skew:.3} s");
        Ok(())
    })
    .await
}

/// Waits for some more passes.
async fn passes(scene: &Scene) -> Result<()> {
    let name = "webinar_operator_reconcile_seconds_count";
    let before = metric(scene, name).await?;
    eventually("more passes", SOON, async || {
        let passes = metric(scene, name).await? - before;
        ensure!(passes >= PASSES, "{passes}");
        Ok(())
    })
    .await
}

/// The event goes on, with the same pods and all its viewers, and says what it waits for.
async fn undisturbed(scene: &mut Scene, show: &Show, before: &Fleet) -> Result<()> {
    let status = scene.status(&show.namespace, "event").await?;
    ensure!(status.phase == Some(Phase::Live), "{:?}", status.phase);
    let (_, _, message) = verdict(&status, "Ready");
    ensure!(message.contains("clocks"), "{message}");
    let fleet = Fleet::of(scene, &show.namespace, "event").await?;
    same("the pods", &fleet.uids(), &before.uids())?;
    same("what they look like", &fleet.portraits(), &before.portraits())?;
    nothing_deleted(&scene.since(Offset::default()).await?, show)?;
    let results = show.stage.results();
    ensure!(results.watching == VIEWERS, "{results:?}");
    nobody_dropped(&results)
}

async fn metric(scene: &Scene, name: &str) -> Result<f64> {
    let metrics = http_get(&scene.url("/metrics"), SOON).await?;
    let value = metrics
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    Ok(value.with_context(|| format!("no {name}"))?.parse()?)
}

/// Who holds the lease, and how often it has changed hands.
async fn holder(scene: &Scene) -> Result<(Option<String>, Option<i32>)> {
    let leases: Api<Lease> = Api::namespaced(scene.control_plane.client(), OPERATOR_NAMESPACE);
    let spec = leases
        .get("webinar-operator")
        .await?
        .spec
        .context("an empty lease")?;
    Ok((spec.holder_identity, spec.lease_transitions))
}
