//! What a call asks for: its target, its options, its body.

use std::borrow::Cow;

use serde_json::Value;

use super::Call;
use super::kind::Kind;
use super::refusal::Refusal;
use super::value::{fields, meta_mut, name, said, text};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'a> {
    pub(super) kind: Kind,
    /// Empty: all namespaces, or a kind that belongs to none.
    pub(super) namespace: &'a str,
    /// None: the whole collection.
    pub(super) name: Option<&'a str>,
    /// What stands behind the name; empty for the object itself.
    pub(super) sub: &'a str,
}

impl<'a> Target<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.trim_start_matches('/').split('/');
        let group = match parts.next()? {
            "api" => "",
            "apis" => parts.next()?,
            _ => return None,
        };
        let version = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        let (namespace, rest) = match rest.split_first()? {
            (&"namespaces", [namespace, plural, rest @ ..])
                if Kind::of(group, version, plural).is_some_and(Kind::namespaced) =>
            {
                (*namespace, [&[*plural], rest].concat())
            }
            _ => ("", rest),
        };
        let (plural, rest) = rest.split_first()?;
        let (name, sub) = match rest {
            [] => (None, ""),
            [name] => (Some(*name), ""),
            [name, sub] => (Some(*name), *sub),
            _ => return None,
        };
        let kind = Kind::of(group, version, plural)?;
        let placed = name.is_none() || kind.namespaced() != namespace.is_empty();
        placed.then_some(Self {
            kind,
            namespace,
            name,
            sub,
        })
    }
}

/// A call that was understood.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) call: &'a Call,
    pub(super) target: Target<'a>,
    options: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Request<'a> {
    pub(super) fn of(call: &'a Call) -> Result<Self, Refusal> {
        let target = Target::of(&call.path).ok_or_else(Refusal::no_path)?;
        let served = match target.sub {
            "" => true,
            "status" => target.kind.rules().status,
            "binding" => target.kind == Kind::Pod,
            _ => false,
        };
        if !served {
            return Err(Refusal::no_path());
        }
        let query = call.query.as_deref().unwrap_or_default();
        Ok(Self {
            call,
            target,
            options: form_urlencoded::parse(query.as_bytes()).collect(),
        })
    }

    /// An option of the query that is not empty.
    pub(super) fn option(&self, key: &str) -> Option<&str> {
        let found = self.options.iter().find(|(k, _)| k == key);
        found.map(|(_, value)| value.as_ref()).filter(|v| !v.is_empty())
    }

    /// An option of the query that is true.
    pub(super) fn is(&self, key: &str) -> bool {
        matches!(self.option(key), Some("true" | "1"))
    }

    /// Under which name fields are owned.
    pub(super) fn manager(&self) -> &str {
        self.option("fieldManager").unwrap_or(&self.call.user)
    }

    /// Only metadata is wanted.
    pub(super) fn wants_metadata(&self) -> bool {
        let accept = self.call.accept.as_deref().unwrap_or_default();
        accept.contains("as=PartialObjectMetadata")
    }

    /// The target's name; empty for a collection.
    pub(super) fn name(&self) -> &'a str {
        self.target.name.unwrap_or_default()
    }

    /// The body as JSON.
    pub(super) fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(&self.call.body)
            .map_err(|error| Refusal::bad_request(format!("the body can't be read: {error}")))
    }

    /// The body as an object of the target's kind.
    pub(super) fn object(&self) -> Result<Value, Refusal> {
        let object = self.json()?;
        self.fits(&object)?;
        Ok(object)
    }

    /// An object of this call is of the kind that the path names.
    pub(super) fn fits(&self, object: &Value) -> Result<(), Refusal> {
        let kind = self.target.kind;
        let (is, version) = (text(fields(object), "kind"), text(fields(object), "apiVersion"));
        if is == kind.name() && version == kind.api_version() {
            return Ok(());
        }
        if kind.custom() && version == kind.api_version() {
            return Err(Refusal::other_kind(kind, is, name(object)));
        }
        Err(Refusal::bad_request(format!(
            "{is} in version {version:?} cannot be handled as a {}",
            kind.name()
        )))
    }

    /// Puts the object into the namespace of the path.
    pub(super) fn place(&self, object: &mut Value) -> Result<(), Refusal> {
        let namespace = self.target.namespace;
        let says = said(object, "namespace");
        if !says.is_empty() && says != namespace && self.target.kind.namespaced() {
            let why = "the namespace of the provided object does not match the namespace sent on the request";
            return Err(Refusal::bad_request(why));
        }
        let meta = meta_mut(object);
        if namespace.is_empty() {
            meta.remove("namespace");
        } else {
            meta.insert("namespace".to_owned(), namespace.into());
        }
        Ok(())
    }

    /// The object has the name of the path.
    pub(super) fn is_named(&self, object: &Value) -> Result<(), Refusal> {
        let (says, wanted) = (name(object), self.name());
        if says == wanted {
            return Ok(());
        }
        Err(Refusal::bad_request(format!(
            "the name of the object ({says}) does not match the name on the URL ({wanted})"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_targets() {
        let target = |path| Target::of(path).map(|t| (t.kind, t.namespace, t.name, t.sub));
        assert_eq!(
            target("/api/v1/namespaces/a/pods/b/status"),
            Some((Kind::Pod, "a", Some("b"), "status"))
        );
        assert_eq!(target("/api/v1/pods"), Some((Kind::Pod, "", None, "")));
        assert_eq!(
            target("/api/v1/namespaces/a"),
            Some((Kind::Namespace, "", Some("a"), ""))
        );
        assert_eq!(
            target("/api/v1/namespaces/a/status"),
            Some((Kind::Namespace, "", Some("a"), "status"))
        );
        assert_eq!(
            target("/apis/webinar-operator.io/v1alpha1/webinarclasses/x"),
            Some((Kind::WebinarClass, "", Some("x"), ""))
        );
        for path in [
            "/api/v1/nodes",
            "/api/v1/pods/b",
            "/healthz",
            "/api/v1/namespaces/a/pods/b/c/d",
        ] {
            assert_eq!(target(path), None, "{path}");
        }
    }
}
