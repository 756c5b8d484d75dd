//! What a test does in the middle of a request.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::request::Request;
use crate::wait::within;

/// Something that happens while a request is held, such as the end of the process that sent it.
#[derive(Clone)]
pub struct Hook(Arc<dyn Fn(Request) -> BoxFuture<'static, ()> + Send + Sync>);

impl Hook {
    /// Calls a function, which should come back in milliseconds.
    pub fn call(function: impl Fn(&Request) + Send + Sync + 'static) -> Self {
        Self(Arc::new(move |request| {
            function(&request);
            Box::pin(std::future::ready(()))
        }))
    }

    /// Tells the test through [`Holds`] and waits until it drops what it was given, at most a minute.
    pub fn hold() -> (Self, Holds) {
        let (told, holds) = mpsc::unbounded_channel();
        let hook = Self(Arc::new(move |request| {
            let (release, released) = oneshot::channel();
            // Nobody listens any more: then nobody holds.
            _ = told.send(Held {
                request,
                _release: release,
            });
            Box::pin(async {
                // Dropping the sender is the sign.
                _ = released.await;
            })
        }));
        (hook, Holds(holds))
    }

    pub(super) fn run(&self, request: Request) -> BoxFuture<'static, ()> {
        (self.0)(request)
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hook")
    }
}

/// Requests that [`Hook::hold`] holds.
#[derive(Debug)]
pub struct Holds(mpsc::UnboundedReceiver<Held>);

impl Holds {
    /// Waits for a request to be held.
    ///
    /// # Errors
    /// When there is none at the deadline, or there can be none any more because the script was lifted.
    pub async fn next(&mut self, deadline: Duration) -> Result<Held> {
        within("waiting for a request to hold", deadline, async {
            self.0.recv().await.context("the script was lifted")
        })
        .await
    }
}

/// A request that waits until this is dropped.
#[derive(Debug)]
pub struct Held {
    /// The request.
    pub request: Request,
    _release: oneshot::Sender<()>,
}
