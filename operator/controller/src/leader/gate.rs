//! Lets writes through while this process leads, and drops those under way when it no longer does.

use std::future::Future;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use tower::{BoxError, Layer, Service};

use super::Leadership;

/// A layer that refuses writes without leadership. Leases are written by whoever competes for one.
#[derive(Clone)]
pub(crate) struct Gate(Leadership);

impl Gate {
    pub(crate) const fn new(leadership: Leadership) -> Self {
        Self(leadership)
    }
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Gated {
            inner,
            leadership: self.0.clone(),
        }
    }
}

/// A service behind the [`Gate`].
#[derive(Clone)]
pub(crate) struct Gated<S> {
    inner: S,
    leadership: Leadership,
}

/// This process does not lead, or led until the call was under way.
#[derive(Debug, thiserror::Error)]
#[error("not written: this replica doesn't lead")]
struct NotLeading;

impl<S, A, B> Service<Request<A>> for Gated<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<S::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        if is_free(&request) {
            let answer = self.inner.call(request);
            return Box::pin(async move { answer.await.map_err(Into::into) });
        }
        let Some(over) = self.leadership.term() else {
            return Box::pin(async { Err(NotLeading.into()) });
        };
        let leadership = self.leadership.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let mut answer = Box::pin(answer);
            let mut over = Box::pin(over.cancelled_owned());
            // A process that was stopped for a while may be polled before its timers are: look at the clock first.
            std::future::poll_fn(|cx| {
                if !leadership.holds() || over.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Err(NotLeading.into()));
                }
                answer.as_mut().poll(cx).map_err(Into::into)
            })
            .await
        })
    }
}

/// Reads, and writes of leases.
fn is_free<A>(request: &Request<A>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    reads || is_about_leases(request.uri().path())
}

/// A request to this path reads or writes leases.
pub(crate) fn is_about_leases(path: &str) -> bool {
    path.starts_with("/apis/coordination.k8s.io/")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;
    use tower::util::BoxCloneService;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    /// Answers after a second.
    fn slow(leadership: &Leadership) -> Gated<BoxCloneService<Request<()>, Response<()>, BoxError>> {
        let answers = service_fn(|_: Request<()>| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, BoxError>(Response::new(()))
        });
        Gate::new(leadership.clone()).layer(BoxCloneService::new(answers))
    }

    fn ask(method: Method, path: &str) -> Request<()> {
        Request::builder().method(method).uri(path).body(()).unwrap()
    }

    const PODS: &str = "/api/v1/namespaces/a/pods";
    const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/a/leases/webinar-operator";

    #[tokio::test(start_paused = true)]
    async fn a_follower_reads_and_competes_and_writes_nothing() {
        let service = slow(&Leadership::default());
        assert!(service.clone().oneshot(ask(Method::GET, PODS)).await.is_ok());
        assert!(service.clone().oneshot(ask(Method::PUT, LEASE)).await.is_ok());
        for method in [Method::POST, Method::PATCH, Method::PUT, Method::DELETE] {
            let refused = service.clone().oneshot(ask(method, PODS)).await;
            assert!(refused.unwrap_err().to_string().contains("doesn't lead"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_under_way_is_dropped_with_the_term() {
        let leadership = Leadership::default();
        let service = slow(&leadership);
        leadership.begin(Instant::now() + Duration::from_secs(10));
        assert!(service.clone().oneshot(ask(Method::POST, PODS)).await.is_ok());
        let call = tokio::spawn(service.clone().oneshot(ask(Method::POST, PODS)));
        tokio::time::sleep(Duration::from_millis(500)).await;
        leadership.end();
        assert!(call.await.unwrap().is_err());
        // The renew deadline passes without anyone saying so.
        leadership.begin(Instant::now() + Duration::from_millis(500));
        assert!(service.oneshot(ask(Method::POST, PODS)).await.is_err());
    }
}
