//! Every decision of webinar-operator, as a pure function.
//!
//! [`plan`] takes one [`Input`] (plain data, the current instant included) and returns one [`Plan`]
//! that leaves nothing to decide later: which pods to create under which names, which to cordon and
//! delete, which Services and budgets must exist, what to remember, what to tell people, and when to
//! look again. Nothing here knows Kubernetes clients, clocks, randomness or I/O.

#![deny(missing_docs)]

mod accept;
mod admission;
mod alarm;
mod audience;
mod conditions;
mod counted;
mod drain;
mod empty;
mod entry;
mod extra;
mod figures;
mod fleet;
mod follow;
mod input;
mod lost;
mod media;
mod output;
mod phase;
mod planner;
mod postpone;
mod ramp;
mod reason;
mod removal;
mod risk;
mod run;
mod seats;
mod shard;
mod share;
mod shrink;
mod signal;
mod skew;
mod slot;
mod suspend;
mod tier;
mod time;
mod timeline;
mod track;
mod tree;
mod verdict;
mod view;
mod wake;
mod warning;

pub use accept::{next_run, servable};
pub use input::{
    Accepted, Alarm, AtOnce, Class, ClassFinding, Cordon, Cpu, Failover, Floor, Incident, Incidents, Input,
    Live, Memory, Neighbour, Orders, Pod, PodTrouble, Ramp, Recent, Release, Routes, Setback, SetbackKind,
    Settle, Source, Spec, Stall, Stranger, Subject, Watch, Webinar, Zones,
};
pub use output::{
    Address, Admission, Attended, Budget, Condition, ConditionType, Drain, Entry, EntryKind, Fixtures,
    MediaFigures, Named, NewPod, Notice, Outcome, Plan, Pool, Status, Truth,
};
pub use phase::Phase;
pub use planner::plan;
pub use ramp::{Wave, Waves};
pub use reason::Reason;
pub use removal::{Removal, RemovalReason};
pub use shard::ShardRule;
pub use share::neighbour;
pub use signal::{Flow, Reading, Sample, Signal};
pub use skew::MOST_SKEW;
pub use slot::{Role, Slot, incarnation};
pub use tier::{Capacity, Counts, Shape, Sizing, Tier, Unservable};
pub use time::{counted, grouped};
pub use timeline::{Schedule, lead};
pub use track::Track;
pub use tree::{Parent, fallbacks};
pub use verdict::{NOTICES, VERDICTS, is_noticed, is_told, reasons_of, warns_with};
