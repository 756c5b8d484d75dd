//! The HTTP proxy through which pods' metrics are read.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::handle::Shared;
use super::lie::Reply;

/// Thirteen times as many as an operator's scrapes and a Prometheus server's.
const MOST_CONNECTIONS: usize = 2048;
/// When connections can't be accepted, which is so while there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// Longer than any client waits.
const FOREVER: Duration = Duration::from_secs(600);
const DRIP: Duration = Duration::from_millis(500);
const TEN_GB: u64 = 10_000_000_000;
const SERIES: u64 = 300_000;
const SERIES_AT_ONCE: u64 = 500;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Serves until it is dropped, and with it all connections.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let stream = match accepted {
            Ok((stream, _)) if connections.len() < MOST_CONNECTIONS => stream,
            Ok(_) => {
                tracing::warn!("data plane: more than {MOST_CONNECTIONS} connections");
                continue;
            }
            Err(error) => {
                tracing::warn!("data plane: accepting a connection: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            let conversation = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            if let Err(error) = conversation.await {
                tracing::debug!("data plane: a scraper's connection ended: {error}");
            }
        });
    }
}

/// # Errors
/// To close the connection.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>> {
    let host = request.uri().host().map(|host| host.trim_matches(['[', ']']));
    let Some(ip) = host.and_then(|host| host.parse::<IpAddr>().ok()) else {
        return Ok(refusal(
            StatusCode::BAD_REQUEST,
            "a proxy for pods, by their addresses",
        ));
    };
    if request.method() != Method::GET {
        return Ok(refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET"));
    }
    let Some(reply) = shared.with(|model| model.reply(ip)) else {
        return Ok(refusal(StatusCode::BAD_GATEWAY, "connection refused"));
    };
    if request.uri().path() != "/metrics" {
        return Ok(refusal(StatusCode::NOT_FOUND, "only /metrics"));
    }
    Ok(metrics(match reply {
        Reply::Text(text) => whole(text),
        Reply::Unavailable => return Ok(refusal(StatusCode::SERVICE_UNAVAILABLE, "not now")),
        Reply::Close => bail!("closed by command"),
        Reply::Hang => {
            tokio::time::sleep(FOREVER).await;
            bail!("hung by command")
        }
        Reply::Drip(text) => streamed(drip(text)),
        Reply::Endless => streamed(endless()),
        Reply::ManySeries(series) => streamed(many(series)),
        Reply::Garbage => whole(garbage()),
    }))
}

fn refusal(status: StatusCode, reason: &'static str) -> Response<Body> {
    let mut response = Response::new(whole(reason));
    *response.status_mut() = status;
    response
}

fn metrics(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let format = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, format);
    response
}

fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed_unsync()
}

/// A body that is made as it is read.
fn streamed(parts: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    StreamBody::new(parts.map(|part| Ok(Frame::data(part)))).boxed_unsync()
}

fn drip(text: String) -> impl Stream<Item = Bytes> + Send {
    stream::iter(text.into_bytes()).then(async |byte| {
        tokio::time::sleep(DRIP).await;
        Bytes::copy_from_slice(&[byte])
    })
}

fn endless() -> impl Stream<Item = Bytes> + Send {
    let line = format!("# {}\n", "there is more to come; ".repeat(40));
    let part = Bytes::from(line.repeat(70));
    let parts = TEN_GB / part.len() as u64;
    stream::iter((0..parts).map(move |_| part.clone()))
}

fn many(series: &'static str) -> impl Stream<Item = Bytes> + Send {
    stream::iter((0..SERIES).step_by(SERIES_AT_ONCE as usize).map(move |first| {
        let numbers = first..first + SERIES_AT_ONCE;
        let lines: Vec<String> = numbers
            .map(|n| format!("{series},session=\"{n}\"}} 1\n"))
            .collect();
        Bytes::from(lines.concat())
    }))
}

/// The beginning of a machine's program rather than of metrics.
fn garbage() -> Vec<u8> {
    let noise = (0_u32..4096).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
    b"\x7fELF\0{{{\"\n} paths_readers{ 1e\xff\xfe\n"
        .iter()
        .copied()
        .chain(noise)
        .collect()
}

/// A listener on a free port of this machine.
///
/// # Errors
/// When there is none.
pub(super) async fn listener() -> Result<TcpListener> {
    TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
        .await
        .context("listening for scrapes")
}
