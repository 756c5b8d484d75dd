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

/// Why a pass fails, as metrics name it: as an [`Error`], or because the Webinar can't be read.
pub(crate) const KINDS: [&str; 5] = ["api", "deadline", "outdated", "json", UNREADABLE];

/// A Webinar that can't be read, as metrics name it.
pub(crate) const UNREADABLE: &str = "unreadable";

impl Error {
    /// A short name for metrics, one of [`KINDS`].
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Api { .. } => "api",
            Self::Deadline { .. } => "deadline",
            Self::Outdated { .. } => "outdated",
            Self::Json { .. } => "json",
        }
    }

    /// How long the API server wants to be left alone: as long as it says, and a moment if it has too many requests and
    /// does not say.
    pub(crate) fn retry_after(&self) -> Duration {
        let Some(status) = self.answer() else {
            return Duration::ZERO;
        };
        let least = u64::from(status.code == 429);
        let told = status
            .details
            .as_ref()
            .map_or(0, |d| u64::from(d.retry_after_seconds));
        Duration::from_secs(told.max(least))
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

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn an_overloaded_api_server_is_left_alone_even_if_it_does_not_say_for_how_long() {
        let answer = |code, json: &str| {
            let status: Status = serde_json::from_str(json).unwrap();
            let source = Box::new(kube::Error::Api(Box::new(status.with_code(code))));
            Error::Api {
                what: "create a pod".to_owned(),
                source,
            }
            .retry_after()
            .as_secs()
        };
        let told = r#"{"status": "Failure", "details": {"retryAfterSeconds": 12}}"#;
        let plain = r#"{"status": "Failure", "message": "Too many requests, please try again later."}"#;
        assert_eq!(answer(429, told), 12);
        assert_eq!(answer(503, told), 12);
        assert_eq!(answer(429, plain), 1);
        assert_eq!(answer(503, plain), 0);
    }
}
