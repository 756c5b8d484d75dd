//! The types users write and read: `Webinar` and `WebinarClass` of the API group `webinar-operator.io`.
//!
//! This crate holds no decisions. It defines the types, generates their CustomResourceDefinitions, and
//! checks a manifest offline the way the API server would.
#![deny(missing_docs)]
#![allow(
    unreachable_pub,
    reason = "`KubeSchema` copies each struct into a function body"
)]

mod attendance;
mod class;
mod class_status;
mod crds;
mod duration;
pub mod labels;
mod ramp;
mod rules;
mod services;
mod sizing;
mod status;
mod tier;
mod validate;
mod webinar;

pub use attendance::{Attendance, Figure, PodMetrics, Prometheus, Queries, Series, Stall};
pub use class::{Disruption, Templates, Topology, WebinarClass, WebinarClassSpec};
pub use class_status::{TierPlan, WebinarClassStatus};
pub use crds::{YamlError, crd_yaml, crds};
pub use duration::{Duration, ParseDurationError};
pub use ramp::{Live, Ramp, Settle};
pub use services::{Port, Protocol, ServiceSettings, ServiceType, Services, TargetPort};
pub use sizing::{SfuCounts, SfuSizing, Sizing, Spares, Stage, Viewer};
pub use status::{
    Admission, Attended, Capacity, EntryPoint, Outcome, Phase, Pool, Revision, Role, Schedule, WebinarStatus,
};
pub use tier::{ParseTierError, Tier};
pub use validate::{Refusal, check};
pub use webinar::{Override, Release, Webinar, WebinarSpec};

/// The API group of every kind in this crate.
pub const GROUP: &str = "webinar-operator.io";

/// The API version of every kind in this crate.
pub const VERSION: &str = "v1alpha1";

/// The field manager under which the operator writes.
pub const FIELD_MANAGER: &str = "webinar-operator";
