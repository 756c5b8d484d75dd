//! `cargo xtask simulate`: worlds around the operator, many hours of them in a second.

use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::commands::cargo;

/// Ticks that are lived in each test run, as long as it is built without optimisation.
const TICKS: &str = "2000000";

/// The first seed of each test run: what failed there once fails there again.
const SEED: &str = "1";

/// Passed on: `cargo xtask simulate --help` tells what there is.
#[derive(Debug, clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    /// For the simulator.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    rest: Vec<String>,
}

/// Simulates.
///
/// # Errors
/// When the simulator can't be built or started.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let mut command = cargo(["run", "--quiet", "--package", "webinar-simulator", "--"]);
    let status = command
        .args(&args.rest)
        .status()
        .context("starting the simulator")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The budget of a test run: nothing is broken.
///
/// # Errors
/// When something was broken.
pub(crate) fn test() -> Result<()> {
    crate::commands::run(cargo([
        "run",
        "--package",
        "webinar-simulator",
        "--",
        "--seed",
        SEED,
        "--ticks",
        TICKS,
    ]))
}
