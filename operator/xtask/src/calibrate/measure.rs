//! The steps, one after the other.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::Client;
use sysinfo::System;
use webinar_testbed::process::Process;
use webinar_testbed::wait::{Stopwatch, eventually};
use webinar_viewers::Report;

use super::children::pull;
use super::judge::{Children, Figures, HEADING, Step, row};
use super::usage;
use crate::clock::now;
use crate::served;
use crate::spread::seconds;
use crate::viewers::Viewers;

const RATE: u32 = 40;
/// For the last to come, and for children to connect.
const ARRIVED: Duration = Duration::from_secs(30);
/// After the last one came: handshakes are not what is measured.
const SETTLED: Duration = Duration::from_secs(5);
/// More often than viewers report, so that none of their delays is missed.
const LOOK: Duration = Duration::from_millis(300);

/// Who is measured and with what.
pub(crate) struct Setup {
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

impl Setup {
    /// Measures everything, and prints each step as it ends.
    ///
    /// # Errors
    /// When a pod or the cluster can't be asked, or children don't connect.
    pub(crate) async fn run(&self, plan: &Plan) -> Result<Figures> {
        let mut figures = Figures {
            limit: limit(&self.relay)?,
            idle: self.cpu(&self.relay, plan.lasting).await?,
            ..Figures::default()
        };
        println!("{HEADING}\n{:>7}  {:>9}  {:>9.3}", 0, "–", figures.idle);
        for &count in &plan.viewers {
            if figures.is_exhausted() {
                break;
            }
            let step = self.watched_by(count, plan.lasting).await?;
            println!("{}", row(&step, figures.idle));
            figures.steps.push(step);
        }
        if let Some(sfu) = self.sfu.as_ref().filter(|_| !plan.children.is_empty()) {
            let (cpu, kbps) = self.sending(sfu, plan.lasting).await?;
            figures.sfu_idle = cpu;
            for &count in &plan.children {
                let mut children = pull(&self.directory, &address(sfu)?, count)?;
                connected(sfu, count, &mut children).await?;
                tokio::time::sleep(SETTLED).await;
                let (cpu, all) = self.sending(sfu, plan.lasting).await?;
                children.iter_mut().try_for_each(Process::check_running)?;
                figures.children.push(Children {
                    count,
                    cpu,
                    kbps: all - kbps,
                });
            }
        }
        Ok(figures)
    }

    async fn watched_by(&self, count: usize, lasting: Duration) -> Result<Step> {
        let at = address(&self.relay)?;
        let mut viewers = Viewers::come(
            &self.viewers,
            &self.directory,
            std::slice::from_ref(&at),
            count,
            RATE,
        )?;
        let arrived = ARRIVED + Duration::from_secs_f64(count as f64 / f64::from(RATE));
        // At its limit a server doesn't bring everybody in. What it delivers then is measured all the same.
        _ = viewers.all_see(arrived).await;
        tokio::time::sleep(SETTLED).await;
        let first = usage::next(&self.client, &self.relay).await?;
        let (from, received) = (viewers.report()?, served::received(&at).await?);
        let (clock, mut late, mut machine) = (Stopwatch::start(), 0, System::new());
        machine.refresh_cpu_usage();
        while clock.elapsed() < lasting {
            tokio::time::sleep(LOOK).await;
            late = late.max(viewers.report()?.process.late_ms);
        }
        let last = usage::next(&self.client, &self.relay).await?;
        let (to, in_all) = (viewers.report()?, served::received(&at).await?);
        machine.refresh_cpu_usage();
        viewers.leave().await?;
        let received = in_all
            .checked_sub(received)
            .context("the relay's source began anew")?;
        Ok(Step {
            received,
            cpu: last.rate_since(first)?,
            client_late_ms: late.max(to.process.late_ms),
            machine: f64::from(machine.global_cpu_usage()) / 100.0,
            ..step(count, &from, &to)
        })
    }

    /// What a pod uses, in seconds of CPU for each second.
    async fn cpu(&self, pod: &Pod, lasting: Duration) -> Result<f64> {
        let first = usage::next(&self.client, pod).await?;
        tokio::time::sleep(lasting).await;
        usage::next(&self.client, pod).await?.rate_since(first)
    }

    /// What an SFU uses, and what it sends of the stage in kbit/s.
    async fn sending(&self, sfu: &Pod, lasting: Duration) -> Result<(f64, f64)> {
        let address = address(sfu)?;
        let (before, from) = (served::sent(&address).await?, now().as_millisecond());
        let cpu = self.cpu(sfu, lasting).await?;
        let (after, to) = (served::sent(&address).await?, now().as_millisecond());
        let sent = after.checked_sub(before).context("the SFU's source began anew")?;
        Ok((cpu, sent as f64 * 8.0 / 1000.0 / seconds(from, to)))
    }
}

/// Waits until the SFU serves the children beside those that it has by itself.
async fn connected(sfu: &Pod, count: usize, children: &mut [Process]) -> Result<()> {
    let at = address(sfu)?;
    eventually("children at the SFU", ARRIVED, async || {
        children.iter_mut().try_for_each(Process::check_running)?;
        let readers = served::children(&at).await?;
        ensure!(readers >= count as u64, "{readers} of {count}");
        Ok(())
    })
    .await
}

/// What the viewers' reports tell.
fn step(viewers: usize, from: &Report, to: &Report) -> Step {
    let over = seconds(from.time_ms, to.time_ms);
    let used = to
        .process
        .cpu_seconds
        .zip(from.process.cpu_seconds)
        .map(|(to, from)| to - from);
    Step {
        viewers,
        connected: to.total.connected,
        seconds: over,
        packets: to.total.packets.saturating_sub(from.total.packets),
        bytes: to.total.bytes.saturating_sub(from.total.bytes),
        received: 0,
        lost: to.total.lost.saturating_sub(from.total.lost),
        cpu: 0.0,
        client_cpu: used.map(|used| used / over / to.process.threads as f64),
        client_late_ms: 0,
        machine: 0.0,
    }
}

fn address(pod: &Pod) -> Result<String> {
    let ip = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
    ip.context("a pod without an address")
}

/// The CPU limit of its first container, in CPUs.
fn limit(pod: &Pod) -> Result<Option<f64>> {
    let container = pod.spec.as_ref().and_then(|spec| spec.containers.first());
    let limits = container.and_then(|c| c.resources.as_ref()?.limits.as_ref()?.get("cpu"));
    let Some(Quantity(text)) = limits else {
        return Ok(None);
    };
    // The API server writes CPU in one of these two ways.
    let cpus = match text.strip_suffix('m') {
        Some(millis) => millis.parse::<f64>().map(|millis| millis / 1000.0),
        None => text.parse(),
    };
    Ok(Some(
        cpus.with_context(|| format!("reading the CPU limit {text:?}"))?,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_are_read_in_both_ways() {
        let pod = |cpu: &str| -> Pod {
            let limits = json!({"limits": {"cpu": cpu}});
            let pod = json!({"spec": {"containers": [{"name": "media", "resources": limits}]}});
            serde_json::from_value(pod).expect("a pod")
        };
        assert_eq!(limit(&pod("250m")).expect("read"), Some(0.25));
        assert_eq!(limit(&pod("2")).expect("read"), Some(2.0));
        assert!(limit(&pod("much")).is_err());
        assert_eq!(limit(&Pod::default()).expect("none"), None);
    }
}
