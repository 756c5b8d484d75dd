//! Every reason that status, Events, metrics and docs may give, in one place.

use std::fmt;

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {
        /// Why a condition holds or an Event was written. CamelCase, stable, part of the API.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Reason {
            /// Every reason, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The reason as written in status and Events.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// Accepted; nothing is created before the ramp time.
    Scheduled,
    /// Capacity is being created.
    Ramping,
    /// Full capacity is Ready and held for the start.
    Armed,
    /// The event is on air.
    Live,
    /// The planned end has passed and capacity is kept for those still watching.
    Overrun,
    /// Capacity is being given back.
    Draining,
    /// The run is over and everything is given back.
    Finished,
    /// The event was first seen after its end; nothing was created.
    Expired,
    /// `suspend` is set: nothing is created, cordoned or deleted.
    Suspended,
    /// The operator has not judged the object yet.
    Pending,
    /// The Webinar names a class that doesn't exist, or names none and there is no default class.
    ClassNotFound,
    /// The class can't be used as it stands.
    ClassNotAccepted,
    /// The class can't serve this tier.
    TierNotAllowed,
    /// An object of another owner has a name that this Webinar needs.
    NameConflict,
    /// Seats will be missing at the start.
    CapacityAtRisk,
    /// Every seat of the tier is Ready.
    AllReady,
    /// The ramp has not begun.
    NotStarted,
    /// Seats are below the tier after they were complete, or at the start.
    Insufficient,
    /// Capacity was given back after the event.
    Released,
    /// The plan holds: no seat is expected to be missing.
    OnPlan,
    /// There is less time than the ramp needs.
    TooLate,
    /// Pods don't fit on the cluster's nodes.
    Unschedulable,
    /// Images can't be pulled.
    ImagePull,
    /// A ResourceQuota refuses pods.
    QuotaExceeded,
    /// The API server or an admission policy refuses pods.
    PodsRejected,
    /// Pods take longer to become Ready than the class says.
    RampBehind,
    /// Pods were lost after the fleet was complete.
    PodsLost,
    /// The event was created before its end and never ran.
    Missed,
    /// The overrun ends soon: capacity is given back then, whoever is watching.
    OverrunEnding,
    /// The clocks of the operator and the API server differ: nothing is given back before both say that it is time.
    ClockSkew,
    /// Pods that are not the Webinar's own carry its labels.
    ForeignPods,
    /// More people come than `maxTier` provides for.
    AboveCeiling,
    /// Presenters' media arrives.
    Flowing,
    /// The active SFU receives no media any more, and a standby that does takes over.
    PublisherStalled,
    /// The active SFU receives no media any more, and no standby receives any either.
    NoStandby,
    /// The active SFU receives media, but much of the tree behind it does not.
    UpstreamBroken,
    /// Nobody can say whether media flows: there was none yet, or the active SFU doesn't answer.
    NoSignal,
    /// The presenters stopped near the planned end.
    PublisherLeft,
    /// The event is not on air.
    NotLive,
    /// Presenters send far less than before, such as a still slide; media flows.
    InboundDropped,
    /// A relay receives media and sends its viewers hardly any; it takes no new ones.
    EgressStalled,
    /// Another SFU is active now, at the same addresses.
    FailedOver,
    /// The audience is counted.
    Fresh,
    /// Too many pods have not told of their viewers lately.
    Stale,
    /// What pods tell of their viewers can't be believed yet.
    Implausible,
    /// Edits that would restart media wait for the next run.
    LiveFreeze,
    /// No edit waits.
    None,
    /// The object can't be read, by this version of the operator at least, and is left alone.
    Unreadable,
    /// The class's templates were found and can be used.
    Accepted,
    /// A PodTemplate that the class names is missing.
    TemplateNotFound,
    /// A PodTemplate can't be used for media pods.
    TemplateInvalid,
    /// The class's numbers contradict each other.
    SizingInvalid,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_sentence() {
        for reason in Reason::ALL {
            let meaning = reason.meaning();
            assert!(
                meaning.ends_with('.') && !meaning.contains('\n'),
                "{reason}: {meaning}"
            );
        }
    }
}
