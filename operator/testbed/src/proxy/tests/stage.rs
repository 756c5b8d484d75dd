//! A proxy between a server that remembers what reached it, and a client that tells what came back.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use super::super::body::{Body, whole};
use super::super::upstream::{Link, Upstream};
use super::super::{FaultProxy, Place, tls};
use crate::certificates;
use crate::wait::{eventually, within};
use crate::work_dir::WorkDir;

pub(super) const SOON: Duration = Duration::from_secs(10);
/// Long enough to see that nothing comes.
pub(super) const A_WHILE: Duration = Duration::from_millis(150);
pub(super) const PODS: &str = "/api/v1/namespaces/events/pods";
pub(super) const WATCH: &str = "/api/v1/namespaces/events/pods?watch=1";

/// What the server has seen, and what its watches say.
pub(super) struct Server {
    seen: Mutex<Vec<String>>,
    events: broadcast::Sender<Bytes>,
    open: AtomicUsize,
}

pub(super) struct Stage {
    pub(super) proxy: FaultProxy,
    pub(super) server: Arc<Server>,
    to_proxy: Upstream,
    pub(super) address: String,
    pub(super) dir: WorkDir,
    pub(super) serving: Option<AbortOnDropHandle<()>>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

impl Stage {
    pub(super) async fn set() -> Result<Self> {
        let dir = WorkDir::create()?;
        certificates::write(dir.path())?;
        let [ca, cert, key] = [
            certificates::CA_CERT,
            certificates::SERVER_CERT,
            certificates::SERVER_KEY,
        ]
        .map(|name| dir.path().join(name));
        let server = Arc::new(Server {
            seen: Mutex::default(),
            events: broadcast::Sender::new(100_000),
            open: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = format!("https://{}", listener.local_addr()?);
        let acceptor = tls::acceptor(&cert, &key)?;
        let serving = tokio::spawn(serve(listener, acceptor, Arc::clone(&server)));
        let proxy = FaultProxy::start_at(&Place {
            server: &address,
            ca: &ca,
            cert: &cert,
            key: &key,
        })
        .await?;
        Ok(Self {
            to_proxy: Upstream::new(&proxy.server(), &ca)?,
            proxy,
            server,
            address,
            dir,
            serving: Some(AbortOnDropHandle::new(serving)),
        })
    }

    /// A connection of its own to the proxy.
    pub(super) async fn connect(&self) -> Result<Link> {
        self.to_proxy.connect().await
    }

    /// Sends a request over a connection; an object's name is its body.
    pub(super) async fn send(
        &self,
        link: &mut Option<Link>,
        method: Method,
        url: &str,
        name: &str,
    ) -> Result<Response<Incoming>> {
        let body = match name {
            "" => Bytes::new(),
            name => Bytes::from(json!({"metadata": {"name": name}}).to_string()),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(url)
            .header(AUTHORIZATION, "Bearer secret")
            .header("host", "elsewhere")
            .body(Full::new(body))?;
        within("a request", SOON, self.to_proxy.send(link, request)).await
    }

    /// Sends a request over a connection of its own and reads the answer.
    pub(super) async fn call(&self, method: Method, url: &str, name: &str) -> Result<Answered> {
        let mut link = Some(self.connect().await?);
        self.call_over(&mut link, method, url, name).await
    }

    pub(super) async fn call_over(
        &self,
        link: &mut Option<Link>,
        method: Method,
        url: &str,
        name: &str,
    ) -> Result<Answered> {
        let (parts, body) = self.send(link, method, url, name).await?.into_parts();
        let body = within("a body", SOON, async { Ok(body.collect().await?.to_bytes()) }).await?;
        Ok(Answered {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&body)?,
        })
    }

    /// Creates a pod.
    pub(super) async fn create(&self, name: &str) -> Result<Answered> {
        self.call(Method::POST, PODS, name).await
    }

    /// Opens a watch. The server has it, too, when its headers are here.
    pub(super) async fn watch(&self) -> Result<Watched> {
        self.watch_over(Some(self.connect().await?)).await
    }

    pub(super) async fn watch_over(&self, mut link: Option<Link>) -> Result<Watched> {
        let body = self.send(&mut link, Method::GET, WATCH, "").await?.into_body();
        Ok(Watched { body, _link: link })
    }

    /// Waits until the server has this many connections.
    pub(super) async fn connections(&self, count: usize) -> Result<()> {
        eventually("connections to the server", SOON, async || {
            let open = self.server.open.load(Ordering::SeqCst);
            ensure!(open == count, "{open} and not {count}");
            Ok(())
        })
        .await
    }

    /// Waits until the server has seen these requests, and no others.
    pub(super) async fn seen(&self, requests: &[String]) -> Result<()> {
        eventually("requests at the server", SOON, async || {
            let seen = self.server.seen();
            ensure!(seen == requests, "{seen:?}");
            Ok(())
        })
        .await
    }

    /// Waits until this many faults have happened.
    pub(super) async fn injected(&self, count: usize) -> Result<()> {
        eventually("faults", SOON, async || {
            let injected = self.proxy.injected();
            ensure!(injected.len() == count, "{injected:?}");
            Ok(())
        })
        .await
    }
}

impl Server {
    /// The requests that reached it, as method, URL and name.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("unharmed").clone()
    }

    /// Says something to all watchers, in two pieces.
    pub(super) fn say(&self, event: &str) {
        let (half, rest) = event.split_at(event.len() / 2);
        self.say_unfinished(half);
        self.say_unfinished(&format!("{rest}\n"));
    }

    /// Says a part of an event.
    pub(super) fn say_unfinished(&self, piece: &str) {
        let piece = Bytes::from(piece.to_owned());
        self.events.send(piece).expect("a watcher");
    }
}

/// The client's end of a watch.
pub(super) struct Watched {
    body: Incoming,
    _link: Option<Link>,
}

impl Watched {
    /// The next event; `None` at an end in order.
    pub(super) async fn next(&mut self) -> Result<Option<String>> {
        within("an event", SOON, async {
            let Some(frame) = self.body.frame().await else {
                return Ok(None);
            };
            let data = frame?.into_data().ok().context("no data")?;
            Ok(Some(String::from_utf8(data.to_vec())?.trim_end().to_owned()))
        })
        .await
    }

    /// Fails when something comes, be it the end.
    pub(super) async fn is_silent(&mut self) -> Result<()> {
        let outcome = tokio::time::timeout(A_WHILE, self.body.frame()).await;
        ensure!(outcome.is_err(), "{outcome:?}");
        Ok(())
    }
}

async fn serve(listener: TcpListener, tls: tokio_rustls::TlsAcceptor, server: Arc<Server>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (server, tls) = (Arc::clone(&server), tls.clone());
        connections.spawn(async move {
            let stream = tls.accept(stream).await.expect("a handshake");
            let open = Open::count(&server);
            let service = service_fn(move |request| answer(Arc::clone(&server), request));
            // However it ends: clients go as they like.
            _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(open);
        });
    }
}

struct Open(Arc<Server>);

impl Open {
    fn count(server: &Arc<Server>) -> Self {
        server.open.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(server))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn answer(server: Arc<Server>, request: http::Request<Incoming>) -> Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let object: Value = serde_json::from_slice(&body).unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let said = format!("{} {} {name}", parts.method, parts.uri);
    server
        .seen
        .lock()
        .expect("unharmed")
        .push(said.trim_end().to_owned());

    let events = server.events.subscribe();
    let builder = Response::builder().header(CONTENT_TYPE, "application/json");
    if parts.uri.query().is_some_and(|query| query.contains("watch=")) {
        let frames = stream::unfold(events, async |mut events| {
            let event = events.recv().await.ok()?;
            // An empty line is the end.
            (event != "\n").then(|| (Ok(Frame::data(event)), events))
        });
        return Ok(builder.body(StreamBody::new(frames.boxed()).boxed_unsync())?);
    }
    let told = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let mirror = json!({
        "token": told("authorization"),
        "host": told("host"),
        "body": object,
        "count": server.seen().len(),
    });
    let status = if parts.method == Method::POST { 201 } else { 200 };
    Ok(builder
        .status(status)
        .header("x-said", "by the server")
        .body(whole(Bytes::from(mirror.to_string())))?)
}
