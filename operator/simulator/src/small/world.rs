//! What is there before the first look, and what kubelets, people and the garbage collector do.

use serde_json::{Value, json};

use super::book::Book;
use super::{NAME, NAMESPACE, NOW};
use crate::check::is_ready;
use crate::server::{Call, Kind, Server};
use crate::world::{OPERATOR_NAMESPACE, OWNED, owner, text};

/// A class whose rooms have two SFUs, and a Webinar that starts in half a minute.
pub(super) fn furnished() -> Book {
    let mut server = Server::new();
    for name in [NAMESPACE, OPERATOR_NAMESPACE] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        server.put(NOW, Kind::Namespace, namespace);
    }
    let template = json!({
        "apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": "sfu", "namespace": OPERATOR_NAMESPACE},
        "template": {"spec": {"containers": [{
            "name": "media", "image": "example.com/media:1",
            "ports": [{"name": "rtsp", "containerPort": 8554}], "resources": {"requests": {"cpu": "2"}},
        }]}},
    });
    server.put(NOW, Kind::PodTemplate, template);
    let class = json!({
        "apiVersion": "webinar-operator.io/v1alpha1", "kind": "WebinarClass",
        "metadata": {
            "name": "pairs", "generation": 1,
            "annotations": {webinar_api::labels::IS_DEFAULT_CLASS: "true"},
        },
        "spec": {
            "templates": {"sfu": "sfu"}, "maxTier": "room", "sizing": {"sfu": {"counts": {"room": 2}}},
        },
    });
    server.put(NOW, Kind::WebinarClass, class);
    let mut book = Book::new(server);
    create_webinar(&mut book);
    book
}

/// Somebody creates the Webinar.
pub(super) fn create_webinar(book: &mut Book) {
    let start = NOW + jiff::SignedDuration::from_secs(30);
    let body = json!({
        "apiVersion": "webinar-operator.io/v1alpha1", "kind": "Webinar",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"tier": "room", "startTime": start.to_string(), "duration": "1h"},
    });
    let answer = book.call(&person(http::Method::POST, Kind::Webinar.path(NAMESPACE), &body));
    assert_eq!(answer.code, 201, "{}", answer.body);
}

/// Somebody deletes it.
pub(super) fn delete_webinar(book: &mut Book) {
    let path = format!("{}/{NAME}", Kind::Webinar.path(NAMESPACE));
    book.call(&person(http::Method::DELETE, path, &json!({})));
}

fn person(method: http::Method, path: String, body: &Value) -> Call {
    Call::of("someone", method, path, body)
}

/// A pod, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) owner: String,
    pub(super) slot: String,
    pub(super) ready: bool,
    pub(super) going: bool,
    pub(super) ended: bool,
}

impl Pod {
    pub(super) fn of(object: &Value) -> Self {
        let phase = text(object, "/status/phase").unwrap_or_default();
        Self {
            name: text(object, "/metadata/name").unwrap_or_default().to_owned(),
            owner: owner(object).unwrap_or_default().to_owned(),
            slot: crate::world::label(object, webinar_api::labels::SLOT)
                .unwrap_or_default()
                .to_owned(),
            ready: is_ready(object),
            going: object["metadata"].get("deletionTimestamp").is_some(),
            ended: matches!(phase, "Failed" | "Succeeded"),
        }
    }

    /// Neither ended nor on its way out.
    pub(super) fn alive(&self) -> bool {
        !self.going && !self.ended
    }
}

/// All pods.
pub(super) fn pods(book: &Book) -> Vec<Pod> {
    book.pods().to_vec()
}

/// UID of the Webinar that there is.
pub(super) fn webinar(book: &Book) -> Option<String> {
    let found = book.server.get(Kind::Webinar, NAMESPACE, NAME)?;
    text(found, "/metadata/uid").map(str::to_owned)
}

/// Kubelets start every pod that waits.
pub(super) fn start_pods(book: &mut Book) {
    for pod in pods(book).into_iter().filter(|p| p.alive() && !p.ready) {
        condition(book, &pod.name, "Running", "True");
    }
}

/// A pod fails for good.
pub(super) fn fail(book: &mut Book, name: &str) {
    condition(book, name, "Failed", "False");
}

fn condition(book: &mut Book, name: &str, phase: &str, ready: &str) {
    let since = NOW.strftime("%FT%TZ").to_string();
    book.write(|server| {
        server.update(Kind::Pod, NAMESPACE, name, |pod| {
            pod["spec"]["nodeName"] = json!("node");
            pod["status"]["phase"] = json!(phase);
            pod["status"]["podIP"] = json!("10.0.0.1");
            pod["status"]["conditions"] = json!([
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": since},
                {"type": "Ready", "status": ready, "lastTransitionTime": since},
            ]);
        })
    });
}

/// A pod is gone at once: its machine was taken away, or its shutdown is over.
pub(super) fn vanish(book: &mut Book, name: &str) {
    book.write(|server| server.remove(Kind::Pod, NAMESPACE, name));
}

/// What was on its way out is gone.
pub(super) fn sweep(book: &mut Book) {
    for pod in pods(book).iter().filter(|p| p.going) {
        vanish(book, &pod.name);
    }
}

/// What belongs to a Webinar that is gone: kind and name.
pub(super) fn orphans(book: &Book) -> Vec<(Kind, String)> {
    let there = webinar(book);
    let mut found = Vec::new();
    for kind in OWNED {
        for object in book.server.all(kind) {
            if owner(object).is_some_and(|o| Some(o) != there.as_deref()) {
                found.push((
                    kind,
                    text(object, "/metadata/name").unwrap_or_default().to_owned(),
                ));
            }
        }
    }
    found
}

/// The garbage collector takes it all.
pub(super) fn collect(book: &mut Book) {
    for (kind, name) in orphans(book) {
        book.write(|server| server.remove(kind, NAMESPACE, &name));
    }
}
