//! The real operator binary on a real control plane: what users would notice.
//!
//! Every story has a control plane of its own, but for those of a million people, which take turns on a big one. Run them
//! one at a time: `cargo test -p webinar-operator --test cluster -- --test-threads=1`.

mod ending;
mod interrupted;
mod million;
mod outage;
mod permissions;
mod proxied;
mod quiet;
mod refusals;
mod scope;
mod steered;
mod support;
