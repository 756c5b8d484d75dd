//! Traces: the real program before an API server and a collector that are small fakes. Built with the feature `otlp` alone.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use axum::routing::post;
use futures::StreamExt as _;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as SpanStatus;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use webinar_testbed::process::{Process, Program};
use webinar_testbed::wait::{Stopwatch, within};

const SOON: Duration = Duration::from_secs(20);

/// What the API server answers once, and what nobody but the log may tell.
const SECRET: &str = "a webhook quotes the words of others";

/// How many statuses were asked to be written, and what is answered.
#[derive(Clone)]
struct ApiServer {
    statuses: watch::Sender<u32>,
}

impl ApiServer {
    /// Listens. Returns a kubeconfig for it, too.
    async fn start() -> Result<(Self, PathBuf)> {
        let server = Self {
            statuses: watch::Sender::new(0),
        };
        let answering = server.clone();
        let app = Router::new().fallback(move |request| {
            let server = answering.clone();
            async move { server.answer(request).await }
        });
        let address = listen(app).await?;
        let file = scratch("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": {"server": address}}],
            "users": [{"name": "fake", "user": {}}],
            "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
        });
        std::fs::write(&file, config.to_string())?;
        Ok((server, file))
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        if head.method == Method::GET && query.contains("watch=true") {
            return events(if path.ends_with("/webinars") {
                vec![webinar()]
            } else {
                vec![]
            });
        }
        if head.method == Method::GET {
            return failure(StatusCode::NOT_FOUND, "NotFound", "there is none");
        }
        if path.ends_with("/status") {
            let mut count = 0;
            self.statuses.send_modify(|n| {
                *n += 1;
                count = *n;
            });
            return match count {
                1 => failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", SECRET),
                _ => object(&webinar()),
            };
        }
        // What is written was written so.
        let mut written: Value = to_bytes(body, usize::MAX)
            .await
            .ok()
            .and_then(|body| serde_json::from_slice(&body).ok())
            .unwrap_or_default();
        written["metadata"]["resourceVersion"] = json!("2");
        object(&written)
    }
}

/// A watch that begins with what there is and stays open.
fn events(objects: Vec<Value>) -> Response<Body> {
    let mut lines: Vec<Value> = objects
        .into_iter()
        .map(|object| json!({"type": "ADDED", "object": object}))
        .collect();
    lines.push(json!({"type": "BOOKMARK", "object": {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}},
        "spec": {"containers": []},
    }}));
    let lines = lines
        .into_iter()
        .map(|line| Ok::<_, Infallible>(format!("{line}\n")));
    Response::new(Body::from_stream(
        futures::stream::iter(lines).chain(futures::stream::pending()),
    ))
}

fn object(value: &Value) -> Response<Body> {
    Response::new(Body::from(value.to_string()))
}

fn failure(code: StatusCode, reason: &str, message: &str) -> Response<Body> {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure",
        "code": code.as_u16(), "reason": reason, "message": message,
    });
    let mut answer = object(&status);
    *answer.status_mut() = code;
    answer
}

/// Its event was over before the operator saw it, which takes neither a class nor pods to say.
fn webinar() -> Value {
    json!({
        "apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar",
        "metadata": {
            "name": "town-hall", "namespace": "stage", "uid": "7c1d", "resourceVersion": "1", "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z",
        },
        "spec": {"tier": "room", "startTime": "2020-01-01T00:00:00Z", "duration": "45m"},
    })
}

/// What a collector was sent.
struct Sent {
    headers: HeaderMap,
    body: Bytes,
}

/// A collector that takes everything. Returns its address, too.
async fn collector() -> Result<(mpsc::UnboundedReceiver<Sent>, String)> {
    let (send, sent) = mpsc::unbounded_channel();
    let app = Router::new().route(
        "/v1/traces",
        post(move |headers: HeaderMap, body: Bytes| {
            let _ = send.send(Sent { headers, body });
            std::future::ready(StatusCode::OK)
        }),
    );
    Ok((sent, listen(app).await?))
}

/// Serves on loopback for as long as the test runs.
async fn listen(app: Router) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(format!("http://{address}"))
}

fn scratch(name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("otlp-{number}-{name}"));
    let _ = std::fs::remove_file(&file);
    file
}

fn start(kubeconfig: &Path, environment: &[(&str, &str)]) -> Result<Process> {
    let mut program = Program::new("operator", env!("CARGO_BIN_EXE_webinar-operator"), scratch("log"))
        .args(["run", "--listen", "127.0.0.1:0", "--kubeconfig"])
        .args([kubeconfig]);
    let own = [
        // What is sent is sent at the end, or not at all.
        ("OTEL_BSP_SCHEDULE_DELAY", "600000"),
        // Whoever runs the tests may have set them.
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""),
        ("OTEL_SERVICE_NAME", ""),
    ];
    program.env = own
        .iter()
        .chain(environment)
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    Process::spawn(&program)
}

fn log(operator: &Process) -> Result<String> {
    Ok(std::fs::read_to_string(operator.log())?)
}

/// Waits until two statuses were asked to be written: the first pass failed and the second one did not. Then stops the
/// operator. Returns its log and how long it took to stop.
async fn two_passes(environment: &[(&str, &str)]) -> Result<(String, Duration)> {
    let (server, kubeconfig) = ApiServer::start().await?;
    let mut operator = start(&kubeconfig, environment)?;
    let mut statuses = server.statuses.subscribe();
    within("two statuses", SOON, async {
        statuses.wait_for(|n| *n >= 2).await?;
        Ok(())
    })
    .await
    .with_context(|| operator.log_tail(30))?;
    // The line about the second pass comes after its status was answered.
    webinar_testbed::wait::eventually("the line about the second pass", SOON, async || {
        let log = log(&operator)?;
        ensure!(log.contains("phase="), "{log}");
        Ok(())
    })
    .await?;
    let stopping = Stopwatch::start();
    let exit = operator.terminate(SOON).await?;
    let took = stopping.elapsed();
    let log = log(&operator)?;
    ensure!(exit.success(), "{exit}: {log}");
    Ok((log, took))
}

fn text<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a str> {
    let value = attributes.iter().find(|a| a.key == key)?.value.as_ref()?;
    match value.value.as_ref()? {
        Any::StringValue(text) => Some(text),
        _ => None,
    }
}

#[tokio::test]
async fn each_pass_is_a_span_and_the_last_ones_are_sent_when_the_operator_stops() -> Result<()> {
    let (mut collector, address) = collector().await?;
    let (log, _) = two_passes(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]).await?;
    let sent = collector.try_recv().context("nothing was sent")?;
    assert_eq!(sent.headers["content-type"], "application/x-protobuf");
    assert!(log.contains(SECRET), "{log}");
    assert!(!String::from_utf8_lossy(&sent.body).contains(SECRET));

    let export = ExportTraceServiceRequest::decode(sent.body)?;
    let [resource] = export.resource_spans.as_slice() else {
        panic!("{export:?}");
    };
    let about = resource.resource.as_ref().context("a resource")?;
    assert_eq!(text(&about.attributes, "service.name"), Some("webinar-operator"));
    let spans: Vec<_> = resource.scope_spans.iter().flat_map(|s| &s.spans).collect();
    let [failed, passed] = spans[..2] else {
        panic!("{spans:?}");
    };
    for span in &spans {
        assert_eq!(span.name, "pass");
        assert!(
            span.events.is_empty() && span.parent_span_id.is_empty(),
            "{span:?}"
        );
        assert!(span.end_time_unix_nano > span.start_time_unix_nano);
        let mut keys: Vec<&str> = span.attributes.iter().map(|a| a.key.as_str()).collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            ["busy_ns", "idle_ns", "namespace", "phase", "result", "webinar"]
        );
        assert_eq!(text(&span.attributes, "namespace"), Some("stage"));
        assert_eq!(text(&span.attributes, "webinar"), Some("town-hall"));
        assert_eq!(text(&span.attributes, "phase"), Some("Expired"));
    }
    let outcome = |span: &Span| {
        let code = span.status.as_ref().map_or(SpanStatus::Unset, Status::code);
        (text(&span.attributes, "result").map(str::to_owned), code)
    };
    assert_eq!(outcome(failed), (Some("api".to_owned()), SpanStatus::Error));
    assert_eq!(outcome(passed), (Some("ok".to_owned()), SpanStatus::Unset));
    // Log lines don't repeat the span.
    assert!(log.contains("phase=") && !log.contains("pass{"), "{log}");
    Ok(())
}

#[tokio::test]
async fn nothing_is_sent_without_an_endpoint() -> Result<()> {
    let (log, _) = two_passes(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]).await?;
    // The default of the exporter, where nobody listens, would be complained of.
    assert!(!log.contains("opentelemetry") && !log.contains("traces"), "{log}");
    Ok(())
}

#[tokio::test]
async fn a_collector_that_never_answers_keeps_nobody_from_stopping() -> Result<()> {
    // Connections are made by the kernel; nobody accepts them.
    let silent = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", silent.local_addr()?);
    let (log, took) = two_passes(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]).await?;
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(log.contains("the last traces were not sent"), "{log}");
    Ok(())
}

/// What the operator says when it is told of an endpoint and of a cluster that there is none of.
async fn said_to(endpoint: &str) -> Result<String> {
    let nowhere = Path::new("/nonexistent");
    let mut operator = start(nowhere, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)])?;
    let exit = operator.wait(SOON).await?;
    ensure!(!exit.success(), "{endpoint}: {exit}");
    log(&operator)
}

#[tokio::test]
async fn an_endpoint_is_the_url_of_a_server_and_nothing_else() -> Result<()> {
    for good in [
        "http://127.0.0.1:4318",
        "https://collector.example/",
        "http://[::1]:4318/otlp",
    ] {
        let said = said_to(good).await?;
        assert!(
            said.contains("--kubeconfig /nonexistent can't be used"),
            "{good}: {said}"
        );
    }
    for bad in [
        "collector:4318",
        "collector",
        "/v1/traces",
        "http://",
        "http://:4318",
        "http://collector:99999",
        "http://me:secret@collector",
        "grpc://collector:4317",
        "http://collector/?token=secret",
        "http://col lector",
    ] {
        assert_eq!(
            said_to(bad).await?,
            "webinar-operator: OTEL_EXPORTER_OTLP_ENDPOINT must look like http://host:port, and may have a path\n",
            "{bad}"
        );
    }
    Ok(())
}
