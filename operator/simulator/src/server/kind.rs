//! The kinds that the model knows, and how the API server treats each.

use webinar_api::{GROUP, VERSION};

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `webinars` of our own group.
    Webinar,
    /// `webinarclasses` of our own group, which belong to no namespace.
    WebinarClass,
    /// `pods`.
    Pod,
    /// `services`.
    Service,
    /// `endpointslices`.
    EndpointSlice,
    /// `poddisruptionbudgets`.
    PodDisruptionBudget,
    /// `controllerrevisions`.
    ControllerRevision,
    /// `podtemplates`.
    PodTemplate,
    /// `leases`.
    Lease,
    /// `events` of `events.k8s.io`: counted, not kept.
    Event,
    /// `namespaces`, which belong to no namespace.
    Namespace,
    /// `resourcequotas`.
    ResourceQuota,
}

/// How the API server treats a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rules {
    /// A PUT without a resourceVersion is taken as it is.
    pub(super) blind_update: bool,
    /// A PUT of what is not there creates it.
    pub(super) create_on_update: bool,
    /// A DELETE is answered with the object, not with a Status.
    pub(super) returns_deleted: bool,
    /// `metadata.generation` counts changes of what is asked for.
    pub(super) generation: bool,
    /// The status has a path of its own, and only that changes it.
    pub(super) status: bool,
    /// Who owns which field is remembered, so that server-side apply works.
    pub(super) managed: bool,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Webinar,
        Self::WebinarClass,
        Self::Pod,
        Self::Service,
        Self::EndpointSlice,
        Self::PodDisruptionBudget,
        Self::ControllerRevision,
        Self::PodTemplate,
        Self::Lease,
        Self::Event,
        Self::Namespace,
        Self::ResourceQuota,
    ];

    /// As `kind` in objects.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webinar => "Webinar",
            Self::WebinarClass => "WebinarClass",
            Self::Pod => "Pod",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::ControllerRevision => "ControllerRevision",
            Self::PodTemplate => "PodTemplate",
            Self::Lease => "Lease",
            Self::Event => "Event",
            Self::Namespace => "Namespace",
            Self::ResourceQuota => "ResourceQuota",
        }
    }

    /// As in paths.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Webinar => "webinars",
            Self::WebinarClass => "webinarclasses",
            Self::Pod => "pods",
            Self::Service => "services",
            Self::EndpointSlice => "endpointslices",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::ControllerRevision => "controllerrevisions",
            Self::PodTemplate => "podtemplates",
            Self::Lease => "leases",
            Self::Event => "events",
            Self::Namespace => "namespaces",
            Self::ResourceQuota => "resourcequotas",
        }
    }

    /// API group; empty for the core.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Webinar | Self::WebinarClass => GROUP,
            Self::Pod | Self::Service | Self::PodTemplate | Self::Namespace | Self::ResourceQuota => "",
            Self::EndpointSlice => "discovery.k8s.io",
            Self::PodDisruptionBudget => "policy",
            Self::ControllerRevision => "apps",
            Self::Lease => "coordination.k8s.io",
            Self::Event => "events.k8s.io",
        }
    }

    /// Version of the API group.
    pub const fn version(self) -> &'static str {
        match self {
            Self::Webinar | Self::WebinarClass => VERSION,
            _ => "v1",
        }
    }

    /// As `apiVersion` in objects.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => self.version().to_owned(),
            group => format!("{group}/{}", self.version()),
        }
    }

    /// Objects belong to a namespace.
    pub const fn namespaced(self) -> bool {
        !matches!(self, Self::WebinarClass | Self::Namespace)
    }

    /// Defined by a CustomResourceDefinition.
    pub const fn custom(self) -> bool {
        matches!(self, Self::Webinar | Self::WebinarClass)
    }

    /// The status has a path of its own.
    pub const fn has_status(self) -> bool {
        self.rules().status
    }

    /// The model knows server-side apply of it.
    pub const fn is_applied(self) -> bool {
        self.rules().managed
    }

    /// The path of a collection: of one namespace, or of all with an empty `namespace`.
    pub fn path(self, namespace: &str) -> String {
        let root = match self.group() {
            "" => "/api".to_owned(),
            group => format!("/apis/{group}"),
        };
        let (version, plural) = (self.version(), self.plural());
        if namespace.is_empty() {
            format!("{root}/{version}/{plural}")
        } else {
            format!("{root}/{version}/namespaces/{namespace}/{plural}")
        }
    }

    /// The kind of a path's parts.
    pub(super) fn of(group: &str, version: &str, plural: &str) -> Option<Self> {
        let mut kinds = Self::ALL.into_iter();
        kinds.find(|k| k.plural() == plural && k.group() == group && k.version() == version)
    }

    /// As the API server names it in sentences about one resource: `webinars.webinar-operator.io`.
    pub(super) fn resource(self) -> String {
        qualified(self.plural(), self.group())
    }

    /// As the API server names it in sentences about one kind: `Webinar.webinar-operator.io`.
    pub(super) fn qualified(self) -> String {
        qualified(self.name(), self.group())
    }

    /// How the API server treats it.
    pub(super) const fn rules(self) -> Rules {
        const PLAIN: Rules = Rules {
            blind_update: true,
            create_on_update: false,
            returns_deleted: false,
            generation: false,
            status: false,
            managed: false,
        };
        match self {
            Self::Webinar | Self::WebinarClass => Rules {
                blind_update: false,
                generation: true,
                status: true,
                ..PLAIN
            },
            Self::Pod => Rules {
                returns_deleted: true,
                generation: true,
                status: true,
                ..PLAIN
            },
            Self::Service => Rules {
                create_on_update: true,
                returns_deleted: true,
                status: true,
                managed: true,
                ..PLAIN
            },
            Self::PodDisruptionBudget => Rules {
                blind_update: false,
                generation: true,
                status: true,
                managed: true,
                ..PLAIN
            },
            Self::EndpointSlice => Rules {
                generation: true,
                ..PLAIN
            },
            Self::PodTemplate => Rules {
                returns_deleted: true,
                generation: true,
                ..PLAIN
            },
            Self::Lease => Rules {
                blind_update: false,
                create_on_update: true,
                ..PLAIN
            },
            Self::Event => Rules {
                create_on_update: true,
                ..PLAIN
            },
            Self::Namespace | Self::ResourceQuota => Rules {
                returns_deleted: true,
                status: true,
                ..PLAIN
            },
            Self::ControllerRevision => PLAIN,
        }
    }
}

fn qualified(name: &str, group: &str) -> String {
    match group {
        "" => name.to_owned(),
        group => format!("{name}.{group}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_path() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of(kind.group(), kind.version(), kind.plural()), Some(kind));
        }
        assert_eq!(Kind::of("apps", "v1", "deployments"), None);
        assert_eq!(Kind::Pod.path("events"), "/api/v1/namespaces/events/pods");
        assert_eq!(Kind::Pod.path(""), "/api/v1/pods");
        assert_eq!(
            Kind::WebinarClass.path(""),
            format!("/apis/{GROUP}/{VERSION}/webinarclasses")
        );
    }
}
