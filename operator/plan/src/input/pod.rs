//! Pods as decisions see them.

use jiff::Timestamp;

use crate::reason::Reason;
use crate::slot::Slot;
use crate::tree::Parent;

/// A pod of this Webinar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Name.
    pub name: String,
    /// UID, which every delete must name.
    pub uid: String,
    /// The run it was created for.
    pub run: u32,
    /// The slot it fills.
    pub slot: Slot,
    /// Where it pulls the stage from. SFUs have no parent.
    pub parent: Option<Parent>,
    /// It is part of its entry point.
    pub accepting: bool,
    /// When it was created.
    pub created: Timestamp,
    /// When a machine was found for it.
    pub scheduled: Option<Timestamp>,
    /// Its Ready condition is True.
    pub ready: bool,
    /// It is or once was Ready, as far as anyone can tell: someone may be watching through it.
    pub was_ready: bool,
    /// It has Succeeded or Failed and will never run again.
    pub ended: bool,
    /// It is not Ready although its containers are: its node doesn't answer.
    pub cut_off: bool,
    /// It was declared lost: it has left its slot and its entry point for good, whatever becomes of its node.
    pub lost: bool,
    /// When it will be, or should have been, gone: its deletionTimestamp.
    pub terminating: Option<Timestamp>,
    /// When its drain began.
    pub drain_started: Option<Timestamp>,
    /// Why it was taken out of its entry point. Means something only for a pod that was.
    pub cordoned_for: Cordon,
    /// What keeps it from becoming Ready, if Kubernetes says so.
    pub trouble: Option<PodTrouble>,
}

impl Pod {
    /// It runs or may still run: neither ended nor on its way out.
    pub fn alive(&self) -> bool {
        !self.ended && self.terminating.is_none()
    }
}

/// Why a pod was taken out of its entry point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cordon {
    /// Capacity is being given back, or its node is lost.
    #[default]
    Drain,
    /// The audience needs less: it goes once it is empty, and comes back if it is needed again.
    Shrink,
    /// Its viewers see no picture, although others do.
    Health,
}

impl Cordon {
    /// Every reason for a cordon.
    pub const ALL: [Self; 3] = [Self::Drain, Self::Shrink, Self::Health];

    /// The reason as written in a pod's annotation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drain => "Drain",
            Self::Shrink => "Shrink",
            Self::Health => "Health",
        }
    }
}

/// A pod that carries a Webinar's labels and is not its own. It is never counted, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// Name.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
}

/// What keeps a pod from becoming Ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodTrouble {
    /// [`Reason::Unschedulable`] or [`Reason::ImagePull`].
    pub reason: Reason,
    /// Kubernetes' own words, already shortened.
    pub message: String,
    /// Since when.
    pub since: Timestamp,
}
