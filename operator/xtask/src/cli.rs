//! The command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{bench, calibrate, demo, generate, real, simulate, test, tidy, versions};

/// Tasks of the webinar-operator project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Play one event on a local control plane, from its manifest to its start.
    Demo(demo::Args),
    /// Everything that CI checks, and how long each part took.
    Test(test::Args),
    /// Measure, and print figures and ratios of one run. Goals are shown; missing one is no error.
    Bench(bench::Args),
    /// Play an event with real media servers in real pods, on a node of its own. Needs Linux and root.
    Real(real::Args),
    /// Measure what one media server of a running event carries, and print the class values that follow.
    Calibrate(calibrate::Args),
    /// Live worlds around the operator, with faults, until something is broken or enough is lived.
    Simulate(simulate::Args),
    /// Write the generated files.
    Generate {
        /// Write nothing; fail when a file is not as it would be written.
        #[arg(long)]
        check: bool,
    },
    /// Check the project's own rules for its files.
    Tidy,
    /// Check that crates, chart, changelog and a tag name one version.
    Versions(versions::Args),
}

impl Cli {
    /// Does the task.
    ///
    /// # Errors
    /// When it fails.
    pub(crate) fn execute(self) -> Result<ExitCode> {
        match self.task {
            Task::Demo(args) => demo::run(&args),
            Task::Test(args) => test::run(&args),
            Task::Bench(args) => bench::run(&args),
            Task::Real(args) => real::run(&args),
            Task::Calibrate(args) => calibrate::run(&args),
            Task::Simulate(args) => simulate::run(&args),
            Task::Generate { check: true } => generate::check().map(|()| ExitCode::SUCCESS),
            Task::Generate { check: false } => generate::write().map(|()| ExitCode::SUCCESS),
            Task::Versions(args) => versions::run(&args).map(|()| ExitCode::SUCCESS),
            Task::Tidy => tidy::run().map(|()| ExitCode::SUCCESS),
        }
    }
}
