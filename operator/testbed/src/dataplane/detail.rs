//! A look behind the scenes, for tests.

use jiff::Timestamp;
use serde::Serialize;

use super::facts::Role;
use super::stage::Stage;

/// What goes on in one event.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Detail {
    /// All servers that run, in the order of their slots' names.
    pub servers: Vec<ServerDetail>,
    /// The encoders' streams, the primary one first.
    pub publishers: Vec<PublisherDetail>,
    /// Slot of the SFU that presenters' one address leads to.
    pub active: Option<String>,
    /// When that SFU last received a byte.
    pub last_byte: Option<Timestamp>,
    /// Times when most relays stood still, in order.
    pub outages: Vec<Outage>,
}

/// One media server.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerDetail {
    /// Its slot, also after the operator has given the slot to another pod.
    pub slot: String,
    /// Name of its pod.
    pub pod: String,
    /// UID of its pod.
    pub uid: String,
    /// What it is for.
    pub role: Role,
    /// Viewers connected to it.
    pub viewers: u64,
    /// Servers that pull from it.
    pub children: u64,
    /// Slot of the server that it pulls from.
    pub parent: Option<String>,
    /// Bytes come in.
    pub fed: bool,
    /// It has a source, as its `state` label says.
    pub ready: bool,
    /// It hangs, by command.
    pub frozen: bool,
}

/// One encoder's stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherDetail {
    /// The Service that it sends to.
    pub service: String,
    /// Slot of the server that it is connected to.
    pub slot: Option<String>,
    /// Name of that server's pod.
    pub pod: Option<String>,
    /// It sends nothing, by command.
    pub silent: bool,
}

/// A time when more than half of the relays that ever had a picture had none, while a publisher was meant to be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outage {
    /// When that was last not so.
    pub from: Timestamp,
    /// When all of them but at most 1 % had a picture again, or nobody presented any more.
    pub until: Option<Timestamp>,
}

impl Detail {
    pub(super) fn of(stage: &Stage) -> Self {
        let slot = |place: usize| Some(stage.servers.get(place)?.pod.slot.clone());
        let mut servers: Vec<ServerDetail> = stage
            .servers
            .iter()
            .map(|(_, server)| ServerDetail {
                slot: server.pod.slot.clone(),
                pod: server.pod.name.clone(),
                uid: server.pod.uid.clone(),
                role: server.pod.role,
                viewers: server.viewers,
                children: server.children,
                parent: server.parent.and_then(slot),
                fed: server.received > 0.0,
                ready: server.path.is_some(),
                frozen: server.hung.is_some(),
            })
            .collect();
        servers.sort_by(|a, b| (&a.slot, &a.pod).cmp(&(&b.slot, &b.pod)));
        let publishers = stage.streams.iter().map(|stream| PublisherDetail {
            service: stream.service.clone(),
            slot: stream.server.and_then(slot),
            pod: stream
                .server
                .and_then(|place| Some(stage.servers.get(place)?.pod.name.clone())),
            silent: stream.silent,
        });
        let active = stage.active();
        Self {
            servers,
            publishers: publishers.collect(),
            active: active.map(|server| server.pod.slot.clone()),
            last_byte: active.and_then(|server| server.last_byte),
            outages: stage.outages.clone(),
        }
    }

    /// The server in a slot; the one that is selected is not told from one that was declared lost.
    pub fn slot(&self, slot: &str) -> Option<&ServerDetail> {
        self.servers.iter().find(|server| server.slot == slot)
    }

    /// How many servers of a role receive bytes.
    pub fn fed(&self, role: Role) -> usize {
        let of_role = self.servers.iter().filter(|server| server.role == role);
        of_role.filter(|server| server.fed).count()
    }
}
