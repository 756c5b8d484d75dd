//! One WebRTC peer: str0m, which does no input or output, joined to a UDP socket.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

use crate::clock;
use crate::crypto;
use crate::record::{Kind, Packet};

/// Requests without a response before the other side counts as gone: 15.5 s with str0m's pauses of 0.5, 1, 2 and then
/// 3 s between them. Browsers give up after 15 s; str0m's own figure of 9 requests makes 21.5 s.
const UNANSWERED_REQUESTS: usize = 7;
const DATAGRAM: usize = 2000;
/// Datagrams taken in one go, so that a flooded viewer leaves time to the others.
const BATCH: usize = 64;

/// What peers have in common.
///
/// # Errors
/// When no certificate can be made.
pub(crate) fn config() -> Result<RtcConfig> {
    let mut config = RtcConfig::new()
        .set_crypto_provider(Arc::new(crypto::provider()))
        .set_dtls_cert(crypto::certificate()?)
        .clear_codecs()
        .enable_h264(true)
        .enable_opus(true, false)
        .set_rtp_mode(true);
    config.set_max_stun_retransmits(UNANSWERED_REQUESTS);
    Ok(config)
}

/// What happened to a peer.
#[derive(Debug)]
pub(crate) enum Happening {
    /// The connection is up: ICE, DTLS and the keys for media.
    Connected,
    /// A media packet came at that instant.
    Media(Packet, Instant),
    /// The other side closed the connection.
    Closed,
    /// The other side no longer answers.
    Silent,
}

/// A peer that receives one H.264 and one Opus track.
pub(crate) struct Peer {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    video: Mid,
    kinds: Vec<(u32, Kind)>,
    buffer: Box<[u8; DATAGRAM]>,
    arrived: Arrived,
}

/// The datagram that is being looked at.
struct Arrived {
    bytes: usize,
    from: SocketAddr,
    at: Instant,
}

/// An offer whose answer is awaited.
pub(crate) struct Offered {
    peer: Peer,
    pending: SdpPendingOffer,
}

impl Offered {
    /// Opens a socket at this address and makes an SDP offer.
    ///
    /// # Errors
    /// When the address is not one of this machine.
    pub(crate) async fn new(config: &RtcConfig, ip: IpAddr) -> Result<(Self, String)> {
        let socket = UdpSocket::bind((ip, 0))
            .await
            .with_context(|| format!("opening a UDP socket at {ip}"))?;
        let local = socket.local_addr()?;
        let now = clock::now();
        let mut rtc = config.clone().build(now);
        let candidate = Candidate::host(local, "udp").with_context(|| format!("receiving media at {ip}"))?;
        rtc.add_local_candidate(candidate);
        let mut changes = rtc.sdp_api();
        let video = changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().context("there is nothing to offer")?;
        let peer = Peer {
            rtc,
            socket,
            local,
            video,
            kinds: Vec::new(),
            buffer: Box::new([0; DATAGRAM]),
            arrived: Arrived {
                bytes: 0,
                from: local,
                at: now,
            },
        };
        Ok((Self { peer, pending }, offer.to_sdp_string()))
    }

    /// Takes the SDP answer.
    ///
    /// # Errors
    /// When it does not fit the offer.
    pub(crate) fn answered(self, sdp: &str) -> Result<Peer> {
        let Self { mut peer, pending } = self;
        let answer = SdpAnswer::from_sdp_string(sdp).context("the answer is no SDP")?;
        peer.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .context("the answer does not fit the offer")?;
        Ok(peer)
    }
}

impl Peer {
    /// Waits until there are datagrams to take.
    ///
    /// # Errors
    /// When the socket fails.
    pub(crate) async fn readable(&self) -> Result<()> {
        Ok(self.socket.readable().await?)
    }

    /// Lets time pass, tells what happens, and returns when to call again at the latest.
    ///
    /// # Errors
    /// When the protocol cannot go on.
    pub(crate) fn tick(&mut self, now: Instant, tell: &mut impl FnMut(Happening)) -> Result<Instant> {
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain(tell)
    }

    /// Takes the datagrams that have come, at most 64, as [`Peer::tick`].
    ///
    /// # Errors
    /// When the socket fails or the protocol cannot go on.
    pub(crate) fn receive(&mut self, tell: &mut impl FnMut(Happening)) -> Result<Option<Instant>> {
        let mut wake = None;
        for _ in 0..BATCH {
            let (bytes, from) = match self.socket.try_recv_from(&mut self.buffer[..]) {
                Ok(datagram) => datagram,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error).context("receiving a datagram"),
            };
            let at = clock::now();
            if (20..64).contains(&self.buffer[0]) && !self.kinds.is_empty() { eprintln!("DTLS {} {bytes} {:02x?} alive {}", self.local, &self.buffer[..bytes.min(20)], self.rtc.is_alive()); }
            self.arrived = Arrived { bytes, from, at };
            // Anybody may send anything to an open socket.
            let Ok(datagram) = Receive::new(Protocol::Udp, from, self.local, &self.buffer[..bytes]) else {
                continue;
            };
            self.rtc.handle_input(Input::Receive(at, datagram))?;
            wake = Some(self.drain(tell)?);
        }
        Ok(wake)
    }

    /// Takes leave of the other side.
    pub(crate) fn close(&mut self) {
        // It is over either way.
        let _ = self.rtc.close().map(|()| self.drain(&mut |_| {}));
    }

    fn drain(&mut self, tell: &mut impl FnMut(Happening)) -> Result<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(wake) => return Ok(wake),
                Output::Transmit(datagram) => {
                    // A datagram that cannot be sent is lost, as any may be.
                    let _ = self.socket.try_send_to(&datagram.contents, datagram.destination);
                }
                Output::Event(Event::RtpPacket(packet)) => {
                    if let Some(packet) = self.media(&packet) {
                        tell(Happening::Media(packet, self.arrived.at));
                    }
                }
                Output::Event(Event::Connected) => tell(Happening::Connected),
                Output::Event(Event::Closed) => tell(Happening::Closed),
                Output::Event(Event::IceConnectionStateChange(IceConnectionState::Disconnected)) => {
                    tell(Happening::Silent);
                }
                Output::Event(_) => {}
            }
        }
    }

    fn media(&mut self, packet: &RtpPacket) -> Option<Packet> {
        let ssrc = *packet.header.ssrc;
        let kind = match self.kinds.iter().find(|(known, _)| *known == ssrc) {
            Some((_, kind)) => *kind,
            None => {
                let mid = self.rtc.direct_api().stream_rx(&packet.header.ssrc)?.mid();
                let kind = if mid == self.video { Kind::Video } else { Kind::Audio };
                self.kinds.push((ssrc, kind));
                kind
            }
        };
        Some(Packet {
            kind,
            ssrc,
            sequence: packet.header.sequence_number,
            bytes: self.arrived.bytes,
            from: self.arrived.from,
        })
    }
}
