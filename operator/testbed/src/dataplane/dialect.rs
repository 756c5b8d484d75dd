//! Metrics as different media servers word them, in Prometheus' text format 0.0.4.

mod mediamtx;

use std::fmt::Write as _;

use jiff::Timestamp;

use super::server::Server;

/// Whose words a server uses for its metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `MediaMTX` 1.19: `paths_readers`, `paths_inbound_bytes`, `paths_outbound_bytes`, with a `state` label that flips; of the
    /// path `stage`, and of `probe`, which flows all the time and has nothing that people see.
    MediaMtx,
    /// `LiveKit`: `livekit_participant_total`, `livekit_packet_bytes` in four series. Counts participants of the whole node,
    /// the publisher included.
    LiveKit,
    /// moq-relay: `moq_relay_viewers_opened_total` less `moq_relay_viewers_closed_total`, `moq_relay_bytes_total` by role;
    /// other relays are told from viewers by their tier, `internal`.
    Moq,
}

/// What metrics are made of.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    pub(super) ready: bool,
    /// Sessions with viewers, also with those who have vanished.
    pub(super) viewers: u64,
    pub(super) opened: u64,
    pub(super) children: u64,
    pub(super) publishers: u64,
    pub(super) inbound: u64,
    pub(super) outbound: u64,
    /// It has a parent: a mid or a relay.
    pub(super) pulls: bool,
    /// For how many seconds it has run.
    pub(super) running: u64,
}

impl Figures {
    pub(super) fn of(server: &Server, publishers: u64, now: Timestamp) -> Self {
        let (inbound, outbound) = server
            .path
            .map_or((0.0, 0.0), |path| (path.inbound, path.outbound));
        Self {
            ready: server.path.is_some(),
            viewers: server.sessions(),
            opened: server.opened,
            children: server.children,
            publishers,
            inbound: inbound as u64,
            outbound: outbound as u64,
            pulls: server.pod.upstream.is_some(),
            running: now.duration_since(server.since).as_secs().unsigned_abs(),
        }
    }
}

impl Dialect {
    /// The whole answer to a scrape.
    pub(super) fn render(self, figures: &Figures) -> String {
        self.worded(
            figures,
            &figures.viewers.to_string(),
            &figures.inbound.to_string(),
            &figures.outbound.to_string(),
        )
    }

    /// The answer with a lie for each number that matters.
    pub(super) fn lying(self, figures: &Figures, number: &str) -> String {
        self.worded(figures, number, number, number)
    }

    /// What a series of viewers begins with, up to where labels can be added.
    pub(super) fn viewers_series(self) -> &'static str {
        match self {
            Self::MediaMtx => "paths_readers{name=\"stage\",readerType=\"webRTCSession\",state=\"ready\"",
            Self::LiveKit => "livekit_participant_total{node_type=\"SERVER\"",
            Self::Moq => "moq_relay_viewers_opened_total{tier=\"\",role=\"publisher\"",
        }
    }

    fn worded(self, figures: &Figures, viewers: &str, inbound: &str, outbound: &str) -> String {
        match self {
            Self::MediaMtx => mediamtx::text(figures, viewers, inbound, outbound),
            Self::LiveKit => livekit(figures, viewers, inbound, outbound),
            Self::Moq => moq(figures, viewers, inbound, outbound),
        }
    }
}

fn livekit(figures: &Figures, viewers: &str, inbound: &str, outbound: &str) -> String {
    let node = "node_id=\"ND_simulated\",node_type=\"SERVER\"";
    let rooms = u8::from(figures.ready || figures.viewers > 0);
    // A lie is told as it is.
    let participants = match viewers.parse::<u64>() {
        Ok(viewers) => viewers.saturating_add(figures.publishers).to_string(),
        Err(_) => viewers.to_owned(),
    };
    let mut text = format!(
        "# HELP livekit_room_total \n# TYPE livekit_room_total gauge\nlivekit_room_total{{{node}}} {rooms}\n\
         # HELP livekit_participant_total \n# TYPE livekit_participant_total gauge\n\
         livekit_participant_total{{{node}}} {participants}\n\
         # HELP livekit_packet_bytes \n# TYPE livekit_packet_bytes counter\n"
    );
    for (direction, bytes) in [("incoming", inbound), ("outgoing", outbound)] {
        let (initial, again) = retransmitted(bytes);
        for (transmission, bytes) in [("initial", initial), ("retransmit", again)] {
            let _ = writeln!(
                text,
                "livekit_packet_bytes{{{node},direction=\"{direction}\",transmission=\"{transmission}\"}} {bytes}"
            );
        }
    }
    text
}

/// Splits bytes into those sent for the first time and one in 200 sent again.
fn retransmitted(bytes: &str) -> (String, String) {
    match bytes.parse::<u64>() {
        Ok(all) => ((all - all / 200).to_string(), (all / 200).to_string()),
        Err(_) => (bytes.to_owned(), bytes.to_owned()),
    }
}

fn moq(figures: &Figures, viewers: &str, inbound: &str, outbound: &str) -> String {
    let (opened, closed) = match viewers.parse::<u64>() {
        // What is opened never counts backwards; a lie of fewer viewers is one of more who went.
        Ok(viewers) => {
            let opened = figures.opened.max(viewers);
            (opened.to_string(), (opened - viewers).to_string())
        }
        Err(_) => (viewers.to_owned(), "0".to_owned()),
    };
    let relays = figures.children;
    format!(
        "# HELP moq_relay_bytes_total Media payload bytes transferred.\n# TYPE moq_relay_bytes_total counter\n\
         moq_relay_bytes_total{{tier=\"\",role=\"publisher\"}} {outbound}\n\
         moq_relay_bytes_total{{tier=\"internal\",role=\"subscriber\"}} {inbound}\n\
         # HELP moq_relay_viewers_opened_total Distinct (broadcast, session) subscriptions opened.\n\
         # TYPE moq_relay_viewers_opened_total counter\n\
         moq_relay_viewers_opened_total{{tier=\"\",role=\"publisher\"}} {opened}\n\
         moq_relay_viewers_opened_total{{tier=\"internal\",role=\"publisher\"}} {relays}\n\
         # HELP moq_relay_viewers_closed_total Distinct (broadcast, session) subscriptions closed.\n\
         # TYPE moq_relay_viewers_closed_total counter\n\
         moq_relay_viewers_closed_total{{tier=\"\",role=\"publisher\"}} {closed}\n\
         moq_relay_viewers_closed_total{{tier=\"internal\",role=\"publisher\"}} 0\n\
         # HELP moq_relay_sessions_opened_total Connected sessions opened.\n\
         # TYPE moq_relay_sessions_opened_total counter\n\
         moq_relay_sessions_opened_total{{tier=\"\"}} {opened}\n\
         # HELP moq_relay_sessions_closed_total Connected sessions closed.\n\
         # TYPE moq_relay_sessions_closed_total counter\n\
         moq_relay_sessions_closed_total{{tier=\"\"}} {closed}\n"
    )
}
