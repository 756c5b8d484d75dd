//! GET: one object, or a list.

use serde_json::{Map, Value, json};

use super::body::Request;
use super::refusal::Refusal;
use super::select::Selector;
use super::value::fields_mut;
use super::{Answer, Server};

impl Server {
    pub(super) fn look(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let target = request.target;
        let name = request.name();
        let found = self.get(target.kind, target.namespace, name);
        let object = found.ok_or_else(|| Refusal::not_found(target.kind, name))?;
        Ok(shown(200, request, object))
    }

    pub(super) fn list(&self, request: &Request<'_>) -> Result<Answer, Refusal> {
        let kind = request.target.kind;
        let selector = Selector::of(
            kind,
            request.option("labelSelector"),
            request.option("fieldSelector"),
        )?;
        let found = self.store.within(kind, request.target.namespace);
        let found = found.filter(|object| selector.selects(object));
        let mut metadata = json!({"resourceVersion": self.store.version().to_string()});
        if kind.custom() && !request.wants_metadata() {
            metadata["continue"] = "".into();
        }
        let body = if request.wants_metadata() {
            let items: Vec<Value> = found.map(|o| partial(o)).collect();
            // As the API server has it, other than in lists of whole objects.
            let items = (!items.is_empty()).then_some(items);
            json!({
                "kind": "PartialObjectMetadataList",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": metadata,
                "items": items,
            })
        } else {
            let items: Vec<Value> = found
                .map(|object| {
                    let mut item = Value::clone(object);
                    if !kind.custom() {
                        let fields = fields_mut(&mut item);
                        fields.remove("kind");
                        fields.remove("apiVersion");
                    }
                    item
                })
                .collect();
            json!({
                "kind": format!("{}List", kind.name()),
                "apiVersion": kind.api_version(),
                "metadata": metadata,
                "items": items,
            })
        };
        Ok(Answer { code: 200, body })
    }
}

/// An object as the caller wants it.
pub(super) fn shown(code: u16, request: &Request<'_>, object: &Value) -> Answer {
    let body = if request.wants_metadata() {
        partial(object)
    } else {
        object.clone()
    };
    Answer { code, body }
}

fn partial(object: &Value) -> Value {
    let mut out = Map::new();
    out.insert("kind".to_owned(), "PartialObjectMetadata".into());
    out.insert("apiVersion".to_owned(), "meta.k8s.io/v1".into());
    out.insert("metadata".to_owned(), object["metadata"].clone());
    Value::Object(out)
}
