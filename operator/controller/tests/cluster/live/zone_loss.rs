//! A zone disappears while everybody watches.

use std::time::Duration;

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use webinar_plan::{Role, Slot};
use webinar_testbed::NodeShape;
use webinar_testbed::dataplane::{Publishing, ServerDetail};
use webinar_testbed::wait::eventually;

use crate::support::assertions::verdict;
use crate::support::audience::{Booking, Show, nobody_dropped};
use crate::support::length::length;
use crate::support::scene::{Scene, Setting, story};
use crate::support::world::Fleet;

/// Zones by the names of nodes.
async fn places(scene: &Scene) -> Result<BTreeMap<String, String>> {
    let nodes: Api<Node> = Api::all(scene.control_plane.client());
    let nodes = nodes.list(&ListParams::default()).await?;
    let zone = |n: &Node| n.labels().get("topology.kubernetes.io/zone").cloned();
    Ok(nodes
        .iter()
        .filter_map(|n| Some((n.name_any(), zone(n)?)))
        .collect())
}

fn zone_of<'a>(pod: &Pod, zones: &'a BTreeMap<String, String>) -> Option<&'a str> {
    let node = pod.spec.as_ref()?.node_name.as_ref()?;
    zones.get(node).map(String::as_str)
}

#[test]
fn those_who_lost_their_relay_find_another() {
    story(Setting::watched(length(6, 90)), async |scene| {
        // For the fleet of the zone that will be gone.
        scene
            .control_plane
            .create_nodes(&NodeShape {
                count: length(2, 30),
                cpu_millis: 512_000,
                memory_gib: 2_048,
                zones: vec!["zone-a".to_owned(), "zone-b".to_owned()],
                ..NodeShape::default()
            })
            .await?;
        scene.start_operator().await?;
        let (booking, audience) = Booking::largest();
        let show = Show::booked(scene, &booking).await?;
        show.opens(Publishing::Dual, audience);
        show.on_air(scene).await?;
        let before = show.watched_by(audience, Duration::from_secs(120)).await?;
        nobody_dropped(&before)?;

        // Not the zone of the active SFU: with that one every picture would stop for a moment.
        let fleet = Fleet::of(scene, &show.namespace, "event").await?;
        let zones = places(scene).await?;
        let active = zone_of(fleet.0.get(&Slot::new(Role::Sfu, 0)).context("no SFU")?, &zones);
        let zone = ["zone-c", "zone-b"].into_iter().find(|z| Some(*z) != active);
        let zone = zone.context("no zone")?;
        let doomed: BTreeSet<String> = fleet
            .of_role(Role::Relay)
            .filter(|(_, pod)| zone_of(pod, &zones) == Some(zone))
            .map(|(_, pod)| pod.name_any())
            .collect();
        let servers = show.stage.detail().servers;
        let lost_mids: BTreeSet<String> = fleet
            .of_role(Role::Mid)
            .filter(|(_, pod)| zone_of(pod, &zones) == Some(zone))
            .map(|(slot, _)| slot.to_string())
            .collect();
        let on_them: u64 = servers
            .iter()
            .filter(|s| doomed.contains(&s.pod))
            .map(|s| s.viewers)
            .sum();
        // Relays elsewhere whose mid was there: they wait for it until their read timeout, and then send their viewers away for
        // a moment.
        let orphaned = |s: &&ServerDetail| {
            !doomed.contains(&s.pod) && s.parent.as_ref().is_some_and(|p| lost_mids.contains(p))
        };
        let orphans: u64 = servers.iter().filter(orphaned).map(|s| s.viewers).sum();
        let lost = scene.control_plane.lose_zone(zone).await?;
        println!(
            "{} nodes and {} relays with {on_them} viewers are gone",
            lost.len(),
            doomed.len()
        );
        let told = show
            .says(scene, "CapacityAtRisk", "PodsLost", Duration::from_secs(120))
            .await?;
        println!("{told}");
        let fell = eventually("the loss to be felt", Duration::from_secs(120), async || {
            let results = show.stage.results();
            ensure!(results.dropped.by_pod_gone > 0, "{results:?}");
            Ok(results)
        })
        .await?;
        println!("{}", fell.summary());
        // Nobody told them: they notice by themselves.
        let results = show.watched_by(audience, Duration::from_secs(180)).await?;
        println!(
            "{}; away for {:.0} s at most",
            results.summary(),
            results.dropped.longest_away_seconds
        );
        // Some find a second relay that is about to go too.
        ensure!(!doomed.is_empty(), "nobody was there");
        ensure!(
            (on_them..=(on_them + orphans) * 11 / 10).contains(&results.dropped.total),
            "{on_them} and {orphans}: {results:?}"
        );
        show.whole(scene, booking.counts, Duration::from_secs(180))
            .await?;
        scene
            .until(
                &show.namespace,
                "event",
                "whole again",
                Duration::from_secs(120),
                |s| verdict(s, "CapacityReady").0 == "True" && verdict(s, "AttendanceKnown").1 == "Fresh",
            )
            .await?;
        show.counted(scene, audience, Duration::from_secs(60)).await?;
        Ok(())
    });
}
