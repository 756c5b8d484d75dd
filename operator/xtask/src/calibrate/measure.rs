//! The steps, one after the other.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::Client;
use webinar_viewers::Report;

use super::children::pull;
use super::judge::{Children, Figures, Step};
use super::usage::{self, Usage};
use crate::clock::now;
use crate::served;
use crate::spread::seconds;
use crate::viewers::Viewers;

const RATE: u32 = 40;
const ARRIVED: Duration = Duration::from_secs(60);
/// After the last one came: handshakes are not what is measured.
const SETTLED: Duration = Duration::from_secs(5);

/// Who is measured and with what.
pub(crate) struct Bench {
    /// The viewers' program.
    pub(crate) viewers: PathBuf,
    /// For their reports.
    pub(crate) directory: PathBuf,
    pub(crate) relay: Pod,
    pub(crate) sfu: Option<Pod>,
    pub(crate) client: Client,
}

/// The steps.
pub(crate) struct Plan {
    pub(crate) viewers: Vec<usize>,
    pub(crate) children: Vec<usize>,
    pub(crate) lasting: Duration,
}

impl Bench {
    /// Measures everything.
    ///
    /// # Errors
    /// When a pod or the cluster can't be asked, or viewers don't come.
    pub(crate) async fn run(&self, plan: &Plan) -> Result<impl std::fmt::Display + use<>> {
        let mut figures = Figures {
            limit: limit(&self.relay),
            idle: self.cpu(&self.relay, plan.lasting).await?.0,
            ..Figures::default()
        };
        for &count in &plan.viewers {
            figures.steps.push(self.viewers(count, plan.lasting).await?);
        }
        if let Some(sfu) = &self.sfu {
            let (cpu, kbps) = self.sending(sfu, plan.lasting).await?;
            figures.sfu_idle = cpu;
            for &count in &plan.children {
                let children = pull(&self.directory, &address(sfu)?, count)?;
                tokio::time::sleep(SETTLED).await;
                let (cpu, all) = self.sending(sfu, plan.lasting).await?;
                figures.children.push(Children {
                    count,
                    cpu,
                    kbps: all - kbps,
                });
                drop(children);
            }
        }
        Ok(figures)
    }

    async fn viewers(&self, count: usize, lasting: Duration) -> Result<Step> {
        let at = [address(&self.relay)?];
        let mut viewers = Viewers::come(&self.viewers, &self.directory, &at, count, RATE)?;
        viewers.all_see(ARRIVED).await?;
        tokio::time::sleep(SETTLED).await;
        let from = viewers.report()?;
        let mut late = 0;
        let cpu = {
            let measured = self.cpu(&self.relay, lasting);
            let mut measured = std::pin::pin!(measured);
            loop {
                tokio::select! {
                    cpu = &mut measured => break cpu?.0,
                    () = tokio::time::sleep(Duration::from_secs(1)) => late = late.max(viewers.report()?.process.late_ms),
                }
            }
        };
        let to = viewers.report()?;
        viewers.leave().await?;
        Ok(step(count, &from, &to, cpu, late))
    }

    /// What a pod uses, in seconds of CPU for each second, and over how many seconds that was.
    async fn cpu(&self, pod: &Pod, lasting: Duration) -> Result<(f64, f64)> {
        let first = usage::after(&self.client, pod, now().as_millisecond()).await?;
        let end = first.at_ms + i64::try_from(lasting.as_millis())?;
        tokio::time::sleep(lasting).await;
        let last = usage::after(&self.client, pod, end).await?;
        Ok(rate(first, last))
    }

    /// What an SFU uses, and what it sends of the stage in kbit/s.
    async fn sending(&self, sfu: &Pod, lasting: Duration) -> Result<(f64, f64)> {
        let address = address(sfu)?;
        let (before, from) = (served::sent(&address).await?, now().as_millisecond());
        let (cpu, _) = self.cpu(sfu, lasting).await?;
        let (after, to) = (served::sent(&address).await?, now().as_millisecond());
        Ok((cpu, after.saturating_sub(before) as f64 * 8.0 / 1000.0 / seconds(from, to)))
    }
}

fn rate(first: Usage, last: Usage) -> (f64, f64) {
    let over = seconds(first.at_ms, last.at_ms);
    ((last.cpu - first.cpu) / over.max(f64::EPSILON), over)
}

fn step(viewers: usize, from: &Report, to: &Report, cpu: f64, client_late_ms: u64) -> Step {
    let over = seconds(from.time_ms, to.time_ms);
    let used = to.process.cpu_seconds.zip(from.process.cpu_seconds).map(|(to, from)| to - from);
    Step {
        viewers,
        seconds: over,
        packets: to.total.packets - from.total.packets,
        bytes: to.total.bytes - from.total.bytes,
        lost: to.total.lost.saturating_sub(from.total.lost),
        cpu,
        client_cpu: used.unwrap_or_default() / over / to.process.threads as f64,
        client_late_ms,
    }
}

fn address(pod: &Pod) -> Result<String> {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    ip.context("a pod without an address")
}

/// The CPU limit of its first container, in CPUs.
fn limit(pod: &Pod) -> Option<f64> {
    let container = pod.spec.as_ref()?.containers.first()?;
    let Quantity(text) = container.resources.as_ref()?.limits.as_ref()?.get("cpu")?;
    match text.strip_suffix('m') {
        Some(millis) => Some(millis.parse::<f64>().ok()? / 1000.0),
        None => text.parse().ok(),
    }
}
