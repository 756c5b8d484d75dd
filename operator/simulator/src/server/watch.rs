//! GET with `watch`: what is asked for. Telling it, and when, is the caller's business.

use std::sync::Arc;

use serde_json::Value;

use super::body::Request;
use super::kind::Kind;
use super::select::Selector;
use super::value::said;
use super::{Answer, Call, Change, Happened};

/// A watch, as a call asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Kind of the objects.
    pub kind: Kind,
    /// Namespace of the objects; empty for all.
    pub namespace: String,
    /// Which objects.
    pub selector: Selector,
    /// The version after which changes are told. None: from now on.
    pub since: Option<u64>,
    /// What there is is told first, as added, and a bookmark after it.
    pub begins_with_all: bool,
    /// Bookmarks are welcome.
    pub bookmarks: bool,
    /// Seconds after which the server ends it.
    pub seconds: Option<u64>,
    /// Only metadata is wanted.
    pub metadata: bool,
}

impl Watch {
    /// The watch that `call` asks for. None: it asks for something else.
    ///
    /// # Errors
    ///
    /// The answer when there is no such path or a selector can't be read.
    pub fn of(call: &Call) -> Result<Option<Self>, Answer> {
        let request = Request::of(call)?;
        if !request.is("watch") || call.method != http::Method::GET {
            return Ok(None);
        }
        let kind = request.target.kind;
        let version = request.option("resourceVersion").filter(|v| *v != "0");
        Ok(Some(Self {
            kind,
            namespace: request.target.namespace.to_owned(),
            selector: Selector::of(
                kind,
                request.option("labelSelector"),
                request.option("fieldSelector"),
            )?,
            since: version.and_then(|v| v.parse().ok()),
            begins_with_all: request.is("sendInitialEvents"),
            bookmarks: request.is("allowWatchBookmarks"),
            seconds: request.option("timeoutSeconds").and_then(|s| s.parse().ok()),
            metadata: request.wants_metadata(),
        }))
    }

    /// The object is meant.
    pub fn selects(&self, object: &Value) -> bool {
        (self.namespace.is_empty() || said(object, "namespace") == self.namespace)
            && self.selector.selects(object)
    }

    /// What is told of a change of this kind: an object that begins to be selected is added; one that is no longer
    /// selected is deleted, and told as it was, with the version of the change.
    pub fn sees(&self, change: &Change) -> Option<(Happened, Arc<Value>)> {
        let elsewhere = !self.namespace.is_empty() && said(&change.object, "namespace") != self.namespace;
        if elsewhere {
            return None;
        }
        change.seen_by(&self.selector)
    }
}
