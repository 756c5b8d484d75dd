//! Every Event that may be written: its reason, its type and when. The table that people look things up in is made from here.

use webinar_plan::{ConditionType, NOTICES, Reason, Truth, reasons_of, warns_with};

/// An Event that may be written about a Webinar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its reason.
    pub reason: Reason,
    /// It is a Warning; otherwise it is Normal.
    pub warning: bool,
    /// A phrase that completes "It is written …".
    pub when: String,
}

/// All of them: changes of conditions first, then what is told once.
pub fn all() -> Vec<Described> {
    let conditions = ConditionType::ALL
        .into_iter()
        .filter(|k| warns_with(*k).is_some());
    let changes = conditions.flat_map(|kind| Truth::ALL.into_iter().flat_map(move |truth| of(kind, truth)));
    let notices = NOTICES.iter().map(|(reason, when)| Described {
        reason: *reason,
        warning: true,
        when: (*when).to_owned(),
    });
    let unreadable = Described {
        reason: Reason::Unreadable,
        warning: true,
        when: "for each version of the object that can't be read, and again after a restart of the operator"
            .to_owned(),
    };
    changes.chain(notices).chain([unreadable]).collect()
}

/// Those about a change of `kind` to this status.
fn of(kind: ConditionType, truth: Truth) -> impl Iterator<Item = Described> {
    reasons_of(kind, truth)
        .filter(move |reason| !told_elsewhere(kind, *reason))
        .map(move |reason| Described {
            reason,
            warning: warns_with(kind) == Some(truth),
            when: format!(
                "when `{}` turns to {} with this reason",
                kind.as_str(),
                truth.as_str()
            ),
        })
}

/// Another condition's change says it already, with the cause.
pub(crate) fn told_elsewhere(kind: ConditionType, reason: Reason) -> bool {
    (kind, reason) == (ConditionType::Ready, Reason::CapacityAtRisk)
}
