//! What can go wrong in a reconcile.

use std::time::Duration;

use thiserror::Error;

/// A reconcile that could not be finished. It is tried again, later each time.
#[derive(Debug, Error)]
pub(crate) enum Error {
    /// A call to the API server failed.
    #[error("{what}: {source}")]
    Api {
        /// What was tried.
        what: String,
        /// The answer.
        source: Box<kube::Error>,
    },
    /// A call to the API server had no answer in time.
    #[error("{what}: no answer from the API server within {seconds} s")]
    Deadline {
        /// What was tried.
        what: String,
        /// How long was waited.
        seconds: u64,
    },
    /// What was decided upon has changed since it was seen.
    #[error("{what} is not as it was when this was decided")]
    Outdated {
        /// What has changed.
        what: String,
    },
    /// An object could not be written as JSON.
    #[error("{what} can't be written as JSON: {source}")]
    Json {
        /// Which object.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
}

impl Error {
    /// A short name for metrics.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Api { .. } => "api",
            Self::Deadline { .. } => "deadline",
            Self::Outdated { .. } => "outdated",
            Self::Json { .. } => "json",
        }
    }

    /// How long the API server wants to be left alone.
    pub(crate) fn retry_after(&self) -> Duration {
        let details = self.answer().and_then(|s| s.details.as_ref());
        Duration::from_secs(details.map_or(0, |d| u64::from(d.retry_after_seconds)))
    }

    /// The API server's answer, if there was one.
    pub(crate) fn answer(&self) -> Option<&kube::core::Status> {
        match self {
            Self::Api { source, .. } => match source.as_ref() {
                kube::Error::Api(status) => Some(status),
                _ => None,
            },
            Self::Deadline { .. } | Self::Outdated { .. } | Self::Json { .. } => None,
        }
    }
}
