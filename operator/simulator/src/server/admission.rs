//! What is judged before a write: the namespace, and quotas.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Server;
use super::kind::Kind;
use super::refusal::Refusal;
use super::value::{part, part_mut, text};

impl Server {
    /// The namespace is there.
    pub(super) fn in_namespace(&self, kind: Kind, namespace: &str) -> Result<(), Refusal> {
        if !kind.namespaced() || self.get(Kind::Namespace, "", namespace).is_some() {
            return Ok(());
        }
        Err(Refusal::not_found(Kind::Namespace, namespace))
    }

    /// The namespace takes something new.
    pub(super) fn admits_new(&self, kind: Kind, namespace: &str, name: &str) -> Result<(), Refusal> {
        self.in_namespace(kind, namespace)?;
        let found = self.get(Kind::Namespace, "", namespace);
        let phase = found.map_or("", |n| text(part(n, "status"), "phase"));
        if kind.namespaced() && phase == "Terminating" {
            return Err(Refusal::terminating(kind, name, namespace));
        }
        Ok(())
    }

    /// Charges every quota of the namespace with one more object. As on the API server it stays charged if the object is
    /// not created after all: only the quota controller gives anything back.
    pub(super) fn charge(&mut self, kind: Kind, namespace: &str, object: &Value) -> Result<(), Refusal> {
        let requested = usage(kind, object);
        let mut charged = Vec::new();
        for quota in self.store.within(Kind::ResourceQuota, namespace) {
            if let Some(used) = used_then(quota, &requested)
                .map_err(|why| Refusal::forbidden(kind, super::value::name(object), &why))?
            {
                charged.push((super::value::name(quota).to_owned(), used));
            }
        }
        for (name, used) in charged {
            self.update(Kind::ResourceQuota, namespace, &name, |quota| {
                part_mut(quota, "status").insert("used".to_owned(), used.into());
            });
        }
        Ok(())
    }
}

/// What one object counts for.
fn usage(kind: Kind, object: &Value) -> BTreeMap<String, i64> {
    let mut out = BTreeMap::from([(format!("count/{}", kind.resource()), 1)]);
    let mut one = |resource: &str| _ = out.insert(resource.to_owned(), 1);
    match kind {
        Kind::Pod => one("pods"),
        Kind::ResourceQuota => one("resourcequotas"),
        Kind::Service => {
            one("services");
            let type_ = text(part(object, "spec"), "type");
            if type_ == "LoadBalancer" {
                one("services.loadbalancers");
            }
            if matches!(type_, "LoadBalancer" | "NodePort") {
                let ports = part(object, "spec").get("ports").and_then(Value::as_array);
                let ports = ports.map_or(0, |p| i64::try_from(p.len()).unwrap_or(i64::MAX));
                out.insert("services.nodeports".to_owned(), ports);
            }
        }
        _ => {}
    }
    out
}

/// What a quota has used after this. None: it does not limit it.
fn used_then(quota: &Value, requested: &BTreeMap<String, i64>) -> Result<Option<Map<String, Value>>, String> {
    let status = quota.get("status").unwrap_or(&Value::Null);
    let (hard, used) = (part(status, "hard"), part(status, "used"));
    let limited: Vec<(&str, i64)> = requested
        .iter()
        .filter(|(resource, _)| hard.contains_key(*resource))
        .map(|(resource, amount)| (resource.as_str(), *amount))
        .collect();
    let name = super::value::name(quota);
    let listed = |resources: &[&str]| resources.join(",");
    let known: Vec<&str> = limited.iter().map(|(resource, _)| *resource).collect();
    if known.iter().any(|resource| !used.contains_key(*resource)) {
        return Err(format!(
            "status unknown for quota: {name}, resources: {}",
            listed(&known)
        ));
    }
    let mut after = used.clone();
    let mut exceeded = Vec::new();
    for (resource, amount) in limited.into_iter().filter(|(_, amount)| *amount != 0) {
        let (most, is) = (number(hard.get(resource)), number(used.get(resource)));
        let then = is.saturating_add(amount);
        if then > most {
            exceeded.push((resource, amount, is, most));
        }
        after.insert(resource.to_owned(), then.to_string().into());
    }
    if !exceeded.is_empty() {
        let say = |pick: fn(&(&str, i64, i64, i64)) -> i64| {
            let said = exceeded.iter().map(|e| format!("{}={}", e.0, pick(e)));
            said.collect::<Vec<_>>().join(",")
        };
        return Err(format!(
            "exceeded quota: {name}, requested: {}, used: {}, limited: {}",
            say(|e| e.1),
            say(|e| e.2),
            say(|e| e.3)
        ));
    }
    Ok((after != *used).then_some(after))
}

/// A count. Thousands may be written `k`.
fn number(quantity: Option<&Value>) -> i64 {
    let text = quantity.map_or_else(String::new, |q| {
        q.as_str().map_or_else(|| q.to_string(), str::to_owned)
    });
    match text.strip_suffix('k') {
        Some(thousands) => thousands.parse().unwrap_or(0) * 1000,
        None => text.parse().unwrap_or(0),
    }
}
