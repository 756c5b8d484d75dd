//! What may be said: every condition with its status and reason, and every Event. The tables that people look things up in
//! are made from here.

use crate::output::{ConditionType, Truth};
use crate::reason::Reason;

use ConditionType::{
    AttendanceKnown, CapacityAtRisk, CapacityReady, MediaFlowing, PendingChanges, Ready, Stalled,
};
use Truth::{False, True, Unknown};

/// Every verdict there is, by condition and status.
pub const VERDICTS: &[(ConditionType, Truth, &[Reason])] = &[
    (
        Ready,
        True,
        &[
            Reason::Scheduled,
            Reason::Ramping,
            Reason::Armed,
            Reason::Live,
            Reason::Overrun,
            Reason::Draining,
            Reason::Finished,
            Reason::Expired,
            Reason::Suspended,
        ],
    ),
    (
        Ready,
        False,
        &[
            Reason::CapacityAtRisk,
            Reason::ClassNotFound,
            Reason::ClassNotAccepted,
            Reason::TierNotAllowed,
            Reason::NameConflict,
        ],
    ),
    (CapacityReady, True, &[Reason::AllReady]),
    (
        CapacityReady,
        False,
        &[
            Reason::NotStarted,
            Reason::Ramping,
            Reason::Insufficient,
            Reason::Released,
        ],
    ),
    (
        CapacityAtRisk,
        True,
        &[
            Reason::TooLate,
            Reason::Unschedulable,
            Reason::ImagePull,
            Reason::QuotaExceeded,
            Reason::PodsRejected,
            Reason::RampBehind,
            Reason::PodsLost,
            Reason::AboveCeiling,
        ],
    ),
    (CapacityAtRisk, False, &[Reason::OnPlan]),
    (MediaFlowing, True, &[Reason::Flowing]),
    (
        MediaFlowing,
        False,
        &[
            Reason::PublisherStalled,
            Reason::NoStandby,
            Reason::UpstreamBroken,
        ],
    ),
    (
        MediaFlowing,
        Unknown,
        &[Reason::NotLive, Reason::NoSignal, Reason::PublisherLeft],
    ),
    (AttendanceKnown, True, &[Reason::Fresh]),
    (AttendanceKnown, False, &[Reason::Stale, Reason::Implausible]),
    (AttendanceKnown, Unknown, &[Reason::NotLive]),
    (PendingChanges, True, &[Reason::LiveFreeze]),
    (PendingChanges, False, &[Reason::None]),
    (
        Stalled,
        True,
        &[
            Reason::ClassNotFound,
            Reason::ClassNotAccepted,
            Reason::TierNotAllowed,
            Reason::NameConflict,
        ],
    ),
];

/// What is told by [`Notice`](crate::Notice), each a Warning, and when. A phrase that completes "It is written …".
pub const NOTICES: &[(Reason, &str)] = &[
    (
        Reason::Missed,
        "when the operator first sees the event after its end, if it was created before that",
    ),
    (
        Reason::OverrunEnding,
        "15 minutes before capacity is given back, or at the end if the overrun is shorter",
    ),
    (
        Reason::ClockSkew,
        "once in a run, when the clocks differ by more than 5 seconds",
    ),
    (
        Reason::ForeignPods,
        "when such pods are seen, and again when the oldest of them has gone and others are left",
    ),
    (
        Reason::PublisherStalled,
        "once for each interruption of the presenters' media",
    ),
    (
        Reason::NoStandby,
        "once for each interruption of the presenters' media",
    ),
    (
        Reason::UpstreamBroken,
        "once for each interruption, and when relays are taken out or a mid is replaced for it",
    ),
    (Reason::EgressStalled, "when relays are taken out for it"),
    (
        Reason::InboundDropped,
        "when the rate falls below 10 % of what is usual, and again after five minutes while it stays there",
    ),
    (Reason::FailedOver, "within a minute after each failover"),
];

/// Reasons of a condition's verdicts with one status.
pub fn reasons_of(kind: ConditionType, truth: Truth) -> impl Iterator<Item = Reason> {
    let of_this = VERDICTS.iter().filter(move |(k, t, _)| (*k, *t) == (kind, truth));
    of_this.flat_map(|(_, _, reasons)| reasons.iter().copied())
}

/// The tables have this verdict.
pub fn is_told(kind: ConditionType, truth: Truth, reason: Reason) -> bool {
    reasons_of(kind, truth).any(|r| r == reason)
}

/// The tables have a notice with this reason.
pub fn is_noticed(reason: Reason) -> bool {
    NOTICES.iter().any(|(r, _)| *r == reason)
}

/// The status with which a change of this condition is a Warning; with others it is a Normal Event. `None`: its changes are
/// no Events.
pub const fn warns_with(kind: ConditionType) -> Option<Truth> {
    match kind {
        Ready => Some(False),
        CapacityAtRisk => Some(True),
        CapacityReady | MediaFlowing | AttendanceKnown | PendingChanges | Stalled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_given_somewhere() {
        let elsewhere = [Reason::Accepted, Reason::Unreadable];
        for reason in Reason::ALL {
            let said = VERDICTS.iter().any(|(_, _, reasons)| reasons.contains(reason));
            assert!(
                said || is_noticed(*reason) || elsewhere.contains(reason),
                "{reason} is never given"
            );
        }
    }

    #[test]
    fn each_condition_and_status_has_one_row() {
        let mut rows: Vec<_> = VERDICTS
            .iter()
            .map(|(kind, truth, _)| (*kind, truth.as_str()))
            .collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), VERDICTS.len());
    }

    #[test]
    fn whoever_is_warned_is_told_what_to_do() {
        let risks = ConditionType::ALL
            .into_iter()
            .filter_map(|kind| Some((kind, warns_with(kind)?)));
        let warnings = risks.flat_map(|(kind, truth)| reasons_of(kind, truth));
        for reason in warnings
            .chain(NOTICES.iter().map(|(reason, _)| *reason))
            .chain([Reason::Unreadable])
        {
            assert!(reason.remedy().is_some(), "{reason}");
        }
    }
}
