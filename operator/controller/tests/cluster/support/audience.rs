//! Events with presenters and an audience: media servers and viewers are simulated, everything else is real.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Service;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use webinar_api::WebinarStatus;
use webinar_testbed::audit::Records;
use webinar_testbed::crowd::{Crowd, Results};
use webinar_testbed::dataplane::{Event, Publishing};
use webinar_testbed::wait::eventually;

use super::assertions::{endpoints, pod_writes};
use super::length::length;
use super::manifests::{class, webinar};
use super::scene::{ENDPOINTS, Scene, in_seconds};
use super::world::{Counts, Fleet};

/// Times of these stories run so many times faster than an audience's.
pub(crate) const SCALE: f64 = 80.0;

/// An event ready for its audience.
pub(crate) struct Show {
    pub(crate) namespace: String,
    pub(crate) start: Timestamp,
    pub(crate) stage: Event,
}

/// What is booked, in flow style, and what is held ready for it.
pub(crate) struct Booking<'a> {
    /// `sizing` of the class.
    pub(crate) sizing: &'a str,
    /// `live` of the class.
    pub(crate) live: &'a str,
    /// `attendance` of the class, in flow style.
    pub(crate) attendance: &'a str,
    /// Of the Webinar, without class and start.
    pub(crate) spec: &'a str,
    /// Pods there are before anyone comes.
    pub(crate) counts: Counts,
    /// From the event's creation to its start, seconds.
    pub(crate) starts_in: i64,
}

/// A parent feeds 8: 10k has 2 SFUs, 3 mids and 15 relays.
const SMALL: &str = "fanOut: 8";

/// The floor ends with the start, the overrun lasts half a minute, drains take five seconds.
pub(crate) const BRISK: &str = "floorAfterStart: 0s, overrun: 30s, drainTimeout: 5s";

impl Default for Booking<'_> {
    fn default() -> Self {
        Self {
            sizing: SMALL,
            live: BRISK,
            attendance: ASK_PODS,
            spec: "tier: 10k",
            counts: [2, 3, 15],
            starts_in: 28,
        }
    }
}

/// Pods tell of themselves as `MediaMTX` does. Only the path `stage` counts: `probe` has nothing that people see.
pub(crate) const ASK_PODS: &str = "podMetrics: {port: 9998, path: '/metrics?type=paths',
      viewers: {sum: [{metric: paths_readers, match: {name: [stage], readerType: [webRTCSession, hlsSession, moqSession]}}]},
      bytesIn: {sum: [{metric: paths_inbound_bytes, match: {name: [stage]}}]},
      bytesOut: {sum: [{metric: paths_outbound_bytes, match: {name: [stage]}}]}}";

impl Booking<'_> {
    /// A small event on every day, a million people at night, and how many come.
    pub(crate) fn largest() -> (Self, u64) {
        let booking = Self {
            sizing: length(SMALL, "fanOut: 50"),
            spec: length("tier: 10k", "tier: 1M"),
            counts: length([2, 3, 15], [3, 27, 1212]),
            starts_in: length(28, 180),
            ..Self::default()
        };
        (booking, length(10_000, 1_000_000))
    }
}

/// A class for events with an audience.
fn audience_class(sizing: &str, live: &str, attendance: &str) -> String {
    format!(
        "
  templates: {{sfu: media-sfu, relay: media-relay}}
  sizing: {{{sizing}}}
  attendance: {{{attendance}}}
  ramp:
    waveSize: 300
    waveInterval: 8s
    safetyPercent: 100
    readyBefore: 18s
    settle: {{nodeStartup: 0s, imagePull: 0s, podStartup: 5s, upstream: 0s, loadBalancer: 0s}}
  live: {{{live}}}
"
    )
}

impl Show {
    /// Books the event and waits until its whole fleet is there. The operator runs already.
    pub(crate) async fn booked(scene: &Scene, booking: &Booking<'_>) -> Result<Self> {
        let namespace = "events".to_owned();
        scene.namespace(&namespace).await?;
        let audience = audience_class(booking.sizing, booking.live, booking.attendance);
        scene.apply(&class("audience", &audience)).await?;
        let start = in_seconds(booking.starts_in);
        let spec = format!("{}, className: audience, startTime: '{start}'", booking.spec);
        scene.apply(&webinar(&namespace, "event", &spec)).await?;
        let stage = scene.data_plane()?.event(&namespace, "event");
        let patience = Duration::from_secs(120);
        Fleet::complete(scene, &namespace, "event", booking.counts, patience).await?;
        reachable(scene, &namespace, booking.counts[2]).await?;
        Ok(Self {
            namespace,
            start,
            stage,
        })
    }

    /// Presenters publish, and so many people come on the usual curve, faster.
    pub(crate) fn opens(&self, publishing: Publishing, audience: u64) {
        self.stage.publish(publishing);
        self.stage.crowd(Crowd::new(audience, self.start).scale(SCALE));
    }

    /// Waits until so many people are in, whoever wants to come.
    pub(crate) async fn watched_by(&self, viewers: u64, deadline: Duration) -> Result<Results> {
        eventually(&format!("{viewers} viewers"), deadline, async || {
            let results = self.stage.results();
            ensure!(results.watching >= viewers, "{results:?}");
            Ok(results)
        })
        .await
    }

    /// Waits until the operator has counted so many viewers.
    pub(crate) async fn counted(
        &self,
        scene: &Scene,
        viewers: u64,
        deadline: Duration,
    ) -> Result<WebinarStatus> {
        let wanted = i32::try_from(viewers)?;
        scene
            .until(&self.namespace, "event", "counted", deadline, |s| {
                s.attendance.as_ref().is_some_and(|a| a.current == wanted)
            })
            .await
    }

    /// Waits until the fleet is as large as `counts`, all Ready.
    pub(crate) async fn whole(&self, scene: &Scene, counts: Counts, deadline: Duration) -> Result<Fleet> {
        Fleet::complete(scene, &self.namespace, "event", counts, deadline).await
    }

    /// The event's start has come.
    pub(crate) async fn on_air(&self, scene: &Scene) -> Result<()> {
        scene
            .until(&self.namespace, "event", "on air", Duration::from_secs(90), |s| {
                s.phase == Some(webinar_api::Phase::Live)
            })
            .await
            .map(|_| ())
    }

    /// Waits until a condition has this reason, and tells its message.
    pub(crate) async fn says(
        &self,
        scene: &Scene,
        kind: &str,
        reason: &str,
        deadline: Duration,
    ) -> Result<String> {
        let status = scene
            .until(&self.namespace, "event", reason, deadline, |s| {
                s.conditions.iter().any(|c| c.type_ == kind && c.reason == reason)
            })
            .await?;
        let found = status.conditions.iter().find(|c| c.type_ == kind);
        Ok(found.context("the condition")?.message.clone())
    }
}

/// Waits until viewers' addresses lead to so many relays: Kubernetes takes its time.
async fn reachable(scene: &Scene, namespace: &str, relays: usize) -> Result<()> {
    let services: Api<Service> = Api::namespaced(scene.control_plane.client(), namespace);
    eventually("addresses of every relay", ENDPOINTS, async || {
        let mut led_to = 0;
        for service in services.list_metadata(&ListParams::default()).await? {
            let name = service.name_any();
            if name.contains("-viewers-") {
                led_to += endpoints(scene, namespace, &name).await?.len();
            }
        }
        ensure!(led_to == relays, "{led_to} of {relays}");
        Ok(())
    })
    .await
}

/// Nobody was thrown out because of a pod that went.
pub(crate) fn nobody_dropped(results: &Results) -> Result<()> {
    ensure!(
        results.dropped.by_pod_gone == 0,
        "{}: {results:?}",
        results.summary()
    );
    Ok(())
}

/// Pods that the operator deleted, by slot name.
pub(crate) fn deleted(records: &Records, show: &Show) -> Vec<String> {
    let writes = pod_writes(records, "delete", &show.namespace, "event");
    writes.iter().map(|w| w.slot.to_string()).collect()
}

/// The operator deleted no pod.
pub(crate) fn nothing_deleted(records: &Records, show: &Show) -> Result<()> {
    let gone = deleted(records, show);
    ensure!(gone.is_empty(), "deleted while people watch: {gone:?}");
    Ok(())
}

/// So many seconds have passed between two instants.
pub(crate) fn seconds(from: Timestamp, to: Timestamp) -> f64 {
    SignedDuration::as_secs_f64(&to.duration_since(from))
}
