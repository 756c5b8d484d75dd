//! Stands for many people who watch a WebRTC stream: asks for it over WHEP, receives it, and keeps count of what came.
//!
//! Each viewer has a UDP socket, an ICE and a DTLS connection of its own, decrypts every packet and sends the feedback
//! that a browser would; it does not put frames together or decode them.
//!
//! A viewer behaves as MediaMTX's own page does. It does not mind silence as long as the connection is up. When the
//! connection ends, or the server refuses it, it tries again after a pause, for as long as the program runs. There are
//! two ends:
//!
//! * The server closes the connection, which DTLS tells at once with a `close_notify` alert.
//! * The server no longer answers the requests with which ICE asks for consent, because it was killed or its address
//!   is gone. This takes 15.5 s, about as long as in a browser, unless the server comes back before. ICMP errors are
//!   not looked at; browsers don't either.

#[cfg(feature = "generator")]
mod clock;
#[cfg(feature = "generator")]
mod cpu;
#[cfg(feature = "generator")]
mod crypto;
#[cfg(feature = "generator")]
mod endpoint;
#[cfg(feature = "generator")]
mod fleet;
#[cfg(feature = "generator")]
mod gaps;
#[cfg(feature = "generator")]
mod lateness;
#[cfg(feature = "generator")]
mod loss;
#[cfg(feature = "generator")]
mod peer;
#[cfg(feature = "generator")]
mod record;
mod report;
#[cfg(feature = "generator")]
mod session;
#[cfg(feature = "generator")]
mod summary;
#[cfg(feature = "generator")]
mod whep;

#[cfg(feature = "generator")]
pub use endpoint::Endpoint;
#[cfg(feature = "generator")]
pub use fleet::{Fleet, Plan};
pub use report::{Gap, Process, Report, Total, Viewer};
#[cfg(feature = "generator")]
pub use summary::Summary;
