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

use crate::simulate::Beside;
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
    let wanted = |part: Part| args.only.is_empty() || args.only.contains(&part);
    let failed = |rows: &[Row]| rows.iter().any(|row| row.outcome == Outcome::Failed);
    let mut rows: Vec<Row> = Vec::new();
    let mut beside = None;
    for &part in Part::value_variants().iter().filter(|part| wanted(**part)) {
        if failed(&rows) && !part.is_quick() {
            rows.push(Row::skipped(part));
        } else if part == Part::Simulator && wanted(Part::Cluster) {
            eprintln!("\n── {part}: {} (beside the next parts)", part.what());
            beside = Some((Beside::start()?, Stopwatch::start()));
        } else {
            rows.push(play(part, || part.run(args.nightly)));
        }
    }
    if let Some((beside, stopwatch)) = beside {
        rows.push(if failed(&rows) {
            Row::skipped(Part::Simulator)
        } else {
            let row = play(Part::Simulator, || beside.end().map(|()| Vec::new()));
            let lasted = stopwatch.elapsed().as_secs_f64();
            eprintln!("it was begun {lasted:.0} s ago");
            row
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

fn play(part: Part, run: impl FnOnce() -> Result<Vec<String>>) -> Row {
    eprintln!("\n── {part}: {}", part.what());
    let stopwatch = Stopwatch::start();
    let (outcome, twice) = match run() {
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
