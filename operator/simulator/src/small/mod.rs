//! Small scope, exhaustively: every interleaving of two replicas over one Webinar with two slots, with one crash and one
//! stale list.
//!
//! [Stateright](https://docs.rs/stateright) walks the states; what a replica does in each is told by the production code,
//! [`webinar_operator::replica::Replica`], which is started anew and told again all that it was told on the way there
//! (see `replay`). The API server is the simulator's model of it.
//!
//! Both replicas believe that they lead, all the time: each has a lease of its own. That is more than a cluster can do to
//! them, where a lease and its deadlines keep all but one from writing; so what holds here needs no lease.
//!
//! Time stands still. A look happens when there was news since the last one began, or when the last one asked for another
//! within two seconds. What is due later never comes.
//!
//! It begins where a leader died that had written its memory, Services and budgets and was about to create its first pod.
//!
//! Grouped, to keep the space small:
//! - watches tell all that is new at once: that of pods alone, or all of them; and between two
//!   passes, since a pass reads the caches when it begins and not again;
//! - calls about Services and budgets are answered at once; what is written into the status is answered and not kept; Events and leases are answered aside. Every other
//!   call of a pass is a step of its own, and so is the look itself;
//! - calls that a replica has under way at once arrive in the order in which they were made;
//! - kubelets start all pods that wait at once; the garbage collector takes all that belongs to a Webinar that is gone.
//!
//! States are told apart by hashes: of objects, caches, and of what a replica remembers or was told in the pass under way.

mod book;
mod local;
mod model;
mod replay;
mod state;
mod world;

use jiff::Timestamp;

pub use model::{Action, Model, story};
pub use state::{Left, State};

/// What time it is.
const NOW: Timestamp = Timestamp::constant(1_804_161_600, 0);

/// Where the Webinar is.
const NAMESPACE: &str = "blue";

/// Its name.
const NAME: &str = "event";
