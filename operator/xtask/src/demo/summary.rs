//! What came out of it, for people and as JSON.

use serde::Serialize;
use webinar_api::Outcome;
use webinar_testbed::Usage;
use webinar_testbed::audit::Writes as Counted;
use webinar_testbed::crowd::Results;

use super::counts::{Counts, grouped};
use super::follow::{AtStart, Story};
use super::plan::Plan;
use super::scenario::Scenario;
use crate::clock::time_of_day;

/// The outcome of a demo. Its JSON is an interface.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    tier: &'static str,
    /// Pods at the start.
    pods: Pods,
    /// Seats that the status told of before the start, but no more than the Ready pods can stand for.
    seats_ready_before_start: usize,
    /// From the moment when every seat was there to the start; `null` if that never was before it.
    ready_lead_seconds: Option<i64>,
    /// From the first pod's creation to the whole fleet being Ready, spares included; `null` if it never was.
    first_create_to_all_ready_seconds: Option<i64>,
    writes: Writes,
    operator: Operator,
    crowd: Crowd,
    /// Sessions that media servers ended because they lost their source.
    sent_away_by_servers: u64,
    #[serde(skip)]
    felt: Results,
    #[serde(skip)]
    pods_ready_before_start: usize,
    #[serde(skip)]
    attendees: usize,
    #[serde(skip)]
    refused: usize,
    /// What the status says of a run that is over.
    #[serde(skip)]
    outcome: Option<Outcome>,
}

#[derive(Debug, Serialize)]
struct Pods {
    sfu: usize,
    mid: usize,
    relay: usize,
}

/// The operator's writes, without leases.
#[derive(Debug, Serialize)]
struct Writes {
    create: usize,
    update: usize,
    patch: usize,
    delete: usize,
    status: usize,
    events: usize,
}

/// The audience.
#[derive(Debug, Serialize)]
struct Crowd {
    joined: u64,
    /// Attempts that found no seat.
    refused: u64,
    /// Sessions that ended with their pod.
    dropped: u64,
    peak: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Operator {
    peak_memory_bytes: u64,
    cpu_seconds: f64,
}

impl Summary {
    /// Draws it up.
    pub(super) fn new(plan: &Plan, story: &Story, writes: Counted, usage: Usage, felt: Results) -> Self {
        let AtStart {
            created,
            ready,
            full_since,
        } = story.at_start.unwrap_or_default();
        let told = usize::try_from(story.seats_before_start).unwrap_or(0);
        let first = story.fleet.first_create();
        let whole = story.whole_since;
        Self {
            tier: plan.tier.as_str(),
            pods: Pods {
                sfu: created.sfu,
                mid: created.mid,
                relay: created.relay,
            },
            seats_ready_before_start: told.min(plan.seats(ready)),
            ready_lead_seconds: full_since.map(|since| story.start.duration_since(since).as_secs()),
            first_create_to_all_ready_seconds: first
                .zip(whole)
                .map(|(first, whole)| whole.duration_since(first).as_secs()),
            writes: Writes {
                create: writes.create,
                update: writes.update,
                patch: writes.patch,
                delete: writes.delete,
                status: writes.status,
                events: writes.events,
            },
            operator: Operator {
                peak_memory_bytes: usage.peak_rss,
                cpu_seconds: (usage.cpu_seconds * 100.0).round() / 100.0,
            },
            crowd: Crowd {
                joined: felt.joined,
                refused: felt.refused,
                dropped: felt.dropped.by_pod_gone,
                peak: felt.peak,
            },
            sent_away_by_servers: felt.dropped.by_server,
            felt,
            pods_ready_before_start: ready.total(),
            attendees: plan.tier.attendees() as usize,
            refused: writes.refused,
            outcome: story.status.outcome.clone(),
        }
    }

    /// Whether every seat was Ready before the start.
    pub(super) fn is_full(&self) -> bool {
        self.seats_ready_before_start >= self.attendees
    }

    /// Whether nobody was thrown out, but by what no operator can help: a machine that is lost.
    pub(super) fn is_kept(&self, scenario: Option<Scenario>) -> bool {
        self.felt.dropped.by_pod_gone == 0 || scenario == Some(Scenario::ZoneLoss)
    }

    /// One line.
    ///
    /// # Errors
    /// When the serializer refuses it.
    pub(super) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let seats = format!(
            "{} {} of {} seats were Ready before the start",
            if self.is_full() { "✓" } else { "✗" },
            grouped(self.seats_ready_before_start),
            grouped(self.attendees),
        );
        let Pods { sfu, mid, relay } = self.pods;
        let Writes {
            create,
            update,
            patch,
            delete,
            status,
            events,
        } = self.writes;
        let rows = [
            ("full before start", seconds(self.ready_lead_seconds)),
            ("audience", self.felt.summary()),
            (
                "pods at the start",
                format!(
                    "{}; {} of them Ready before it",
                    Counts { sfu, mid, relay },
                    grouped(self.pods_ready_before_start)
                ),
            ),
            (
                "first create to all Ready",
                seconds(self.first_create_to_all_ready_seconds),
            ),
            (
                "API writes",
                format!(
                    "{} create, {update} update, {patch} patch, {} delete, {status} status, {events} events, {} refused",
                    grouped(create),
                    grouped(delete),
                    self.refused
                ),
            ),
            (
                "operator",
                format!(
                    "{} MiB of memory at most, {:.1} s of CPU time (unoptimised build)",
                    self.operator.peak_memory_bytes >> 20,
                    self.operator.cpu_seconds
                ),
            ),
        ];
        let outcome = self
            .outcome
            .as_ref()
            .map(|outcome| ("outcome in the status", sentence(outcome)));
        let rows = rows.into_iter().chain(outcome);
        let rows = rows.map(|(name, value)| format!("\n  {name:<26} {value}"));
        seats + &rows.collect::<String>()
    }
}

fn sentence(outcome: &Outcome) -> String {
    let ready = match (&outcome.ready_time, outcome.ready_lead_seconds) {
        (Some(time), Some(lead)) => format!("Ready at {}, {lead} s before the start", time_of_day(time.0)),
        _ => "never Ready as a whole".to_owned(),
    };
    let peak = outcome.peak_attendees.and_then(|peak| usize::try_from(peak).ok());
    let peak = peak.map_or_else(String::new, |peak| format!(", {} people at most", grouped(peak)));
    format!("{ready}{peak}, {} incidents", outcome.incidents)
}

fn seconds(seconds: Option<i64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds} s"))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::super::fleet::tests::{at, fleet};
    use super::super::plan::tests::million;
    use super::*;

    const READY: Counts = Counts {
        sfu: 3,
        mid: 27,
        relay: 1212,
    };

    fn summary(told: i32, ready: Counts) -> Summary {
        let mut story = Story::new(at(0), at(240));
        story.fleet = fleet(&[("sfu-0", 100, Some(106))]);
        story.seats_before_start = told;
        story.at_start = Some(AtStart {
            created: READY,
            ready,
            full_since: Some(story.start - SignedDuration::from_secs(60)),
        });
        story.whole_since = Some(at(181));
        let writes = Counted {
            create: 1256,
            update: 1,
            patch: 2,
            delete: 3,
            status: 4,
            events: 5,
            refused: 6,
        };
        let usage = Usage {
            peak_rss: 50 << 20,
            rss: 1,
            cpu_seconds: 4.567,
        };
        let felt = Results {
            joined: 1_000_000,
            peak: 999_999,
            ..Results::default()
        };
        Summary::new(&million(), &story, writes, usage, felt)
    }

    #[test]
    fn the_json_has_this_shape() {
        let wanted = concat!(
            r#"{"tier":"1M","pods":{"sfu":3,"mid":27,"relay":1212},"seatsReadyBeforeStart":1000000,"#,
            r#""readyLeadSeconds":60,"firstCreateToAllReadySeconds":81,"#,
            r#""writes":{"create":1256,"update":1,"patch":2,"delete":3,"status":4,"events":5},"#,
            r#""operator":{"peakMemoryBytes":52428800,"cpuSeconds":4.57},"#,
            r#""crowd":{"joined":1000000,"refused":0,"dropped":0,"peak":999999},"sentAwayByServers":0}"#,
        );
        assert_eq!(summary(1_000_000, READY).json().expect("JSON"), wanted);
    }

    #[test]
    fn what_never_was_is_null() {
        let story = Story::new(at(0), at(240));
        let usage = Usage {
            peak_rss: 0,
            rss: 0,
            cpu_seconds: 0.0,
        };
        let felt = Results::default();
        let summary = Summary::new(&million(), &story, Counted::default(), usage, felt);
        let json = summary.json().expect("JSON");
        assert!(
            json.contains(r#""readyLeadSeconds":null,"firstCreateToAllReadySeconds":null"#),
            "{json}"
        );
        assert!(!summary.is_full());
    }

    #[test]
    fn seats_are_told_and_proved() {
        assert!(summary(1_000_000, READY).is_full());
        assert_eq!(summary(999_999, READY).seats_ready_before_start, 999_999);
        let fewer = Counts { relay: 1187, ..READY };
        assert_eq!(summary(1_000_000, fewer).seats_ready_before_start, 999_238);
        assert!(!summary(1_000_000, fewer).is_full());
    }

    #[test]
    fn people_read_this() {
        let wanted = "\
✓ 1,000,000 of 1,000,000 seats were Ready before the start
  full before start          60 s
  audience                   1,000,000 joined, 0 refused, 0 dropped, peak 999,999
  pods at the start          3 SFUs, 27 mids, 1,212 relays; 1,242 of them Ready before it
  first create to all Ready  81 s
  API writes                 1,256 create, 1 update, 2 patch, 3 delete, 4 status, 5 events, 6 refused
  operator                   50 MiB of memory at most, 4.6 s of CPU time (unoptimised build)";
        assert_eq!(summary(1_000_000, READY).text(), wanted);
    }
}
