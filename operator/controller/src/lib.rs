//! webinar-operator: observe → validate → plan → build → act → status → report.
//!
//! Decisions live in `webinar-plan`. This crate reads the cluster, turns what it reads into plain data,
//! and carries out what was decided. See `operator/ARCHITECTURE.md` for the map.

pub mod cli;
pub mod events;
pub mod metrics;
pub mod rbac;
pub mod replica;

mod act;
mod build;
mod class;
mod client;
mod clock;
mod context;
mod controllers;
mod convert;
mod date;
mod error;
mod fair;
mod history;
mod http;
mod leader;
mod limiter;
mod memory;
mod neighbours;
mod observe;
mod offline;
mod ownership;
mod plausible;
mod pulse;
mod quantity;
mod recent;
mod reconcile;
mod report;
mod retry_after;
mod ruling;
mod run;
mod scrape;
mod smoke;
mod status;
mod telemetry;
mod template;
mod throttle;
mod tls;
#[cfg(feature = "otlp")]
mod traces;
mod turns;
mod validate;
mod watch;
mod worth;

pub use class::VERDICTS as CLASS_VERDICTS;
