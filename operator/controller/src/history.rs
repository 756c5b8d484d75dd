//! What happened to a run's media, as its memory holds it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use webinar_plan::{Failover, Incident, Incidents, Reason};

#[derive(Serialize, Deserialize)]
struct IncidentDto {
    cause: String,
    began: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    action: String,
}

#[derive(Serialize, Deserialize)]
struct IncidentsDto {
    total: u32,
    latest: Vec<IncidentDto>,
}

#[derive(Serialize, Deserialize)]
struct FailoverDto {
    at: Timestamp,
    from: u32,
    to: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    fence: String,
}

/// Incidents as JSON.
pub(crate) fn write_incidents(incidents: &Incidents) -> Result<String, serde_json::Error> {
    let Incidents { total, latest } = incidents;
    let latest = latest.iter().map(|incident| {
        let Incident {
            cause,
            began,
            ended,
            action,
        } = incident.clone();
        IncidentDto {
            cause: cause.to_string(),
            began,
            ended,
            action,
        }
    });
    serde_json::to_string(&IncidentsDto {
        total: *total,
        latest: latest.collect(),
    })
}

/// Reads [`write_incidents`] back.
pub(crate) fn read_incidents(text: &str) -> Result<Incidents, String> {
    let IncidentsDto { total, latest } = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let latest = latest.into_iter().map(|incident| {
        let cause = Reason::ALL.iter().find(|r| r.as_str() == incident.cause);
        Ok(Incident {
            cause: *cause.ok_or_else(|| format!("{:?} is no reason", incident.cause))?,
            began: incident.began,
            ended: incident.ended,
            action: incident.action,
        })
    });
    Ok(Incidents {
        total,
        latest: latest.collect::<Result<_, String>>()?,
    })
}

/// A change of the active SFU as JSON.
pub(crate) fn write_failover(failover: &Failover) -> Result<String, serde_json::Error> {
    let Failover { at, from, to, fence } = failover.clone();
    serde_json::to_string(&FailoverDto { at, from, to, fence })
}

/// Reads [`write_failover`] back.
pub(crate) fn read_failover(text: &str) -> Result<Failover, String> {
    let FailoverDto { at, from, to, fence } = serde_json::from_str(text).map_err(|e| e.to_string())?;
    Ok(Failover { at, from, to, fence })
}
