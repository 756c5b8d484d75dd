//! Services: an event's addresses.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PodTemplateSpec, Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use webinar_api::{Port, ServiceSettings, ServiceType, TargetPort, labels};
use webinar_plan::{Entry, EntryKind};

use super::labels as ours;
use crate::memory::Pinned;
use crate::ownership::Owner;

/// The Service for one entry. `None` when the class has no template for the pods behind it.
pub(crate) fn build(owner: &Owner, pinned: &Pinned, entry: &Entry) -> Option<Service> {
    let settings = &pinned.class.services;
    let (settings, template) = match entry.kind {
        EntryKind::Ingest | EntryKind::Sfu(_) => (Some(&settings.ingest), &pinned.sfu),
        EntryKind::Origin => (None, &pinned.sfu),
        EntryKind::Mid(_) => (None, pinned.relay.as_ref()?),
        EntryKind::Viewers(_) if entry.slot.is_some() => (Some(&settings.viewers), &pinned.sfu),
        EntryKind::Viewers(_) => (Some(&settings.viewers), pinned.relay.as_ref()?),
    };
    let mut metadata = ours::meta(
        owner,
        format!("{}-{}", owner.name, entry.kind),
        ours::common(owner),
    );
    let entry_label = (labels::ENTRY.to_owned(), entry.kind.to_string());
    metadata.labels.get_or_insert_default().extend([entry_label]);
    metadata.annotations = settings.map(|s| s.annotations.clone()).filter(|a| !a.is_empty());
    let type_ = settings.map_or(ServiceType::ClusterIP, |s| s.type_);
    Some(Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(type_.as_str().to_owned()),
            selector: Some(selector(owner, entry)),
            ports: Some(ports(settings, template)),
            load_balancer_class: settings.and_then(|s| s.load_balancer_class.clone()),
            ..ServiceSpec::default()
        }),
        status: None,
    })
}

fn selector(owner: &Owner, entry: &Entry) -> std::collections::BTreeMap<String, String> {
    let accepting = (labels::ACCEPTING, "true".to_owned());
    match (entry.kind, entry.slot) {
        (EntryKind::Viewers(_), Some(slot)) => {
            ours::selector(owner, [(labels::SLOT, slot.to_string()), accepting])
        }
        (_, Some(slot)) => ours::selector(owner, [(labels::SLOT, slot.to_string())]),
        (EntryKind::Viewers(shard), None) => {
            ours::selector(owner, [(labels::SHARD, shard.to_string()), accepting])
        }
        (kind, None) => ours::selector(owner, [(labels::SLOT, kind.to_string())]),
    }
}

/// The class's ports, or those of the template's containers when it names none.
fn ports(settings: Option<&ServiceSettings>, template: &PodTemplateSpec) -> Vec<ServicePort> {
    match settings.filter(|s| !s.ports.is_empty()) {
        Some(settings) => settings.ports.iter().map(from_class).collect(),
        None => from_template(template),
    }
}

fn from_class(port: &Port) -> ServicePort {
    ServicePort {
        name: Some(port.name.clone()),
        port: port.port,
        target_port: Some(match &port.target_port {
            Some(TargetPort::Number(n)) => IntOrString::Int(*n),
            Some(TargetPort::Name(name)) => IntOrString::String(name.clone()),
            None => IntOrString::Int(port.port),
        }),
        protocol: Some(port.protocol.as_str().to_owned()),
        ..ServicePort::default()
    }
}

fn from_template(template: &PodTemplateSpec) -> Vec<ServicePort> {
    let containers = template.spec.iter().flat_map(|s| &s.containers);
    let mut seen = BTreeSet::new();
    containers
        .flat_map(|c| c.ports.iter().flatten())
        .filter_map(|port| {
            let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
            seen.insert((port.container_port, protocol.clone()))
                .then(|| ServicePort {
                    name: Some(
                        port.name.clone().unwrap_or_else(|| {
                            format!("{}-{}", protocol.to_lowercase(), port.container_port)
                        }),
                    ),
                    port: port.container_port,
                    target_port: Some(IntOrString::Int(port.container_port)),
                    protocol: Some(protocol),
                    ..ServicePort::default()
                })
        })
        .collect()
}

/// Whether the stored Service already leads where `wanted` does.
pub(crate) fn leads_alike(stored: &Service, wanted: &Service) -> bool {
    let selector = |service: &Service| service.spec.as_ref().and_then(|s| s.selector.clone());
    selector(stored) == selector(wanted)
}

/// Whether the stored Service already says what `wanted` says. Fields of others don't count.
pub(crate) fn same(stored: &Service, wanted: &Service) -> bool {
    let (Some(is), Some(should)) = (&stored.spec, &wanted.spec) else {
        return false;
    };
    let port = |p: &ServicePort| (p.name.clone(), p.port, p.target_port.clone(), p.protocol.clone());
    let ports = |s: &ServiceSpec| s.ports.iter().flatten().map(port).collect::<Vec<_>>();
    is.type_ == should.type_
        && is.selector == should.selector
        && ports(is) == ports(should)
        && is.load_balancer_class == should.load_balancer_class
        && holds(stored.metadata.labels.as_ref(), wanted.metadata.labels.as_ref())
        && holds(
            stored.metadata.annotations.as_ref(),
            wanted.metadata.annotations.as_ref(),
        )
}

type Map = std::collections::BTreeMap<String, String>;

/// Whether every wanted pair is stored.
pub(super) fn holds(stored: Option<&Map>, wanted: Option<&Map>) -> bool {
    wanted
        .into_iter()
        .flatten()
        .all(|(key, value)| stored.and_then(|m| m.get(key)) == Some(value))
}
