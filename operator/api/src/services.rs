//! The Services that presenters and viewers connect to.

use std::{borrow::Cow, collections::BTreeMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::rules;

/// The Services that presenters and viewers connect to.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Services {
    /// The Service for presenters.
    pub ingest: ServiceSettings,
    /// The Services for viewers.
    pub viewers: ServiceSettings,
}

/// Settings of a Service.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = rules::rules(&[
    (
        "!has(self.loadBalancerClass) || self.type == 'LoadBalancer'",
        "`loadBalancerClass` must be left out unless `type` is LoadBalancer",
    ),
    (
        "self.ports.all(p, self.ports.exists_one(q, q.name == p.name \
         || (q.port == p.port && q.protocol == p.protocol)))",
        "`ports` must not use a name, or a port with its protocol, twice",
    ),
])))]
pub struct ServiceSettings {
    /// The Service's type.
    #[serde(rename = "type")]
    pub type_: ServiceType,

    /// The Service's ports. Empty: one for each container port of the template.
    #[schemars(
        length(max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub ports: Vec<Port>,

    /// Annotations of the Service, for example for a load balancer.
    #[schemars(extend("maxProperties" = 100))]
    pub annotations: BTreeMap<String, String>,

    /// Which load balancer implementation is used. Only with type LoadBalancer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 317))]
    pub load_balancer_class: Option<String>,
}

/// The type of a Service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ServiceType {
    /// Reachable from inside the cluster.
    #[default]
    ClusterIP,
    /// Reachable on a port of every node.
    NodePort,
    /// Reachable through a load balancer.
    LoadBalancer,
}

impl ServiceType {
    /// The name as written in a Service.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}

impl JsonSchema for ServiceType {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ServiceType".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": ["ClusterIP", "NodePort", "LoadBalancer"], "maxLength": 12})
    }
}

/// A port of a Service.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// The port's name, unique within the Service.
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,

    /// The port that clients connect to, 1 to 65535.
    #[schemars(range(min = 1, max = 65_535))]
    pub port: i32,

    /// The container's port, by number or name. Absent: as `port`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "TargetPort")]
    pub target_port: Option<TargetPort>,

    /// The protocol.
    #[serde(default)]
    pub protocol: Protocol,
}

/// The container's port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TargetPort {
    /// By number.
    Number(i32),
    /// By the name it has in the template.
    Name(String),
}

impl JsonSchema for TargetPort {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "TargetPort".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // `nullable: false` is written out because it would otherwise be set to true for optional fields.
        json_schema!({
            "x-kubernetes-int-or-string": true,
            "nullable": false,
            "minimum": 1,
            "maximum": 65_535,
            "maxLength": 15,
            "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
        })
    }
}

/// A transport protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    #[default]
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
}

impl Protocol {
    /// The name as written in a Service.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
        }
    }
}

impl JsonSchema for Protocol {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Protocol".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "enum": ["TCP", "UDP"], "maxLength": 3})
    }
}
