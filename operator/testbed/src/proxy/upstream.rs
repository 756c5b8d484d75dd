//! The API server that requests are handed on to.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, EXPECT, HOST, HeaderName, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;

use super::tls;
use crate::wait::within;

const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// Headers that are about one connection.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Where the API server is.
#[derive(Clone)]
pub(super) struct Upstream {
    host: String,
    port: u16,
    authority: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

/// A connection to it.
pub(super) struct Link {
    /// Whom it leads to.
    authority: String,
    requests: SendRequest<Full<Bytes>>,
    _connection: AbortOnDropHandle<()>,
}

impl Upstream {
    /// `server` is an URL such as `https://127.0.0.1:6443`, `ca` the PEM file of the certificate that its is signed with.
    pub(super) fn new(server: &str, ca: &Path) -> Result<Self> {
        let url: Uri = server.parse().with_context(|| format!("parsing {server:?}"))?;
        ensure!(
            url.scheme_str() == Some("https"),
            "{server} is not served with TLS"
        );
        let host = url.host().with_context(|| format!("{server} names no host"))?;
        let port = url.port_u16().unwrap_or(443);
        Ok(Self {
            host: host.to_owned(),
            port,
            authority: format!("{host}:{port}"),
            name: ServerName::try_from(host.to_owned()).context("naming the API server")?,
            tls: tls::connector(ca)?,
        })
    }

    /// Host and port.
    pub(super) fn authority(&self) -> &str {
        &self.authority
    }

    /// Connects.
    ///
    /// # Errors
    /// When nobody is there, or it takes more than 10 s.
    pub(super) async fn connect(&self) -> Result<Link> {
        within("connecting to the API server", CONNECT_DEADLINE, async {
            let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
            stream.set_nodelay(true)?;
            let stream = self.tls.connect(self.name.clone(), stream).await?;
            let (requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let connection = tokio::spawn(async {
                if let Err(error) = connection.await {
                    tracing::debug!("fault proxy: a connection to the API server ended: {error}");
                }
            });
            Ok(Link {
                authority: self.authority.clone(),
                requests,
                _connection: AbortOnDropHandle::new(connection),
            })
        })
        .await
    }

    /// Sends a request over the link if it leads here and is still good, else over a new one that takes its place. Returns with the
    /// headers of the answer.
    pub(super) async fn send(
        &self,
        link: &mut Option<Link>,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>> {
        let mut request = request;
        if let Some(Link {
            requests, authority, ..
        }) = link
            && *authority == self.authority
            && requests.ready().await.is_ok()
        {
            match requests.try_send_request(request).await {
                Ok(response) => return Ok(response),
                Err(mut error) => match error.take_message() {
                    // The API server closed the idle connection and has seen nothing of the request.
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error()).context("sending a request"),
                },
            }
        }
        let new = link.insert(self.connect().await?);
        new.requests
            .send_request(request)
            .await
            .context("sending a request")
    }

    /// The request as the API server gets it, its token untouched.
    pub(super) fn request(&self, parts: &http::request::Parts, body: Bytes) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        let headers = request.headers_mut();
        headers.clone_from(&parts.headers);
        remove_hop_by_hop(headers);
        // Compressed, the events of a watch can't be told apart; the length is written anew with the body.
        for name in [ACCEPT_ENCODING, EXPECT, CONTENT_LENGTH] {
            headers.remove(name);
        }
        headers.insert(HOST, HeaderValue::try_from(self.authority.as_str())?);
        Ok(request)
    }
}

pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
