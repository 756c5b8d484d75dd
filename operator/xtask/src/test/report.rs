//! The table at the end.

use std::fmt::Write as _;

use super::part::Part;

/// How a part ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Passed,
    Failed,
    Skipped,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
        }
    }
}

/// A part, how it ended and how long it took.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) part: Part,
    pub(super) outcome: Outcome,
    pub(super) seconds: f64,
    /// Tests that passed only the second time.
    pub(super) twice: Vec<String>,
}

impl Row {
    /// A part that did not run.
    pub(super) fn skipped(part: Part) -> Self {
        Self {
            part,
            outcome: Outcome::Skipped,
            seconds: 0.0,
            twice: Vec::new(),
        }
    }
}

/// All parts, and the sum.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = format!("{:<9}{:>9}\n", "part", "seconds");
    let mut line = |name: &str, seconds: f64, outcome: &str| {
        // Writing to a String can't fail.
        _ = writeln!(text, "{name:<9}{seconds:>9.1}  {outcome}");
    };
    for row in rows {
        line(&row.part.to_string(), row.seconds, row.outcome.as_str());
    }
    let all = if rows.iter().all(|row| row.outcome == Outcome::Passed) {
        Outcome::Passed
    } else {
        Outcome::Failed
    };
    line("all", rows.iter().map(|row| row.seconds).sum(), all.as_str());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |part, outcome, seconds| Row {
            part,
            outcome,
            seconds,
            twice: Vec::new(),
        };
        let rows = [
            row(Part::Fmt, Outcome::Passed, 0.84),
            row(Part::Clippy, Outcome::Failed, 61.25),
            Row::skipped(Part::Cluster),
        ];
        let wanted = "\
part       seconds
fmt            0.8  ok
clippy        61.2  FAILED
cluster        0.0  skipped
all           62.1  FAILED
";
        assert_eq!(table(&rows), wanted);
    }
}
