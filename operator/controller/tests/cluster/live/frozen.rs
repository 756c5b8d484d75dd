//! The picture stops while every process is green.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use kube::Api;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams};
use webinar_plan::{Role as PodRole, Slot};
use webinar_testbed::dataplane::{Encoder, Publishing, Role};
use webinar_testbed::wait::eventually;

use crate::support::assertions::{endpoints, verdict};
use crate::support::audience::{Booking, Show, deleted, nobody_dropped, nothing_deleted, seconds};
use crate::support::length::length;
use crate::support::scene::{Scene, Setting, now, story};
use crate::support::world::Fleet;

/// From the last byte to the word of it, at most.
const PROMISE: f64 = 20.0;

fn real_time() -> Setting {
    Setting {
        watched: Some(1.0),
        ..Setting::default()
    }
}

/// On air with everybody in.
async fn on_air(scene: &mut Scene, publishing: Publishing) -> Result<Show> {
    scene.start_operator().await?;
    let show = Show::booked(scene, &Booking::default()).await?;
    show.opens(publishing, 8_000);
    show.on_air(scene).await?;
    show.watched_by(8_000, Duration::from_secs(90)).await?;
    show.says(scene, "MediaFlowing", "Flowing", Duration::from_secs(60))
        .await?;
    Ok(show)
}

/// Waits until the status says that media doesn't flow. Returns when it did, after the last byte.
async fn noticed(scene: &Scene, show: &Show, last_byte: Timestamp) -> Result<(f64, String)> {
    let said = eventually("the word of it", Duration::from_secs(40), async || {
        let status = scene.status(&show.namespace, "event").await?;
        let (is, reason, message) = verdict(&status, "MediaFlowing");
        ensure!(is == "False", "{is} {reason}: {message}");
        Ok(format!("{reason}: {message}"))
    })
    .await?;
    Ok((seconds(last_byte, now()), said))
}

/// Addresses of viewers, with the names of the pods behind them.
async fn entry_points(scene: &Scene, show: &Show) -> Result<BTreeMap<String, Vec<String>>> {
    let services: Api<Service> = Api::namespaced(scene.control_plane.client(), &show.namespace);
    let mut out = BTreeMap::new();
    for service in services.list(&ListParams::default()).await? {
        let name = service.name_any();
        if name.contains("-viewers-") {
            let endpoints = endpoints(scene, &show.namespace, &name).await?;
            let mut pods: Vec<String> = endpoints.into_iter().filter_map(|e| e.target_ref?.name).collect();
            pods.sort();
            let address = service.spec.and_then(|s| s.cluster_ip).unwrap_or_default();
            out.insert(format!("{name} {address}"), pods);
        }
    }
    Ok(out)
}

/// Viewers' addresses lead to the very pods that they led to before.
async fn no_entry_point_changed(
    scene: &Scene,
    show: &Show,
    before: &BTreeMap<String, Vec<String>>,
) -> Result<()> {
    let now = entry_points(scene, show).await?;
    ensure!(now == *before, "an entry point changed: {before:?}, {now:?}");
    Ok(())
}

#[test]
fn with_an_encoder_that_sends_twice_the_picture_comes_back_at_the_same_addresses() {
    story(real_time(), async |scene| {
        let show = on_air(scene, Publishing::Dual).await?;
        let addresses = entry_points(scene, &show).await?;
        let before = Fleet::of(scene, &show.namespace, "event").await?;
        let moment = scene.mark().await?;
        // The standby has received media for long enough by now: it is asked every two seconds.
        show.stage.stop(Encoder::Primary);
        let stopped = now();
        let (after, said) = noticed(scene, &show, stopped).await?;
        println!("told {after:.0} s after the last byte: {said}");
        ensure!(after <= PROMISE, "{after:.1} s");

        let back = eventually("the picture", Duration::from_secs(60), async || {
            let detail = show.stage.detail();
            ensure!(
                detail.active.as_deref() == Some("sfu-1") && detail.fed(Role::Relay) == 15,
                "{:?}, {} relays are fed",
                detail.active,
                detail.fed(Role::Relay)
            );
            Ok(detail.outages.last().copied())
        })
        .await?;
        println!("outage: {back:?}");
        show.says(scene, "MediaFlowing", "Flowing", Duration::from_secs(60))
            .await?;
        let results = show.stage.results();
        println!(
            "{}; {:.1} s of frozen picture for each viewer",
            results.summary(),
            results.frozen.viewer_seconds / results.joined.max(1) as f64
        );
        nobody_dropped(&results)?;

        let records = scene.since(moment).await?;
        ensure!(
            deleted(&records, &show) == ["sfu-0"],
            "{:?}",
            deleted(&records, &show)
        );
        let fleet = show.whole(scene, [2, 3, 15], Duration::from_secs(60)).await?;
        let (old, new) = (before.uids(), fleet.uids());
        let replaced: Vec<String> = old
            .keys()
            .filter(|slot| old.get(slot) != new.get(slot))
            .map(ToString::to_string)
            .collect();
        ensure!(replaced == ["sfu-0"], "{replaced:?}");
        no_entry_point_changed(scene, &show, &addresses).await?;
        let told = scene.events(&show.namespace, "event", "FailedOver").await?;
        ensure!(told.len() == 1, "{told:?}");
        Ok(())
    });
}

#[test]
fn with_a_single_encoder_it_is_told_and_nothing_is_restarted() {
    story(real_time(), async |scene| {
        let show = on_air(scene, Publishing::Single).await?;
        let addresses = entry_points(scene, &show).await?;
        let moment = scene.mark().await?;
        let mut times = Vec::new();
        // A stall that is shorter than the media server's own patience, again and again.
        for run in 0..length(2, 20) {
            show.stage.stop(Encoder::All);
            let stopped = now();
            let (after, said) = noticed(scene, &show, stopped).await?;
            if run == 0 {
                println!("{said}");
            }
            ensure!(said.starts_with("NoStandby"), "{said}");
            times.push(after);
            show.stage.resume(Encoder::All);
            show.says(scene, "MediaFlowing", "Flowing", Duration::from_secs(60))
                .await?;
        }
        times.sort_by(f64::total_cmp);
        let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "{} stalls, told after {median:.0} s, at worst {worst:.0} s",
            times.len()
        );
        ensure!(worst <= PROMISE, "{times:?}");
        nobody_dropped(&show.stage.results())?;

        // Longer than the media server waits: it drops its readers itself, and they come back with the presenters.
        show.stage.stop(Encoder::All);
        eventually(
            "the media servers to lose patience",
            Duration::from_secs(60),
            async || {
                let results = show.stage.results();
                ensure!(results.dropped.by_server > 0, "{results:?}");
                Ok(())
            },
        )
        .await?;
        show.stage.resume(Encoder::All);
        show.says(scene, "MediaFlowing", "Flowing", Duration::from_secs(60))
            .await?;
        let results = show.watched_by(8_000, Duration::from_secs(180)).await?;
        println!(
            "{}; by media servers: {}",
            results.summary(),
            results.dropped.by_server
        );
        nobody_dropped(&results)?;
        let records = scene.since(moment).await?;
        nothing_deleted(&records, &show)?;
        no_entry_point_changed(scene, &show, &addresses).await?;
        let warned = scene.events(&show.namespace, "event", "NoStandby").await?;
        ensure!(
            !warned.is_empty() && warned.iter().all(|w| w.type_ == "Warning"),
            "{warned:?}"
        );
        Ok(())
    });
}

#[test]
fn a_mid_that_dies_is_stood_in_for() {
    story(real_time(), async |scene| {
        let show = on_air(scene, Publishing::Single).await?;
        let addresses = entry_points(scene, &show).await?;
        let fleet = Fleet::of(scene, &show.namespace, "event").await?;
        let mid = fleet.0.get(&Slot::new(PodRole::Mid, 1)).context("no mid")?;
        let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), &show.namespace);
        let nodes: Api<Node> = Api::all(scene.control_plane.client());
        let names: Vec<String> = nodes
            .list_metadata(&ListParams::default())
            .await?
            .iter()
            .map(kube::ResourceExt::name_any)
            .collect();
        // Simulated pods are there at once: no node takes a new one for now, or its successor would be first.
        for node in &names {
            nodes.cordon(node).await?;
        }
        pods.delete(&mid.name_any(), &DeleteParams::default().grace_period(0))
            .await?;
        let lost = now();
        eventually(
            "its children to be fed again",
            Duration::from_secs(30),
            async || {
                let detail = show.stage.detail();
                let hungry: Vec<&str> = detail
                    .servers
                    .iter()
                    .filter(|s| s.role == Role::Relay && !s.fed)
                    .map(|s| s.slot.as_str())
                    .collect();
                let cut = show.stage.results().dropped.by_server;
                ensure!(
                    cut > 0 && detail.servers.len() == 19 && hungry.is_empty(),
                    "{hungry:?} are not, {cut} viewers were sent away"
                );
                Ok(())
            },
        )
        .await?;
        println!("fed again after {:.0} s", seconds(lost, now()));
        for node in &names {
            nodes.uncordon(node).await?;
        }
        let results = show.stage.results();
        println!(
            "{}; by media servers: {}",
            results.summary(),
            results.dropped.by_server
        );
        nobody_dropped(&results)?;
        show.whole(scene, [2, 3, 15], Duration::from_secs(60)).await?;
        no_entry_point_changed(scene, &show, &addresses).await?;
        Ok(())
    });
}
