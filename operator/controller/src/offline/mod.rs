//! `webinar-operator plan`: what manifests will do, without a cluster.

mod combine;
mod contract;
mod crowd;
mod manifests;
mod outline;
mod read;
mod replay;
mod svg;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use self::contract::Report;
use self::manifests::{Manifests, sort};
use self::outline::{Machines, outline};
use self::replay::State;
use crate::clock::Clock;

/// What to plan and how to show it.
#[derive(Debug, Clone, Args)]
pub(crate) struct PlanArgs {
    /// Manifests: files, directories, or `-` for standard input. Webinars, classes and PodTemplates in any
    /// order; without a class, a built-in one is used.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required_unless_present = "state", num_args = 1..)]
    filenames: Vec<PathBuf>,

    /// The instant to plan from, RFC 3339. Without it: now.
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,

    /// A captured state to decide upon instead: what `kubectl get
    /// webinars,pods,services,poddisruptionbudgets,controllerrevisions -o json` prints. Classes and templates
    /// come from -f.
    #[arg(long, value_name = "FILE", requires = "at", conflicts_with_all = ["now", "output"])]
    state: Option<PathBuf>,

    /// The instant to decide for, RFC 3339.
    #[arg(long, value_name = "TIME", requires = "state")]
    at: Option<Timestamp>,

    /// How the plan is shown.
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    output: Output,

    /// CPUs of one machine, to count machines.
    #[arg(long, value_name = "CPUS", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_024))]
    machine_cpu: u32,
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A page of text.
    Table,
    /// The documented contract, version v1.
    Json,
    /// The same as YAML.
    Yaml,
    /// A picture.
    Svg,
}

/// Plans what `args` name and prints it. 0: all can be served; 1: something is refused; 2: something can't
/// be read.
pub(crate) fn plan(args: &PlanArgs) -> ExitCode {
    if let (Some(state), Some(at)) = (&args.state, args.at) {
        return match replay(args, state, at) {
            Ok(text) => {
                print!("{text}");
                ExitCode::SUCCESS
            }
            Err(fault) => unusable(&fault),
        };
    }
    let now = args.now.unwrap_or_else(|| Clock::default().now());
    let planned = read::documents(&args.filenames).and_then(|documents| {
        let manifests = sort(&documents, now);
        if manifests.webinars.is_empty() && manifests.faults.is_empty() {
            return Err("there is no Webinar in what was given".to_owned());
        }
        let report = report(
            &manifests,
            Machines {
                cpu: args.machine_cpu,
            },
            now,
        );
        show(args, &report, &manifests).map(|text| (text, report, manifests))
    });
    match planned {
        Ok((text, report, manifests)) => {
            print!("{text}");
            for fault in &manifests.faults {
                eprintln!("webinar-operator: {fault}");
            }
            let refused = report.webinars.iter().any(|w| w.refused.is_some()) || !manifests.faults.is_empty();
            if refused {
                ExitCode::from(1)
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(fault) => unusable(&fault),
    }
}

fn unusable(fault: &str) -> ExitCode {
    eprintln!("webinar-operator: {fault}");
    ExitCode::from(2)
}

fn replay(args: &PlanArgs, state: &Path, at: Timestamp) -> Result<String, String> {
    let state = State::read(&read::documents(&[state.to_owned()])?)?;
    let manifests = sort(&read::documents(&args.filenames)?, at);
    match manifests.faults.first() {
        Some(fault) => Err(fault.clone()),
        None => replay::replay(&state, &manifests, at),
    }
}

fn report(manifests: &Manifests, machines: Machines, now: Timestamp) -> Report {
    combine::combine(
        manifests
            .webinars
            .iter()
            .map(|w| outline(w, &manifests.platform, machines, now))
            .collect(),
    )
}

fn show(args: &PlanArgs, report: &Report, manifests: &Manifests) -> Result<String, String> {
    match args.output {
        Output::Table => {
            let offsets: Vec<_> = manifests.webinars.iter().map(|w| w.offset.clone()).collect();
            Ok(table::render(report, &offsets, args.machine_cpu))
        }
        Output::Json => serde_json::to_string_pretty(report)
            .map(|t| t + "\n")
            .map_err(|e| e.to_string()),
        Output::Yaml => serde_saphyr::to_string(report).map_err(|e| e.to_string()),
        Output::Svg => Ok(svg::render(report)),
    }
}
