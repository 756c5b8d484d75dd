//! The way from a replica to the API server: calls take time, get lost, and arrive although whoever sent them is dead.

use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use tokio::time::sleep;
use tower::{BoxError, Service};

use super::wire;
use crate::mutation;
use crate::server::{Answer, Call};
use crate::world::{Fate, Refused, Shared, locked};

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
        let mut call = wire::call(request).await?;
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
            Fate::Refused(why) => {
                sleep(Duration::from_millis(5)).await;
                self.answer(&refusal(why))
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
        applied.await.unwrap_or_else(|_| refusal(Refused::Code(500)))
    }

    fn answer(&self, answer: &Answer) -> Result<Response<Body>, BoxError> {
        wire::response(answer, locked(&self.world).now.time())
    }
}

fn broken(why: &str) -> BoxError {
    io::Error::new(io::ErrorKind::ConnectionReset, why).into()
}

/// The API server's word for not now, for a pod that a policy refuses, and for one that nobody could be asked about.
fn refusal(why: Refused) -> Answer {
    let (code, reason, message) = match why {
        Refused::Code(code) => {
            let reason = match code {
                429 => "TooManyRequests",
                503 => "ServiceUnavailable",
                504 => "Timeout",
                _ => "InternalError",
            };
            (code, reason, "not now")
        }
        Refused::Policy => (
            403,
            "Forbidden",
            "pods is forbidden: ValidatingAdmissionPolicy 'images' denied request: the registry is not allowed",
        ),
        Refused::Webhook => (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"pods.example.com\": connection refused",
        ),
    };
    wire::refusal(code, reason, message)
}
