//! PUT and PATCH: something changes.

use jiff::Timestamp;
use json_patch::jsonptr::Pointer;
use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::Value;

use super::body::Request;
use super::kind::Kind;
use super::owners::Owners;
use super::read::shown;
use super::refusal::Refusal;
use super::store::Stored;
use super::value::{
    fields, fields_mut, grace, has_finalizers, is_going, meta, meta_mut, name, part_mut, set, uid, version,
};
use super::{Answer, Server, apply, check, custom, pods, services, shape};

const MOST_STEPS: usize = 10_000;

impl Server {
    pub(super) fn replace(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
        let kind = request.target.kind;
        let mut new = shape::read(kind, request.object()?);
        request.place(&mut new)?;
        request.is_named(&new)?;
        let Some(stored) = self.found(request) else {
            let creates = kind.rules().create_on_update && request.target.sub.is_empty();
            if !uid(&new).is_empty() && creates {
                return Err(Refusal::stored_otherwise(kind, request, uid(&new), ""));
            }
            if !creates {
                return Err(Refusal::not_found(kind, request.name()));
            }
            let owners = Owners::created(kind, request.manager(), &new);
            return self.add(now, request, new, owners);
        };
        let is = uid(&stored.object);
        if !uid(&new).is_empty() && uid(&new) != is {
            return Err(Refusal::stored_otherwise(kind, request, uid(&new), is));
        }
        let owners = stored
            .owners
            .updated(kind, request.manager(), request.target.sub, &stored.object, &new);
        self.change(request, &stored, new, owners)
    }

    pub(super) fn patch(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
        let content_type = request.call.content_type.as_deref().unwrap_or_default();
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => self.patch_by(request, by_steps),
            "application/merge-patch+json" => self.patch_by(request, by_merge),
            "application/apply-patch+yaml" => self.apply(now, request),
            "application/strategic-merge-patch+json" if !request.target.kind.custom() => {
                Err(Refusal::not_modelled("strategic merge patches"))
            }
            other => Err(Refusal::unsupported_body(other)),
        }
    }

    fn found(&self, request: &Request<'_>) -> Option<Stored> {
        let target = request.target;
        self.store
            .find(target.kind, target.namespace, request.name())
            .cloned()
    }

    fn patch_by(
        &mut self,
        request: &Request<'_>,
        patch: fn(&Request<'_>, &mut Value) -> Result<(), Refusal>,
    ) -> Result<Answer, Refusal> {
        let kind = request.target.kind;
        let stored = self
            .found(request)
            .ok_or_else(|| Refusal::not_found(kind, request.name()))?;
        let mut new = Value::clone(&stored.object);
        patch(request, &mut new)?;
        let mut new = shape::read(kind, new);
        request.place(&mut new)?;
        request.is_named(&new)?;
        let owners = stored
            .owners
            .updated(kind, request.manager(), request.target.sub, &stored.object, &new);
        self.change(request, &stored, new, owners)
    }

    fn apply(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
        let kind = request.target.kind;
        if !kind.rules().managed || !request.target.sub.is_empty() {
            return Err(Refusal::not_modelled("server-side apply of this kind"));
        }
        if request.option("force") != Some("true") {
            return Err(Refusal::not_modelled("server-side apply without force"));
        }
        let config = request.object()?;
        let stored = self.found(request);
        let live = stored.as_ref().map_or(Value::Null, |s| Value::clone(&s.object));
        let owners = stored.as_ref().map(|s| s.owners.clone()).unwrap_or_default();
        let (new, owners) = apply::apply(kind, request.manager(), &live, &owners, &config);
        let mut new = shape::read(kind, new);
        request.place(&mut new)?;
        request.is_named(&new)?;
        let Some(stored) = stored else {
            if !uid(&new).is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {}, and no existing object was found",
                    uid(&new)
                );
                return Err(Refusal::conflict(kind, request.name(), &why));
            }
            return self.add(now, request, new, owners);
        };
        self.change(request, &stored, new, owners)
    }

    /// What all changes have in common, once it is known what the caller wants the object to be.
    fn change(
        &mut self,
        request: &Request<'_>,
        stored: &Stored,
        mut new: Value,
        owners: Owners,
    ) -> Result<Answer, Refusal> {
        let (kind, sub) = (request.target.kind, request.target.sub);
        let (label, old) = (request.name(), &stored.object);
        self.in_namespace(kind, request.target.namespace)?;
        if kind == Kind::Pod && sub.is_empty() {
            pods::tolerate(part_mut(&mut new, "spec"));
        }
        if version(&new).is_empty() {
            if !kind.rules().blind_update {
                return Err(Refusal::no_version(kind, label));
            }
        } else if version(&new) != version(old) {
            return Err(Refusal::outdated(kind, label));
        }
        let keep = ["resourceVersion", "generation"];
        for key in keep {
            set(meta_mut(&mut new), key, meta(old).get(key).cloned());
        }
        prepare(kind, sub, old, &mut new);
        if uid(&new).is_empty() {
            meta_mut(&mut new).insert("uid".to_owned(), uid(old).into());
        }
        for key in [
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ] {
            set(meta_mut(&mut new), key, meta(old).get(key).cloned());
        }
        if sub.is_empty() {
            services::allocate(kind, &mut new, Some(old), self.store.version());
        }
        let wrong = check::changed(kind, sub, old, &new);
        if !wrong.is_empty() {
            return Err(Refusal::invalid(kind, name(old), &wrong));
        }
        if is_done(old, &new) {
            self.store.take(kind, request.target.namespace, label);
            return Ok(shown(200, request, &new));
        }
        if new == **old && owners == stored.owners && !stored.bare {
            return Ok(shown(200, request, old));
        }
        let kept = self.store.keep(kind, new, owners);
        Ok(shown(200, request, &kept))
    }
}

/// The last finalizer of an object that is going was taken away: it goes.
pub(super) fn is_done(old: &Value, new: &Value) -> bool {
    is_going(old) && !has_finalizers(new) && grace(old).unwrap_or(0) == 0 && !has_own_finalizers(new)
}

/// Namespaces have finalizers in their spec, too.
fn has_own_finalizers(object: &Value) -> bool {
    said_kind(object) == Kind::Namespace.name()
        && object["spec"]["finalizers"]
            .as_array()
            .is_some_and(|f| !f.is_empty())
}

fn said_kind(object: &Value) -> &str {
    super::value::text(fields(object), "kind")
}

/// Takes back what this call may not change, and counts changes of what is asked for.
fn prepare(kind: Kind, sub: &str, old: &Value, new: &mut Value) {
    let back = |new: &mut Value, key: &str| set(fields_mut(new), key, old.get(key).cloned());
    if sub == "status" {
        if kind.custom() {
            let status = new.get("status").cloned();
            *new = old.clone();
            set(
                fields_mut(new),
                "status",
                status.or_else(|| custom::first_status(kind)),
            );
            return;
        }
        back(new, "spec");
        if kind == Kind::Pod {
            let references = meta(old).get("ownerReferences").cloned();
            set(meta_mut(new), "ownerReferences", references);
            let quality = old["status"]["qosClass"].clone();
            super::value::default(super::value::part_mut(new, "status"), "qosClass", quality);
        }
        return;
    }
    if kind.rules().status {
        back(new, "status");
    }
    let changed = match kind {
        Kind::Webinar | Kind::WebinarClass | Kind::Pod | Kind::PodDisruptionBudget => {
            old.get("spec") != new.get("spec")
        }
        Kind::PodTemplate => old.get("template") != new.get("template"),
        Kind::EndpointSlice => {
            let rest = |o: &Value| {
                let mut rest = fields(o).clone();
                rest.remove("metadata");
                rest
            };
            rest(old) != rest(new) || meta(old).get("labels") != meta(new).get("labels")
        }
        _ => false,
    };
    if changed && let Some(generation) = meta(old).get("generation").and_then(Value::as_i64) {
        meta_mut(new).insert("generation".to_owned(), (generation + 1).into());
    }
}

fn by_steps(request: &Request<'_>, object: &mut Value) -> Result<(), Refusal> {
    let patch: Patch = serde_json::from_slice(&request.call.body)
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
    if patch.0.len() > MOST_STEPS {
        return Err(Refusal::bad_request("the patch has too many steps"));
    }
    for step in patch.0 {
        let step = match step {
            // To the API server's library these are the same, as long as no list is concerned.
            PatchOperation::Replace(replace) if is_field(object, &replace.path) => {
                PatchOperation::Add(AddOperation {
                    path: replace.path,
                    value: replace.value,
                })
            }
            // So is a null and nothing.
            PatchOperation::Test(test) if test.value.is_null() && is_missing(object, &test.path) => continue,
            step => step,
        };
        json_patch::patch_unsafe(object, &Patch(vec![step])).map_err(|_| Refusal::patch_failed())?;
    }
    Ok(())
}

/// The path leads to a field of an object that is there; the field itself need not be.
fn is_field(object: &Value, path: &Pointer) -> bool {
    path.parent()
        .is_some_and(|parent| parent.resolve(object).is_ok_and(Value::is_object))
}

fn is_missing(object: &Value, path: &Pointer) -> bool {
    is_field(object, path) && path.resolve(object).is_err()
}

fn by_merge(request: &Request<'_>, object: &mut Value) -> Result<(), Refusal> {
    let patch = request.json()?;
    if !patch.is_object() {
        return Err(Refusal::bad_request("error decoding patch: it is no object"));
    }
    json_patch::merge(object, &patch);
    Ok(())
}
