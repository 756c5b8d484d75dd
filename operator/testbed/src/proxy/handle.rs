//! What happens to one request.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use hyper::body::Incoming;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::body::{Body, passed_on, read_answer, read_request, whole};
use super::fault::Fault;
use super::hook::Hook;
use super::request::{Request, Verb};
use super::state::{Admitted, Shared};
use super::stream;
use super::upstream::{Link, Upstream, remove_hop_by_hop};

/// For the headers of an answer. The API server gives up on its own after a minute.
const ANSWER_DEADLINE: Duration = Duration::from_secs(70);
/// For what a test does while everything waits.
const HOOK_DEADLINE: Duration = Duration::from_secs(60);

/// A client's connection, with one of its own to the API server that was asked last.
pub(super) struct Connection {
    shared: Arc<Shared>,
    upstream: Arc<Upstream>,
    link: Mutex<Option<Link>>,
    /// Resets it.
    reset: CancellationToken,
}

/// A request as it came.
struct Call {
    request: Request,
    parts: http::request::Parts,
    body: Bytes,
}

impl Connection {
    pub(super) fn new(shared: Arc<Shared>, upstream: Arc<Upstream>, reset: CancellationToken) -> Self {
        Self {
            shared,
            upstream,
            link: Mutex::default(),
            reset,
        }
    }

    /// Answers a request, or resets the connection and never comes back.
    pub(super) async fn answer(
        self: Arc<Self>,
        incoming: http::Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        match self.respond(incoming).await {
            Ok(response) => Ok(response),
            Err(error) => {
                tracing::debug!("fault proxy: {error:#}");
                self.reset.cancel();
                std::future::pending().await
            }
        }
    }

    async fn respond(&self, incoming: http::Request<Incoming>) -> Result<Response<Body>> {
        let (parts, body) = incoming.into_parts();
        let body = read_request(body).await?;
        let request = Request::of(&parts.method, &parts.uri, &body);
        let call = Call { request, parts, body };
        let mut admitted = self.shared.admit(&call.request).await;
        let Some(fault) = admitted.fault.take() else {
            return self.pass(call, admitted).await;
        };
        match fault {
            Fault::Answer(answer) => Ok(answer.response(&call.request)),
            Fault::ApplyThenAnswer(answer) => {
                self.apply(&call, &admitted).await?;
                Ok(answer.response(&call.request))
            }
            Fault::ApplyThenReset => {
                self.apply(&call, &admitted).await?;
                bail!("{}: reset", call.request)
            }
            Fault::ApplyThenHang => {
                self.apply(&call, &admitted).await?;
                admitted.lifted.cancelled().await;
                bail!("{}: reset", call.request)
            }
            Fault::Delay(duration) => {
                tokio::select! {
                    () = admitted.lifted.cancelled() => {}
                    () = tokio::time::sleep(duration) => {}
                }
                self.pass(call, admitted).await
            }
            Fault::Hang => {
                admitted.lifted.cancelled().await;
                self.pass(call, admitted).await
            }
            Fault::Drop => bail!("{}: dropped", call.request),
            Fault::KillBefore(hook) => {
                self.run(&hook, &call.request).await;
                bail!("{}: killed before", call.request)
            }
            Fault::KillAfter(hook) => {
                self.apply(&call, &admitted).await?;
                self.run(&hook, &call.request).await;
                bail!("{}: killed after", call.request)
            }
            Fault::Gone if call.request.verb == Verb::List => Ok(Answer::gone().response(&call.request)),
            // Its mode does the rest.
            Fault::FreezeWatch | Fault::HoldWatch | Fault::CloseWatch | Fault::Gone => {
                self.pass(call, admitted).await
            }
            Fault::Record(snapshot) => {
                let (parts, body) = self.apply(&call, &admitted).await?;
                snapshot.keep(url(&call), parts.clone(), body.clone());
                Ok(Response::from_parts(parts, whole(body)))
            }
            Fault::Replay(snapshot) => match snapshot.answer(&url(&call)) {
                Some(response) => Ok(response),
                None => self.pass(call, admitted).await,
            },
            Fault::ReadFrom(other) => self.pass_to(other.upstream(), call, admitted).await,
        }
    }

    /// Hands on the request, and the answer as it arrives.
    async fn pass(&self, call: Call, admitted: Admitted) -> Result<Response<Body>> {
        self.pass_to(&self.upstream, call, admitted).await
    }

    async fn pass_to(
        &self,
        upstream: &Upstream,
        call: Call,
        mut admitted: Admitted,
    ) -> Result<Response<Body>> {
        let (parts, body) = self.forward(upstream, &call, &admitted).await?.into_parts();
        let body = match admitted.ticket.take() {
            Some(ticket) if parts.status == StatusCode::OK => {
                let kind = parts.headers.get(CONTENT_TYPE);
                let lines = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
                stream::watch(body, lines, call.request, ticket)
            }
            _ => passed_on(body),
        };
        Ok(Response::from_parts(parts, body))
    }

    /// Hands on the request and waits for the whole answer.
    async fn apply(&self, call: &Call, admitted: &Admitted) -> Result<(http::response::Parts, Bytes)> {
        let (parts, body) = self.forward(&self.upstream, call, admitted).await?.into_parts();
        Ok((parts, read_answer(body).await?))
    }

    async fn forward(
        &self,
        upstream: &Upstream,
        call: &Call,
        admitted: &Admitted,
    ) -> Result<Response<Incoming>> {
        let request = upstream.request(&call.parts, call.body.clone())?;
        let mut link = self.link.lock().await;
        let sending = upstream.send(&mut link, request);
        let mut response = match tokio::time::timeout(ANSWER_DEADLINE, sending).await {
            Ok(outcome) => outcome.with_context(|| call.request.to_string())?,
            Err(_) => {
                let problem = format!("{}: no answer after {ANSWER_DEADLINE:?}", call.request);
                self.shared.problem(problem.clone());
                bail!(problem);
            }
        };
        remove_hop_by_hop(response.headers_mut());
        self.shared
            .answered(admitted.position, response.status().as_u16());
        Ok(response)
    }

    async fn run(&self, hook: &Hook, request: &Request) {
        let running = hook.run(request.clone());
        if tokio::time::timeout(HOOK_DEADLINE, running).await.is_err() {
            self.shared
                .problem(format!("{request}: held for {HOOK_DEADLINE:?}"));
        }
    }
}

fn url(call: &Call) -> String {
    call.parts.uri.to_string()
}
