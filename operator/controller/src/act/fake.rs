//! An API server of a few lines.

use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::ownership::Owner;

/// The Webinar `events/event` in its second generation.
pub(super) fn owner() -> Owner {
    Owner {
        namespace: "events".to_owned(),
        name: "event".to_owned(),
        uid: "first".to_owned(),
        generation: Some(2),
    }
}

/// An API server that has one Webinar, or none, and some pods, and writes whatever it is asked to.
#[derive(Debug, Clone)]
pub(super) struct Fake {
    webinar: Option<Value>,
    pods: Vec<Value>,
    writes: Arc<Mutex<Vec<String>>>,
}

impl Fake {
    /// From their metadata.
    pub(super) fn new(webinar: Option<&Value>, pods: &[Value]) -> Self {
        Self {
            webinar: webinar.cloned(),
            pods: pods.to_vec(),
            writes: Arc::default(),
        }
    }

    pub(super) fn client(&self) -> Client {
        let fake = self.clone();
        let answers = move |request: Request<Body>| {
            let (code, answer) = fake.answer(request.method(), request.uri().path());
            let body = Body::from(answer.to_string().into_bytes());
            std::future::ready(Response::builder().status(code).body(body))
        };
        Client::new(tower::service_fn(answers), "events")
    }

    /// The writes that it was asked for, as method and path.
    pub(super) fn writes(&self) -> Vec<String> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answer(&self, method: &Method, path: &str) -> (u16, Value) {
        if *method != Method::GET {
            let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
            writes.push(format!("{method} {path}"));
            return (201, json!({"metadata": {"name": "written"}}));
        }
        let partial = |kind: &str| json!({"apiVersion": "meta.k8s.io/v1", "kind": kind});
        if path.ends_with("/pods") {
            let items = self.pods.iter().map(|metadata| json!({"metadata": metadata}));
            let mut list = partial("PartialObjectMetadataList");
            list["metadata"] = json!({});
            list["items"] = items.collect();
            return (200, list);
        }
        match &self.webinar {
            Some(metadata) => {
                let mut object = partial("PartialObjectMetadata");
                object["metadata"] = metadata.clone();
                (200, object)
            }
            None => (
                404,
                json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "code": 404}),
            ),
        }
    }
}
