//! What a request asks for, told from its method, URL and body as the API server's audit log tells it.

use std::fmt;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Reads one object, or a path that is no resource.
    Get,
    /// Reads a collection once.
    List,
    /// Follows a collection; a list that arrives as events is a watch too.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH, server-side apply included.
    Patch,
    /// Deletes one object.
    Delete,
    /// Deletes a collection.
    DeleteCollection,
}

impl Verb {
    /// All that change something.
    pub const WRITES: [Self; 5] = [
        Self::Create,
        Self::Update,
        Self::Patch,
        Self::Delete,
        Self::DeleteCollection,
    ];
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        })
    }
}

/// A request, in the words of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it does.
    pub verb: Verb,
    /// Empty for the core group and for paths that are no resources.
    pub group: String,
    /// Plural, such as `pods`; empty for paths that are no resources, such as `/readyz`.
    pub resource: String,
    /// Such as `status`, or empty.
    pub subresource: String,
    /// Empty for cluster-scoped objects and for requests over all namespaces.
    pub namespace: String,
    /// Of the object; empty for collections and for names that the API server generates.
    pub name: String,
    /// Whether it is only tried out.
    pub dry_run: bool,
}

impl Request {
    /// Reads the method and the URL, and the name of an object that is created from its JSON.
    pub(super) fn of(method: &Method, uri: &Uri, body: &[u8]) -> Self {
        let mut request = Self::from_path(method, uri.path());
        let query: Vec<_> = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).collect();
        let value = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value);
        request.dry_run = value("dryRun").is_some();
        if request.resource.is_empty() {
            return request;
        }
        if request.name.is_empty() && request.verb == Verb::Get {
            // A parameter without a value is true, too.
            let watch = value("watch").is_some_and(|text| text != "0" && !text.eq_ignore_ascii_case("false"));
            request.verb = if watch { Verb::Watch } else { Verb::List };
        }
        match request.verb {
            Verb::List | Verb::Watch if request.name.is_empty() => {
                let selector = value("fieldSelector");
                request.name = selector.and_then(|text| selected_name(text)).unwrap_or_default();
            }
            Verb::Delete if request.name.is_empty() => request.verb = Verb::DeleteCollection,
            Verb::Create if request.name.is_empty() => request.name = name_in(body).unwrap_or_default(),
            _ => {}
        }
        request
    }

    fn from_path(method: &Method, path: &str) -> Self {
        let mut request = Self {
            verb: match *method {
                Method::POST => Verb::Create,
                Method::PUT => Verb::Update,
                Method::PATCH => Verb::Patch,
                Method::DELETE => Verb::Delete,
                _ => Verb::Get,
            },
            group: String::new(),
            resource: String::new(),
            subresource: String::new(),
            namespace: String::new(),
            name: String::new(),
            dry_run: false,
        };
        let parts: Vec<String> = path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let mut rest = match parts.as_slice() {
            ["api", _version, rest @ ..] => rest,
            ["apis", group, _version, rest @ ..] if !rest.is_empty() => {
                request.group = (*group).to_owned();
                rest
            }
            _ => return request,
        };
        // The old way to ask for a watch.
        if let ["watch", collection @ ..] = rest
            && !collection.is_empty()
        {
            request.verb = Verb::Watch;
            rest = collection;
        }
        if let ["namespaces", namespace, within @ ..] = rest {
            request.namespace = (*namespace).to_owned();
            // A namespace has subresources of its own; everything else is in it.
            if within
                .first()
                .is_some_and(|part| !["status", "finalize"].contains(part))
            {
                rest = within;
            }
        }
        let part = |at: usize| (*rest.get(at).unwrap_or(&"")).to_owned();
        (request.resource, request.name, request.subresource) = (part(0), part(1), part(2));
        request
    }

    /// Whether it changes what is stored, if it is not refused. Reviews of tokens and rights are asked with POST but
    /// store nothing, nor does what is only tried out.
    pub fn is_write(&self) -> bool {
        Verb::WRITES.contains(&self.verb)
            && !self.resource.is_empty()
            && !self.dry_run
            && !["authentication.k8s.io", "authorization.k8s.io"].contains(&self.group.as_str())
    }

    /// The resource with its subresource, as RBAC names them: `pods` or `pods/status`.
    pub fn target(&self) -> String {
        match self.subresource.as_str() {
            "" => self.resource.clone(),
            subresource => format!("{}/{subresource}", self.resource),
        }
    }
}

impl fmt::Display for Request {
    /// As in `create pods events/event-relay-0-abcde`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}/{}",
            self.verb,
            self.target(),
            self.namespace,
            self.name
        )
    }
}

/// The one name that a field selector leaves.
fn selected_name(selector: &str) -> Option<String> {
    let mut terms = selector.split(',');
    let name = terms.find_map(|term| term.strip_prefix("metadata.name="))?;
    Some(name.trim_start_matches('=').to_owned())
}

fn name_in(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Object {
        metadata: Metadata,
    }
    #[derive(Deserialize)]
    struct Metadata {
        name: String,
    }
    let object: Object = serde_json::from_slice(body).ok()?;
    Some(object.metadata.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, uri: &str, body: &str) -> Request {
        let method: Method = method.parse().expect("a method");
        Request::of(&method, &uri.parse().expect("a URI"), body.as_bytes())
    }

    #[test]
    fn requests_are_called_as_in_the_audit_log() {
        for (asked, called) in [
            ("GET /PODS/a?", "get pods events/a"),
            ("HEAD /PODS/a", "get pods events/a"),
            ("GET /PODS?&labelSelector=a%3Db", "list pods events/"),
            ("GET /PODS?resourceVersion=0&watch=False", "list pods events/"),
            ("GET /api/v1/pods?limit=5", "list pods /"),
            (
                "GET /PODS?watch=true&timeoutSeconds=55&sendInitialEvents=true",
                "watch pods events/",
            ),
            ("GET /PODS?watch=1", "watch pods events/"),
            ("GET /PODS?watch", "watch pods events/"),
            ("GET /PODS/a?watch=1", "get pods events/a"),
            (
                "GET /api/v1/watch/namespaces/events/pods/a",
                "watch pods events/a",
            ),
            (
                "GET /PODS?watch=1&fieldSelector=a%3Db%2Cmetadata.name%3Da",
                "watch pods events/a",
            ),
            ("POST /PODS", "create pods events/"),
            ("POST /PODS/a/eviction", "create pods/eviction events/a"),
            ("PUT /LEASES/l?", "update leases webinar-system/l"),
            (
                "PATCH /WEBINARS/q3/status?force=true",
                "patch webinars/status events/q3",
            ),
            (
                "GET /apis/webinar-operator.io/v1alpha1/webinarclasses/c",
                "get webinarclasses /c",
            ),
            ("DELETE /PODS/a", "delete pods events/a"),
            ("DELETE /PODS", "deletecollection pods events/"),
            ("GET /PODS/a:9998/proxy/metrics", "get pods/proxy events/a:9998"),
            (
                "GET /PODS/http%3Aa%3A9998/proxy/metrics",
                "get pods/proxy events/http:a:9998",
            ),
            ("GET /api/v1/namespaces/events", "get namespaces events/events"),
            (
                "PUT /api/v1/namespaces/events/finalize",
                "update namespaces/finalize events/events",
            ),
            ("GET /api/v1/namespaces", "list namespaces /"),
            ("GET /readyz", "get  /"),
            ("GET /api/v1", "get  /"),
            ("GET /apis/apps/v1", "get  /"),
        ] {
            let (method, uri) = asked.split_once(' ').expect("two words");
            let uri = uri
                .replace("/PODS", "/api/v1/namespaces/events/pods")
                .replace(
                    "/LEASES",
                    "/apis/coordination.k8s.io/v1/namespaces/webinar-system/leases",
                )
                .replace(
                    "/WEBINARS",
                    "/apis/webinar-operator.io/v1alpha1/namespaces/events/webinars",
                );
            let request = read(method, &uri, "");
            assert_eq!(request.to_string(), called, "{asked}");
            let group = match request.resource.as_str() {
                "leases" => "coordination.k8s.io",
                "webinars" | "webinarclasses" => "webinar-operator.io",
                _ => "",
            };
            assert_eq!(request.group, group, "{asked}");
        }
    }

    #[test]
    fn a_created_object_is_called_as_it_calls_itself() {
        let pods = "/api/v1/namespaces/events/pods?&fieldManager=webinar-operator";
        let body = r#"{"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {}, "name": "a"}}"#;
        assert_eq!(read("POST", pods, body).name, "a");
        assert_eq!(
            read("POST", pods, r#"{"metadata": {"generateName": "a-"}}"#).name,
            ""
        );
        assert_eq!(read("POST", pods, "no JSON").name, "");
    }

    #[test]
    fn writes_are_told_from_what_stores_nothing() {
        let pods = "/api/v1/namespaces/events/pods";
        for verb in ["POST", "PUT", "PATCH", "DELETE"] {
            assert!(read(verb, pods, "").is_write(), "{verb}");
            let tried = format!("{pods}?dryRun=All");
            assert!(!read(verb, &tried, "").is_write(), "{verb}");
        }
        assert!(!read("GET", pods, "").is_write());
        let review = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        assert!(!read("POST", review, "").is_write());
        assert!(!read("POST", "/readyz", "").is_write());
    }
}
