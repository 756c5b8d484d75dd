//! POST: something new.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::body::Request;
use super::kind::Kind;
use super::owners::Owners;
use super::read::shown;
use super::refusal::Refusal;
use super::value::{default, fields_mut, meta_mut, name, part_mut, said, time};
use super::{Answer, Server, check, custom, pods, services, shape};

impl Server {
    pub(super) fn create(&mut self, now: Timestamp, request: &Request<'_>) -> Result<Answer, Refusal> {
        let mut object = shape::read(request.target.kind, request.object()?);
        request.place(&mut object)?;
        if !said(&object, "generateName").is_empty() && name(&object).is_empty() {
            return Err(Refusal::not_modelled("generateName"));
        }
        let owners = Owners::created(request.target.kind, request.manager(), &object);
        self.add(now, request, object, owners)
    }

    /// Judges and stores an object that is new.
    pub(super) fn add(
        &mut self,
        now: Timestamp,
        request: &Request<'_>,
        mut object: Value,
        owners: Owners,
    ) -> Result<Answer, Refusal> {
        let (kind, namespace) = (request.target.kind, request.target.namespace);
        let name = name(&object).to_owned();
        self.admits_new(kind, namespace, &name)?;
        self.complete(now, kind, &mut object);
        let wrong = check::new(kind, &object);
        if !wrong.is_empty() {
            return Err(Refusal::invalid(kind, &name, &wrong));
        }
        services::allocate(kind, &mut object, None, self.store.version());
        if kind.namespaced() {
            self.charge(kind, namespace, &object)?;
        }
        if kind == Kind::Event {
            self.events += 1;
            let version = self.store.pass_by();
            meta_mut(&mut object).insert("resourceVersion".to_owned(), version.to_string().into());
            return Ok(shown(201, request, &object));
        }
        if let Some(there) = self.get(kind, namespace, &name) {
            return Err(Refusal::exists(kind, &name, super::value::is_going(there)));
        }
        let stored = self.store.add(kind, object, owners);
        Ok(shown(201, request, &stored))
    }

    /// What every new object is given, whatever it came with.
    pub(super) fn complete(&mut self, now: Timestamp, kind: Kind, object: &mut Value) {
        let uid = self.store.uid();
        let label = name(object).to_owned();
        let meta = meta_mut(object);
        for key in [
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "resourceVersion",
        ] {
            meta.remove(key);
        }
        meta.insert("uid".to_owned(), uid.into());
        meta.insert("creationTimestamp".to_owned(), time(now));
        if kind.rules().generation {
            meta.insert("generation".to_owned(), 1.into());
        }
        if kind.rules().status {
            let status = first_status(kind, object);
            super::value::set(fields_mut(object), "status", status);
        }
        match kind {
            Kind::Namespace => {
                let labels = part_mut(&mut object["metadata"], "labels");
                labels.insert("kubernetes.io/metadata.name".to_owned(), label.into());
                default(part_mut(object, "spec"), "finalizers", json!(["kubernetes"]));
            }
            Kind::Pod => pods::admit(object),
            _ => {}
        }
    }
}

/// The status that an object begins with, whatever it came with.
fn first_status(kind: Kind, object: &Value) -> Option<Value> {
    Some(match kind {
        Kind::Webinar | Kind::WebinarClass => return custom::first_status(kind),
        Kind::Pod => json!({"phase": "Pending", "qosClass": pods::quality(object)}),
        Kind::Service => json!({"loadBalancer": {}}),
        Kind::PodDisruptionBudget => json!({
            "disruptionsAllowed": 0,
            "currentHealthy": 0,
            "desiredHealthy": 0,
            "expectedPods": 0,
        }),
        Kind::Namespace => json!({"phase": "Active"}),
        Kind::ResourceQuota => json!({}),
        _ => return None,
    })
}
