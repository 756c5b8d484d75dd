//! Which objects a list or a watch is about.

use serde_json::Value;

use super::kind::Kind;
use super::refusal::Refusal;
use super::value::{meta, part, said, text};
use super::{Change, Happened};

/// Labels and fields that objects must have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(Field, bool, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Is(String, Vec<String>),
    IsNot(String, Vec<String>),
    Has(String),
    HasNot(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
    Phase,
    Node,
}

impl Selector {
    /// Of `labelSelector` and `fieldSelector` in a query.
    pub(super) fn of(kind: Kind, labels: Option<&str>, fields: Option<&str>) -> Result<Self, Refusal> {
        Ok(Self {
            labels: labels.map_or_else(|| Ok(Vec::new()), read_labels)?,
            fields: fields.map_or_else(|| Ok(Vec::new()), |f| read_fields(kind, f))?,
        })
    }

    /// The object is meant.
    pub fn selects(&self, object: &Value) -> bool {
        let labels = meta(object).get("labels");
        let label = |key: &str| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
        let labelled = self.labels.iter().all(|r| match r {
            Requirement::Is(key, values) => label(key).is_some_and(|l| values.iter().any(|v| v == l)),
            Requirement::IsNot(key, values) => label(key).is_none_or(|l| values.iter().all(|v| v != l)),
            Requirement::Has(key) => label(key).is_some(),
            Requirement::HasNot(key) => label(key).is_none(),
        });
        labelled
            && self
                .fields
                .iter()
                .all(|(field, wanted, value)| (field.of(object) == value) == *wanted)
    }

    /// What a watch with this selector tells of a change: an object that begins to be selected is added, one that is no
    /// longer selected is deleted.
    pub fn sees(&self, change: &Change) -> Option<Happened> {
        let before = change.before.as_ref().is_some_and(|b| self.selects(b));
        let after = change.happened != Happened::Deleted && self.selects(&change.object);
        match (before, after) {
            (false, false) => None,
            (false, true) => Some(Happened::Added),
            (true, true) => Some(Happened::Modified),
            (true, false) => Some(Happened::Deleted),
        }
    }
}

impl Field {
    fn of(self, object: &Value) -> &str {
        match self {
            Self::Name => said(object, "name"),
            Self::Namespace => said(object, "namespace"),
            Self::Phase => text(part(object, "status"), "phase"),
            Self::Node => text(part(object, "spec"), "nodeName"),
        }
    }
}

/// `k=v`, `k==v`, `k!=v`, `k`, `!k`, `k in (a,b)`, `k notin (a,b)`, with commas between.
fn read_labels(text: &str) -> Result<Vec<Requirement>, Refusal> {
    let requirement = |part: &str| {
        if let Some((key, values)) = part.split_once('(') {
            let values = values.strip_suffix(')')?.split(',');
            let values = values.map(|v| v.trim().to_owned()).collect();
            let (key, operator) = key.trim().rsplit_once(' ')?;
            return match operator {
                "in" => Some(Requirement::Is(key.trim().to_owned(), values)),
                "notin" => Some(Requirement::IsNot(key.trim().to_owned(), values)),
                _ => None,
            };
        }
        if let Some((key, value)) = part.split_once("!=") {
            return Some(Requirement::IsNot(
                key.trim().to_owned(),
                vec![value.trim().to_owned()],
            ));
        }
        if let Some((key, value)) = part.split_once('=') {
            let value = value.strip_prefix('=').unwrap_or(value);
            return Some(Requirement::Is(
                key.trim().to_owned(),
                vec![value.trim().to_owned()],
            ));
        }
        match part.strip_prefix('!') {
            Some(key) => Some(Requirement::HasNot(key.trim().to_owned())),
            None => Some(Requirement::Has(part.to_owned())),
        }
    };
    let refused = || Refusal::bad_request(format!("unable to parse requirement: {text}"));
    parts(text)
        .map(|part| requirement(part).ok_or_else(refused))
        .collect()
}

/// What commas outside of parentheses separate.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    let parts = text.split(move |c| {
        match c {
            '(' => inside = true,
            ')' => inside = false,
            _ => {}
        }
        c == ',' && !inside
    });
    parts.map(str::trim).filter(|p| !p.is_empty())
}

fn read_fields(kind: Kind, text: &str) -> Result<Vec<(Field, bool, String)>, Refusal> {
    let term = |part: &str| {
        let (key, equal, value) = if let Some((key, value)) = part.split_once("!=") {
            (key, false, value)
        } else {
            let (key, value) = part.split_once('=').ok_or_else(|| {
                Refusal::bad_request(format!("invalid selector: '{text}'; can't understand '{part}'"))
            })?;
            (key, true, value.strip_prefix('=').unwrap_or(value))
        };
        let field = match (kind, key) {
            (_, "metadata.name") => Field::Name,
            (_, "metadata.namespace") => Field::Namespace,
            (Kind::Pod | Kind::Namespace, "status.phase") => Field::Phase,
            (Kind::Pod, "spec.nodeName") => Field::Node,
            _ => {
                return Err(Refusal::bad_request(format!("field label not supported: {key}")));
            }
        };
        Ok((field, equal, value.to_owned()))
    };
    parts(text).map(term).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selector(labels: &str) -> Selector {
        Selector::of(Kind::Pod, Some(labels), None).unwrap()
    }

    #[test]
    fn labels_are_selected_by_every_operator() {
        let pod = json!({"metadata": {"name": "p", "labels": {"role": "relay", "slot": "relay-1"}}});
        for (labels, selected) in [
            ("role=relay", true),
            ("role==sfu", false),
            ("role!=sfu", true),
            ("other!=x", true),
            ("role", true),
            ("!role", false),
            ("!other", true),
            ("slot in (relay-0,relay-1),role=relay", true),
            ("slot notin (relay-0, relay-1)", false),
            ("other notin (a)", true),
            ("other in (a)", false),
            ("", true),
        ] {
            assert_eq!(selector(labels).selects(&pod), selected, "{labels}");
        }
    }

    #[test]
    fn fields_are_selected() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"phase": "Failed"}});
        let by = |fields| Selector::of(Kind::Pod, None, Some(fields));
        assert!(
            !by("status.phase!=Failed,status.phase!=Succeeded")
                .unwrap()
                .selects(&pod)
        );
        assert!(by("metadata.name=p").unwrap().selects(&pod));
        assert!(by("spec.nodeName=").unwrap().selects(&pod));
        assert!(by("spec.image=x").is_err());
        assert!(Selector::of(Kind::Service, None, Some("status.phase=x")).is_err());
    }
}
