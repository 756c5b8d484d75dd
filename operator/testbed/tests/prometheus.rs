//! A real Prometheus scrapes what it is told to.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use http::Response;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use webinar_testbed::wait::eventually;
use webinar_testbed::{Prometheus, Sample};

const SOON: Duration = Duration::from_secs(30);

/// Serves one metric, `viewers`.
async fn metric(viewers: Arc<AtomicU32>) -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let viewers = Arc::clone(&viewers);
            let answer = service_fn(move |_| {
                let text = format!(
                    "# TYPE viewers gauge\nviewers {}\n",
                    viewers.load(Ordering::Relaxed)
                );
                async {
                    Ok::<_, Infallible>(
                        Response::builder()
                            .header("Content-Type", "text/plain; version=0.0.4")
                            .body(text)
                            .expect("a valid answer"),
                    )
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    Ok(address)
}

async fn answers(prometheus: &Prometheus, query: &str, wanted: &[Sample]) -> Result<()> {
    eventually(query, SOON, async || {
        let samples = prometheus.query(query).await?;
        ensure!(samples == wanted, "{samples:?}");
        Ok(())
    })
    .await
}

fn sample(labels: &[(&str, &str)], value: f64) -> Sample {
    let labels: BTreeMap<String, String> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    Sample { labels, value }
}

#[tokio::test]
async fn what_targets_tell_is_found_and_ends_with_them() -> Result<()> {
    let viewers = Arc::new(AtomicU32::new(41));
    let address = metric(Arc::clone(&viewers)).await?.to_string();
    // The second job reaches a target that does not exist through a proxy that answers for all.
    let mut prometheus = Prometheus::start(&format!(
        "global: {{scrape_interval: 1s}}
scrape_configs:
- job_name: relays
  file_sd_configs: [{{files: [{}]}}]
- job_name: proxied
  proxy_url: http://{address}
  static_configs: [{{targets: ['10.64.0.1:9000']}}]
",
        Prometheus::TARGETS
    ))
    .await?;

    prometheus
        .set_targets(&[(&address, &[("pod", "relay-0")])])
        .await?;
    let sum = "sum by (pod) (viewers{job='relays'})";
    answers(&prometheus, sum, &[sample(&[("pod", "relay-0")], 41.0)]).await?;
    answers(
        &prometheus,
        "max by (instance) (viewers{job='proxied'})",
        &[sample(&[("instance", "10.64.0.1:9000")], 41.0)],
    )
    .await?;

    viewers.store(42, Ordering::Relaxed);
    prometheus
        .set_targets(&[(&address, &[("pod", "relay-1")])])
        .await?;
    answers(&prometheus, sum, &[sample(&[("pod", "relay-1")], 42.0)]).await?;

    prometheus.set_targets(&[]).await?;
    answers(&prometheus, sum, &[]).await
}

#[tokio::test]
async fn a_refused_configuration_is_told() {
    let error = Prometheus::start("scrape_configs: [{job_name: relays, scrape_interval: never}]")
        .await
        .expect_err("no duration");
    assert!(format!("{error:#}").contains("not a valid duration"), "{error:#}");
}

#[tokio::test]
async fn a_refused_query_is_told() -> Result<()> {
    let prometheus = Prometheus::start("").await?;
    let error = prometheus.query("viewers{").await.expect_err("half a query");
    ensure!(format!("{error:#}").contains("parse error"), "{error:#}");
    ensure!(
        prometheus.query("vector(0)/0").await?[0].value.is_nan(),
        "no number"
    );
    Ok(())
}
