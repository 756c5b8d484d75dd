//! What the data plane knows of a pod: what its kubelet would have told the process in it.

use std::fmt;
use std::net::IpAddr;

use serde::Serialize;

/// What a media server is for, as `WEBINAR_ROLE` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Takes the publishers' streams; in a room, viewers too.
    Sfu,
    /// Takes the stage from an SFU and serves relays.
    Mid,
    /// Serves viewers.
    Relay,
}

impl Role {
    pub(super) fn parse(text: &str) -> Option<Self> {
        match text {
            "sfu" => Some(Self::Sfu),
            "mid" => Some(Self::Mid),
            "relay" => Some(Self::Relay),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sfu => "sfu",
            Self::Mid => "mid",
            Self::Relay => "relay",
        })
    }
}

/// An event: the Webinar that pods and Services are labelled with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EventKey {
    pub(super) namespace: String,
    pub(super) name: String,
}

/// A pod whose process runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PodFacts {
    pub(super) uid: String,
    pub(super) name: String,
    pub(super) ip: IpAddr,
    pub(super) slot: String,
    pub(super) role: Role,
    /// Name of the Service it pulls from. `None` waits for publishers.
    pub(super) upstream: Option<String>,
    /// From 0; only heeded where viewers are sent.
    pub(super) max_viewers: u64,
}

/// How a pod's process ends, and so who hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// In an orderly way: it closes all its connections.
    Orderly,
    /// It is killed: its machine closes connections to other servers, and viewers hear nothing.
    Killed,
    /// With its machine: nobody hears anything.
    WithMachine,
}
