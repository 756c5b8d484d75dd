//! A small world around the operator as it ships: a model of the API server, of schedulers, kubelets and people, with a
//! clock of its own. One seed is one history.
//!
//! The operator in it is [`webinar_operator::replica::Replica`]: caches, validation, plan, writes, answers, lease and status
//! are the production code. See `operator/ARCHITECTURE.md`.

#![deny(missing_docs)]

pub mod check;
mod cover;
mod decision;
mod generate;
mod hash;
mod life;
mod mutation;
mod operator;
mod scenario;
pub mod server;
mod shrink;
pub mod small;
mod story;
mod time;
mod world;

pub use cover::Cover;
pub use generate::{flood, generate};
pub use life::{Manner, Outcome, live};
pub use mutation::Mutation;
pub use scenario::{Cluster, Happening, Lie, Scenario, Watch, What};
pub use shrink::shrink;
pub use story::Story;
pub use time::{MINUTE, Moment, SECOND, TICK, epoch};
