//! The chart, as Helm renders it.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod availability;
mod crds;
mod deployment;
mod helm;
mod lint;
mod monitoring;
mod names;
mod permissions;
mod policies;
mod presets;
mod schema;
mod smoke;
