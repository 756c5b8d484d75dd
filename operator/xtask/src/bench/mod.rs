//! `cargo xtask bench`: figures and ratios, all measured in one run.
//!
//! Machines differ and are noisy, so no time is ever asserted: what is compared is measured side by side, in turns. A
//! benchmark fails only when what it runs fails.
//!
//! Medians are taken by hand: a library for benchmarks would measure no processes, and everybody's tests would have to
//! build it.

mod amount;
mod examples;
mod manifests;
mod passes;
mod program;
mod samples;
mod section;
mod table;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum as _;
use sysinfo::System;

use section::Section;
use table::{Table, json};

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only these sections; repeat it for several.
    #[arg(long, value_enum, value_name = "SECTION")]
    only: Vec<Section>,

    /// End standard output with one line of JSON; what people read goes to standard error.
    ///
    /// {"cpus": …, "sections": [{"section": …, "what": …, "how": …, "rows": [{"name": …, "goal": {"value": …, "unit": …},
    /// "figures": [{"name": …, "value": …, "unit": …}]}]}]}. Units are seconds, bytes and times (a ratio). A goal is what
    /// the row's first figure should stay below, or null.
    #[arg(long)]
    json: bool,
}

/// Measures, and shows each section when it is done.
///
/// # Errors
/// When something does not build, or a program that is measured fails.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let say = |text: &str| {
        // Whoever reads may have gone.
        _ = if args.json {
            writeln!(io::stderr(), "{text}")
        } else {
            writeln!(io::stdout(), "{text}")
        };
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let load = System::load_average().one;
    say(&format!(
        "{cpus} CPUs, load {load:.1} before anything was started"
    ));
    let mut tables: Vec<Table> = Vec::new();
    for &section in Section::value_variants() {
        if args.only.is_empty() || args.only.contains(&section) {
            let table = section.measure()?;
            say(&format!("\n{}", table.text().trim_end()));
            tables.push(table);
        }
    }
    if args.json {
        println!("{}", json(cpus, &tables)?);
    }
    Ok(ExitCode::SUCCESS)
}
