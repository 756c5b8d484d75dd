//! Answers of an earlier time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Response;
use http::response::Parts;

use super::body::{Body, whole};

/// Answers to reads, by URL: filled by [`Fault::Record`](super::Fault::Record), served by
/// [`Fault::Replay`](super::Fault::Replay). Clones share what they hold.
#[derive(Debug, Clone, Default)]
pub struct Snapshot(Arc<Mutex<BTreeMap<String, (Parts, Bytes)>>>);

impl Snapshot {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The URLs that it can answer, as path and query.
    pub fn urls(&self) -> Vec<String> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.keys().cloned().collect()
    }

    /// The last answer to a URL is the one that counts.
    pub(super) fn keep(&self, url: String, parts: Parts, body: Bytes) {
        let mut answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(url, (parts, body));
    }

    pub(super) fn answer(&self, url: &str) -> Option<Response<Body>> {
        let answers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (parts, body) = answers.get(url)?;
        Some(Response::from_parts(parts.clone(), whole(body.clone())))
    }
}
