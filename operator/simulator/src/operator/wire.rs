//! Calls as kube sends them, and answers as it reads them.

use http::{Request, Response, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use kube::client::Body;
use tower::BoxError;

use crate::server::{Answer, Call};

/// What a replica asks of the API server.
pub(crate) async fn call(request: Request<Body>) -> Result<Call, BoxError> {
    let (parts, body) = request.into_parts();
    let text = |name| parts.headers.get(name)?.to_str().ok().map(str::to_owned);
    Ok(Call {
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(str::to_owned),
        accept: text(header::ACCEPT),
        content_type: text(header::CONTENT_TYPE),
        body: body.collect_bytes().await?,
        method: parts.method.clone(),
        user: "system:serviceaccount:webinar-system:webinar-operator".to_owned(),
    })
}

/// The answer, sent at `now`.
pub(crate) fn response(answer: &Answer, now: Timestamp) -> Result<Response<Body>, BoxError> {
    let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now)?;
    let mut response = Response::builder()
        .status(answer.code)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::DATE, date);
    if answer.code == 429 {
        response = response.header(header::RETRY_AFTER, "1");
    }
    Ok(response.body(Body::from(answer.body.to_string().into_bytes()))?)
}

/// A refusal that says nothing of the object.
pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code,
    });
    Answer { code, body }
}
