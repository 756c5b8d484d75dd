//! Media servers without media: what stands in for the programs in an event's pods, for its publishers and its viewers, so
//! that tests, demo and benchmarks measure what people would feel.
//!
//! ```no_run
//! # async fn example(control_plane: &webinar_testbed::ControlPlane, start: jiff::Timestamp) -> anyhow::Result<()> {
//! use webinar_testbed::crowd::Crowd;
//! use webinar_testbed::dataplane::{DataPlane, Encoder, DataPlaneOptions, Publishing};
//!
//! let data_plane = DataPlane::start(control_plane.client(), DataPlaneOptions::default()).await?;
//! // … start the operator with `--scrape-proxy` and `data_plane.proxy_url()`, and create the Webinar …
//! let event = data_plane.event("stage", "keynote");
//! event.publish(Publishing::Dual);
//! event.crowd(Crowd::new(100_000, start));
//! // … later …
//! event.stop(Encoder::Primary);
//! // … see what the operator does …
//! println!("{}", event.results().summary());
//! # Ok(())
//! # }
//! ```
//!
//! It knows what real servers and viewers know, and nothing of the operator: pods and their environment (`WEBINAR_ROLE`,
//! `WEBINAR_SLOT`, `WEBINAR_UPSTREAM`, `WEBINAR_MAX_VIEWERS`), the EndpointSlices of Services, and requests for metrics.
//!
//! # What is modelled
//!
//! - A server per running pod. One that is deleted closes its connections, and its viewers ask again after a pause of 2 s.
//!   One that has failed tells no viewer, and one on a lost node tells nobody: viewers notice after 15.5 s, children after
//!   their read timeout. [`DataPlaneOptions`] has servers that end gracefully.
//! - Encoders that publish to `<webinar>-ingest`, or to `<webinar>-sfu-0` and `-sfu-1`; children that pull from whatever the
//!   EndpointSlices of their upstream Service show. A connection stays until one end is gone; then comes a fixed pause, then
//!   the next attempt. A child is turned away by a parent that has no stage itself: below mids, whose pauses end together
//!   with those of their relays, that is a matter of luck. A new publisher replaces the one before.
//! - Bytes, connection by connection, from encoders to viewers, and so counters of every server.
//! - `MediaMTX`'s read timeout: a server that hears nothing for so long ends its path, closes all its readers and counts from 0
//!   again. So does one that loses its source; relays then drop their viewers. That is counted apart from pods that are gone.
//!   Parents that get nothing themselves are heard all the same, so a tree below silent presenters ends with its SFU.
//! - Viewers ([`crate::crowd`]): each takes a random viewers Service and a random ready endpoint of it. Sessions never move
//!   by themselves. A relay without a stage takes nobody in. One who vanishes without a word is counted for 29 s more.
//! - Faults by command ([`Event`]): silent encoders, thin pictures, servers that hang, metrics that lie ([`Lie`]).
//!
//! Times are `MediaMTX`'s, measured with v1.19.3 and viewers over WebRTC.
//!
//! # What is not
//!
//! - Bandwidth, CPU and loss: a server carries whatever it is given, and all viewers of a server see the same.
//! - Time on the network: bytes pass the whole tree within a tick. Connections stand at once, and those that are closed are
//!   seen to be so at once. Encoders notice at once that their server is gone, also when its machine is.
//! - The path `probe` is only counted: it flows on every server, whatever becomes of the servers above.
//! - Containers that restart in their pod, and fallback parents (`WEBINAR_UPSTREAMS`), which `MediaMTX` can't use.
//! - That `LiveKit` and moq-relay keep their viewers when the source is gone, and let people in before there is one: dialects
//!   differ in words only.

mod detail;
mod dialect;
mod facts;
mod handle;
mod lie;
mod model;
mod options;
mod publish;
mod serve;
mod server;
mod servers;
mod stage;
#[cfg(test)]
mod tests;
mod watch;

pub use detail::{Detail, Outage, PublisherDetail, ServerDetail};
pub use dialect::Dialect;
pub use facts::Role;
pub use handle::{DataPlane, Event};
pub use lie::{Lie, Target};
pub use options::DataPlaneOptions;
pub use publish::{Encoder, Picture, Publishing};
