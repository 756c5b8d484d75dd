//! Stories that need no real server to be told.

use serde_json::json;

use super::*;

fn now() -> Timestamp {
    "2027-03-04T17:00:00.7Z".parse().unwrap()
}

fn call(method: Method, path: &str, content_type: &str, body: &Value) -> Call {
    let (path, query) = path.split_once('?').map_or((path, None), |(p, q)| (p, Some(q)));
    Call {
        method,
        path: path.to_owned(),
        query: query.map(str::to_owned),
        accept: None,
        content_type: Some(content_type.to_owned()),
        body: if body.is_null() {
            Bytes::new()
        } else {
            body.to_string().into()
        },
        user: "tester".to_owned(),
    }
}

fn server() -> Server {
    let mut server = Server::new();
    server.put(now(), Kind::Namespace, json!({"metadata": {"name": "events"}}));
    server
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"role": "relay"}},
        "spec": {"containers": [{"name": "media", "image": "media:1"}]},
    })
}

const PODS: &str = "/api/v1/namespaces/events/pods";

#[test]
fn a_pod_lives_and_goes() {
    let mut server = server();
    let mut ask = |method: Method, path: &str, body: &Value| {
        let answer = server.call(now(), &call(method, path, "application/json", body));
        (answer.code, answer.body)
    };
    let (code, made) = ask(Method::POST, PODS, &pod("a"));
    assert_eq!(code, 201, "{made}");
    assert_eq!(made["metadata"]["creationTimestamp"], "2027-03-04T17:00:00Z");
    assert_eq!(made["status"]["phase"], "Pending");
    let (code, again) = ask(Method::POST, PODS, &pod("a"));
    assert_eq!((code, again["reason"].as_str()), (409, Some("AlreadyExists")));
    let (code, _) = ask(Method::DELETE, &format!("{PODS}/a"), &Value::Null);
    assert_eq!(code, 200);
    let (code, gone) = ask(Method::GET, &format!("{PODS}/a"), &Value::Null);
    assert_eq!(
        (code, gone["message"].as_str()),
        (404, Some("pods \"a\" not found"))
    );
    let told: Vec<_> = server
        .changes(Kind::Pod, 0)
        .unwrap()
        .iter()
        .map(|c| c.happened)
        .collect();
    assert_eq!(told, [Happened::Added, Happened::Modified, Happened::Deleted]);
}

#[test]
fn a_history_is_forgotten_up_to_a_version() {
    let mut server = server();
    for name in ["a", "b"] {
        server.put(now(), Kind::Pod, pod(name));
    }
    let before = server.version() - 1;
    assert_eq!(server.changes(Kind::Pod, before).unwrap().len(), 1);
    server.compact(server.version());
    assert!(server.changes(Kind::Pod, before).is_none());
    assert_eq!(server.changes(Kind::Pod, server.version()).unwrap().len(), 0);
}

#[test]
fn the_same_calls_have_the_same_answers() {
    let run = || {
        let mut server = server();
        let answers: Vec<_> = ["a", "b", "a"]
            .map(|name| server.call(now(), &call(Method::POST, PODS, "application/json", &pod(name))))
            .into();
        (answers, server.version())
    };
    assert_eq!(run(), run());
}
