//! Logs.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::cli::{LogFormat, RunArgs};

/// Starts logging to standard error.
///
/// # Errors
///
/// The directives can't be read, or logging was started before.
pub(crate) fn start(args: &RunArgs) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&args.log_filter).with_context(|| {
        format!(
            "--log-filter {:?} is not a list of tracing directives",
            args.log_filter
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let started = match args.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging can't be started: {error}"))
}
