//! What became of the stories.

use std::fmt;
use std::process::ExitCode;

use anyhow::Result;

use super::lane::Lane;
use super::stories::Story;

/// The stories so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rows: Vec<(Story, bool)>,
}

impl Tally {
    /// Records how a story ended, and says why one failed.
    pub(super) fn record(&mut self, story: Story, outcome: &Result<()>, lane: &Lane) {
        if let Err(error) = outcome {
            println!("failed: {error:#}\n{}", lane.logs());
        }
        self.rows.push((story, outcome.is_ok()));
    }

    /// 0 if all went well.
    pub(super) fn code(&self) -> ExitCode {
        if self.rows.iter().all(|(_, passed)| *passed) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let passed = self.rows.iter().filter(|(_, passed)| *passed).count();
        for (story, passed) in &self.rows {
            writeln!(f, "{story:<10} {}", if *passed { "passed" } else { "failed" })?;
        }
        write!(f, "{passed} passed, {} failed", self.rows.len() - passed)
    }
}
