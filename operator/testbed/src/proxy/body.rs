//! Bodies of requests and answers.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;

use crate::wait::within;

/// What is sent to the client.
pub(super) type Body = UnsyncBoxBody<Bytes, anyhow::Error>;

/// In bytes; the API server takes no request of more than 3 MiB.
const LONGEST_REQUEST: usize = 8 * 1024 * 1024;
/// In bytes; ten thousand pods in one list.
const LONGEST_ANSWER: usize = 256 * 1024 * 1024;
const DEADLINE: Duration = Duration::from_secs(60);

/// A body that is known.
pub(super) fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is handed on as it arrives.
pub(super) fn passed_on(body: Incoming) -> Body {
    body.map_err(anyhow::Error::from).boxed_unsync()
}

/// All of a request.
///
/// # Errors
/// When it breaks off, is longer than 8 MiB or takes more than a minute.
pub(super) async fn read_request(body: Incoming) -> Result<Bytes> {
    read("reading a request", body, LONGEST_REQUEST).await
}

/// All of an answer.
///
/// # Errors
/// When it breaks off, is longer than 256 MiB or takes more than a minute.
pub(super) async fn read_answer(body: Incoming) -> Result<Bytes> {
    read("reading an answer", body, LONGEST_ANSWER).await
}

async fn read(what: &str, body: Incoming, longest: usize) -> Result<Bytes> {
    within(what, DEADLINE, async {
        let limited = Limited::new(body, longest).collect().await;
        let read = limited.map_err(|error| anyhow!("{error}"));
        Ok(read.context("a body that cannot be used")?.to_bytes())
    })
    .await
}
