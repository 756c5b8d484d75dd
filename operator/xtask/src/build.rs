//! Programs of this repository that others run.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use webinar_testbed::wait::within;

use crate::artifact::executable;
use crate::commands::cargo;

const DEADLINE: Duration = Duration::from_secs(30 * 60);
const OPERATOR: &str = "webinar-operator";
const VIEWERS: &str = "webinar-viewers";

/// Builds the operator and returns where it is.
///
/// The development profile: this program has just been compiled with the operator as a library, so that only the
/// binary is left to link. What is shown of its CPU time is therefore that of unoptimised code.
///
/// # Errors
/// When it does not compile, with what cargo said.
pub(crate) async fn operator() -> Result<PathBuf> {
    // Both packages, so that features and with them all libraries are those of this program.
    build(OPERATOR, &["--package=xtask", "--package=webinar-operator"]).await
}

/// Builds the viewers and returns where they are. Optimised: what they take of the machine is missing to what is measured.
///
/// # Errors
/// When they do not compile, with what cargo said.
pub(crate) async fn viewers() -> Result<PathBuf> {
    build(VIEWERS, &["--package=webinar-viewers", "--release"]).await
}

async fn build(binary: &str, args: &[&str]) -> Result<PathBuf> {
    let bin = format!("--bin={binary}");
    let all = ["build", "--message-format=json-render-diagnostics", &bin];
    let command = cargo(all.into_iter().chain(args.iter().copied()));
    let output = tokio::process::Command::from(command)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within("cargo build", DEADLINE, async { Ok(output.await?) }).await?;
    ensure!(
        output.status.success(),
        "cargo build ended with {}:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let messages = String::from_utf8_lossy(&output.stdout);
    executable(&messages, binary).context("cargo told of no executable")
}
