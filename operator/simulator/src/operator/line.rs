//! The way from a replica to the API server: calls take time, get lost, and arrive although whoever sent them is dead.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response, header};
use jiff::fmt::rfc2822::DateTimePrinter;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::sleep;
use tower::{BoxError, Service};

use crate::mutation;
use crate::server::{Answer, Call};
use crate::world::{Fate, Shared, locked};

/// One replica's line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) world: Shared,
    pub(super) replica: usize,
}

impl Service<Request<Body>> for Line {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let line = self.clone();
        Box::pin(line.carry(request))
    }
}

impl Line {
    async fn carry(self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let (parts, body) = request.into_parts();
        let text = |name| {
            let value = parts.headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let mut call = Call {
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            accept: text(header::ACCEPT),
            content_type: text(header::CONTENT_TYPE),
            body: body.collect_bytes().await?,
            method: parts.method.clone(),
            user: "system:serviceaccount:webinar-system:webinar-operator".to_owned(),
        };
        let fate = {
            let mut world = locked(&self.world);
            let ticks = world.now.0;
            mutation::rewrite(world.mutation, &mut call, ticks);
            world.fate(self.replica, &call)
        };
        match fate {
            Fate::Fine(there, back) => {
                let answer = self.apply(call, there).await;
                sleep(Duration::from_millis(back)).await;
                self.answer(&answer)
            }
            Fate::AnswerLost(there) => {
                self.apply(call, there).await;
                Err(broken("the connection broke before the answer"))
            }
            Fate::DiesAfter(there) => {
                self.apply(call, there).await;
                std::future::pending().await
            }
            Fate::DiesBefore | Fate::Lost => std::future::pending().await,
            Fate::Unreachable => {
                sleep(Duration::from_millis(5)).await;
                Err(broken("connection refused"))
            }
            Fate::Refused(code) => {
                sleep(Duration::from_millis(5)).await;
                self.answer(&refusal(code))
            }
            Fate::Denied { webhook } => {
                sleep(Duration::from_millis(5)).await;
                self.answer(&denial(webhook))
            }
        }
    }

    /// It arrives, whoever still waits for the answer.
    async fn apply(&self, call: Call, there: u64) -> Answer {
        let line = self.clone();
        let applied = tokio::spawn(async move {
            sleep(Duration::from_millis(there)).await;
            let mut world = locked(&line.world);
            let now = world.now.time();
            let before = world.before(&call);
            let answer = world.server.call(now, &call);
            world.after(line.replica, &call, &before, &answer);
            answer
        });
        applied.await.unwrap_or_else(|_| refusal(500))
    }

    fn answer(&self, answer: &Answer) -> Result<Response<Body>, BoxError> {
        let now = locked(&self.world).now.time();
        let mut response = Response::builder()
            .status(answer.code)
            .header(header::CONTENT_TYPE, "application/json");
        if let Ok(date) = DateTimePrinter::new().timestamp_to_rfc9110_string(&now) {
            response = response.header(header::DATE, date);
        }
        if answer.code == 429 {
            response = response.header(header::RETRY_AFTER, "1");
        }
        Ok(response.body(Body::from(answer.body.to_string().into_bytes()))?)
    }
}

fn broken(why: &str) -> BoxError {
    io::Error::new(io::ErrorKind::ConnectionReset, why).into()
}

/// The API server's word for a pod that a policy refuses, or that nobody could be asked about.
fn denial(webhook: bool) -> Answer {
    let (code, reason, message) = if webhook {
        (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"pods.example.com\": connection refused",
        )
    } else {
        (
            403,
            "Forbidden",
            "pods is forbidden: ValidatingAdmissionPolicy 'images' denied request: the registry is not allowed",
        )
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code,
    });
    Answer { code, body }
}

/// The API server's word for not now.
fn refusal(code: u16) -> Answer {
    let reason = match code {
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "InternalError",
    };
    let body: Value = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": "not now",
        "reason": reason, "code": code,
    });
    Answer { code, body }
}
