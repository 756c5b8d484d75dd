//! What is kept of one viewer while it watches.

use std::net::SocketAddr;

use super::gaps::{Gaps, length};
use super::loss::Sequence;
use crate::report::Viewer;

/// Streams of one session whose sequence numbers are followed: video, audio and a few spare.
const STREAMS: usize = 8;

/// What a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Video,
    Audio,
}

/// A media packet, as far as it is counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packet {
    pub(crate) kind: Kind,
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// Size of the datagram's payload.
    pub(crate) bytes: usize,
    pub(crate) from: SocketAddr,
}

/// How an attempt or a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// The viewer leaves for good.
    Stopped,
    /// The server answered the offer with this status.
    Refused(u16),
    /// The server closed the peer connection.
    ByServer,
    /// The server no longer answers.
    BySilence,
    /// Anything else.
    Failed(String),
}

/// The story of one viewer. All times are Unix milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Record {
    counted: Viewer,
    sessions: u64,
    first_attempt_ms: Option<i64>,
    video: Gaps,
    audio: Gaps,
    streams: Vec<(u32, Sequence)>,
    lost_before: u64,
}

impl Record {
    /// Nothing has happened yet.
    pub(crate) fn new(index: usize, url: String) -> Self {
        Self {
            counted: Viewer {
                index,
                url,
                ..Viewer::default()
            },
            ..Self::default()
        }
    }

    /// The viewer sets out to connect.
    pub(crate) fn attempt(&mut self, now_ms: i64) {
        self.first_attempt_ms.get_or_insert(now_ms);
    }

    /// The peer connection came up.
    pub(crate) fn connected(&mut self) {
        self.counted.connected = true;
        self.sessions += 1;
        if self.sessions > 1 {
            self.counted.reconnects += 1;
            self.video.reconnected();
            self.audio.reconnected();
        }
    }

    /// A packet came.
    pub(crate) fn packet(&mut self, packet: Packet, now_ms: i64) {
        let viewer = &mut self.counted;
        viewer.packets += 1;
        viewer.bytes += u64::try_from(packet.bytes).unwrap_or(u64::MAX);
        viewer.remote = Some(packet.from);
        viewer.last_packet_ms = Some(now_ms);
        if viewer.first_packet_ms.is_none() {
            viewer.first_packet_ms = Some(now_ms);
            viewer.first_packet_after_ms = self
                .first_attempt_ms
                .and_then(|began| u64::try_from(now_ms - began).ok());
        }
        match packet.kind {
            Kind::Video => {
                viewer.packets_video += 1;
                self.video.packet(now_ms);
            }
            Kind::Audio => {
                viewer.packets_audio += 1;
                self.audio.packet(now_ms);
            }
        }
        self.follow(packet.ssrc, packet.sequence);
    }

    /// The attempt or session is over.
    pub(crate) fn ended(&mut self, end: &End) {
        let viewer = &mut self.counted;
        viewer.connected = false;
        match end {
            End::Stopped => {}
            End::Refused(status) => {
                viewer.refused += 1;
                viewer.last_refusal = Some(*status);
            }
            End::ByServer => viewer.ended_by_server += 1,
            End::BySilence => viewer.ended_by_silence += 1,
            End::Failed(reason) => {
                viewer.failed += 1;
                viewer.last_failure = Some(reason.clone());
            }
        }
        self.lost_before += self.lost_in_session();
        self.streams.clear();
    }

    /// What there is to report.
    pub(crate) fn viewer(&self, now_ms: i64) -> Viewer {
        let longest = self.video.longest(now_ms);
        Viewer {
            lost: self.lost_before + self.lost_in_session(),
            silent_ms: self.video.silent_ms(now_ms),
            longest_gap_ms: longest.map_or(0, length),
            longest_gap_began_ms: longest.map(|gap| gap.begin_ms),
            longest_gap_audio_ms: self.audio.longest(now_ms).map_or(0, length),
            gaps: self.video.listed().collect(),
            ..self.counted.clone()
        }
    }

    fn follow(&mut self, ssrc: u32, number: u16) {
        if let Some((_, sequence)) = self.streams.iter_mut().find(|(known, _)| *known == ssrc) {
            sequence.packet(number);
        } else if self.streams.len() < STREAMS {
            self.streams.push((ssrc, Sequence::new(number)));
        }
    }

    fn lost_in_session(&self) -> u64 {
        self.streams.iter().map(|(_, sequence)| sequence.lost()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(kind: Kind, sequence: u16) -> Packet {
        Packet {
            kind,
            ssrc: if kind == Kind::Video { 1 } else { 2 },
            sequence,
            bytes: 100,
            from: SocketAddr::from(([127, 0, 0, 1], 8189)),
        }
    }

    #[test]
    fn a_session_is_counted() {
        let mut record = Record::new(3, "http://127.0.0.1/stage/whep".to_owned());
        record.attempt(1000);
        record.connected();
        record.packet(packet(Kind::Video, 1), 1200);
        record.packet(packet(Kind::Audio, 1), 1210);
        record.packet(packet(Kind::Video, 3), 1230);
        let viewer = record.viewer(1240);
        assert_eq!(viewer.index, 3);
        assert!(viewer.connected);
        assert_eq!(
            (viewer.packets, viewer.packets_video, viewer.packets_audio),
            (3, 2, 1)
        );
        assert_eq!((viewer.bytes, viewer.lost), (300, 1));
        assert_eq!(viewer.first_packet_after_ms, Some(200));
        assert_eq!((viewer.longest_gap_ms, viewer.silent_ms), (30, 10));
        assert_eq!(viewer.longest_gap_audio_ms, 30);
        assert_eq!(viewer.reconnects, 0);
    }

    #[test]
    fn losses_and_gaps_outlive_a_session() {
        let mut record = Record::default();
        record.connected();
        record.packet(packet(Kind::Video, 1), 1000);
        record.packet(packet(Kind::Video, 5), 1010);
        record.ended(&End::ByServer);
        assert!(!record.viewer(1010).connected);
        record.ended(&End::Refused(404));
        record.connected();
        record.packet(packet(Kind::Video, 40_000), 4010);
        let viewer = record.viewer(4010);
        assert_eq!(viewer.lost, 3);
        assert_eq!(viewer.gaps, [(1010, 4010, 1).into()]);
        assert_eq!((viewer.reconnects, viewer.ended_by_server), (1, 1));
        assert_eq!((viewer.refused, viewer.last_refusal), (1, Some(404)));
    }

    #[test]
    fn audio_does_not_hide_missing_video() {
        let mut record = Record::default();
        record.connected();
        record.packet(packet(Kind::Video, 1), 1000);
        record.packet(packet(Kind::Audio, 1), 2000);
        assert_eq!(record.viewer(3000).longest_gap_ms, 2000);
    }
}
