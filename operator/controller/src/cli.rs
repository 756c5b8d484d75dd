//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::offline::{self, PlanArgs};
use crate::{run, telemetry};

/// Media capacity for online events, ready before the audience arrives.
#[derive(Debug, Parser)]
#[command(name = "webinar-operator", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator until it is told to stop.
    Run(RunArgs),
    /// Show what manifests will do, without a cluster.
    Plan(PlanArgs),
}

/// How to run the operator.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    /// Kubeconfig to use. Without it: the pod's own ServiceAccount, or $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    pub(crate) kubeconfig: Option<PathBuf>,

    /// Namespace to look for Webinars in. Repeat it for several; without it: all namespaces.
    #[arg(long = "watch-namespace", value_name = "NAMESPACE")]
    pub(crate) watch_namespaces: Vec<String>,

    /// Namespace of the operator itself, where PodTemplates of classes are.
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "POD_NAMESPACE",
        default_value = "webinar-system"
    )]
    pub(crate) operator_namespace: String,

    /// Address for /healthz, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,

    /// Writes to pods, Services and budgets per second, over all Webinars.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) max_creates_per_second: u32,

    /// Writes under way at once, over all Webinars.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) max_in_flight: u32,

    /// How log lines look.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,

    /// What is logged, as tracing directives.
    #[arg(
        long,
        value_name = "DIRECTIVES",
        env = "WEBINAR_LOG",
        default_value = "info,kube_runtime=warn,kube_client=off"
    )]
    pub(crate) log_filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object per line.
    Json,
}

impl Cli {
    /// Does what the command line says. The exit code is 0 when all went well and 1 otherwise; usage
    /// errors exit with 2 before this is reached.
    pub fn execute(self) -> ExitCode {
        let args = match self.command {
            Command::Run(args) => args,
            Command::Plan(args) => return offline::plan(&args),
        };
        let done = telemetry::start(&args).and_then(|()| run::run(args));
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("webinar-operator: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}
