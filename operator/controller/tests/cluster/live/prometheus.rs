//! Attendance and media flow as a real Prometheus server tells them, which asks the simulated media servers.

use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use webinar_testbed::Prometheus;
use webinar_testbed::dataplane::{Encoder, Publishing};

use crate::support::assertions::verdict;
use crate::support::audience::{Booking, Show, nobody_dropped, nothing_deleted};
use crate::support::scene::{Scene, Setting, story};

#[test]
fn a_prometheus_server_tells_of_audience_and_picture() {
    story(Setting::watched(3), async |scene| {
        let through = scene.data_plane()?.proxy_url();
        // It is asked every five seconds: every other answer is one that it has given before.
        let mut server = Prometheus::start(&format!(
            "
global: {{scrape_interval: 10s}}
scrape_configs:
- job_name: media
  proxy_url: {through}
  file_sd_configs: [{{files: [{}]}}]
",
            Prometheus::TARGETS
        ))
        .await?;
        scene.start_operator().await?;
        let of = |metric: &str| format!("sum by (pod) ({metric}{{namespace=\"$namespace\",name=\"stage\"}})");
        let viewers = "sum by (pod) (paths_readers{namespace=\"$namespace\",name=\"stage\",readerType=~\"webRTC.*|hls.*\"})";
        let attendance = format!(
            "prometheus: {{url: '{}', scrapeInterval: 10s, queries: {{viewers: '{viewers}', bytesIn: '{}', bytesOut: '{}'}}}}",
            server.url(),
            of("paths_inbound_bytes"),
            of("paths_outbound_bytes")
        );
        let booking = Booking {
            attendance: &attendance,
            ..Booking::default()
        };
        let show = Show::booked(scene, &booking).await?;
        ask_pods(scene, &mut server).await?;
        show.opens(Publishing::Single, 9_000);
        show.on_air(scene).await?;
        show.watched_by(9_000, Duration::from_secs(90)).await?;
        scene
            .until(
                &show.namespace,
                "event",
                "counted",
                Duration::from_secs(60),
                |s| {
                    let counted = s.attendance.as_ref().map(|a| a.current);
                    counted == Some(9_000) && verdict(s, "MediaFlowing").1 == "Flowing"
                },
            )
            .await?;

        let moment = scene.mark().await?;
        show.stage.stop(Encoder::All);
        let said = show
            .says(scene, "MediaFlowing", "NoStandby", Duration::from_secs(60))
            .await?;
        println!("{said}");
        show.stage.resume(Encoder::All);
        show.says(scene, "MediaFlowing", "Flowing", Duration::from_secs(60))
            .await?;

        // A server that is gone makes attendance unknown, and nothing else.
        drop(server);
        let said = show
            .says(scene, "AttendanceKnown", "Stale", Duration::from_secs(60))
            .await?;
        println!("{said}");
        nobody_dropped(&show.stage.results())?;
        let records = scene.since(moment).await?;
        nothing_deleted(&records, &show)?;
        Ok(())
    });
}

/// Makes the server ask every pod of the event, as service discovery would.
async fn ask_pods(scene: &Scene, server: &mut Prometheus) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), "events");
    let mut targets = Vec::new();
    for pod in pods.list(&ListParams::default()).await? {
        let ip = pod
            .status
            .as_ref()
            .and_then(|s| s.pod_ip.clone())
            .context("no IP")?;
        targets.push((format!("{ip}:9998"), pod.name_any()));
    }
    let labels: Vec<[(&str, &str); 2]> = targets
        .iter()
        .map(|(_, pod)| [("namespace", "events"), ("pod", pod.as_str())])
        .collect();
    let targets: Vec<(&str, &[(&str, &str)])> = targets
        .iter()
        .zip(&labels)
        .map(|((address, _), labels)| (address.as_str(), &labels[..]))
        .collect();
    server.set_targets(&targets).await
}
