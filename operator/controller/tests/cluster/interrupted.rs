//! The operator is killed at any moment of the ramp; the fleet becomes the same.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::support::assertions::{first_names, nothing_was_replaced, same};
use crate::support::manifests::webinar;
use crate::support::random::Random;
use crate::support::scene::{SOON, Scene, Setting, story};
use crate::support::world::Fleet;

const SEEDS: u64 = 20;

/// Slow enough for the kill to fall anywhere into the ramp.
const WRITES_PER_SECOND: u64 = 30;

/// 1 memory, 8 Services, 3 budgets and 20 pods, and what comes before and after.
const RAMP_MILLIS: u64 = 32 * 1000 / WRITES_PER_SECOND + 500;

#[test]
fn a_kill_at_any_moment_of_the_ramp_changes_nothing() {
    let setting = Setting {
        nodes: 15,
        operator_args: vec![format!("--max-creates-per-second={WRITES_PER_SECOND}")],
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.start_operator().await?;
        let undisturbed = ramp(scene, "undisturbed", None).await?.portraits();
        for seed in 1..=SEEDS {
            let millis = Random::seeded(seed).below(RAMP_MILLIS);
            let namespace = format!("seed-{seed}");
            let told = || format!("seed {seed}, killed after {millis} ms");
            let fleet = ramp(scene, &namespace, Some(Duration::from_millis(millis)))
                .await
                .with_context(told)?;
            same("the fleet", &fleet.portraits(), &undisturbed).with_context(told)?;
        }
        Ok(())
    });
}

async fn ramp(scene: &mut Scene, namespace: &str, kill_after: Option<Duration>) -> Result<Fleet> {
    scene.namespace(namespace).await?;
    let moment = scene.mark().await?;
    scene
        .apply(&webinar(namespace, "event", "tier: 10k, className: tiny"))
        .await?;
    if let Some(after) = kill_after {
        tokio::time::sleep(after).await;
        scene.kill_operator()?;
        let there = Fleet::of(scene, namespace, "event").await?.0.len();
        println!("{namespace}: killed after {after:?} with {there} pods");
        scene.start_operator().await?;
    }
    let fleet = Fleet::complete(scene, namespace, "event", [2, 3, 15], SOON).await?;
    let records = scene.since(moment).await?;
    nothing_was_replaced(&records, &fleet, namespace, "event")?;
    first_names(scene, &fleet, namespace, "event").await?;
    Ok(fleet)
}
