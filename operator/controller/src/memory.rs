//! A run's memory as it is written: the pinned class and templates in the data of a ControllerRevision,
//! everything else in its annotations.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use webinar_api::{WebinarClassSpec, labels};
use webinar_plan::{Accepted, Counts, Memory, Shape, ShardRule, Spec, Tier};

use crate::{history, plausible};

/// Annotations that hold moments of a run. Each is absent until it has come.
pub(crate) const MOMENTS: [&str; 7] = [
    labels::READY_AT,
    labels::LIVE_SINCE,
    labels::DRAINING_SINCE,
    labels::FINISHED_AT,
    labels::POSTPONED_AT,
    labels::SUSPENDED_SINCE,
    labels::RESUMED_AT,
];

/// The class and templates that rule a run from its ramp to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pinned {
    /// Name of the class.
    pub(crate) class_name: String,
    /// The class as it stood at ramp start.
    pub(crate) class: WebinarClassSpec,
    /// The SFU template as it stood at ramp start.
    pub(crate) sfu: PodTemplateSpec,
    /// The relay template as it stood at ramp start. A class for rooms has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) relay: Option<PodTemplateSpec>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AcceptedDto {
    tier: String,
    max_tier: String,
    start_given: bool,
    start: Timestamp,
    duration: SignedDuration,
    panelists: u32,
    ready_before: Option<SignedDuration>,
    overrun: Option<SignedDuration>,
    since: Timestamp,
    base: [u32; 3],
}

#[derive(Serialize, Deserialize)]
struct ShapeDto {
    room: bool,
    sfus: u32,
    mids: bool,
    shards: Vec<(u32, u32)>,
}

/// The first 16 hex digits of SHA-256 over canonical JSON: keys sorted, no white space.
pub(crate) fn content_hash(data: &serde_json::Value) -> String {
    // serde_json's own map is sorted, which makes its compact form canonical.
    let digest = Sha256::digest(data.to_string().as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The annotations that hold `memory`.
///
/// # Errors
///
/// When a part can't be written as JSON.
pub(crate) fn annotations(memory: &Memory) -> Result<BTreeMap<String, String>, serde_json::Error> {
    let Memory {
        run: _,
        accepted,
        shape,
        ready_at,
        live_since,
        draining_since,
        finished_at,
        postponed_at,
        suspended_since,
        resumed_at,
        most_relays,
        peak,
        incidents,
        failover,
    } = memory;
    let Accepted {
        spec,
        start,
        since,
        base,
    } = accepted;
    let Spec {
        tier,
        max_tier,
        start: given,
        duration,
        panelists,
        ready_before,
        overrun,
    } = spec;
    let accepted = AcceptedDto {
        tier: tier.to_string(),
        max_tier: max_tier.to_string(),
        start_given: given.is_some(),
        start: *start,
        duration: *duration,
        panelists: *panelists,
        ready_before: *ready_before,
        overrun: *overrun,
        since: *since,
        base: [base.sfu, base.mid, base.relay],
    };
    let Shape {
        room,
        sfus,
        mids,
        shards,
    } = shape;
    let shape = ShapeDto {
        room: *room,
        sfus: *sfus,
        mids: *mids,
        shards: shards.steps().to_vec(),
    };
    let mut out = BTreeMap::from([
        (
            labels::ACCEPTED_SPEC.to_owned(),
            serde_json::to_string(&accepted)?,
        ),
        (labels::SHAPE.to_owned(), serde_json::to_string(&shape)?),
    ]);
    if *most_relays > 0 {
        out.insert(labels::MOST_RELAYS.to_owned(), most_relays.to_string());
    }
    if let Some(peak) = peak {
        out.insert(labels::PEAK_ATTENDEES.to_owned(), peak.to_string());
    }
    if incidents.total > 0 {
        out.insert(labels::INCIDENTS.to_owned(), history::write_incidents(incidents)?);
    }
    if let Some(failover) = failover {
        out.insert(labels::FAILOVER.to_owned(), history::write_failover(failover)?);
    }
    let moments = [
        ready_at,
        live_since,
        draining_since,
        finished_at,
        postponed_at,
        suspended_since,
        resumed_at,
    ];
    for (key, time) in MOMENTS.into_iter().zip(moments) {
        if let Some(time) = time {
            out.insert(key.to_owned(), time.to_string());
        }
    }
    Ok(out)
}

/// Reads the memory of a run back. The error is a sentence that says what is wrong where.
pub(crate) fn read(revision: &ControllerRevision) -> Result<Memory, String> {
    let run = u32::try_from(revision.revision)
        .map_err(|_| format!("`revision` {} is not a run", revision.revision))?;
    let accepted: AcceptedDto = json(revision, labels::ACCEPTED_SPEC)?;
    let shape: ShapeDto = json(revision, labels::SHAPE)?;
    let tier = |text: &str| {
        text.parse::<Tier>()
            .map_err(|()| format!("`{}` names no tier: {text}", labels::ACCEPTED_SPEC))
    };
    let [sfu, mid, relay] = accepted.base;
    let shards = ShardRule::from_steps(shape.shards)
        .ok_or_else(|| format!("`{}` has shards that don't rise from slot 0", labels::SHAPE))?;
    let memory = Memory {
        run,
        accepted: Accepted {
            spec: Spec {
                tier: tier(&accepted.tier)?,
                max_tier: tier(&accepted.max_tier)?,
                start: accepted.start_given.then_some(accepted.start),
                duration: accepted.duration,
                panelists: accepted.panelists,
                ready_before: accepted.ready_before,
                overrun: accepted.overrun,
            },
            start: accepted.start,
            since: accepted.since,
            base: Counts { sfu, mid, relay },
        },
        shape: Shape {
            room: shape.room,
            sfus: shape.sfus,
            mids: shape.mids,
            shards,
        },
        ready_at: time(revision, labels::READY_AT)?,
        live_since: time(revision, labels::LIVE_SINCE)?,
        draining_since: time(revision, labels::DRAINING_SINCE)?,
        finished_at: time(revision, labels::FINISHED_AT)?,
        postponed_at: time(revision, labels::POSTPONED_AT)?,
        suspended_since: time(revision, labels::SUSPENDED_SINCE)?,
        resumed_at: time(revision, labels::RESUMED_AT)?,
        most_relays: given(revision, labels::MOST_RELAYS, number)?.unwrap_or(0),
        peak: given(revision, labels::PEAK_ATTENDEES, number)?,
        incidents: given(revision, labels::INCIDENTS, history::read_incidents)?.unwrap_or_default(),
        failover: given(revision, labels::FAILOVER, history::read_failover)?,
    };
    plausible::check(&memory)?;
    Ok(memory)
}

/// Name of the class that a run is ruled by.
pub(crate) fn class_name(revision: &ControllerRevision) -> Option<&str> {
    revision.data.as_ref()?.0.get("className")?.as_str()
}

/// Reads the pinned class and templates back, if their hash is right.
pub(crate) fn read_pinned(revision: &ControllerRevision) -> Result<Pinned, String> {
    let data = revision.data.as_ref().ok_or("it has no `data`")?;
    let said = annotation(revision, labels::CONTENT_HASH).unwrap_or_default();
    let is = content_hash(&data.0);
    if said != is {
        return Err(format!(
            "the hash of its `data` is {is}, and `{}` says {said:?}",
            labels::CONTENT_HASH
        ));
    }
    serde_json::from_value(data.0.clone()).map_err(|error| format!("its `data` can't be read: {error}"))
}

fn annotation<'a>(revision: &'a ControllerRevision, key: &str) -> Option<&'a str> {
    revision
        .metadata
        .annotations
        .as_ref()?
        .get(key)
        .map(String::as_str)
}

fn json<T: DeserializeOwned>(revision: &ControllerRevision, key: &str) -> Result<T, String> {
    let text = annotation(revision, key).ok_or_else(|| format!("`{key}` is missing"))?;
    serde_json::from_str(text).map_err(|error| format!("`{key}` can't be read: {error}"))
}

fn number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|error| format!("{error}: {text:?}"))
}

/// What an annotation says, if there is one.
fn given<T>(
    revision: &ControllerRevision,
    key: &str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    let said = annotation(revision, key).map(read).transpose();
    said.map_err(|error| format!("`{key}` can't be read: {error}"))
}

fn time(revision: &ControllerRevision, key: &str) -> Result<Option<Timestamp>, String> {
    let Some(text) = annotation(revision, key) else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|error| format!("`{key}` is not a time: {error}"))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::ControllerRevision;
    use kube::core::ObjectMeta;
    use webinar_plan::{Failover, Incident, Incidents, Reason};

    use super::*;

    fn sample() -> Memory {
        let start: Timestamp = "2027-03-04T17:00:00Z".parse().unwrap();
        Memory {
            run: 3,
            accepted: Accepted {
                spec: Spec {
                    tier: Tier::K10,
                    max_tier: Tier::M1,
                    start: Some(start),
                    duration: SignedDuration::from_mins(90),
                    panelists: 12,
                    ready_before: Some(SignedDuration::ZERO),
                    overrun: None,
                },
                start,
                since: start,
                base: Counts {
                    sfu: 1,
                    mid: 2,
                    relay: 3,
                },
            },
            shape: Shape {
                room: false,
                sfus: 3,
                mids: true,
                shards: ShardRule::first(6),
            },
            ready_at: Some(start),
            live_since: None,
            draining_since: None,
            finished_at: None,
            postponed_at: Some(start),
            suspended_since: Some(start),
            resumed_at: Some(start),
            most_relays: 63,
            peak: Some(41_000),
            incidents: Incidents {
                total: 2,
                latest: vec![Incident {
                    cause: Reason::PublisherStalled,
                    began: start,
                    ended: None,
                    action: "sfu-1 took over".to_owned(),
                }],
            },
            failover: Some(Failover {
                at: start,
                from: 0,
                to: 1,
                fence: "uid-1".to_owned(),
            }),
        }
    }

    fn revision(memory: &Memory) -> ControllerRevision {
        ControllerRevision {
            metadata: ObjectMeta {
                annotations: Some(annotations(memory).unwrap()),
                ..ObjectMeta::default()
            },
            revision: i64::from(memory.run),
            data: None,
        }
    }

    #[test]
    fn a_memory_reads_back_as_written() {
        assert_eq!(read(&revision(&sample())), Ok(sample()));
    }

    #[test]
    fn numbers_that_no_run_can_have_are_not_believed() {
        let late: Timestamp = "9000-01-01T00:00:00Z".parse().unwrap();
        type Forgery = fn(&mut Memory, Timestamp);
        let forgeries: [(&str, Forgery); 12] = [
            ("4294967295 SFUs", |m, _| m.shape.sfus = u32::MAX),
            ("4294967295 viewers Services", |m, _| {
                m.shape.shards = ShardRule::from_steps(vec![(0, u32::MAX)]).unwrap();
            }),
            ("50001 relays", |m, _| m.most_relays = 50_001),
            ("4294967295 relays", |m, _| m.accepted.base.relay = u32::MAX),
            ("4294967295 mids", |m, _| m.accepted.base.mid = u32::MAX),
            ("101 SFUs", |m, _| m.accepted.base.sfu = 101),
            ("4294967295 SFUs", |m, _| {
                m.failover.as_mut().unwrap().to = u32::MAX;
            }),
            ("1001 panelists", |m, _| m.accepted.spec.panelists = 1_001),
            ("a duration of -1 s", |m, _| {
                m.accepted.spec.duration = SignedDuration::from_secs(-1);
            }),
            ("a duration of 9223372036854775807 s", |m, _| {
                m.accepted.spec.overrun = Some(SignedDuration::MAX);
            }),
            ("the time 9000-01-01T00:00:00Z", |m, late| m.accepted.start = late),
            ("the time 9000-01-01T00:00:00Z", |m, late| {
                m.live_since = Some(late);
            }),
        ];
        for (said, forge) in forgeries {
            let mut memory = sample();
            forge(&mut memory, late);
            assert_eq!(read(&revision(&memory)), Err(format!("{said} can't be")));
        }
    }

    #[test]
    fn a_damaged_memory_says_what_is_wrong() {
        for key in [
            labels::ACCEPTED_SPEC,
            labels::SHAPE,
            labels::READY_AT,
            labels::MOST_RELAYS,
            labels::INCIDENTS,
            labels::FAILOVER,
        ] {
            let mut damaged = revision(&sample());
            damaged
                .metadata
                .annotations
                .as_mut()
                .unwrap()
                .insert(key.to_owned(), "?".to_owned());
            assert!(read(&damaged).unwrap_err().contains(key));
        }
        let no_data = read_pinned(&revision(&sample())).unwrap_err();
        assert!(no_data.contains("no `data`"), "{no_data}");
    }
}
