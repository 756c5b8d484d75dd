//! Which pod is to go, and why.

use jiff::SignedDuration;

use crate::input::Pod;
use crate::slot::Slot;

/// A lost pod's shutdown is nobody's farewell: its node may come back, and then it goes within this time.
const LOST_GRACE: SignedDuration = SignedDuration::from_secs(60);

/// A pod to delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Name.
    pub name: String,
    /// UID that the delete must name.
    pub uid: String,
    /// The slot it leaves.
    pub slot: Slot,
    /// The longest its shutdown may take. `None`: as long as the pod's own spec says.
    pub grace: Option<SignedDuration>,
    /// Why.
    pub reason: RemovalReason,
}

impl Removal {
    /// The removal of `pod`.
    pub(crate) fn of(pod: &Pod, reason: RemovalReason) -> Self {
        Self {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            slot: pod.slot,
            grace: pod.lost.then_some(LOST_GRACE),
            reason,
        }
    }
}

macro_rules! removal_reasons {
    ($($(#[doc = $doc:literal])+ $name:ident = $written:literal,)+) => {
        /// Why a pod is deleted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum RemovalReason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl RemovalReason {
            /// Every reason, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The reason as metrics name it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $written,)+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

removal_reasons! {
    /// It had ended by itself and will never run again.
    Ended = "ended",
    /// Its slot had another pod already, and it was never Ready.
    Surplus = "surplus",
    /// It was never Ready, and no seat needs it any more.
    Unneeded = "unneeded",
    /// An SFU or mid that did not become Ready in time: its slot gets another try.
    Retried = "retried",
    /// It was declared lost, and after the time of a drain nobody was known to be on it.
    Lost = "lost",
    /// The audience needed fewer relays, and its last viewer had left.
    Shrunk = "shrunk",
    /// The SFU that a failover left behind: established connections would have stayed on it.
    Fenced = "fenced",
    /// A mid that handed nothing on, while another stood in for it.
    Replaced = "replaced",
    /// Capacity was given back, and nobody used it any more.
    Drained = "drained",
    /// Capacity was given back, and its drain had reached the deadline with viewers on it, or with viewers unknown.
    Overdue = "overdue",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_sentence_and_a_name_of_its_own() {
        let mut names: Vec<&str> = RemovalReason::ALL.iter().map(|r| r.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), RemovalReason::ALL.len());
        for reason in RemovalReason::ALL {
            let meaning = reason.meaning();
            assert!(meaning.ends_with('.') && !meaning.contains('\n'), "{meaning}");
        }
    }
}
