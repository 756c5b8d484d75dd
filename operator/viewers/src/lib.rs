//! Stands for many people who watch a WebRTC stream: asks for it over WHEP, receives it, and keeps count of what came.
//!
//! Each viewer has a UDP socket, an ICE and a DTLS connection of its own, decrypts every packet and sends the feedback
//! that a browser would; it does not put frames together or decode them.
//!
//! A viewer behaves as MediaMTX's own page does. It does not mind silence as long as the connection is up. When the
//! connection ends, or the server refuses it, it tries again after a pause, for as long as the program runs. There are
//! two ways in which a connection ends:
//!
//! * The server closes it, which DTLS tells at once with a `close_notify` alert. MediaMTX 1.19.3 does not always send
//!   the alert.
//! * The server no longer answers the requests with which ICE asks for consent: it was killed, its address is gone, or
//!   it closed the connection without a word. This takes 15.5 s from the first request that is not answered, about as
//!   long as in a browser, and requests are 3 s apart. ICMP errors are not looked at; browsers don't either.
//!
//! A packet is counted as lost wherever it was lost: on the way, or here because this program was too slow, which
//! [`Process::late_ms`] helps to tell. Pictures that a server leaves out before it numbers packets are not missed.

#[cfg(feature = "generator")]
mod generator;
mod report;

#[cfg(feature = "generator")]
pub use generator::{Endpoint, Fleet, Plan, Summary};
pub use report::{Gap, Process, Report, Total, Viewer};
