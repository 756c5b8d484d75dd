//! POST of a Binding: the scheduler gives a pod its node.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::body::Request;
use super::refusal::Refusal;
use super::value::{fields, fields_mut, is_going, name, part, part_mut, text, time, uid};
use super::{Answer, Server};

impl Server {
    pub(super) fn bind(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
        let (kind, namespace) = (request.target.kind, request.target.namespace);
        let binding = request.json()?;
        if name(&binding) != request.name() {
            return Err(Refusal::bad_request(
                "name in URL does not match name in Binding object",
            ));
        }
        self.admits_new(kind, namespace, request.name())?;
        let found = self.store.find(kind, namespace, request.name()).cloned();
        let found = found.ok_or_else(|| Refusal::not_found(kind, request.name()))?;
        let pod = &*found.object;
        if !uid(&binding).is_empty() && uid(&binding) != uid(pod) {
            return Err(Refusal::stored_otherwise(kind, request, uid(&binding), uid(pod)));
        }
        let node = text(part(pod, "spec"), "nodeName");
        let why = if is_going(pod) {
            Some(format!(
                "pod {} is being deleted, cannot be assigned to a host",
                name(pod)
            ))
        } else if node.is_empty() {
            None
        } else {
            Some(format!("pod {} is already assigned to node {node:?}", name(pod)))
        };
        if let Some(why) = why {
            return Err(Refusal::not_bound(request.name(), &why));
        }
        let mut bound = pod.clone();
        let target = part(&binding, "target");
        part_mut(&mut bound, "spec").insert("nodeName".to_owned(), text(target, "name").into());
        scheduled(now, &mut bound);
        self.store.keep(kind, bound, found.owners);
        let body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "code": 201,
        });
        Ok(Answer { code: 201, body })
    }
}

/// The condition says that the pod has a node.
fn scheduled(now: Timestamp, pod: &mut Value) {
    let conditions = part_mut(pod, "status").entry("conditions").or_insert(json!([]));
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    let known = conditions
        .iter_mut()
        .find(|c| text(fields(c), "type") == "PodScheduled");
    match known {
        Some(condition) => {
            let condition = fields_mut(condition);
            if text(condition, "status") != "True" {
                condition.insert("lastTransitionTime".to_owned(), time(now));
            }
            for key in ["reason", "message"] {
                condition.remove(key);
            }
            condition.insert("status".to_owned(), "True".into());
        }
        None => conditions.push(json!({
            "type": "PodScheduled",
            "status": "True",
            "lastTransitionTime": time(now),
        })),
    }
}
