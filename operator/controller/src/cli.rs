//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use http::Uri;

use crate::leader::{Candidate, Timings};
use crate::offline::{self, PlanArgs};
use crate::smoke::{self, SmokeTestArgs};
use crate::{run, scrape, telemetry};

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
    Run(Box<RunArgs>),
    /// Show what manifests will do, without a cluster.
    Plan(PlanArgs),
    /// Test an installed operator with a small event of its own.
    SmokeTest(SmokeTestArgs),
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

    /// HTTP proxy through which pods are asked for attendance and media flow, for clusters whose pod addresses can't be
    /// reached from here: http://host:port.
    #[arg(long, value_name = "URL", value_parser = scrape::proxy)]
    pub(crate) scrape_proxy: Option<Uri>,

    /// Name of this replica in the lease. No two replicas may have the same; a restart under the same name goes on
    /// at once. Without it: host name and process number.
    #[arg(long, value_name = "NAME", env = "POD_NAME")]
    pub(crate) identity: Option<String>,

    /// How long another replica waits for a leader that is silent.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration)]
    pub(crate) lease_duration: Duration,

    /// A leader that could not renew its lease for this long stops writing. Shorter than --lease-duration.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    pub(crate) renew_deadline: Duration,

    /// Time between two tries to get or renew the lease. Shorter than --renew-deadline.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration)]
    pub(crate) retry_period: Duration,

    /// A file with seconds to add to this machine's wall clock, read whenever the time is asked for. For tests alone.
    #[arg(long, value_name = "FILE", hide = true)]
    pub(crate) clock_offset_file: Option<PathBuf>,

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

impl RunArgs {
    /// Who this replica is and how it competes for the lease.
    ///
    /// # Errors
    ///
    /// The times contradict each other.
    pub(crate) fn candidate(&self) -> anyhow::Result<Candidate> {
        anyhow::ensure!(
            self.retry_period < self.renew_deadline && self.renew_deadline < self.lease_duration,
            "--retry-period ({:?}) must be shorter than --renew-deadline ({:?}), and that shorter than --lease-duration ({:?})",
            self.retry_period,
            self.renew_deadline,
            self.lease_duration
        );
        let identity = self.identity.clone().unwrap_or_else(|| {
            let host = hostname::get().unwrap_or_default();
            format!("{}-{}", host.to_string_lossy(), std::process::id())
        });
        Ok(Candidate {
            identity,
            timings: Timings {
                lease: self.lease_duration,
                renew_deadline: self.renew_deadline,
                retry: self.retry_period,
            },
        })
    }
}

/// `15s`, `500ms`: a time that is not zero.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let length: jiff::SignedDuration = text.parse().map_err(|e: jiff::Error| e.to_string())?;
    Duration::try_from(length)
        .ok()
        .filter(|d| !d.is_zero())
        .ok_or_else(|| "must be more than nothing".to_owned())
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
        let done = match self.command {
            Command::Run(args) => telemetry::start(&args).and_then(|_telemetry| run::run(*args)),
            Command::Plan(args) => return offline::plan(&args),
            Command::SmokeTest(args) => smoke::run(&args),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("webinar-operator: {error:#}");
                ExitCode::FAILURE
            }
        }
    }
}
