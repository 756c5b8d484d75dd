//! What it takes to be many viewers, from one of them up: [`gaps`], [`loss`] and [`record`] keep count; [`peer`] and
//! [`whep`] talk to the server; [`session`] is one visit; [`fleet`] is all viewers.

mod clock;
mod cpu;
mod crypto;
mod endpoint;
mod fleet;
mod gaps;
mod lateness;
mod loss;
mod peer;
mod record;
mod session;
mod summary;
mod whep;

pub use endpoint::Endpoint;
pub use fleet::{Fleet, Plan};
pub use summary::Summary;
