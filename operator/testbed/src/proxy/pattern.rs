//! Which requests a rule is about.

use std::collections::BTreeSet;
use std::fmt;

use super::request::{Request, Verb};

/// Requests that are alike. What is not said is free.
///
/// ```
/// use webinar_testbed::proxy::{Pattern, Verb};
///
/// let relays = Pattern::resource("pods").verbs([Verb::Create]).name_prefix("event-relay-");
/// let all_but_heartbeats = Pattern::writes().except("leases");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Pattern {
    verbs: Option<BTreeSet<Verb>>,
    writes: bool,
    resource: Option<String>,
    except: BTreeSet<String>,
    namespace: Option<String>,
    name_prefix: String,
}

impl Pattern {
    /// Every request, also those for paths that are no resources.
    pub fn any() -> Self {
        Self::default()
    }

    /// Every request that [is a write](Request::is_write).
    pub fn writes() -> Self {
        Self {
            writes: true,
            ..Self::default()
        }
    }

    /// Requests for one resource, named as in RBAC: `pods`, `pods/status`, or `pods/*` for pods and everything below.
    pub fn resource(resource: &str) -> Self {
        Self::any().of(resource)
    }

    /// Only these verbs.
    #[must_use]
    pub fn verbs(mut self, verbs: impl IntoIterator<Item = Verb>) -> Self {
        self.verbs = Some(verbs.into_iter().collect());
        self
    }

    /// Only this resource, named as in [`Pattern::resource`].
    #[must_use]
    pub fn of(mut self, resource: &str) -> Self {
        self.resource = Some(resource.to_owned());
        self
    }

    /// All but this resource, named as in [`Pattern::resource`]. May be said more than once.
    #[must_use]
    pub fn except(mut self, resource: &str) -> Self {
        self.except.insert(resource.to_owned());
        self
    }

    /// Only this namespace. Requests over all namespaces are not in it.
    #[must_use]
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }

    /// Only objects whose names begin with this.
    #[must_use]
    pub fn name_prefix(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.name_prefix);
        self
    }

    /// Whether the request is one of these.
    pub fn matches(&self, request: &Request) -> bool {
        self.verbs
            .as_ref()
            .is_none_or(|verbs| verbs.contains(&request.verb))
            && (!self.writes || request.is_write())
            && self.resource.as_ref().is_none_or(|name| is(request, name))
            && !self.except.iter().any(|name| is(request, name))
            && self
                .namespace
                .as_ref()
                .is_none_or(|name| *name == request.namespace)
            && request.name.starts_with(&self.name_prefix)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verbs {
            Some(verbs) => {
                let verbs: Vec<String> = verbs.iter().map(ToString::to_string).collect();
                f.write_str(&verbs.join("|"))?;
            }
            None if self.writes => f.write_str("any write")?,
            None => f.write_str("any verb")?,
        }
        write!(f, " of {}", self.resource.as_deref().unwrap_or("anything"))?;
        for name in &self.except {
            write!(f, " but {name}")?;
        }
        if let Some(namespace) = &self.namespace {
            write!(f, " in {namespace}")?;
        }
        if !self.name_prefix.is_empty() {
            write!(f, " named {}…", self.name_prefix)?;
        }
        Ok(())
    }
}

fn is(request: &Request, resource: &str) -> bool {
    match resource.strip_suffix("/*") {
        Some(resource) => request.resource == resource,
        None => request.target() == resource,
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn request(method: &Method, path: &str) -> Request {
        Request::of(method, &path.parse().expect("a URI"), b"")
    }

    #[test]
    fn everything_said_must_fit() {
        let create = request(&Method::POST, "/api/v1/namespaces/events/pods");
        let evict = request(
            &Method::POST,
            "/api/v1/namespaces/events/pods/event-sfu-0-a/eviction",
        );
        let read = request(&Method::GET, "/api/v1/namespaces/other/pods/event-sfu-0-a");
        let renew = request(
            &Method::PUT,
            "/apis/coordination.k8s.io/v1/namespaces/events/leases/l",
        );
        let ready = request(&Method::GET, "/readyz");
        for (pattern, fits) in [
            (Pattern::any(), [true, true, true, true, true]),
            (Pattern::writes(), [true, true, false, true, false]),
            (
                Pattern::writes().except("leases"),
                [true, true, false, false, false],
            ),
            (Pattern::resource("pods"), [true, false, true, false, false]),
            (
                Pattern::resource("pods/eviction"),
                [false, true, false, false, false],
            ),
            (Pattern::resource("pods/*"), [true, true, true, false, false]),
            (
                Pattern::any().verbs([Verb::Get]),
                [false, false, true, false, true],
            ),
            (
                Pattern::any().namespace("events"),
                [true, true, false, true, false],
            ),
            (
                Pattern::any().name_prefix("event-sfu-"),
                [false, true, true, false, false],
            ),
            (
                Pattern::any().except("pods/*").except("leases"),
                [false, false, false, false, true],
            ),
        ] {
            let matched = [&create, &evict, &read, &renew, &ready].map(|request| pattern.matches(request));
            assert_eq!(matched, fits, "{pattern:?}");
        }
    }

    #[test]
    fn patterns_are_read_aloud() {
        let pattern = Pattern::writes().except("leases").name_prefix("event-");
        assert_eq!(
            pattern.to_string(),
            "any write of anything but leases named event-…"
        );
        let pattern = Pattern::resource("pods")
            .verbs([Verb::Patch, Verb::Create])
            .namespace("events");
        assert_eq!(pattern.to_string(), "create|patch of pods in events");
    }
}
