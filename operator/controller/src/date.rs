//! What answers about the lease say of the time: they come from the API server every few seconds, whoever leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use tokio::time::Instant;
use tower::{Layer, Service};
use webinar_plan::MOST_SKEW;

use crate::clock::Clock;
use crate::leader;
use crate::metrics::Metrics;

/// A layer that tells the clock what the API server's answers say.
#[derive(Clone)]
pub(crate) struct Dates {
    clock: Clock,
    metrics: Metrics,
    /// That the clocks differ was logged.
    warned: Arc<AtomicBool>,
}

impl Dates {
    pub(crate) fn new(clock: Clock, metrics: Metrics) -> Self {
        Self {
            clock,
            metrics,
            warned: Arc::default(),
        }
    }

    fn hear(&self, date: Timestamp, sent: Instant) {
        self.clock.heard(date, sent, Instant::now());
        let skew = self.clock.skew();
        self.metrics.skewed(skew);
        let differ = skew.abs() > MOST_SKEW;
        if self.warned.swap(differ, Ordering::Relaxed) == differ {
            return;
        }
        let ahead_seconds = skew.as_secs();
        if differ {
            tracing::warn!(
                ahead_seconds,
                "this machine's clock and the API server's differ: times are the API server's, and nothing is given back \
                 before both clocks say that it is time"
            );
        } else {
            tracing::info!(
                ahead_seconds,
                "this machine's clock and the API server's agree again"
            );
        }
    }
}

impl<S> Layer<S> for Dates {
    type Service = Dated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Dated {
            inner,
            dates: self.clone(),
        }
    }
}

/// A service whose answers tell the time.
#[derive(Clone)]
pub(crate) struct Dated<S> {
    inner: S,
    dates: Dates,
}

impl<S, A, B> Service<Request<A>> for Dated<S>
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
        let asked = leader::is_about_leases(request.uri().path()).then(|| self.dates.clone());
        let sent = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            // A refusal may be something's that stands in between, and whose clock nobody knows.
            if let Some(dates) = asked
                && answer.status().is_success()
                && let Some(date) = date(answer.headers())
            {
                dates.hear(date, sent);
            }
            Ok(answer)
        })
    }
}

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    DateTimeParser::new().parse_timestamp(text).ok()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/a/leases/webinar-operator";

    /// The clock's time after one answer.
    async fn after(path: &str, status: u16, date: &'static str) -> Timestamp {
        let clock = Clock::default();
        let answers = service_fn(move |_: Request<()>| async move {
            let answer = Response::builder().status(status).header(header::DATE, date);
            Ok::<_, std::convert::Infallible>(answer.body(()).expect("an answer"))
        });
        let dates = Dates::new(clock.clone(), Metrics::default());
        let request = Request::put(path).body(()).expect("a request");
        dates.layer(answers).oneshot(request).await.expect("an answer");
        clock.now()
    }

    #[tokio::test(start_paused = true)]
    async fn answers_about_the_lease_tell_the_time() {
        let date = "Sun, 06 Nov 2044 08:49:37 GMT";
        let told: Timestamp = "2044-11-06T08:49:37Z".parse().expect("a time");
        let near = |t: Timestamp| t.duration_since(told).abs() <= SignedDuration::from_secs(1);
        assert!(near(after(LEASE, 200, date).await));
        for (path, status, date) in [
            ("/api/v1/pods", 200, date),
            (LEASE, 502, date),
            (LEASE, 200, "yesterday"),
        ] {
            assert!(!near(after(path, status, date).await), "{path} {status} {date}");
        }
    }
}
