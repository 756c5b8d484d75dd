//! The plan command on many manifests at once: a calendar of six weeks, and the worst case that all start together.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use webinar_api::Tier;
use webinar_plan::grouped;

use super::amount::Amount;
use super::program::{Program, plan};
use super::samples::in_turns;
use super::table::{Figure, Row};
use crate::repository::root;

/// The first start.
const FIRST: &str = "2027-03-01T08:00:00Z";
const ROUNDS: usize = 7;
/// What the goal is for.
const MANY: u32 = 1000;
const GOAL_SECONDS: f64 = 2.0;

/// Manifests that are planned together.
#[derive(Debug, Clone, Copy)]
struct Set {
    count: u32,
    /// From one start to the next.
    apart: SignedDuration,
    /// What it is, in words.
    called: &'static str,
}

/// Every set is compared with the first.
const SETS: [Set; 4] = [
    Set::new(1, "manifest"),
    Set::new(100, "an hour apart"),
    Set::new(MANY, "an hour apart"),
    Set {
        apart: SignedDuration::ZERO,
        ..Set::new(MANY, "at the same time")
    },
];

impl Set {
    const fn new(count: u32, called: &'static str) -> Self {
        Self {
            count,
            apart: SignedDuration::from_hours(1),
            called,
        }
    }

    fn name(self) -> String {
        format!("{} {}", grouped(self.count), self.called)
    }

    /// One file each, beside the class of the examples, as in a repository of a team.
    fn write(self) -> Result<PathBuf> {
        let directory = format!(
            "target/bench/manifests/{}-{}s-apart",
            self.count,
            self.apart.as_secs()
        );
        let directory = root().join(directory);
        let write = || -> Result<()> {
            if directory.exists() {
                fs::remove_dir_all(&directory)?;
            }
            fs::create_dir_all(&directory)?;
            fs::copy(
                root().join("charts/webinar-operator/files/presets/mediamtx.yaml"),
                directory.join("class.yaml"),
            )?;
            for index in 0..self.count {
                fs::write(directory.join(format!("{index:04}.yaml")), self.manifest(index)?)?;
            }
            Ok(())
        };
        write().with_context(|| format!("writing manifests into {}", directory.display()))?;
        Ok(directory)
    }

    /// Every tier in turn, all of one class.
    fn manifest(self, index: u32) -> Result<String> {
        let first: Timestamp = FIRST.parse()?;
        let start = first + self.apart * i32::try_from(index)?;
        let tier = Tier::ALL[index as usize % Tier::ALL.len()];
        let mut text = "apiVersion: webinar-operator.io/v1alpha1\nkind: Webinar\n".to_owned();
        writeln!(
            text,
            "metadata:\n  name: talk-{index}\n  namespace: team-{}",
            index % 10
        )?;
        writeln!(
            text,
            "spec:\n  tier: {tier}\n  startTime: \"{start}\"\n  duration: 90m"
        )?;
        writeln!(text, "  className: standard")?;
        Ok(text)
    }
}

/// Measures it.
///
/// # Errors
/// When the program does not build, refuses a manifest, or these can't be written.
pub(super) fn measure() -> Result<(String, Vec<Row>)> {
    let program = Program::build()?;
    let mut calls = Vec::new();
    for set in SETS {
        calls.push((set, plan([set.write()?])));
    }
    let samples = in_turns(&calls, ROUNDS, |(_, args)| program.time(args))?;
    let one = &samples[0];
    let mut rows = Vec::new();
    for ((set, args), samples) in calls.iter().zip(&samples) {
        let mut figures = samples.figures();
        figures.push(Figure::new("per manifest", samples.median() / set.count));
        let ratio = samples.ratio(one);
        figures.extend(ratio.map(|ratio| Figure::new("vs 1 manifest", ratio)));
        // The page of a few fits into a pipe.
        if set.count >= MANY {
            let peak = program.peak_memory(args)?;
            figures.extend(peak.map(|bytes| Figure::new("peak memory", Amount::bytes(bytes))));
        }
        rows.push(Row {
            name: set.name(),
            goal: (set.count >= MANY).then(|| Amount::seconds(GOAL_SECONDS)),
            figures,
        });
    }
    let how = format!(
        "`webinar-operator plan -f DIRECTORY`, release build, a file for each manifest, every tier. {ROUNDS} runs each, \
         in turns."
    );
    Ok((how, rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_differ_and_are_the_same_each_time() {
        let set = SETS[2];
        let second = set.manifest(1).expect("a manifest");
        assert_eq!(second, set.manifest(1).expect("a manifest"));
        assert_eq!(
            second,
            "apiVersion: webinar-operator.io/v1alpha1\nkind: Webinar\nmetadata:\n  name: talk-1\n  namespace: team-1\n\
             spec:\n  tier: 10k\n  startTime: \"2027-03-01T09:00:00Z\"\n  duration: 90m\n  className: standard\n"
        );
    }
}
