//! Says what was decided: the status, and Events about what changed in it.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::core::ObjectMeta;
use kube::runtime::events::{Event, EventType, Recorder};
use kube::{Api, Client, Resource as _};
use serde_json::json;
use webinar_api::{FIELD_MANAGER, Webinar, WebinarStatus};
use webinar_plan::{ConditionType, Notice, Reason, warns_with};

use crate::client::{DEADLINE, call};
use crate::error::Error;
use crate::events::told_elsewhere;
use crate::ownership::Owner;
use crate::validate::find;

/// The `action` of every Event: Kubernetes wants one.
pub(crate) const ACTION: &str = "Plan";

/// Kubernetes refuses longer notes.
const NOTE_LIMIT: usize = 1_024;

/// Writes the status of exactly this Webinar in exactly this version. False: it has changed meanwhile, and
/// the next pass will speak.
///
/// # Errors
///
/// The API server can't be reached or refuses the status.
pub(crate) async fn write_status(
    client: &Client,
    owner: &Owner,
    webinar: &Webinar,
    status: &WebinarStatus,
) -> Result<bool, Error> {
    let what = || format!("write the status of Webinar {}/{}", owner.namespace, owner.name);
    let json = |source| Error::Json { what: what(), source };
    let steps = json!([
        {"op": "test", "path": "/metadata/uid", "value": owner.uid},
        {"op": "test", "path": "/metadata/resourceVersion", "value": webinar.metadata.resource_version},
        {"op": "add", "path": "/status", "value": serde_json::to_value(status).map_err(json)?},
    ]);
    let patch: json_patch::Patch = serde_json::from_value(steps).map_err(json)?;
    let api: Api<Webinar> = Api::namespaced(client.clone(), &owner.namespace);
    let params = PatchParams {
        field_manager: Some(FIELD_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    match call(
        what,
        api.patch_status(&owner.name, &params, &Patch::Json::<()>(patch)),
    )
    .await
    {
        Ok(_) => Ok(true),
        Err(error)
            if error
                .answer()
                .is_some_and(|s| s.is_not_found() || s.is_conflict() || s.is_invalid()) =>
        {
            tracing::debug!(%error, "the Webinar has changed meanwhile");
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// One Event for each change of verdict between `old` and `new`, and for each notice. Best effort: an Event
/// never decides anything, and its failure holds nothing up.
pub(crate) async fn tell(
    recorder: &Recorder,
    webinar: &Webinar,
    old: Option<&WebinarStatus>,
    new: &WebinarStatus,
    notices: &[Notice],
) {
    let reference = webinar.object_ref(&());
    for (type_, reason, note) in news(old, new, notices) {
        publish(recorder, &reference, type_, &reason, &note).await;
    }
}

/// Tells of a Webinar that can't be read, by the metadata that can.
pub(crate) async fn unreadable(recorder: &Recorder, metadata: &ObjectMeta, error: &str) {
    let reference = ObjectReference {
        api_version: Some(Webinar::api_version(&()).into_owned()),
        kind: Some(Webinar::kind(&()).into_owned()),
        name: metadata.name.clone(),
        namespace: metadata.namespace.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        ..ObjectReference::default()
    };
    let note = format!("{} {error}", Reason::Unreadable.meaning());
    publish(
        recorder,
        &reference,
        EventType::Warning,
        Reason::Unreadable.as_str(),
        &note,
    )
    .await;
}

async fn publish(recorder: &Recorder, about: &ObjectReference, type_: EventType, reason: &str, note: &str) {
    let event = Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note.chars().take(NOTE_LIMIT).collect()),
        action: ACTION.to_owned(),
        secondary: None,
    };
    let sent = tokio::time::timeout(DEADLINE, recorder.publish(&event, about)).await;
    match sent {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, reason, "an Event was not written"),
        Err(_) => tracing::debug!(reason, "an Event was not written in time"),
    }
}

/// What an Event says of seats at risk. It is kept as it was first said, so it has no number that grows.
fn at_risk(reason: &str) -> String {
    let known = Reason::ALL.iter().find(|r| r.as_str() == reason);
    let meaning = known.map_or("Seats are at risk.", |r| r.meaning());
    format!("{meaning} The condition CapacityAtRisk says how many seats are missing and what to do.")
}

/// A change of `kind` to this status is a Warning.
fn warns(kind: ConditionType, status: &str) -> bool {
    warns_with(kind).is_some_and(|truth| truth.as_str() == status)
}

fn news(
    old: Option<&WebinarStatus>,
    new: &WebinarStatus,
    notices: &[Notice],
) -> Vec<(EventType, String, String)> {
    let mut out = Vec::new();
    let was = |kind: ConditionType| old.and_then(|s| find(&s.conditions, kind.as_str()));
    let is = |kind: ConditionType| find(&new.conditions, kind.as_str());
    let known = |reason: &str| Reason::ALL.iter().copied().find(|r| r.as_str() == reason);
    let elsewhere = |reason: &str| known(reason).is_some_and(|r| told_elsewhere(ConditionType::Ready, r));
    if let Some(ready) = is(ConditionType::Ready).filter(|r| !elsewhere(&r.reason))
        && was(ConditionType::Ready).is_none_or(|w| w.reason != ready.reason)
    {
        let type_ = if warns(ConditionType::Ready, &ready.status) {
            EventType::Warning
        } else {
            EventType::Normal
        };
        out.push((type_, ready.reason.clone(), ready.message.clone()));
    }
    if let Some(risk) = is(ConditionType::CapacityAtRisk) {
        let before = was(ConditionType::CapacityAtRisk).map(|w| (w.status.as_str(), w.reason.as_str()));
        let changed = before.is_some_and(|b| b != (risk.status.as_str(), risk.reason.as_str()));
        let warns = warns(ConditionType::CapacityAtRisk, &risk.status);
        if changed || (before.is_none() && warns) {
            if warns {
                let note = at_risk(&risk.reason);
                out.push((EventType::Warning, risk.reason.clone(), note));
            } else {
                out.push((EventType::Normal, risk.reason.clone(), risk.message.clone()));
            }
        }
    }
    for notice in notices {
        out.push((
            EventType::Warning,
            notice.subject.reason.to_string(),
            notice.text.clone(),
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

    use webinar_plan::{NOTICES, Subject, VERDICTS};

    use super::*;

    fn status(verdicts: &[(&str, &str, &str, &str)]) -> WebinarStatus {
        let conditions = verdicts.iter().map(|(kind, is, reason, message)| Condition {
            type_: (*kind).to_owned(),
            status: (*is).to_owned(),
            reason: (*reason).to_owned(),
            message: (*message).to_owned(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
        });
        WebinarStatus {
            conditions: conditions.collect(),
            ..WebinarStatus::default()
        }
    }

    /// Every change of every condition and every notice is told with the reason and type that the table has, and the
    /// table has no other.
    #[test]
    fn events_are_those_of_the_table() {
        let row = |type_: &EventType, reason: &str| (reason.to_owned(), *type_ == EventType::Warning);
        let mut told = vec![row(&EventType::Warning, Reason::Unreadable.as_str())];
        for (kind, truth, reasons) in VERDICTS {
            for reason in *reasons {
                let verdict = |is, reason| status(&[(kind.as_str(), is, reason, "A sentence.")]);
                let (old, new) = (
                    verdict("Unknown", "Other"),
                    verdict(truth.as_str(), reason.as_str()),
                );
                let events = news(Some(&old), &new, &[]);
                told.extend(events.iter().map(|(type_, reason, _)| row(type_, reason)));
            }
        }
        for (reason, _) in NOTICES {
            let subject = Subject {
                reason: *reason,
                moment: Timestamp::UNIX_EPOCH,
            };
            let text = "A sentence.".to_owned();
            let events = news(None, &status(&[]), &[Notice { subject, text }]);
            told.extend(events.iter().map(|(type_, reason, _)| row(type_, reason)));
        }
        let rows = crate::events::all().into_iter();
        let mut table: Vec<_> = rows.map(|e| (e.reason.to_string(), e.warning)).collect();
        told.sort_unstable();
        table.sort_unstable();
        assert_eq!(told, table);
    }

    #[test]
    fn seats_at_risk_are_told_of_once_and_without_numbers_that_grow() {
        let fine = status(&[
            ("Ready", "True", "Ramping", "0 of 17 pods are Ready."),
            (
                "CapacityAtRisk",
                "False",
                "OnPlan",
                "No seat is expected to be missing.",
            ),
        ]);
        let short = status(&[
            ("Ready", "False", "CapacityAtRisk", "29 relays are unschedulable."),
            (
                "CapacityAtRisk",
                "True",
                "Unschedulable",
                "29 relays are unschedulable.",
            ),
        ]);
        let told = news(Some(&fine), &short, &[]);
        let [(type_, reason, note)] = &told[..] else {
            panic!("{told:?}");
        };
        assert_eq!((type_, reason.as_str()), (&EventType::Warning, "Unschedulable"));
        assert!(!note.contains(|c: char| c.is_ascii_digit()), "{note}");
        assert!(news(Some(&short), &short, &[]).is_empty());

        let told = news(Some(&short), &fine, &[]);
        let reasons: Vec<_> = told.iter().map(|(t, r, _)| (t, r.as_str())).collect();
        assert_eq!(
            reasons,
            [(&EventType::Normal, "Ramping"), (&EventType::Normal, "OnPlan")]
        );
    }
}
