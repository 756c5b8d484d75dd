//! The CPU time of a pod, as its kubelet tells.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Client, ResourceExt as _};
use webinar_testbed::wait::eventually;

const METRIC: &str = "container_cpu_usage_seconds_total{";
/// Kubelets look every 10 to 15 seconds.
const FRESH: Duration = Duration::from_secs(45);

/// CPU time until a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Usage {
    /// Seconds, over all containers of the pod.
    pub(super) cpu: f64,
    /// When the kubelet looked, Unix milliseconds.
    pub(super) at_ms: i64,
}

/// Waits for a look of the kubelet's that is later than `after_ms`.
///
/// # Errors
/// When the API server or the kubelet doesn't answer, or it doesn't look for 45 seconds.
pub(super) async fn after(client: &Client, pod: &Pod, after_ms: i64) -> Result<Usage> {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_ref());
    let node = node.with_context(|| format!("{} is on no node", pod.name_any()))?;
    let path = format!("/api/v1/nodes/{node}/proxy/metrics/resource");
    eventually("the kubelet's figures", FRESH, async || {
        let request = http::Request::get(&path).body(Vec::new())?;
        let text = client.request_text(request).await?;
        let usage = of(&text, &pod.namespace().unwrap_or_default(), &pod.name_any())
            .with_context(|| format!("nothing about {}", pod.name_any()))?;
        ensure!(usage.at_ms > after_ms, "its last look was before");
        Ok(usage)
    })
    .await
}

fn of(text: &str, namespace: &str, pod: &str) -> Option<Usage> {
    let (namespace, pod) = (format!("namespace=\"{namespace}\""), format!("pod=\"{pod}\""));
    let lines = text.lines().filter(|line| {
        line.starts_with(METRIC) && line.contains(&namespace) && line.contains(&pod)
    });
    lines
        .filter_map(|line| {
            let mut words = line.rsplit_once('}')?.1.split_whitespace();
            Some(Usage {
                cpu: words.next()?.parse().ok()?,
                at_ms: words.next()?.parse().ok()?,
            })
        })
        .reduce(|all, next| Usage {
            cpu: all.cpu + next.cpu,
            at_ms: all.at_ms.min(next.at_ms),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_of_one_pod_are_summed() {
        let text = "# HELP container_cpu_usage_seconds_total x\n\
            container_cpu_usage_seconds_total{container=\"a\",namespace=\"n\",pod=\"p\"} 1.5 1700000000200\n\
            container_cpu_usage_seconds_total{container=\"b\",namespace=\"n\",pod=\"p\"} 2 1700000000100\n\
            container_cpu_usage_seconds_total{container=\"a\",namespace=\"n\",pod=\"p2\"} 9 1700000000300\n\
            container_cpu_usage_seconds_total{container=\"a\",namespace=\"m\",pod=\"p\"} 9 1700000000300\n";
        let sum = Usage {
            cpu: 3.5,
            at_ms: 1_700_000_000_100,
        };
        assert_eq!(of(text, "n", "p"), Some(sum));
        assert_eq!(of(text, "n", "q"), None);
        assert_eq!(of("container_cpu_usage_seconds_total{pod=\"p\",namespace=\"n\"} x", "n", "p"), None);
    }
}
