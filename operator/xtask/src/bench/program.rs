//! The operator's program as users get it, run and measured.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use webinar_testbed::recorded_peak;
use webinar_testbed::wait::Stopwatch;

use crate::artifact::executable;
use crate::commands::cargo;
use crate::repository::root;

const NAME: &str = "webinar-operator";

/// The instant that everything is planned from: before all examples, whatever the day.
const NOW: &str = "2027-01-01T00:00:00Z";

/// The operator's program, built in the release profile.
#[derive(Debug)]
pub(super) struct Program(PathBuf);

/// Arguments of one call.
pub(super) type Args = Vec<OsString>;

/// The arguments that plan these files.
pub(super) fn plan(files: impl IntoIterator<Item = impl Into<OsString>>) -> Args {
    let mut args: Args = ["plan", "--now", NOW, "-f"].map(OsString::from).into();
    args.extend(files.into_iter().map(Into::into));
    args
}

impl Program {
    /// Builds it. It alone, so that its libraries have the features that users get, not those of tests.
    ///
    /// # Errors
    /// When it does not compile.
    pub(super) fn build() -> Result<Self> {
        eprintln!("building {NAME} in release mode (minutes the first time) …");
        let output = cargo([
            "build",
            "--release",
            "--package",
            NAME,
            "--bin",
            NAME,
            "--message-format=json-render-diagnostics",
        ])
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
        ensure!(
            output.status.success(),
            "cargo build ended with {}",
            output.status
        );
        let messages = String::from_utf8_lossy(&output.stdout);
        let path = executable(&messages, NAME).context("cargo told of no executable")?;
        Ok(Self(path))
    }

    /// Runs it at the top of the repository: the time from its start to its end.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub(super) fn time(&self, args: &Args) -> Result<Duration> {
        let mut command = self.command(args);
        command.stdout(Stdio::null());
        let stopwatch = Stopwatch::start();
        let output = command.output();
        let taken = stopwatch.elapsed();
        let output = output.with_context(|| format!("starting {}", self.0.display()))?;
        if !output.status.success() {
            // Refusals are part of what it prints.
            let again = self.command(args).output()?;
            bail!(
                "`{NAME} {}` ended with {}\n{}{}",
                args.join(" ".as_ref()).display(),
                output.status,
                String::from_utf8_lossy(&again.stdout),
                String::from_utf8_lossy(&again.stderr)
            );
        }
        Ok(taken)
    }

    /// Its most resident memory, in bytes, by the time it begins to print. It must print more than a pipe holds: until
    /// that is read it can't end. Nothing where the system doesn't record it.
    ///
    /// # Errors
    /// When it can't be run or prints nothing.
    pub(super) fn peak_memory(&self, args: &Args) -> Result<Option<u64>> {
        let mut command = self.command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command
            .spawn()
            .with_context(|| format!("starting {}", self.0.display()))?;
        let mut printed = child.stdout.take().context("its output is a pipe")?;
        printed.read_exact(&mut [0]).context("it printed nothing")?;
        let peak = recorded_peak(child.id());
        std::io::copy(&mut printed, &mut std::io::sink())?;
        child.wait()?;
        Ok(peak)
    }

    fn command(&self, args: &Args) -> Command {
        let mut command = Command::new(&self.0);
        command.args(args).current_dir(root()).stdin(Stdio::null());
        command
    }
}
