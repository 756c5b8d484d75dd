//! One WebRTC peer: str0m, which does no input or output, joined to a UDP socket.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use socket2::SockRef;
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::media::{Direction, MediaKind, Mid};
use str0m::net::{Protocol, Receive};
use str0m::rtp::RtpPacket;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig};
use tokio::net::UdpSocket;

use super::clock;
use super::crypto;
use super::record::{Kind, Packet};

/// Requests without a response before the other side counts as gone: 15.5 s from the first, as str0m pauses for 0.5, 1,
/// 2 and then 3 s after them. Browsers give up after about 15 s; str0m's own figure of 9 requests makes 21.5 s.
const UNANSWERED_REQUESTS: usize = 7;
/// What may wait in a socket, as far as the system allows. A real viewer reads its one socket at once, but here many
/// share a processor.
const WAITING_BYTES: usize = 1024 * 1024;
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
#[derive(Debug, Clone, Copy)]
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
        SockRef::from(&socket).set_recv_buffer_size(WAITING_BYTES)?;
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
                let kind = if mid == self.video {
                    Kind::Video
                } else {
                    Kind::Audio
                };
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Side {
        rtc: Rtc,
        address: SocketAddr,
        events: Vec<Event>,
    }

    impl Side {
        fn new(port: u16, now: Instant) -> Self {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let mut rtc = config().expect("a configuration").build(now);
            let candidate = Candidate::host(address, "udp").expect("a candidate");
            rtc.add_local_candidate(candidate).expect("a usable candidate");
            Self {
                rtc,
                address,
                events: Vec::new(),
            }
        }

        fn tick(&mut self, other: &mut Self, now: Instant) {
            self.rtc.handle_input(Input::Timeout(now)).expect("no failure");
            loop {
                match self.rtc.poll_output().expect("no failure") {
                    Output::Timeout(_) => return,
                    Output::Event(event) => self.events.push(event),
                    Output::Transmit(sent) => {
                        let datagram =
                            Receive::new(Protocol::Udp, self.address, other.address, &sent.contents)
                                .expect("a datagram");
                        other
                            .rtc
                            .handle_input(Input::Receive(now, datagram))
                            .expect("no failure");
                    }
                }
            }
        }

        fn saw(&self, wanted: fn(&Event) -> bool) -> bool {
            self.events.iter().any(wanted)
        }
    }

    /// A viewer and a server five seconds after the offer, and the time that is then.
    fn connected() -> (Side, Side, Instant) {
        let mut now = clock::now();
        let mut viewer = Side::new(1, now);
        let mut server = Side::new(2, now);
        let mut changes = viewer.rtc.sdp_api();
        changes.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        let (offer, pending) = changes.apply().expect("an offer");
        let answer = server.rtc.sdp_api().accept_offer(offer).expect("an answer");
        let viewing = viewer.rtc.sdp_api();
        viewing.accept_answer(pending, answer).expect("accepted");
        for _ in 0..500 {
            now += Duration::from_millis(10);
            viewer.tick(&mut server, now);
            server.tick(&mut viewer, now);
        }
        assert!(
            viewer.saw(|event| matches!(event, Event::Connected)),
            "{:?}",
            viewer.events
        );
        assert!(
            server.saw(|event| matches!(event, Event::Connected)),
            "{:?}",
            server.events
        );
        (viewer, server, now)
    }

    #[test]
    fn a_peer_that_closes_is_noticed_at_once() {
        let (mut viewer, mut server, now) = connected();
        assert!(!viewer.saw(|event| matches!(event, Event::Closed)));

        server.rtc.close().expect("closed");
        server.tick(&mut viewer, now);
        viewer.tick(&mut server, now);
        assert!(
            viewer.saw(|event| matches!(event, Event::Closed)),
            "{:?}",
            viewer.events
        );
    }

    #[test]
    fn a_peer_that_falls_silent_is_given_up() {
        let (mut viewer, mut server, died) = connected();
        let mut now = died;
        let silent = |event: &Event| {
            matches!(
                event,
                Event::IceConnectionStateChange(IceConnectionState::Disconnected)
            )
        };
        while !viewer.saw(silent) {
            now += Duration::from_millis(10);
            viewer.tick(&mut server, now);
            let silence = now.duration_since(died);
            assert!(silence < Duration::from_secs(19), "{:?}", viewer.events);
        }
        assert!(now.duration_since(died) > Duration::from_secs(12));
    }
}
