//! The CPU time of a pod, as its kubelet tells.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt as _};
use webinar_testbed::wait::eventually;

use crate::spread::seconds;

const METRIC: &str = "pod_cpu_usage_seconds_total{";
/// Kubelets look every 10 to 15 seconds.
const FRESH: Duration = Duration::from_secs(45);

/// CPU time until a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// Seconds, of the whole pod.
    pub(super) cpu: f64,
    /// When the kubelet looked, Unix milliseconds by the node's clock.
    pub(super) at_ms: i64,
}

impl Usage {
    /// Seconds of CPU for each second since an earlier look.
    ///
    /// # Errors
    /// When the counter began anew in between.
    pub(super) fn rate_since(self, earlier: Self) -> Result<f64> {
        ensure!(
            self.cpu >= earlier.cpu,
            "the container was started again while it was measured"
        );
        Ok((self.cpu - earlier.cpu) / seconds(earlier.at_ms, self.at_ms).max(f64::EPSILON))
    }
}

/// Waits for the kubelet's next look, so that what it shows is new. Its clock is compared with nobody's.
///
/// # Errors
/// When the API server or the kubelet doesn't answer, or it doesn't look for 45 seconds.
pub(super) async fn next(client: &Client, pod: &Pod) -> Result<Usage> {
    let before = now(client, pod).await?;
    eventually("the kubelet's next look", FRESH, async || {
        let usage = now(client, pod).await?;
        ensure!(usage.at_ms != before.at_ms, "it has not looked again");
        Ok(usage)
    })
    .await
}

async fn now(client: &Client, pod: &Pod) -> Result<Usage> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
    let node = node.with_context(|| format!("{} is on no node", pod.name_any()))?;
    let path = format!("/api/v1/nodes/{node}/proxy/metrics/resource");
    let text = client
        .request_text(http::Request::get(&path).body(Vec::new())?)
        .await?;
    of(&text, &pod.namespace().unwrap_or_default(), &pod.name_any())
        .with_context(|| format!("the kubelet says nothing about {}", pod.name_any()))
}

fn of(text: &str, namespace: &str, pod: &str) -> Option<Usage> {
    let (namespace, pod) = (format!("namespace=\"{namespace}\""), format!("pod=\"{pod}\""));
    let line = text
        .lines()
        .find(|line| line.starts_with(METRIC) && line.contains(&namespace) && line.contains(&pod))?;
    let mut words = line.rsplit_once('}')?.1.split_whitespace();
    Some(Usage {
        cpu: words.next()?.parse().ok()?,
        at_ms: words.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_pod_of_one_namespace_is_found() {
        let text = "# HELP pod_cpu_usage_seconds_total x\n\
            pod_cpu_usage_seconds_total{namespace=\"n\",pod=\"p2\"} 9 1700000000300\n\
            pod_cpu_usage_seconds_total{namespace=\"m\",pod=\"p\"} 9 1700000000300\n\
            pod_cpu_usage_seconds_total{namespace=\"n\",pod=\"p\"} 1.5 1700000000200\n";
        let usage = Usage {
            cpu: 1.5,
            at_ms: 1_700_000_000_200,
        };
        assert_eq!(of(text, "n", "p"), Some(usage));
        assert_eq!(of(text, "n", "q"), None);
        assert_eq!(
            of(
                "pod_cpu_usage_seconds_total{pod=\"p\",namespace=\"n\"} x",
                "n",
                "p"
            ),
            None
        );
    }

    #[test]
    fn a_counter_that_begins_anew_is_no_rate() {
        let at = |cpu, at_ms| Usage { cpu, at_ms };
        let rate = at(3.0, 12_000).rate_since(at(1.0, 2_000)).expect("a rate");
        assert!((rate - 0.2).abs() < 1e-9);
        assert!(at(0.5, 12_000).rate_since(at(1.0, 2_000)).is_err());
    }
}
