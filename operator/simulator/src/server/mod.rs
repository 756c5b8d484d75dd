//! A model of kube-apiserver, as far as the operator and its neighbours can tell: what is stored, under which versions, and
//! how each call is answered. It reads no clock and draws no random numbers: the same calls have the same answers.
//!
//! `tests/honest` holds it against the real server.

mod admission;
mod apply;
mod bind;
mod body;
mod check;
mod create;
mod custom;
mod delete;
mod kind;
mod owners;
mod pods;
mod read;
mod refusal;
mod select;
mod services;
mod shape;
mod store;
#[cfg(test)]
mod tests;
mod update;
mod value;
mod watch;

use std::sync::Arc;

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use serde_json::Value;

pub use kind::Kind;
pub use select::Selector;
pub use watch::Watch;

use body::Request;
use refusal::Refusal;
use store::Store;

/// A call, as it comes over the network.
#[derive(Debug, Clone)]
pub struct Call {
    /// Method.
    pub method: Method,
    /// Path without the query.
    pub path: String,
    /// What stands behind `?`.
    pub query: Option<String>,
    /// The header `Accept`.
    pub accept: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// Body; may be empty.
    pub body: Bytes,
    /// Who calls. Nobody is refused anything; who names no field manager owns fields under this name.
    pub user: String,
}

impl Call {
    /// Somebody sends an object, or a merge patch.
    pub(crate) fn of(user: &str, method: Method, path: String, body: &Value) -> Self {
        let content_type = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        Self {
            method,
            path,
            query: None,
            accept: None,
            content_type: Some(content_type.to_owned()),
            body: body.to_string().into(),
            user: user.to_owned(),
        }
    }
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub code: u16,
    /// The object or list; when refused a metav1.Status with reason, message and details.
    pub body: Value,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Happened {
    /// It is new.
    Added,
    /// It has changed.
    Modified,
    /// It is gone.
    Deleted,
}

impl Happened {
    /// As `type` in the events of a watch.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Modified => "MODIFIED",
            Self::Deleted => "DELETED",
        }
    }
}

/// One step in the history of a kind.
#[derive(Debug, Clone)]
pub struct Change {
    /// Version of the change.
    pub version: u64,
    /// What happened.
    pub happened: Happened,
    /// Kind of the object.
    pub kind: Kind,
    /// The object after the change; one that is gone as it last was, with the version of its end.
    pub object: Arc<Value>,
    /// The object before the change.
    pub before: Option<Arc<Value>>,
}

impl Change {
    /// What a watch tells that selects nothing else than `selector` does: what happened there, and the object. An object
    /// that is no longer selected is told as it was, with the version of the change.
    pub fn seen_by(&self, selector: &Selector) -> Option<(Happened, Arc<Value>)> {
        let happened = selector.sees(self)?;
        let object = match (happened, &self.before) {
            (Happened::Deleted, Some(before)) if self.happened != Happened::Deleted => {
                let mut last = Value::clone(before);
                value::meta_mut(&mut last)
                    .insert("resourceVersion".to_owned(), self.version.to_string().into());
                Arc::new(last)
            }
            _ => Arc::clone(&self.object),
        };
        Some((happened, object))
    }
}

/// The server and all it stores. Clones share the objects.
#[derive(Debug, Clone, Default)]
pub struct Server {
    store: Store,
    events: u64,
}

impl Server {
    /// A server that stores nothing, not even a namespace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers as kube-apiserver does. `now` is the server's clock.
    pub fn call(&mut self, now: Timestamp, call: &Call) -> Answer {
        let answer = Request::of(call).and_then(|request| self.answer(now, &request));
        answer.unwrap_or_else(Answer::from)
    }

    fn answer(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
        if request.is("watch") {
            return Err(Refusal::not_modelled("how a watch is told: see `Watch`"));
        }
        let named = request.target.name.is_some();
        if request.target.sub == "binding" {
            return match request.call.method {
                Method::POST => self.bind(now, request),
                _ => Err(Refusal::no_method()),
            };
        }
        match (&request.call.method, named) {
            (&Method::PUT | &Method::PATCH, true) if request.target.kind == Kind::Event => {
                self.count_event(request)
            }
            (&Method::GET, true) => self.look(request),
            (&Method::GET, false) => self.list(request),
            (&Method::POST, false) => self.create(now, request),
            (&Method::PUT, true) => self.replace(now, request),
            (&Method::PATCH, true) => self.patch(now, request),
            (&Method::DELETE, true) => self.delete(now, request),
            _ => Err(Refusal::no_method()),
        }
    }

    /// A later word about an Event: it is taken to be there.
    fn count_event(&mut self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let mut object = request.json()?;
        self.events += 1;
        let version = self.store.pass_by().to_string();
        let fields = value::fields_mut(&mut object);
        fields.insert("kind".to_owned(), Kind::Event.name().into());
        fields.insert("apiVersion".to_owned(), Kind::Event.api_version().into());
        let meta = value::meta_mut(&mut object);
        meta.insert("name".to_owned(), request.name().into());
        meta.insert("namespace".to_owned(), request.target.namespace.into());
        meta.insert("resourceVersion".to_owned(), version.into());
        Ok(read::shown(200, request, &object))
    }

    /// The object of this name. `namespace` is empty for kinds that belong to none.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Arc<Value>> {
        self.store.find(kind, namespace, name).map(|s| &s.object)
    }

    /// All objects of a kind, in the order of a list.
    pub fn all(&self, kind: Kind) -> impl Iterator<Item = &Arc<Value>> {
        self.store.within(kind, "")
    }

    /// Changes any part of an object, as another controller's call would. One that was waiting for its last finalizer
    /// goes when that is taken away. False: it is not there.
    pub fn update(
        &mut self,
        kind: Kind,
        namespace: &str,
        name: &str,
        change: impl FnOnce(&mut Value),
    ) -> bool {
        let Some(stored) = self.store.find(kind, namespace, name).cloned() else {
            return false;
        };
        let mut object = Value::clone(&stored.object);
        change(&mut object);
        if object == *stored.object {
            return true;
        }
        if update::is_done(&stored.object, &object) {
            self.store.take(kind, namespace, name);
            return true;
        }
        let owners = stored
            .owners
            .updated(kind, owners::OTHERS, "", &stored.object, &object);
        self.store.keep(kind, object, owners);
        true
    }

    /// Adds an object as another controller would, with what every new object has: UID, version, time, defaults and
    /// generation. Its status is kept. Nothing is checked.
    pub fn put(&mut self, now: Timestamp, kind: Kind, object: Value) -> Arc<Value> {
        let mut object = shape::read(kind, object);
        let status = value::fields_mut(&mut object).remove("status");
        self.complete(now, kind, &mut object);
        if let Some(status) = status {
            value::fields_mut(&mut object).insert("status".to_owned(), status);
        }
        let owners = owners::Owners::created(kind, owners::OTHERS, &object);
        services::allocate(kind, &mut object, None, self.store.version());
        self.store.keep(kind, object, owners)
    }

    /// Takes an object away for good. False: it is not there.
    pub fn remove(&mut self, kind: Kind, namespace: &str, name: &str) -> bool {
        self.store.take(kind, namespace, name).is_some()
    }

    /// The last version given out.
    pub fn version(&self) -> u64 {
        self.store.version()
    }

    /// What has happened to objects of `kind` after `version`. None: it is too long ago, list again.
    pub fn changes(&self, kind: Kind, version: u64) -> Option<&[Change]> {
        self.store.changes(kind, version)
    }

    /// Forgets what happened up to `version`.
    pub fn compact(&mut self, version: u64) {
        self.store.compact(version);
    }

    /// Events that were written so far. They are not kept.
    pub fn events(&self) -> u64 {
        self.events
    }
}
