//! The simulated data plane on a real control plane: it finds pods and addresses as real servers and viewers would.

use std::time::Duration;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;
use webinar_testbed::crowd::{Crowd, Curve};
use webinar_testbed::dataplane::{DataPlane, DataPlaneOptions, Encoder, Publishing, Role};
use webinar_testbed::wait::{Stopwatch, eventually};
use webinar_testbed::{ControlPlane, NodeShape, Options};

const SOON: Duration = Duration::from_secs(60);

const LABEL: &str = "webinar-operator.io";
const COMMON: &str = "webinar-operator.io/webinar: keynote, webinar-operator.io/webinar-uid: u-1";

fn service(name: &str, selector: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Service, metadata: {{name: keynote-{name}, namespace: stage, labels: {{{COMMON}}}}}, \
         spec: {{selector: {{{LABEL}/webinar-uid: u-1, {LABEL}/{selector}}}, ports: [{{port: 8554}}]}}}}\n---\n"
    )
}

fn pod(role: &str, index: u32) -> String {
    let upstream = if role == "sfu" {
        ""
    } else {
        "keynote-origin.stage.svc"
    };
    let labels = format!("{COMMON}, {LABEL}/role: {role}, {LABEL}/slot: {role}-{index}");
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: keynote-{role}-{index}, namespace: stage, labels: {{{labels}}}}}, \
         spec: {{containers: [{{name: media, image: 'example.com/media:1', env: [\
         {{name: WEBINAR_ROLE, value: {role}}}, {{name: WEBINAR_SLOT, value: {role}-{index}}}, \
         {{name: WEBINAR_UPSTREAM, value: '{upstream}'}}, {{name: WEBINAR_MAX_VIEWERS, value: '40'}}]}}]}}}}\n---\n"
    )
}

/// Two SFUs and their addresses.
fn stage() -> String {
    let addresses = [("ingest", 0), ("origin", 0), ("sfu-0", 0), ("sfu-1", 1)];
    let services = addresses.map(|(name, sfu)| service(name, &format!("slot: sfu-{sfu}")));
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: stage}}\n---\n";
    [
        namespace.to_owned(),
        services.concat(),
        pod("sfu", 0),
        pod("sfu", 1),
        pod("relay", 0),
    ]
    .concat()
}

/// Two more relays, and the address of all.
fn audience() -> String {
    [
        pod("relay", 1),
        pod("relay", 2),
        service("viewers-0", "role: relay"),
    ]
    .concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn viewers_follow_pods_and_addresses() -> Result<()> {
    let control_plane = ControlPlane::start(Options::default()).await?;
    control_plane.create_nodes(&NodeShape::default()).await?;
    // Half of it is there before, half comes while the data plane looks.
    control_plane.apply_yaml(&stage()).await?;
    let data_plane =
        DataPlane::start(control_plane.client(), DataPlaneOptions::default().faster(10.0)).await?;
    control_plane.apply_yaml(&audience()).await?;

    let event = data_plane.event("stage", "keynote");
    event.publish(Publishing::Dual);
    eventually("a picture on three relays", SOON, async || {
        let detail = event.detail();
        ensure!(
            detail.fed(Role::Relay) == 3 && detail.active.as_deref() == Some("sfu-0"),
            "{detail:#?}"
        );
        ensure!(
            detail.slot("sfu-1").is_some_and(|standby| standby.fed),
            "{detail:#?}"
        );
        Ok(())
    })
    .await?;
    #[allow(clippy::disallowed_methods, reason = "a real cluster follows the real time")]
    let now = Timestamp::now();
    event.crowd(Crowd::new(60, now).curve(Curve::at_once()));
    eventually("60 viewers", SOON, async || {
        let results = event.results();
        ensure!(results.watching == 60, "{results:#?}");
        Ok(())
    })
    .await?;

    // A relay is deleted; its viewers find others.
    let pods: Api<Pod> = Api::namespaced(control_plane.client(), "stage");
    pods.delete("keynote-relay-1", &DeleteParams::default()).await?;
    let stopwatch = Stopwatch::start();
    eventually("everybody to be back", SOON, async || {
        let (results, detail) = (event.results(), event.detail());
        ensure!(
            results.dropped.by_pod_gone > 0 && results.watching == 60,
            "{results:#?}"
        );
        ensure!(detail.slot("relay-1").is_none(), "{detail:#?}");
        Ok(())
    })
    .await?;
    println!(
        "everybody back after {:?}: {}",
        stopwatch.elapsed(),
        event.results().summary()
    );

    // Presenters' address is moved and the old SFU fenced.
    event.stop(Encoder::Primary);
    for name in ["ingest", "origin"] {
        control_plane.apply_yaml(&service(name, "slot: sfu-1")).await?;
    }
    eventually("the address to lead to the standby", SOON, async || {
        let detail = event.detail();
        ensure!(
            detail.active.as_deref() == Some("sfu-1") && detail.fed(Role::Relay) == 0,
            "{detail:#?}"
        );
        Ok(())
    })
    .await?;
    pods.delete("keynote-sfu-0", &DeleteParams::default()).await?;
    eventually("the picture to be back", SOON, async || {
        let (results, detail) = (event.results(), event.detail());
        ensure!(
            detail.fed(Role::Relay) == 2 && results.watching == 60,
            "{results:#?}\n{detail:#?}"
        );
        Ok(())
    })
    .await?;
    println!("{}", event.results().summary());
    Ok(())
}
