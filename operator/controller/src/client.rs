//! The client: its configuration, the deadline on every call, and the count of calls.

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tower::timeout::TimeoutLayer;
use tower::util::MapResponseLayer;
use tower::{BoxError, Service};

use crate::cli::RunArgs;
use crate::clock::Clock;
use crate::date::Dates;
use crate::error::Error;
use crate::leader::{Gate, Leadership};
use crate::metrics::Metrics;
use crate::retry_after;

/// How long any call may take. Watches are bounded by their own time-out instead.
pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

/// How to reach the cluster: by this kubeconfig, or by what is found around the process. The client's own retry is off.
pub(crate) async fn configuration(kubeconfig: Option<&Path>) -> anyhow::Result<Config> {
    let mut config = match kubeconfig {
        Some(file) => {
            let kubeconfig = Kubeconfig::read_from(file)
                .with_context(|| format!("--kubeconfig {} can't be used", file.display()))?;
            Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .with_context(|| format!("--kubeconfig {} can't be used", file.display()))?
        }
        None => Config::infer()
            .await
            .context("no way to reach a cluster; give one with --kubeconfig")?,
    };
    config.default_retry = false;
    Ok(config)
}

/// A client whose every call has a deadline and is counted, and which writes only while this process leads.
///
/// The client's own retry is off: it would go on writing for minutes after the lease is lost.
pub(crate) async fn connect(
    args: &RunArgs,
    clock: &Clock,
    metrics: &Metrics,
    leadership: &Leadership,
) -> anyhow::Result<Client> {
    let config = configuration(args.kubeconfig.as_deref()).await?;
    let bare = ClientBuilder::try_from(config).context("the client can't be made from this configuration")?;
    Ok(guarded(bare, clock, metrics, leadership))
}

/// Puts around a bare client what every call of ours passes.
pub(crate) fn guarded<S, B>(
    bare: ClientBuilder<S>,
    clock: &Clock,
    metrics: &Metrics,
    leadership: &Leadership,
) -> Client
where
    S: Service<Request<Body>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError> + Send + Sync,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    bare.with_layer(&Dates::new(clock.clone(), metrics.clone()))
        .with_layer(&TimeoutLayer::new(DEADLINE))
        .with_layer(&metrics.count_calls())
        .with_layer(&Gate::new(leadership.clone()))
        .with_layer(&MapResponseLayer::new(retry_after::hear))
        .build()
}

/// Runs one call with the deadline, and says what was tried when it fails.
pub(crate) async fn call<T>(
    what: impl Fn() -> String,
    request: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(DEADLINE, retry_after::listening(request)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(source)) => Err(Error::Api {
            what: what(),
            source: Box::new(source),
        }),
        Err(_) => Err(Error::Deadline {
            what: what(),
            seconds: DEADLINE.as_secs(),
        }),
    }
}
