//! One question to one pod over HTTP/1.1: its own address, nowhere else, with a deadline over all of it.
//!
//! Pods are asked on a connection of its own each time. To keep them open between questions would need a file
//! descriptor for each pod, and 1,024 is all that a process has by default. Only a proxy keeps its connections.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, USER_AGENT};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_util::task::AbortOnDropHandle;

use super::failure::Failure;

/// Most of a body that is read, in bytes (media.md).
const MAX_BODY: u64 = 1024 * 1024;

/// Most that is held of one answer at a time, its headers included.
const BUFFER: usize = 64 * 1024;

/// Connections to the proxy that are kept: as many as pods are asked at once.
const KEPT: usize = 64;

/// How we call ourselves.
pub(super) const AGENT: &str = concat!("webinar-operator/", env!("CARGO_PKG_VERSION"));

/// A connection. Dropping it closes it, whatever the other side still sends.
struct Connection {
    send: SendRequest<Empty<Bytes>>,
    _work: AbortOnDropHandle<()>,
}

/// The way to the pods.
#[derive(Default)]
pub(super) struct Wire {
    proxy: Option<Proxy>,
}

struct Proxy {
    authority: String,
    kept: Mutex<Vec<Connection>>,
}

impl Proxy {
    fn take(&self) -> Option<Connection> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| kept.pop()).find(|c| !c.send.is_closed())
    }

    fn keep(&self, connection: Connection) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }
}

/// Reads `http://host:port`, the address of a proxy.
///
/// # Errors
///
/// A sentence that says what is wrong with it.
pub(crate) fn proxy(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|e: http::uri::InvalidUri| e.to_string())?;
    let plain = uri.scheme_str() == Some("http") && matches!(uri.path(), "" | "/") && uri.query().is_none();
    let host = uri.authority().is_some_and(|a| !a.as_str().contains('@'));
    if plain && host {
        Ok(uri)
    } else {
        Err("must look like http://host:port".to_owned())
    }
}

impl Wire {
    /// Directly to the pods, or through a proxy.
    pub(super) fn new(proxy: Option<&Uri>) -> Self {
        let proxy = proxy.and_then(Uri::authority).map(|authority| Proxy {
            authority: match authority.port() {
                Some(_) => authority.to_string(),
                None => format!("{authority}:80"),
            },
            kept: Mutex::default(),
        });
        Self { proxy }
    }

    /// Asks the pod at `to` for `path`, and gives what it answers to `take`, part by part.
    pub(super) async fn get(
        &self,
        to: SocketAddr,
        path: &str,
        deadline: Duration,
        take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        tokio::time::timeout(deadline, self.ask(to, path, take))
            .await
            .unwrap_or(Err(Failure::Timeout))
    }

    async fn ask(
        &self,
        to: SocketAddr,
        path: &str,
        take: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Some(proxy) = &self.proxy else {
            let mut connection = connect(to).await?;
            let answer = send(&mut connection, request(path, to)?).await?;
            return read(answer, take).await;
        };
        let whole = format!("http://{to}{path}");
        let mut reused = None;
        if let Some(mut connection) = proxy.take() {
            // One that was kept may have been closed meanwhile.
            if let Ok(answer) = send(&mut connection, request(&whole, to)?).await {
                reused = Some((connection, answer));
            }
        }
        let (connection, answer) = match reused {
            Some(both) => both,
            None => {
                let mut connection = connect(&proxy.authority).await?;
                let answer = send(&mut connection, request(&whole, to)?).await?;
                (connection, answer)
            }
        };
        read(answer, take).await?;
        proxy.keep(connection);
        Ok(())
    }
}

fn request(target: &str, to: SocketAddr) -> Result<Request<Empty<Bytes>>, Failure> {
    Request::get(target)
        .header(HOST, to.to_string())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "text/plain;version=0.0.4,text/plain;q=0.5")
        .body(Empty::new())
        // The pattern of a class's path lets some in that no URL may have.
        .map_err(|_| Failure::Malformed)
}

async fn connect(to: impl ToSocketAddrs) -> Result<Connection, Failure> {
    let stream = TcpStream::connect(to).await.map_err(|_| Failure::Connect)?;
    let _ = stream.set_nodelay(true);
    let (send, work) = http1::Builder::new()
        .max_buf_size(BUFFER)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Failure::Broken)?;
    let work = tokio::spawn(async move {
        // What goes wrong is told to whoever waits for the answer.
        let _ = work.await;
    });
    Ok(Connection {
        send,
        _work: AbortOnDropHandle::new(work),
    })
}

async fn send(
    connection: &mut Connection,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, Failure> {
    connection.send.ready().await.map_err(|_| Failure::Broken)?;
    connection
        .send
        .send_request(request)
        .await
        .map_err(|_| Failure::Broken)
}

async fn read(
    answer: Response<Incoming>,
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    accept(answer.status(), answer.headers(), MAX_BODY)?;
    if !is_metrics(answer.headers()) {
        return Err(Failure::Malformed);
    }
    let mut body = answer.into_body();
    let mut size = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::Broken)?;
        if let Some(data) = frame.data_ref() {
            size += data.len() as u64;
            if size > MAX_BODY {
                return Err(Failure::TooLarge);
            }
            take(data)?;
        }
    }
    Ok(())
}

/// An answer whose body is worth reading: 200, as it is and not packed, and not known to be more than `most` bytes.
pub(super) fn accept(status: StatusCode, headers: &HeaderMap, most: u64) -> Result<(), Failure> {
    if status.is_redirection() {
        return Err(Failure::Redirect);
    }
    if status != StatusCode::OK {
        return Err(Failure::Status);
    }
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok());
    if text(CONTENT_ENCODING).is_some_and(|packed| packed != "identity") {
        return Err(Failure::Malformed);
    }
    let length = text(CONTENT_LENGTH).and_then(|l| l.parse::<u64>().ok());
    if length.is_some_and(|length| length > most) {
        return Err(Failure::TooLarge);
    }
    Ok(())
}

/// A page of another kind must not pass for a server whose figures are gone.
fn is_metrics(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default().to_ascii_lowercase();
    kind.starts_with("text/plain") || kind.starts_with("application/openmetrics-text")
}

#[cfg(test)]
mod tests;
