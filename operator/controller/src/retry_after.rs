//! How long an overloaded API server wants to be left alone. It says so in plain text and a header, of which the client's
//! errors show neither.

use std::cell::Cell;
use std::future::Future;

use http::{Response, StatusCode, header};
use kube::core::response::StatusDetails;

tokio::task_local! {
    /// Seconds that the answer to this task's call asked for.
    static TOLD: Cell<Option<u32>>;
}

/// Takes note of an answer's `Retry-After`, for the call that waits for it.
pub(crate) fn hear<B>(answer: Response<B>) -> Response<B> {
    let overloaded = [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE];
    if overloaded.contains(&answer.status()) {
        let seconds = answer.headers().get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        // Watches and leases are tried again by rules of their own.
        let _ = TOLD.try_with(|told| told.set(seconds));
    }
    answer
}

/// Does a call, and puts what was heard where an answer in JSON would have said it.
pub(crate) async fn listening<T>(call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    let heard = async {
        let answer = call.await;
        (answer, TOLD.with(Cell::get))
    };
    let (mut answer, told) = TOLD.scope(Cell::new(None), heard).await;
    if let (Err(kube::Error::Api(status)), Some(seconds)) = (&mut answer, told) {
        let details = status.details.get_or_insert_with(|| StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: 0,
        });
        if details.retry_after_seconds == 0 {
            details.retry_after_seconds = seconds;
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use http::Request;
    use kube::Client;
    use kube::client::Body;
    use tower::util::MapResponseLayer;
    use tower::{ServiceBuilder, service_fn};

    use super::*;

    /// What a call is told when the API server answers like this.
    async fn told(code: u16, retry_after: Option<&'static str>, body: &'static str) -> Option<u32> {
        let server = service_fn(move |_: Request<Body>| async move {
            let mut answer = Response::builder().status(code);
            if let Some(seconds) = retry_after {
                answer = answer.header(header::RETRY_AFTER, seconds);
            }
            Ok::<_, std::convert::Infallible>(
                answer
                    .body(Body::from(body.as_bytes().to_vec()))
                    .expect("an answer"),
            )
        });
        let service = ServiceBuilder::new()
            .layer(MapResponseLayer::new(hear))
            .service(server);
        let client = Client::new(service, "default");
        match listening(client.apiserver_version()).await {
            Err(kube::Error::Api(status)) => status.details.map(|d| d.retry_after_seconds),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn the_header_is_heard_unless_the_answer_says_more() {
        let plain = "Too many requests, please try again later.";
        assert_eq!(told(429, Some("7"), plain).await, Some(7));
        assert_eq!(told(503, Some(" 7 "), plain).await, Some(7));
        assert_eq!(told(429, Some("soon"), plain).await, None);
        assert_eq!(told(429, None, plain).await, None);
        assert_eq!(told(500, Some("7"), plain).await, None);
        let json = r#"{"kind":"Status","status":"Failure","code":429,"details":{"retryAfterSeconds":12}}"#;
        assert_eq!(told(429, Some("7"), json).await, Some(12));
    }
}
