//! What the viewers saw, as written to the report file.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// One look at all viewers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// When this was taken, Unix milliseconds.
    pub time_ms: i64,
    /// Every viewer, also those that have not arrived yet.
    pub viewers: Vec<Viewer>,
    /// Sums over the viewers.
    pub total: Total,
    /// What the load generator itself needed.
    pub process: Process,
}

/// What one viewer saw so far, over all its sessions.
///
/// A gap is a time without a video packet between two video packets, whatever happened in between: a stalled
/// publisher, a lost network or a reconnect. Before the first video packet there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Viewer {
    /// Number of this viewer, from 0.
    pub index: usize,
    /// The WHEP URL it watches.
    pub url: String,
    /// Whether its peer connection is up.
    pub connected: bool,
    /// RTP packets that were decrypted and had not been seen before.
    pub packets: u64,
    /// Those of [`Viewer::packets`] with video.
    pub packets_video: u64,
    /// Those of [`Viewer::packets`] with audio.
    pub packets_audio: u64,
    /// UDP payload of those packets: RTP header, media and authentication tag.
    pub bytes: u64,
    /// Packets missing from the sequence numbers; one that comes late is taken off again.
    pub lost: u64,
    /// From the first attempt to the first media packet, milliseconds.
    pub first_packet_after_ms: Option<u64>,
    /// When the first media packet came, Unix milliseconds.
    pub first_packet_ms: Option<i64>,
    /// When the last media packet came, Unix milliseconds.
    pub last_packet_ms: Option<i64>,
    /// How long ago the last video packet came, milliseconds; 0 before the first.
    pub silent_ms: u64,
    /// Length of the longest gap, milliseconds; one that is still open counts.
    pub longest_gap_ms: u64,
    /// When that gap began, Unix milliseconds.
    pub longest_gap_began_ms: Option<i64>,
    /// As [`Viewer::longest_gap_ms`], for audio.
    pub longest_gap_audio_ms: u64,
    /// The last 32 gaps of half a second or more that have ended, oldest first.
    pub gaps: Vec<Gap>,
    /// Times that the peer connection came up, after the first.
    pub reconnects: u64,
    /// Sessions that the server ended by closing DTLS.
    pub ended_by_server: u64,
    /// Sessions that ended because the server no longer answered.
    pub ended_by_silence: u64,
    /// Attempts answered with another status than 201.
    pub refused: u64,
    /// The last such status.
    pub last_refusal: Option<u16>,
    /// Attempts and sessions that failed otherwise: no answer, no connection, or nonsense from the server.
    pub failed: u64,
    /// The last such failure.
    pub last_failure: Option<String>,
    /// Where the last media packet came from.
    pub remote: Option<SocketAddr>,
}

/// A gap that has ended, written as `[begin_ms, end_ms, reconnects]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(i64, i64, u64)", into = "(i64, i64, u64)")]
pub struct Gap {
    /// When the last packet before it came, Unix milliseconds.
    pub begin_ms: i64,
    /// When the first packet after it came, Unix milliseconds.
    pub end_ms: i64,
    /// Times that the peer connection came up within it.
    pub reconnects: u64,
}

impl From<(i64, i64, u64)> for Gap {
    fn from((begin_ms, end_ms, reconnects): (i64, i64, u64)) -> Self {
        Self {
            begin_ms,
            end_ms,
            reconnects,
        }
    }
}

impl From<Gap> for (i64, i64, u64) {
    fn from(gap: Gap) -> Self {
        (gap.begin_ms, gap.end_ms, gap.reconnects)
    }
}

/// Sums over all viewers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Total {
    /// Viewers there are to be.
    pub wanted: u64,
    /// Viewers whose peer connection is up.
    pub connected: u64,
    /// Sum of [`Viewer::packets`].
    pub packets: u64,
    /// Sum of [`Viewer::bytes`].
    pub bytes: u64,
    /// Sum of [`Viewer::lost`].
    pub lost: u64,
    /// Sum of [`Viewer::reconnects`].
    pub reconnects: u64,
    /// Sum of [`Viewer::refused`].
    pub refused: u64,
}

impl Total {
    /// The sums over these viewers.
    pub fn of(viewers: &[Viewer]) -> Self {
        let mut total = Self::default();
        for viewer in viewers {
            total.wanted += 1;
            total.connected += u64::from(viewer.connected);
            total.packets += viewer.packets;
            total.bytes += viewer.bytes;
            total.lost += viewer.lost;
            total.reconnects += viewer.reconnects;
            total.refused += viewer.refused;
        }
        total
    }
}

/// What the load generator needed; tells whether it could keep up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Processor time used so far, user and system, in steps of 10 ms; none where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// The worst lateness of a 20 ms tick since the report before, milliseconds.
    pub late_ms: u64,
    /// Threads that run viewers.
    pub threads: usize,
}

impl Report {
    /// Reads a report file.
    ///
    /// # Errors
    /// When it cannot be read or is no report.
    pub fn read(file: &Path) -> Result<Self> {
        let text = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("{} is no report", file.display()))
    }

    /// Replaces a report file at once, so that a reader sees the old report or this one.
    ///
    /// # Errors
    /// When the file, or the one beside it with `.tmp` added to the name, cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let mut new = file.as_os_str().to_owned();
        new.push(".tmp");
        let new = Path::new(&new);
        let text = serde_json::to_vec(self).context("encoding the report")?;
        fs::write(new, text).with_context(|| format!("writing {}", new.display()))?;
        fs::rename(new, file).with_context(|| format!("renaming {} to {}", new.display(), file.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let viewers = vec![
            Viewer {
                url: "http://127.0.0.1:8889/stage/whep".to_owned(),
                connected: true,
                packets: 7,
                lost: 1,
                gaps: vec![(1000, 1600, 1).into()],
                remote: Some(SocketAddr::from(([10, 1, 2, 3], 8189))),
                ..Viewer::default()
            },
            Viewer {
                index: 1,
                packets: 3,
                refused: 2,
                last_refusal: Some(404),
                ..Viewer::default()
            },
        ];
        Report {
            time_ms: 2000,
            total: Total::of(&viewers),
            viewers,
            process: Process {
                cpu_seconds: Some(0.25),
                late_ms: 2,
                threads: 1,
            },
        }
    }

    #[test]
    fn viewers_are_added_up() {
        let total = report().total;
        assert_eq!((total.wanted, total.connected), (2, 1));
        assert_eq!((total.packets, total.lost, total.refused), (10, 1, 2));
    }

    #[test]
    fn gaps_and_addresses_are_short_in_json() {
        let json = serde_json::to_value(report()).expect("JSON");
        assert_eq!(json["viewers"][0]["gaps"], serde_json::json!([[1000, 1600, 1]]));
        assert_eq!(json["viewers"][0]["remote"], "10.1.2.3:8189");
        assert_eq!(json["viewers"][1]["last_refusal"], 404);
    }

    #[test]
    fn a_file_is_replaced_and_read_back() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("report.json");
        fs::write(&file, "the one before").expect("written");
        assert!(Report::read(&file).is_err());
        report().write(&file).expect("written");
        assert_eq!(Report::read(&file).expect("a report"), report());
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 1);
    }
}
