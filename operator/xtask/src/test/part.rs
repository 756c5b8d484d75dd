//! The parts, in their order: what takes a moment first, what takes minutes last.

use std::fmt;

use anyhow::{Context, Result};
use clap::ValueEnum;
use webinar_testbed::tools::{Tool, Tools};

use super::{deny, stories, targets};
use crate::commands::{cargo, run};
use crate::{choice, generate, simulate, tidy};

/// One part of the test. They run in this order and one after the other: each keeps every core busy while it compiles. But
/// the simulator runs beside those that follow it, which wait most of their time, with what they leave of the processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// Source is formatted.
    Fmt,
    /// No lint warns.
    Clippy,
    /// The project's own rules for its files.
    Tidy,
    /// Generated files are as they would be written.
    Drift,
    /// Licences, bans and sources of dependencies.
    Deny,
    /// Unit, property and documentation tests.
    Unit,
    /// Hundreds of virtual hours in worlds where everything goes wrong.
    Simulator,
    /// The programs of the local control plane, Prometheus, and what judges dashboards, GitOps files and workflows.
    Tools,
    /// Tests on the real control plane and on a real Prometheus.
    Cluster,
}

/// As on the command line.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&choice::name(self))
    }
}

impl Part {
    /// In a few words.
    pub(super) fn what(self) -> String {
        choice::what(&self)
    }

    /// Whether it takes no more than seconds (and once a minute, to build its tool).
    pub(super) fn is_quick(self) -> bool {
        matches!(self, Self::Fmt | Self::Tidy | Self::Drift | Self::Deny)
    }

    /// Does it. Returns the tests that passed only the second time.
    pub(super) fn run(self, nightly: bool) -> Result<Vec<String>> {
        let done = match self {
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
            Self::Simulator => simulate::test(),
            Self::Tools => tools(),
            Self::Cluster => return cluster(nightly),
        };
        done.map(|()| Vec::new())
    }
}

/// All packages at once, here and in [`cluster`], so that each crate is built once and with one set of features.
fn unit() -> Result<()> {
    let tests = targets::without_cluster()?;
    let mut args = vec!["test", "--workspace", "--lib", "--bins"];
    args.extend(tests.iter().flat_map(|test| ["--test", test]));
    run(cargo(args))?;
    run(cargo(["test", "--workspace", "--doc"]))?;
    run(cargo([
        "test",
        "--workspace",
        "--features",
        "webinar-operator/otlp",
        "--test",
        targets::TRACES,
    ]))
}

/// Stories of a thousand pods or hundreds of Webinars, which leave the cores to nobody else.
const LARGE: [&str; 3] = ["million::", "nodes::", "t24_flood::"];

/// Stories of audiences, which wait for people nearly all of their time.
const WATCHED: [&str; 5] = [
    "live::",
    "t10_clock_jump::",
    "t16_apiserver_outage::",
    "t21_viewer_safe::",
    "dashboards::",
];

fn cluster(nightly: bool) -> Result<Vec<String>> {
    let control_plane = ["--test-threads=1", "--nocapture"];
    let mut twice = stories::run("prometheus", &[], nightly)?;
    for target in ["monitoring", "release", "chart"] {
        twice.extend(stories::run(target, &[], nightly)?);
    }
    for target in ["control_plane", "honest", "dataplane"] {
        twice.extend(stories::run(target, &control_plane, nightly)?);
    }
    let large: Vec<&str> = control_plane.iter().chain(&LARGE).copied().collect();
    twice.extend(stories::run("cluster", &large, nightly)?);
    // A million viewers leave the cores to nobody else.
    let at_once = if nightly {
        "--test-threads=1"
    } else {
        "--test-threads=3"
    };
    let mut watched = vec![at_once, "--show-output"];
    watched.extend(WATCHED);
    twice.extend(stories::run("cluster", &watched, nightly)?);
    // The others wait most of their time: for kubelets, drains and leases. What two at once say is shown one after the
    // other, when both are over.
    let mut small = vec!["--test-threads=2", "--show-output"];
    small.extend(LARGE.iter().chain(&WATCHED).flat_map(|name| ["--skip", name]));
    twice.extend(stories::run("cluster", &small, nightly)?);
    Ok(twice)
}

fn tools() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().context("starting a runtime")?;
    runtime.block_on(async {
        let tools: Vec<Tool> = Tool::CONTROL_PLANE
            .into_iter()
            .chain([
                Tool::Prometheus,
                Tool::Promtool,
                Tool::DashboardVerdict,
                Tool::FluxVerdict,
                Tool::Actionlint,
                Tool::Helm,
                Tool::KubeScore,
            ])
            .collect();
        Tools::ensure(&tools, &|text| eprintln!("{text}")).await?;
        Ok(())
    })
}
