//! Every reason that status, Events, metrics and docs may give, in one place.

use std::fmt;

macro_rules! remedy {
    () => {
        None
    };
    ($text:literal) => {
        Some($text)
    };
}

macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $name:ident $(=> $remedy:literal)?,)+) => {
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

            /// What people can do about it, in whole sentences. Absent where nothing needs to be done.
            pub const fn remedy(self) -> Option<&'static str> {
                match self { $(Self::$name => remedy!($($remedy)?),)+ }
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
    Suspended =>
        "Set `suspend` to false when the event is to go on.",
    /// The Webinar names a class that doesn't exist, or names none and there is no default class.
    ClassNotFound =>
        "Name a class that exists in `className`, or have the platform team make one of them the default.",
    /// The class can't be used as it stands.
    ClassNotAccepted =>
        "Tell the platform team: the message names the field or the template.",
    /// The class can't serve this tier.
    TierNotAllowed =>
        "Ask for a smaller tier or another class; `kubectl get webinarclass NAME -o yaml` tells what each tier costs.",
    /// An object of another owner has a name that this Webinar needs.
    NameConflict =>
        "Rename the Webinar, or remove the object that the message names.",
    /// Seats will be missing at the start.
    CapacityAtRisk =>
        "See the condition CapacityAtRisk.",
    /// Every seat of the tier is Ready.
    AllReady,
    /// The ramp has not begun.
    NotStarted,
    /// Seats are below the tier after they were complete, or at the start.
    Insufficient =>
        "See the condition CapacityAtRisk.",
    /// Capacity was given back after the event.
    Released,
    /// The plan holds: no seat is expected to be missing.
    OnPlan,
    /// There is less time than the ramp needs.
    TooLate =>
        "Move `startTime`, or book a smaller tier; what can be ready comes as soon as it can.",
    /// Pods don't fit on the cluster's nodes.
    Unschedulable =>
        "Add machines; the message says how many, and what Kubernetes says of it.",
    /// Images can't be pulled.
    ImagePull =>
        "Look at the image and its registry; the message quotes the error.",
    /// A ResourceQuota refuses pods, or the class has none left for this event.
    QuotaExceeded =>
        "Raise the namespace's ResourceQuota, or what the class may have; `webinar-operator plan` prints what to ask for.",
    /// The API server or an admission policy refuses pods.
    PodsRejected =>
        "The message quotes who refuses them. Change the policy, or have the class changed.",
    /// Pods take longer to become Ready than the class says, or no pod in the tree has room to feed them.
    RampBehind =>
        "Look at the slow pods. If they are always so slow, have the `settle` times of the class raised. If pods can't be fed: book this tier as `maxTier` for the next run.",
    /// Pods were lost after the fleet was complete.
    PodsLost =>
        "Look at the nodes. Replacements are created by themselves.",
    /// The event was created before its end and never ran.
    Missed =>
        "Move `startTime` to the future to run the event.",
    /// The overrun ends soon: capacity is given back then, whoever is watching.
    OverrunEnding =>
        "Lengthen `duration` or `overrun` to keep capacity.",
    /// The clocks of the operator and the API server differ: nothing is given back before both say that it is time.
    ClockSkew =>
        "Set the clock of the operator's node right, or that of the API server.",
    /// Pods that are not the Webinar's own carry its labels.
    ForeignPods =>
        "Delete these pods, or take the labels away: Services may lead viewers to them.",
    /// More people come than `maxTier` provides for.
    AboveCeiling =>
        "Raise `maxTier` to let more people in.",
    /// Presenters' media arrives.
    Flowing,
    /// The active SFU receives no media any more, and a standby that does takes over.
    PublisherStalled =>
        "Nothing at once. Ask the presenters about the encoder or the connection that failed.",
    /// The active SFU receives no media any more, and no standby receives any either.
    NoStandby =>
        "Ask the presenters to check their encoder. Encoders that send twice are taken over by themselves.",
    /// The active SFU receives media, but much of the tree behind it does not.
    UpstreamBroken =>
        "Look at the network between SFUs, mids and relays. A single mid at fault is replaced by itself.",
    /// Nobody can say whether media flows: there was none yet, or the active SFU doesn't answer.
    NoSignal =>
        "If presenters should be sending: look at the pod of the active SFU and at the `attendance` of the class.",
    /// The presenters stopped near the planned end.
    PublisherLeft,
    /// The event is not on air.
    NotLive,
    /// Presenters send far less than before, such as a still slide; media flows.
    InboundDropped =>
        "Nothing, if a camera was switched off.",
    /// A relay receives media and sends its viewers hardly any; it takes no new ones.
    EgressStalled =>
        "Look at the pod and its node. It takes viewers again when it is well.",
    /// Another SFU is active now, at the same addresses.
    FailedOver =>
        "Nothing at once. Find out what became of the SFU that was active before.",
    /// The audience is counted.
    Fresh,
    /// Too many pods have not told of their viewers lately.
    Stale =>
        "Look at the pods' metrics and at the `attendance` of the class. Nothing is lowered meanwhile.",
    /// What pods tell of their viewers can't be believed yet.
    Implausible =>
        "Look at what the pods tell. It is believed when enough of them agree for a minute.",
    /// Edits that would restart media wait for the next run.
    LiveFreeze =>
        "Nothing. To have the edits at once, end this run.",
    /// No edit waits.
    None,
    /// The object can't be read, by this version of the operator at least, and is left alone.
    Unreadable =>
        "Correct or delete the object; the note says what is wrong with it.",
    /// The class's templates were found and can be used.
    Accepted,
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
            let remedy = reason.remedy().unwrap_or("Nothing.");
            assert!(
                remedy.ends_with('.') && !remedy.contains(['\n', '|']),
                "{reason}: {remedy}"
            );
        }
    }
}
