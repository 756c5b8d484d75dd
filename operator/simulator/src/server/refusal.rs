//! Answers that are no success, as metav1.Status and in the API server's words.

use serde_json::{Value, json};

use super::Answer;
use super::body::Request;
use super::kind::Kind;

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
    details: Value,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    field: String,
    reason: &'static str,
    message: String,
}

impl Wrong {
    /// The value can't be.
    pub(super) fn invalid(field: impl Into<String>, value: &Value, why: impl AsRef<str>) -> Self {
        let message = format!("Invalid value: {value}: {}", why.as_ref());
        Self::new(field, "FieldValueInvalid", message)
    }

    /// The field must be there.
    pub(super) fn required(field: impl Into<String>, why: &str) -> Self {
        let message = match why {
            "" => "Required value".to_owned(),
            why => format!("Required value: {why}"),
        };
        Self::new(field, "FieldValueRequired", message)
    }

    /// The field may not be so.
    pub(super) fn forbidden(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, "FieldValueForbidden", format!("Forbidden: {why}"))
    }

    /// The value is none of `known`.
    pub(super) fn unsupported(field: impl Into<String>, value: &Value, known: &[&str]) -> Self {
        let known: Vec<String> = known.iter().map(|k| format!("{k:?}")).collect();
        let message = format!(
            "Unsupported value: {value}: supported values: {}",
            known.join(", ")
        );
        Self::new(field, "FieldValueNotSupported", message)
    }

    /// The value may be there once.
    pub(super) fn duplicate(field: impl Into<String>, value: &Value) -> Self {
        Self::new(field, "FieldValueDuplicate", format!("Duplicate value: {value}"))
    }

    /// The value is too long.
    pub(super) fn too_long(field: impl Into<String>, why: &str) -> Self {
        Self::new(field, "FieldValueTooLong", format!("Too long: {why}"))
    }

    fn new(field: impl Into<String>, reason: &'static str, message: String) -> Self {
        Self {
            field: field.into(),
            reason,
            message,
        }
    }

    fn cause(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }

    fn sentence(&self) -> String {
        format!("{}: {}", self.field, self.message)
    }
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>, details: Value) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details,
        }
    }

    /// 404: there is no object of this name.
    pub(super) fn not_found(kind: Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.resource());
        Self::new(404, "NotFound", message, about(kind, kind.plural(), name))
    }

    /// 404: there is no such path.
    pub(super) fn no_path() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(404, "NotFound", message, json!({}))
    }

    /// 405: the path does not take this method.
    pub(super) fn no_method() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message, json!({}))
    }

    /// 409: the name is taken.
    pub(super) fn exists(kind: Kind, name: &str, going: bool) -> Self {
        let before = if going { "object is being deleted: " } else { "" };
        let message = format!("{before}{} {name:?} already exists", kind.resource());
        Self::new(409, "AlreadyExists", message, about(kind, kind.plural(), name))
    }

    /// 409: the object is not as the call has it.
    pub(super) fn conflict(kind: Kind, name: &str, why: &str) -> Self {
        let what = kind.resource();
        let message = format!("Operation cannot be fulfilled on {what} {name:?}: {why}");
        Self::new(409, "Conflict", message, about(kind, kind.plural(), name))
    }

    /// 409: the object is of another version.
    pub(super) fn outdated(kind: Kind, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, why)
    }

    /// 409 to a DELETE: the object is not the one that is meant. Here the API server names the kind, not the resource.
    pub(super) fn precondition(kind: Kind, name: &str, why: &str) -> Self {
        let what = kind.qualified();
        let message = format!("Operation cannot be fulfilled on {what} {name:?}: {why}");
        Self::new(409, "Conflict", message, about(kind, kind.name(), name))
    }

    /// 409: the object that is stored has another UID.
    pub(super) fn stored_otherwise(kind: Kind, request: &Request<'_>, wanted: &str, is: &str) -> Self {
        let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {is}");
        Self::stored(kind, request, &why)
    }

    /// 409 in the words of the storage.
    pub(super) fn stored(kind: Kind, request: &Request<'_>, why: &str) -> Self {
        let path = match kind {
            Kind::Webinar | Kind::WebinarClass => format!("{}/{}", kind.group(), kind.plural()),
            Kind::Service => "services/specs".to_owned(),
            _ => kind.plural().to_owned(),
        };
        let namespace = request.target.namespace;
        let place = if namespace.is_empty() {
            path
        } else {
            format!("{path}/{namespace}")
        };
        let name = request.name();
        let why = format!(
            "StorageError: invalid object, Code: 4, Key: /registry/{place}/{name}, ResourceVersion: 0, AdditionalErrorMsg: {why}"
        );
        Self::conflict(kind, name, &why)
    }

    /// 409: a pod can't be given a node.
    pub(super) fn not_bound(name: &str, why: &str) -> Self {
        let message = format!("Operation cannot be fulfilled on pods/binding {name:?}: {why}");
        Self::new(
            409,
            "Conflict",
            message,
            json!({"name": name, "kind": "pods/binding"}),
        )
    }

    /// 403.
    pub(super) fn forbidden(kind: Kind, name: &str, why: &str) -> Self {
        let name = if name.is_empty() { "Unknown" } else { name };
        let message = format!("{} {name:?} is forbidden: {why}", kind.resource());
        Self::new(403, "Forbidden", message, about(kind, kind.plural(), name))
    }

    /// 403: nothing new in a namespace that is going.
    pub(super) fn terminating(kind: Kind, name: &str, namespace: &str) -> Self {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut refusal = Self::forbidden(kind, name, &why);
        refusal.details["causes"] = json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]);
        refusal
    }

    /// 400.
    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message, Value::Null)
    }

    /// 422: fields are wrong.
    pub(super) fn invalid(kind: Kind, name: &str, wrong: &[Wrong]) -> Self {
        Self::unprocessable(&kind.qualified(), kind.group(), kind.name(), name, wrong)
    }

    /// 422: an object of another kind than the path's, which is one of our own.
    pub(super) fn other_kind(kind: Kind, is: &str, name: &str) -> Self {
        let wrong = Wrong::invalid("kind", &is.into(), format!("must be {}", kind.name()));
        let qualified = format!("{is}.{}", kind.group());
        Self::unprocessable(&qualified, kind.group(), is, name, &[wrong])
    }

    /// 422: the update must say which version it means. Here the API server names the resource, not the kind.
    pub(super) fn no_version(kind: Kind, name: &str) -> Self {
        let why = "must be specified for an update";
        let wrong = Wrong::invalid("metadata.resourceVersion", &json!(0), why);
        Self::unprocessable(&kind.resource(), kind.group(), kind.plural(), name, &[wrong])
    }

    /// 422: a JSON patch can't be applied, or one of its tests fails.
    pub(super) fn patch_failed() -> Self {
        let message = "the server rejected our request due to an error in our request";
        Self::new(422, "Invalid", message, json!({}))
    }

    /// 415: this kind of body is not understood.
    pub(super) fn unsupported_body(content_type: &str) -> Self {
        let message = format!("the body of the request was in an unknown format - {content_type}");
        Self::new(415, "UnsupportedMediaType", message, Value::Null)
    }

    /// 501: the API server would do it, the model can't.
    pub(super) fn not_modelled(what: &str) -> Self {
        Self::new(
            501,
            "NotModelled",
            format!("the model does not know {what}"),
            Value::Null,
        )
    }

    fn unprocessable(qualified: &str, group: &str, kind: &str, name: &str, wrong: &[Wrong]) -> Self {
        let mut sentences: Vec<String> = wrong.iter().map(Wrong::sentence).collect();
        // The API server tells each once.
        let mut told = std::collections::BTreeSet::new();
        sentences.retain(|s| told.insert(s.clone()));
        let why = match &sentences[..] {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let mut details = json!({"kind": kind});
        if !name.is_empty() {
            details["name"] = name.into();
        }
        if !group.is_empty() {
            details["group"] = group.into();
        }
        details["causes"] = wrong.iter().map(Wrong::cause).collect();
        let message = format!("{qualified} {name:?} is invalid: {why}");
        Self::new(422, "Invalid", message, details)
    }
}

/// What `details` say of an object.
fn about(kind: Kind, called: &str, name: &str) -> Value {
    let mut details = json!({"name": name, "kind": called});
    if !kind.group().is_empty() {
        details["group"] = kind.group().into();
    }
    details
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        let mut body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": refusal.message,
            "reason": refusal.reason,
            "code": refusal.code,
        });
        if !refusal.details.is_null() {
            body["details"] = refusal.details;
        }
        Self {
            code: refusal.code,
            body,
        }
    }
}
