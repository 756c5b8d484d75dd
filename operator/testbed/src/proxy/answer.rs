//! Answers that the API server did not give.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::{Value, json};

use super::body::{Body, whole};
use super::request::Request;

/// An error as the API server words it: a `metav1.Status`.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    reason: String,
    message: String,
    retry_after: Option<u32>,
}

impl Answer {
    /// An answer with the reason that goes with the status, such as `TooManyRequests`; for 409 that is `Conflict`.
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            reason: usual_reason(status).to_owned(),
            message: "scripted by the fault proxy".to_owned(),
            retry_after: None,
        }
    }

    /// What the API server says for a `resourceVersion` that it no longer has.
    pub(super) fn gone() -> Self {
        Self {
            message: "too old resource version: 1 (2)".to_owned(),
            ..Self::new(StatusCode::GONE)
        }
    }

    /// Another reason, such as `AlreadyExists`.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// Another message.
    #[must_use]
    pub fn message(mut self, message: &str) -> Self {
        message.clone_into(&mut self.message);
        self
    }

    /// Asks the client to wait, by a header alone, as an API server does that is overloaded.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Its status and reason, for records.
    pub(super) fn told(&self) -> String {
        format!("{} {}", self.status.as_u16(), self.reason)
    }

    /// The `metav1.Status`.
    fn status(&self, request: &Request) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": {"name": request.name, "group": request.group, "kind": request.resource},
            "code": self.status.as_u16(),
        })
    }

    pub(super) fn response(&self, request: &Request) -> Response<Body> {
        let mut response = Response::new(whole(Bytes::from(self.status(request).to_string())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response
    }

    /// The same within an open watch: a line of it.
    pub(super) fn event(&self, request: &Request) -> Bytes {
        let event = json!({"type": "ERROR", "object": self.status(request)});
        Bytes::from(format!("{event}\n"))
    }
}

fn usual_reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::CONFLICT => "Conflict",
        StatusCode::GONE => "Expired",
        StatusCode::UNPROCESSABLE_ENTITY => "Invalid",
        StatusCode::TOO_MANY_REQUESTS => "TooManyRequests",
        StatusCode::INTERNAL_SERVER_ERROR => "InternalError",
        StatusCode::SERVICE_UNAVAILABLE => "ServiceUnavailable",
        StatusCode::GATEWAY_TIMEOUT => "Timeout",
        _ => "",
    }
}
