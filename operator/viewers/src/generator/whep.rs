//! The WHEP side of a viewer: one HTTP connection on which it asks for a stream and takes leave.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, LOCATION};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::endpoint::Endpoint;

/// How long a server may take to answer an offer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// How long taking leave may last.
const LEAVE_DEADLINE: Duration = Duration::from_secs(1);
const ANSWER_BYTES: usize = 64 * 1024;

/// What the server said to an offer.
pub(crate) enum Answer {
    /// It sends the stream, as this SDP answer says.
    Accepted(String, Session),
    /// It does not, with this status.
    Refused(StatusCode),
}

/// A session that the server keeps until [`Session::leave`].
pub(crate) struct Session {
    endpoint: Endpoint,
    connection: SendRequest<Full<Bytes>>,
    path: String,
}

/// Sends an SDP offer.
///
/// # Errors
/// When there is no answer within 10 s, or one that is not WHEP.
pub(crate) async fn offer(endpoint: &Endpoint, sdp: String) -> Result<Answer> {
    timeout(ANSWER_DEADLINE, post(endpoint, sdp))
        .await
        .map_err(|_| anyhow!("no answer within {ANSWER_DEADLINE:?}"))?
        .with_context(|| format!("asking {endpoint}"))
}

async fn post(endpoint: &Endpoint, sdp: String) -> Result<Answer> {
    let mut connection = connect(endpoint).await?;
    let request = request(Method::POST, endpoint, endpoint.path(), sdp)?;
    let response = connection.send_request(request).await?;
    if response.status() != StatusCode::CREATED {
        return Ok(Answer::Refused(response.status()));
    }
    let path = location(endpoint, &response)?;
    let answer = Limited::new(response.into_body(), ANSWER_BYTES)
        .collect()
        .await
        .map_err(|error| anyhow!("reading the answer: {error}"))?
        .to_bytes();
    let answer = String::from_utf8(answer.to_vec()).context("the answer is no text")?;
    let session = Session {
        endpoint: endpoint.clone(),
        connection,
        path,
    };
    Ok(Answer::Accepted(answer, session))
}

impl Session {
    /// Tells the server that the viewer is gone. Whether that succeeds makes no difference to a viewer that leaves,
    /// so it takes a second at most and failures are not told.
    pub(crate) async fn leave(self) {
        // Nothing to do when it fails or takes too long: the server finds out by itself.
        let _ = timeout(LEAVE_DEADLINE, self.delete()).await;
    }

    async fn delete(mut self) -> Result<()> {
        // Behind a load balancer another connection may lead to another server, so it is the second choice.
        if self.connection.ready().await.is_err() {
            self.connection = connect(&self.endpoint).await?;
        }
        let request = request(Method::DELETE, &self.endpoint, &self.path, String::new())?;
        self.connection.send_request(request).await?;
        Ok(())
    }
}

async fn connect(endpoint: &Endpoint) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(endpoint.server()).await?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends when the sender is dropped or the server closes; a failure shows at the sender.
    tokio::spawn(connection);
    Ok(sender)
}

fn request(
    method: Method,
    endpoint: &Endpoint,
    path: &str,
    body: String,
) -> http::Result<Request<Full<Bytes>>> {
    Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, endpoint.authority())
        .header(CONTENT_TYPE, "application/sdp")
        .body(Full::new(Bytes::from(body)))
}

fn location(endpoint: &Endpoint, response: &Response<Incoming>) -> Result<String> {
    let location = response
        .headers()
        .get(LOCATION)
        .context("the answer has no location")?
        .to_str()
        .context("the location is no text")?;
    endpoint.resolve(location)
}
