//! `cargo xtask test`: everything that CI checks, part by part, and how long each took.

mod deny;
mod part;
mod report;
mod stories;
mod targets;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::ValueEnum as _;
use webinar_testbed::wait::Stopwatch;

use part::Part;
use report::{Outcome, Row};

/// What to test.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these parts; repeat it for several.
    #[arg(long, value_enum, value_name = "PART")]
    only: Vec<Part>,
    /// Stories at their real lengths and sizes, which take hours.
    #[arg(long)]
    nightly: bool,
}

/// Tests. After a failure only the parts that take a moment are still looked at.
///
/// # Errors
/// When a part failed, naming it.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut rows: Vec<Row> = Vec::new();
    for &part in Part::value_variants() {
        if !args.only.is_empty() && !args.only.contains(&part) {
            continue;
        }
        let failed = rows.iter().any(|row| row.outcome == Outcome::Failed);
        rows.push(if failed && !part.is_quick() {
            Row::skipped(part)
        } else {
            play(part, args.nightly)
        });
    }
    eprint!("\n{}", report::table(&rows));
    for name in rows.iter().flat_map(|row| &row.twice) {
        eprintln!("passed only the second time: {name}");
    }
    let failed: Vec<String> = rows
        .iter()
        .filter(|row| row.outcome == Outcome::Failed)
        .map(|row| row.part.to_string())
        .collect();
    if !failed.is_empty() {
        bail!("failed: {}", failed.join(", "));
    }
    Ok(ExitCode::SUCCESS)
}

fn play(part: Part, nightly: bool) -> Row {
    eprintln!("\n── {part}: {}", part.what());
    let stopwatch = Stopwatch::start();
    let (outcome, twice) = match part.run(nightly) {
        Ok(twice) => (Outcome::Passed, twice),
        Err(error) => {
            eprintln!("error: {error:#}");
            (Outcome::Failed, Vec::new())
        }
    };
    Row {
        part,
        outcome,
        seconds: stopwatch.elapsed().as_secs_f64(),
        twice,
    }
}
