//! 13 quiet: a thousand idle Webinars cost nothing but leases.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Result, ensure};
use kube::Api;
use kube::api::ListParams;
use webinar_api::{Phase, Webinar};
use webinar_testbed::http_get;
use webinar_testbed::wait::eventually;

use crate::support::length::length;
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};

const IDLE: usize = 1_000;

/// How long nothing must happen. Longer than a watch lives, so that each is renewed at least once.
fn watched() -> Duration {
    Duration::from_secs(length(75, 600))
}

/// For a thousand creates and as many status writes.
const A_WHILE: Duration = Duration::from_secs(240);

#[test]
fn t13_a_thousand_idle_webinars_are_not_written_to() {
    let setting = Setting {
        nodes: 0,
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("events").await?;
        scene.start_operator().await?;
        let start = in_seconds(30 * 24 * 3600);
        let mut manifests = String::new();
        for n in 0..IDLE {
            let spec = format!("tier: 10k, className: tiny, startTime: '{start}'");
            write!(
                manifests,
                "---\n{}\n",
                webinar("events", &format!("idle-{n}"), &spec)
            )?;
        }
        scene.apply(&manifests).await?;
        let webinars: Api<Webinar> = Api::all(scene.control_plane.client());
        eventually("everyone to be Scheduled", A_WHILE, async || {
            let all = webinars.list(&ListParams::default()).await?;
            let scheduled = all
                .iter()
                .filter(|w| w.status.as_ref().and_then(|s| s.phase) == Some(Phase::Scheduled))
                .count();
            ensure!(scheduled == IDLE, "{scheduled} of {}", all.items.len());
            Ok(())
        })
        .await?;
        // Events are written after the status.
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (moment, before) = (scene.mark().await?, scene.operator()?.usage()?);
        let asked = requests(scene).await?;
        tokio::time::sleep(watched()).await;
        let records = scene.since(moment).await?;
        let writes: Vec<_> = records.by(OPERATOR).collect();
        ensure!(
            writes.is_empty(),
            "{} writes, such as {:?}",
            writes.len(),
            writes.first()
        );
        let after = scene.operator()?.usage()?;
        for (method, count) in requests(scene).await? {
            let more = count - asked.get(&method).copied().unwrap_or(0);
            println!("{method}: {more} requests, those of watches and the lease included");
        }
        println!(
            "{IDLE} idle Webinars: 0 writes in {:?}, {} MiB, {:.2} s of CPU",
            watched(),
            after.rss >> 20,
            after.cpu_seconds - before.cpu_seconds
        );
        Ok(())
    });
}

/// Requests that the operator has made, by method.
async fn requests(scene: &Scene) -> Result<BTreeMap<String, u64>> {
    let metrics = http_get(&scene.url("/metrics"), SOON).await?;
    let mut requests = BTreeMap::new();
    for line in metrics.lines() {
        let counted = line
            .strip_prefix("webinar_operator_api_requests_total{method=\"")
            .and_then(|rest| rest.split_once('"'));
        if let Some((method, rest)) = counted
            && let Some((_, count)) = rest.rsplit_once(' ')
        {
            *requests.entry(method.to_owned()).or_insert(0) += count.parse::<u64>()?;
        }
    }
    ensure!(!requests.is_empty(), "no requests are counted:\n{metrics}");
    Ok(requests)
}
