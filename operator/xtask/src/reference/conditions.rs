//! Conditions, which no definition lists.

use std::fmt::Write as _;

use webinar_plan::{ConditionType, Reason, Truth};

/// A condition's status and the reasons there are for it.
type Case = (Truth, &'static [Reason]);

/// What a condition judges, and every way in which it may stand.
struct Row {
    name: &'static str,
    about: &'static str,
    cases: &'static [Case],
}

/// A Webinar's.
const WEBINAR: [Row; 7] = [
    Row {
        name: ConditionType::Ready.as_str(),
        about: "Accepted and on plan.",
        cases: &[
            (
                Truth::True,
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
                Truth::False,
                &[
                    Reason::ClassNotFound,
                    Reason::ClassNotAccepted,
                    Reason::TierNotAllowed,
                    Reason::NameConflict,
                    Reason::CapacityAtRisk,
                ],
            ),
        ],
    },
    Row {
        name: ConditionType::CapacityReady.as_str(),
        about: "Every seat is there: go or no-go.",
        cases: &[
            (Truth::True, &[Reason::AllReady]),
            (
                Truth::False,
                &[
                    Reason::NotStarted,
                    Reason::Ramping,
                    Reason::Insufficient,
                    Reason::Released,
                ],
            ),
        ],
    },
    Row {
        name: ConditionType::CapacityAtRisk.as_str(),
        about: "Seats will be missing at the start, or are missing on air.",
        cases: &[
            (
                Truth::True,
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
            (Truth::False, &[Reason::OnPlan]),
        ],
    },
    Row {
        name: ConditionType::MediaFlowing.as_str(),
        about: "Presenters' media arrives.",
        cases: &[
            (Truth::True, &[Reason::Flowing]),
            (
                Truth::False,
                &[
                    Reason::PublisherStalled,
                    Reason::NoStandby,
                    Reason::UpstreamBroken,
                ],
            ),
            (
                Truth::Unknown,
                &[Reason::NotLive, Reason::NoSignal, Reason::PublisherLeft],
            ),
        ],
    },
    Row {
        name: ConditionType::AttendanceKnown.as_str(),
        about: "The audience is counted.",
        cases: &[
            (Truth::True, &[Reason::Fresh]),
            (Truth::False, &[Reason::Stale, Reason::Implausible]),
            (Truth::Unknown, &[Reason::NotLive]),
        ],
    },
    Row {
        name: ConditionType::PendingChanges.as_str(),
        about: "Edits wait for the next run.",
        cases: &[
            (Truth::True, &[Reason::LiveFreeze]),
            (Truth::False, &[Reason::None]),
        ],
    },
    Row {
        name: ConditionType::Stalled.as_str(),
        about: "A person is needed: what is refused has been so for a minute. Absent otherwise.",
        cases: &[(
            Truth::True,
            &[
                Reason::ClassNotFound,
                Reason::ClassNotAccepted,
                Reason::TierNotAllowed,
                Reason::NameConflict,
            ],
        )],
    },
];

/// A WebinarClass's.
const CLASS: [Row; 1] = [Row {
    name: "Accepted",
    about: "The class can be used.",
    cases: &[
        (Truth::True, &[Reason::Accepted]),
        (Truth::False, &[Reason::ClassNotAccepted]),
    ],
}];

/// The section on the conditions of a kind.
pub(super) fn section(kind: &str) -> String {
    let rows: &[Row] = match kind {
        "Webinar" => &WEBINAR,
        "WebinarClass" => &CLASS,
        _ => return String::new(),
    };
    let mut text =
        format!("\n### Conditions of a {kind}\n\n| type | meaning | status | reasons |\n|---|---|---|---|\n");
    for row in rows {
        let mut first = (format!("`{}`", row.name), row.about);
        for (truth, reasons) in row.cases {
            let reasons: Vec<String> = reasons.iter().map(|reason| format!("`{reason}`")).collect();
            // Writing to a String can't fail.
            _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                first.0,
                first.1,
                truth.as_str(),
                reasons.join(", ")
            );
            first = (String::new(), "");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::repository::root;

    #[test]
    fn every_condition_has_its_row_once() {
        let names: Vec<&str> = WEBINAR.iter().map(|row| row.name).collect();
        assert_eq!(names, ConditionType::ALL.map(ConditionType::as_str));
        let section = section("Webinar");
        for kind in ConditionType::ALL {
            let rows = section
                .lines()
                .filter(|l| l.starts_with(&format!("| `{}` |", kind.as_str())));
            assert_eq!(rows.count(), 1, "{kind:?}");
        }
    }

    /// What the recorded stories of the plan say stands in the table.
    #[test]
    fn what_stories_say_is_documented() {
        let documented: BTreeSet<String> = WEBINAR.iter().flat_map(cases).collect();
        let stories = root().join("operator/plan/tests/scenarios");
        let mut said = BTreeSet::new();
        for entry in fs::read_dir(stories).expect("stories") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|e| e == "snap") {
                let text = fs::read_to_string(path).expect("a story");
                said.extend(text.lines().filter_map(verdict));
            }
        }
        assert!(said.len() > 30, "{said:?}");
        let missing: Vec<&String> = said.difference(&documented).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    fn cases(row: &Row) -> Vec<String> {
        let of = |(truth, reasons): &Case| -> Vec<String> {
            let said = |reason| format!("{}={} {reason}", row.name, truth.as_str());
            reasons.iter().map(said).collect()
        };
        row.cases.iter().flat_map(of).collect()
    }

    /// `  Ready=True Armed: …` without the sentence.
    fn verdict(line: &str) -> Option<String> {
        let (verdict, _) = line.trim().split_once(": ")?;
        let (kind, _) = verdict.split_once('=')?;
        let known = ConditionType::ALL.iter().any(|k| k.as_str() == kind);
        known.then(|| verdict.to_owned())
    }
}
