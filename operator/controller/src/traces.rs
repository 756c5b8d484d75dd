//! Traces: spans of passes, sent by OTLP over HTTP to where the environment says. Part of the program only with the
//! feature `otlp`.

use std::env;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, Protocol, SpanExporter,
    WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;

use crate::telemetry::PASS;
use crate::tls;

/// As the collector knows us, unless the environment names us otherwise.
const SERVICE: &str = "webinar-operator";

/// How long a collector has to answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// How long the last spans have when the operator stops.
const FLUSH: Duration = Duration::from_secs(3);

/// Most of an answer that is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// Sends what is left when it is dropped, for [`FLUSH`] at most.
pub(crate) struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        if let Err(error) = self.0.shutdown_with_timeout(FLUSH) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// The layer that makes spans of passes into traces, if the environment says where to send them.
///
/// # Errors
///
/// A sentence that says which variable is malformed.
pub(crate) fn start<S>() -> anyhow::Result<Option<(impl Layer<S>, Traces)>>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if !wanted()? {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_http_client(Sender::new()?)
        .build()
        .context("traces can't be sent as the environment says")?;
    let mut resource =
        Resource::builder().with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if env::var_os("OTEL_SERVICE_NAME").is_none_or(|name| name.is_empty()) {
        resource = resource.with_service_name(SERVICE);
    }
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        // Neither log lines nor spans of libraries, which may hold what nobody judged fit to be sent.
        .with_filter(filter_fn(|about| about.is_span() && about.target() == PASS));
    Ok(Some((layer, Traces(provider))))
}

/// Whether the environment says where traces go.
fn wanted() -> anyhow::Result<bool> {
    for variable in [OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_ENDPOINT] {
        let Some(value) = env::var_os(variable).filter(|value| !value.is_empty()) else {
            continue;
        };
        // The value is not repeated: it may hold a password.
        anyhow::ensure!(
            value.to_str().is_some_and(is_url),
            "{variable} must look like http://host:port, and may have a path"
        );
        return Ok(true);
    }
    Ok(false)
}

/// A URL of a server without user, password and query.
fn is_url(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    let Some(authority) = uri.authority() else {
        return false;
    };
    let plain = match authority.port() {
        Some(port) => format!("{}:{port}", authority.host()),
        None => authority.host().to_owned(),
    };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && !authority.host().is_empty()
        && authority.as_str() == plain
        && uri.query().is_none()
}

/// The client of the thread that sends. That thread knows no runtime, so this one waits in its own.
#[derive(Debug)]
struct Sender {
    runtime: Runtime,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Sender {
    fn new() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        // None is kept: between two batches nobody would notice that the other side closed it.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(tls::connector());
        Ok(Self { runtime, client })
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = async {
            let (head, body) = self.client.request(request.map(Full::from)).await?.into_parts();
            let body = Limited::new(body, MAX_BODY).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        self.runtime
            .block_on(async { tokio::time::timeout(DEADLINE, answer).await })?
    }
}
