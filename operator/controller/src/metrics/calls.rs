//! Every request to the API server, counted and timed.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tower::{Layer, Service};

use super::{catalog, register};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: String,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Took {
    method: String,
    code: &'static str,
}

/// Requests to the API server.
#[derive(Debug, Clone)]
pub(super) struct Calls {
    answered: Family<Answered, Counter>,
    took: Family<Took, Histogram, fn() -> Histogram>,
}

impl Default for Calls {
    fn default() -> Self {
        // 5 ms to 10 s, the deadline of every call.
        let buckets: fn() -> Histogram = || Histogram::new(exponential_buckets(0.005, 2.0, 12));
        Self {
            answered: Family::default(),
            took: Family::new_with_constructor(buckets),
        }
    }
}

impl Calls {
    pub(super) fn register(&self, registry: &mut Registry) {
        register(registry, catalog::CALLS, self.answered.clone());
        register(registry, catalog::CALL_SECONDS, self.took.clone());
    }

    /// 0 stands for a call that had no answer. A watch goes on for as long as it is let, and is only counted.
    fn ended(&self, method: String, code: u16, seconds: Option<f64>) {
        if let Some(seconds) = seconds {
            let took = Took {
                method: method.clone(),
                code: class(code),
            };
            self.took.get_or_create(&took).observe(seconds);
        }
        self.answered.get_or_create(&Answered { method, code }).inc();
    }
}

fn class(code: u16) -> &'static str {
    match code {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "none",
    }
}

/// A layer that counts and times every call.
#[derive(Clone)]
pub(crate) struct CountCalls(pub(super) Calls);

impl<S> Layer<S> for CountCalls {
    type Service = CountedCalls<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CountedCalls {
            inner,
            calls: self.0.clone(),
        }
    }
}

/// A service whose calls are counted.
#[derive(Clone)]
pub(crate) struct CountedCalls<S> {
    inner: S,
    calls: Calls,
}

impl<S, A, B> Service<Request<A>> for CountedCalls<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let method = request.method().to_string();
        let watches = request.uri().query().is_some_and(|q| q.contains("watch=true"));
        let calls = self.calls.clone();
        let begun = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or(0, |r| r.status().as_u16());
            let seconds = (!watches).then(|| begun.elapsed().as_secs_f64());
            calls.ended(method, code, seconds);
            answer
        })
    }
}
