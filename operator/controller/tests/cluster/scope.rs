//! An operator for some namespaces.

use std::time::Duration;

use anyhow::ensure;

use crate::support::assertions::nothing_was_written;
use crate::support::manifests::webinar;
use crate::support::scene::{SOON, Setting, story};
use crate::support::world::Fleet;

#[test]
fn a_webinar_elsewhere_is_left_alone() {
    let setting = Setting {
        operator_args: ["here", "there"]
            .map(|n| format!("--watch-namespace={n}"))
            .to_vec(),
        ..Setting::default()
    };
    story(setting, async |scene| {
        for namespace in ["here", "there", "elsewhere"] {
            scene.namespace(namespace).await?;
        }
        let moment = scene.mark().await?;
        scene
            .apply(&webinar("elsewhere", "event", "tier: 10k, className: tiny"))
            .await?;
        scene.start_operator().await?;
        for namespace in ["here", "there"] {
            scene
                .apply(&webinar(namespace, "event", "tier: 10k, className: tiny"))
                .await?;
            Fleet::complete(scene, namespace, "event", [2, 3, 15], SOON).await?;
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        let status = scene.status("elsewhere", "event").await?;
        ensure!(
            status.observed_generation == Some(-1) && status.conditions.is_empty(),
            "{status:?}"
        );
        let records = scene.since(moment).await?;
        nothing_was_written(&records, "elsewhere")
    });
}
