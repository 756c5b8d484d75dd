//! The parts, in their order: what takes a moment first, what takes minutes last.

use anyhow::{Context, Result};
use clap::ValueEnum;
use webinar_testbed::tools::{Tool, Tools};

use super::{deny, targets};
use crate::commands::{cargo, run};
use crate::{generate, tidy};

/// One part of the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Source is formatted.
    Fmt,
    /// No lint warns.
    Clippy,
    /// The project's own rules hold.
    Tidy,
    /// Generated files are as they would be written.
    Drift,
    /// Licences, bans and sources of dependencies.
    Deny,
    /// Unit and property tests, and examples in documentation.
    Unit,
    /// The programs of the local control plane are there.
    Tools,
    /// Tests on the real control plane.
    Cluster,
}

impl Part {
    /// All of them, in the order in which they run. One after the other: each keeps every core busy as long as it compiles.
    pub(super) const ALL: [Self; 8] = [
        Self::Fmt,
        Self::Clippy,
        Self::Tidy,
        Self::Drift,
        Self::Deny,
        Self::Unit,
        Self::Tools,
        Self::Cluster,
    ];

    /// As on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Tidy => "tidy",
            Self::Drift => "drift",
            Self::Deny => "deny",
            Self::Unit => "unit",
            Self::Tools => "tools",
            Self::Cluster => "cluster",
        }
    }

    /// In a few words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Fmt => "source is formatted",
            Self::Clippy => "no lint warns",
            Self::Tidy => "the project's own rules",
            Self::Drift => "generated files",
            Self::Deny => "licences, bans and sources of dependencies",
            Self::Unit => "unit, property and documentation tests",
            Self::Tools => "programs of the local control plane",
            Self::Cluster => "tests on the real control plane",
        }
    }

    /// Whether it takes no more than seconds (and once a minute, to build its tool).
    pub(super) fn is_quick(self) -> bool {
        matches!(self, Self::Fmt | Self::Tidy | Self::Drift | Self::Deny)
    }

    /// Does it.
    pub(super) fn run(self) -> Result<()> {
        match self {
            Self::Fmt => run(cargo(["fmt", "--all", "--check"])),
            Self::Clippy => run(cargo([
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ])),
            Self::Tidy => tidy::run(),
            Self::Drift => generate::check(),
            Self::Deny => deny::run_checks(),
            Self::Unit => unit(),
            Self::Tools => tools(),
            Self::Cluster => cluster(),
        }
    }
}

/// All packages at once, here and in [`cluster`], so that each crate is built once and with one set of features.
fn unit() -> Result<()> {
    let tests = targets::without_cluster()?;
    let mut args = vec!["test", "--workspace", "--lib", "--bins"];
    args.extend(tests.iter().flat_map(|test| ["--test", test]));
    run(cargo(args))?;
    run(cargo(["test", "--workspace", "--doc"]))
}

fn cluster() -> Result<()> {
    for test in targets::CLUSTER {
        run(cargo([
            "test",
            "--workspace",
            "--test",
            test,
            "--",
            // One control plane at a time leaves the cores to its pods.
            "--test-threads=1",
            "--nocapture",
        ]))?;
    }
    Ok(())
}

fn tools() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("starting a runtime")?;
    runtime.block_on(async {
        Tools::ensure(&Tool::CONTROL_PLANE, &|text| eprintln!("{text}")).await?;
        Ok(())
    })
}
