//! What happens in a world, and when: plain data, made of a seed or read from a file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::time::Moment;

/// One history, as far as it is not the operator's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Of everything that is not told: how long calls and pulls take, which nodes pods get.
    pub seed: u64,
    /// When the world ends.
    pub until: Moment,
    /// From here on nothing goes wrong any more and nobody changes anything.
    pub calm_from: Moment,
    /// Machines.
    pub cluster: Cluster,
    /// Of the lease, seconds: how long one holds, the renew deadline, time between two tries.
    pub lease: [u64; 3],
    /// Writes that a replica makes a second, and at once.
    pub limits: [u32; 2],
    /// What happens, in any order.
    pub happenings: Vec<Happening>,
}

/// Machines and how long they take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cluster {
    /// Zones.
    pub zones: usize,
    /// Pods that the nodes of each zone have room for, from the beginning. One node takes two.
    pub room: usize,
    /// Pods that each zone has room for when the autoscaler has added all nodes it may.
    pub most: usize,
    /// Seconds until a node that is needed has joined.
    pub node_after: u64,
    /// Seconds that a pull takes: at least and at most.
    pub pull: [u64; 2],
    /// Seconds from the start of its container until a pod is Ready: at least and at most.
    pub startup: [u64; 2],
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happening {
    /// When.
    pub at: Moment,
    /// What.
    pub what: What,
}

/// What can happen. Durations are seconds; `webinar` is `namespace/name`; `nth` counts pods that are there, round and
/// round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum What {
    /// People apply a Webinar.
    Create {
        /// Its name.
        webinar: String,
        /// Its start; none: as soon as possible.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start: Option<Moment>,
        /// The rest of its spec.
        spec: Value,
    },
    /// People change its spec: a merge patch.
    Edit {
        /// Which.
        webinar: String,
        /// Its new start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        start: Option<Moment>,
        /// Anything else.
        spec: Value,
    },
    /// People delete it.
    Delete {
        /// Which.
        webinar: String,
    },
    /// The audience becomes this large.
    Audience {
        /// Of which Webinar.
        webinar: String,
        /// So many people want to watch.
        people: u32,
        /// It takes so long.
        over: u64,
    },
    /// Presenters begin to send, or stop.
    Presenters {
        /// Of which Webinar.
        webinar: String,
        /// They send.
        send: bool,
        /// To both SFUs at once.
        #[serde(default)]
        twice: bool,
    },
    /// The platform team changes a class: a merge patch of its spec.
    EditClass {
        /// Its name.
        class: String,
        /// What changes.
        spec: Value,
    },
    /// A ResourceQuota allows so many pods in a namespace, or any number.
    Quota {
        /// Where.
        namespace: String,
        /// How many.
        pods: Option<u32>,
    },
    /// Somebody deletes a pod.
    DeletePod {
        /// Of which Webinar.
        webinar: String,
        /// Which.
        nth: usize,
    },
    /// A pod fails for good.
    FailPod {
        /// Of which Webinar.
        webinar: String,
        /// Which.
        nth: usize,
    },
    /// A pod is not Ready for a while.
    HangPod {
        /// Of which Webinar.
        webinar: String,
        /// Which.
        nth: usize,
        /// How long.
        lasts: u64,
    },
    /// Somebody makes a pod that carries the labels of another Webinar's.
    LookAlike {
        /// Of which Webinar.
        webinar: String,
    },
    /// A node does not answer.
    NodeDown {
        /// Which, round and round.
        node: usize,
        /// How long.
        lasts: u64,
    },
    /// A node is gone for good.
    NodeGone {
        /// Which, round and round.
        node: usize,
    },
    /// All nodes of a zone don't answer.
    ZoneDown {
        /// Which.
        zone: usize,
        /// How long.
        lasts: u64,
    },
    /// The control plane doesn't hear of nodes, and finds that out of one after the other; whoever is on them goes on.
    NodesSilent {
        /// So many of a hundred.
        percent: u8,
        /// Within so many seconds.
        spread: u64,
        /// How long.
        lasts: u64,
    },
    /// Images can't be pulled.
    NoImages {
        /// How long.
        lasts: u64,
    },
    /// Containers take minutes to start.
    SlowPods {
        /// How long.
        lasts: u64,
    },
    /// The autoscaler adds no node.
    NoNodes {
        /// How long.
        lasts: u64,
    },
    /// The API server does not answer anyone.
    Outage {
        /// How long.
        lasts: u64,
    },
    /// The API server refuses some of the operator's calls.
    Refusals {
        /// With 429, 500, 503 or 504.
        code: u16,
        /// So many of a hundred.
        percent: u8,
        /// How long.
        lasts: u64,
    },
    /// What was applied is reported as failed.
    LostAnswers {
        /// So many of a hundred writes.
        percent: u8,
        /// How long.
        lasts: u64,
    },
    /// Calls are lost and never answered.
    LostCalls {
        /// So many of a hundred.
        percent: u8,
        /// How long.
        lasts: u64,
    },
    /// Calls take up to so many milliseconds.
    SlowCalls {
        /// At most.
        millis: u64,
        /// How long.
        lasts: u64,
    },
    /// A replica can't reach the API server.
    Cut {
        /// Which.
        replica: usize,
        /// How long.
        lasts: u64,
    },
    /// A replica dies and is started again.
    Crash {
        /// Which.
        replica: usize,
        /// So long after.
        lasts: u64,
    },
    /// A replica dies at one of its next writes.
    CrashAtWrite {
        /// Which.
        replica: usize,
        /// The how-many-th from now on, from 0.
        write: u32,
        /// When it was applied, not before.
        applied: bool,
        /// It is started again so long after.
        lasts: u64,
    },
    /// A replica is stopped in good order and started again.
    Restart {
        /// Which.
        replica: usize,
        /// So long after.
        lasts: u64,
    },
    /// A watch of a replica tells nothing for a while.
    HoldWatch {
        /// Which replica.
        replica: usize,
        /// Of which kind.
        of: Watch,
        /// How long.
        lasts: u64,
    },
    /// A watch breaks, and what has happened meanwhile is compacted away: it lists again.
    BreakWatch {
        /// Which replica.
        replica: usize,
        /// Of which kind.
        of: Watch,
        /// The list shows what was so many seconds ago.
        stale: u64,
    },
    /// A replica's wall clock jumps.
    ClockJump {
        /// Which.
        replica: usize,
        /// Seconds.
        by: i64,
    },
    /// The active SFU receives nothing until it is replaced or the presenters connect elsewhere.
    Stall {
        /// Of which Webinar.
        webinar: String,
    },
    /// A mid receives nothing until it is replaced.
    StallMid {
        /// Of which Webinar.
        webinar: String,
        /// Which.
        nth: usize,
    },
    /// A relay's viewers get no picture for a while.
    StallRelay {
        /// Of which Webinar.
        webinar: String,
        /// Which.
        nth: usize,
        /// How long.
        lasts: u64,
    },
    /// Presenters send next to nothing: a slide, with the microphones off.
    StillPicture {
        /// Of which Webinar.
        webinar: String,
        /// How long.
        lasts: u64,
    },
    /// A relay receives media and hands none on.
    MuteRelay {
        /// Of which Webinar.
        webinar: String,
        /// Which.
        nth: usize,
        /// How long.
        lasts: u64,
    },
    /// Somebody has a Service with the name of one of a Webinar's.
    Foreign {
        /// Of which Webinar.
        webinar: String,
        /// Of which entry point.
        entry: String,
        /// How long.
        lasts: u64,
    },
    /// A Webinar's spec can't be read.
    Unreadable {
        /// Which.
        webinar: String,
        /// How long.
        lasts: u64,
    },
    /// Pods can't be created: a policy refuses them, or a webhook that has to be asked does not answer.
    PodsRefused {
        /// It is a webhook.
        webhook: bool,
        /// How long.
        lasts: u64,
    },
    /// Some pods tell what isn't so.
    Lie {
        /// Of which Webinar.
        webinar: String,
        /// What they tell.
        how: Lie,
        /// So many of a hundred pods.
        percent: u8,
        /// How long.
        lasts: u64,
    },
}

/// A watch of a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "each is the plural of its kind")]
pub enum Watch {
    Webinars,
    Pods,
    Services,
    Slices,
    Budgets,
    Revisions,
    Classes,
    Templates,
}

/// What a pod tells that isn't so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lie {
    /// It does not answer.
    Silent,
    /// Nobody watches.
    Zero,
    /// Half of those who watch do.
    Half,
    /// Ten times as many watch.
    Tenfold,
    /// Numbers that can't be.
    Absurd,
    /// Figures are left out.
    Missing,
    /// Counters begin anew with every answer.
    Resets,
}

impl What {
    /// As YAML and coverage name it.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["kind"].as_str().unwrap_or_default().to_owned()
    }

    /// How long something is wrong, seconds. None: what people do, or audiences.
    pub fn lasts(&self) -> Option<u64> {
        match self {
            Self::Create { .. }
            | Self::Edit { .. }
            | Self::Delete { .. }
            | Self::Audience { .. }
            | Self::Presenters { .. }
            | Self::EditClass { .. }
            | Self::Quota { .. } => None,
            Self::DeletePod { .. }
            | Self::FailPod { .. }
            | Self::LookAlike { .. }
            | Self::NodeGone { .. }
            | Self::BreakWatch { .. }
            | Self::ClockJump { .. }
            | Self::Stall { .. }
            | Self::StallMid { .. } => Some(0),
            Self::HangPod { lasts, .. }
            | Self::NodeDown { lasts, .. }
            | Self::ZoneDown { lasts, .. }
            | Self::NodesSilent { lasts, .. }
            | Self::NoImages { lasts }
            | Self::NoNodes { lasts }
            | Self::SlowPods { lasts }
            | Self::Outage { lasts }
            | Self::Refusals { lasts, .. }
            | Self::LostAnswers { lasts, .. }
            | Self::LostCalls { lasts, .. }
            | Self::SlowCalls { lasts, .. }
            | Self::Cut { lasts, .. }
            | Self::Crash { lasts, .. }
            | Self::CrashAtWrite { lasts, .. }
            | Self::Restart { lasts, .. }
            | Self::HoldWatch { lasts, .. }
            | Self::StallRelay { lasts, .. }
            | Self::StillPicture { lasts, .. }
            | Self::MuteRelay { lasts, .. }
            | Self::Foreign { lasts, .. }
            | Self::Unreadable { lasts, .. }
            | Self::PodsRefused { lasts, .. }
            | Self::Lie { lasts, .. } => Some(*lasts),
        }
    }
}
