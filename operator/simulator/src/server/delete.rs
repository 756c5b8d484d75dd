//! DELETE: at once, after a grace period, or when the last finalizer is gone.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::body::Request;
use super::kind::Kind;
use super::read::shown;
use super::refusal::Refusal;
use super::value::{
    fields, grace, has_finalizers, is_going, meta, meta_mut, part, part_mut, said, text, time, uid, version,
};
use super::{Answer, Server};

/// How a DELETE is meant.
#[derive(Debug, Default)]
struct Options {
    uid: Option<String>,
    version: Option<String>,
    grace: Option<i64>,
    propagation: Option<String>,
}

impl Options {
    fn of(request: &Request<'_>) -> Result<Self, Refusal> {
        let body = if request.call.body.is_empty() {
            Value::Null
        } else {
            request.json()?
        };
        let said = |fields: &serde_json::Map<String, Value>, key: &str| {
            fields.get(key).and_then(Value::as_str).map(str::to_owned)
        };
        let conditions = part(&body, "preconditions");
        let grace = body.get("gracePeriodSeconds").and_then(Value::as_i64);
        let asked = request.option("gracePeriodSeconds");
        Ok(Self {
            uid: said(conditions, "uid"),
            version: said(conditions, "resourceVersion"),
            grace: grace
                .or_else(|| asked?.parse().ok())
                .map(|g: i64| if g < 0 { 1 } else { g }),
            propagation: said(fields(&body), "propagationPolicy")
                .or_else(|| request.option("propagationPolicy").map(str::to_owned)),
        })
    }
}

/// What becomes of an object.
enum Fate {
    /// It goes now; beforehand it is seen going.
    Now(Option<Value>),
    /// It stays for a while.
    Later(Value),
    /// It is going already, and no faster for this.
    AsBefore,
}

impl Server {
    pub(super) fn delete(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
        let (kind, namespace) = (request.target.kind, request.target.namespace);
        let name = request.name();
        if !request.target.sub.is_empty() {
            return Err(Refusal::no_method());
        }
        let options = Options::of(request)?;
        let found = self.store.find(kind, namespace, name).cloned();
        let found = found.ok_or_else(|| Refusal::not_found(kind, name))?;
        let object = found.object;
        if kind == Kind::Namespace {
            return self.delete_namespace(now, request, &object, &options);
        }
        meant(kind, &object, &options)?;
        let fate = match kind {
            Kind::Pod => gracefully(now, &object, &options),
            _ => Fate::Now(None),
        };
        let fate = finally(now, &object, &options, fate);
        if loses_track(&object, &options, &fate) {
            let why = format!(
                "Precondition failed: ResourceVersion in precondition: , ResourceVersion in object meta: {}",
                version(&object)
            );
            return Err(Refusal::stored(kind, request, &why));
        }
        match fate {
            Fate::AsBefore => Ok(answer(request, kind, &object)),
            Fate::Later(going) => {
                if going == *object {
                    return Ok(answer(request, kind, &object));
                }
                let going = self.store.keep(kind, going, found.owners);
                Ok(answer(request, kind, &going))
            }
            Fate::Now(going) => {
                if let Some(going) = going {
                    self.store.keep(kind, going, found.owners);
                }
                let last = self.store.take(kind, namespace, name).unwrap_or(object);
                if kind.rules().returns_deleted {
                    return Ok(answer(request, kind, &last));
                }
                Ok(gone(kind, &last))
            }
        }
    }

    /// A namespace only begins to go: what is in it goes first.
    fn delete_namespace(
        &mut self,
        now: Timestamp,
        request: &Request<'_>,
        object: &Value,
        options: &Options,
    ) -> Result<Answer, Refusal> {
        let kind = Kind::Namespace;
        let name = request.name();
        let differs = |field: &str, wanted: &Option<String>, is: &str| {
            let wanted = wanted.as_deref().filter(|w| *w != is)?;
            let why = format!(
                "Precondition failed: {field} in precondition: {wanted}, {field} in object meta: {is}"
            );
            Some(Refusal::conflict(kind, name, &why))
        };
        let other = differs("UID", &options.uid, uid(object))
            .or_else(|| differs("ResourceVersion", &options.version, version(object)));
        if let Some(refusal) = other {
            return Err(refusal);
        }
        if !is_going(object) {
            self.update(kind, "", name, |object| {
                meta_mut(object).insert("deletionTimestamp".to_owned(), time(now));
                part_mut(object, "status").insert("phase".to_owned(), "Terminating".into());
            });
        } else if part(object, "spec")
            .get("finalizers")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
        {
            self.store.take(kind, "", name);
        }
        let object = self
            .get(kind, "", name)
            .map_or_else(|| object.clone(), |o| Value::clone(o));
        Ok(shown(200, request, &object))
    }
}

/// It is the very object that is meant.
fn meant(kind: Kind, object: &Value, options: &Options) -> Result<(), Refusal> {
    let name = super::value::name(object);
    if let Some(wanted) = options.uid.as_deref().filter(|w| *w != uid(object)) {
        let why = format!(
            "the UID in the precondition ({wanted}) does not match the UID in record ({}). The object might have been deleted and then recreated",
            uid(object)
        );
        return Err(Refusal::precondition(kind, name, &why));
    }
    if let Some(wanted) = options.version.as_deref().filter(|w| *w != version(object)) {
        let why = format!(
            "the ResourceVersion in the precondition ({wanted}) does not match the ResourceVersion in record ({}). The object might have been modified",
            version(object)
        );
        return Err(Refusal::precondition(kind, name, &why));
    }
    Ok(())
}

/// A pod that has a node and has not ended is given time.
fn gracefully(now: Timestamp, pod: &Value, options: &Options) -> Fate {
    let mut going = pod.clone();
    if is_going(pod) {
        let left = grace(pod).unwrap_or(0);
        let Some(wanted) = options.grace.filter(|_| left != 0) else {
            return if left == 0 {
                Fate::Now(None)
            } else {
                Fate::AsBefore
            };
        };
        if wanted >= left {
            return Fate::AsBefore;
        }
        // Counted from when the deletion began, but never into the past.
        let until: Option<Timestamp> = said(pod, "deletionTimestamp").parse().ok();
        let until = until.unwrap_or(now) - SignedDuration::from_secs(left - wanted);
        let (until, wanted) = if until < now {
            (now, wanted.min(1))
        } else {
            (until, wanted)
        };
        leave(&mut going, until, wanted);
        return if wanted == 0 {
            Fate::Now(Some(going))
        } else {
            Fate::Later(going)
        };
    }
    let spec = part(pod, "spec");
    let own = spec.get("terminationGracePeriodSeconds").and_then(Value::as_i64);
    let ended = matches!(text(part(pod, "status"), "phase"), "Failed" | "Succeeded");
    let period = if text(spec, "nodeName").is_empty() || ended {
        0
    } else {
        options.grace.or(own).unwrap_or(0).max(0)
    };
    leave(&mut going, now + SignedDuration::from_secs(period), period);
    count(&mut going);
    if period == 0 {
        Fate::Now(Some(going))
    } else {
        Fate::Later(going)
    }
}

/// What has finalizers stays until they are gone.
fn finally(now: Timestamp, object: &Value, options: &Options, fate: Fate) -> Fate {
    let going = match fate {
        Fate::Now(going) => going,
        Fate::Later(mut going) => {
            collect_later(&mut going, options.propagation.as_deref());
            return Fate::Later(going);
        }
        Fate::AsBefore => return Fate::AsBefore,
    };
    let graceful = going.is_some();
    let mut going = going.unwrap_or_else(|| object.clone());
    collect_later(&mut going, options.propagation.as_deref());
    if !has_finalizers(&going) {
        let seen = graceful.then_some(going);
        return Fate::Now(seen);
    }
    if !graceful {
        if !is_going(object) {
            count(&mut going);
            meta_mut(&mut going).insert("deletionTimestamp".to_owned(), time(now));
        }
        meta_mut(&mut going).insert("deletionGracePeriodSeconds".to_owned(), 0.into());
    }
    Fate::Later(going)
}

/// The API server forgets which version was meant when the last finalizers are those that a deletion takes away itself.
fn loses_track(object: &Value, options: &Options, fate: &Fate) -> bool {
    matches!(fate, Fate::Now(None)) && has_finalizers(object) && options.version.is_some()
}

/// The garbage collector's own finalizers, as the caller wants dependents to be treated.
fn collect_later(object: &mut Value, propagation: Option<&str>) {
    const ORPHAN: &str = "orphan";
    const FOREGROUND: &str = "foregroundDeletion";
    let Some(propagation) = propagation else {
        return;
    };
    let wanted = match propagation {
        "Orphan" => Some(ORPHAN),
        "Foreground" => Some(FOREGROUND),
        _ => None,
    };
    let finalizers = meta(object).get("finalizers").and_then(Value::as_array);
    let mut finalizers: Vec<Value> = finalizers.cloned().unwrap_or_default();
    let had = finalizers.len();
    finalizers.retain(|f| f != ORPHAN && f != FOREGROUND || wanted.is_some_and(|w| f == w));
    if let Some(wanted) = wanted.filter(|w| finalizers.iter().all(|f| f != w)) {
        finalizers.push(wanted.into());
    } else if finalizers.len() == had {
        return;
    }
    if finalizers.is_empty() {
        meta_mut(object).remove("finalizers");
    } else {
        meta_mut(object).insert("finalizers".to_owned(), finalizers.into());
    }
}

fn leave(object: &mut Value, until: Timestamp, seconds: i64) {
    let meta = meta_mut(object);
    meta.insert("deletionTimestamp".to_owned(), time(until));
    meta.insert("deletionGracePeriodSeconds".to_owned(), seconds.into());
}

/// A deletion counts as a change of what is asked for.
fn count(object: &mut Value) {
    let meta = meta_mut(object);
    if let Some(generation) = meta.get("generation").and_then(Value::as_i64) {
        meta.insert("generation".to_owned(), (generation + 1).into());
    }
}

fn answer(request: &Request<'_>, kind: Kind, object: &Value) -> Answer {
    let _ = kind;
    shown(200, request, object)
}

/// The answer for kinds that do not give back what was deleted.
fn gone(kind: Kind, object: &Value) -> Answer {
    let mut details = json!({"name": super::value::name(object), "kind": kind.plural(), "uid": uid(object)});
    if !kind.group().is_empty() {
        details["group"] = kind.group().into();
    }
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    });
    Answer { code: 200, body }
}
