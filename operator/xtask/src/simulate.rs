//! `cargo xtask simulate`: worlds around the operator, many hours of them in a second.

use std::fs::File;
use std::process::{Child, Command, ExitCode};

use anyhow::{Context as _, Result, ensure};

use crate::commands::cargo;
use crate::repository::root;

/// What a test run lives, from a first seed that is always the same: what failed there once fails there again.
const BUDGET: [&str; 6] = ["--mutations", "--complete", "--seed", "1", "--ticks", "10000000"];

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
    let mut command = simulator(args.rest.iter().map(String::as_str));
    let status = command.status().context("starting the simulator")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The budget of a test run: every missing protection is missed, nothing is broken, and everything is reached.
///
/// # Errors
/// When something was broken, or not reached.
pub(crate) fn test() -> Result<()> {
    crate::commands::run(simulator(BUDGET))
}

/// The same beside stories that wait most of their time: it takes what processors have left, and writes to a file.
#[derive(Debug)]
pub(crate) struct Beside(Child);

/// What it writes, under the root.
const LOG: &str = "target/simulate/test.log";

impl Beside {
    /// Starts it.
    ///
    /// # Errors
    /// When it can't be started, or its file not be made.
    pub(crate) fn start() -> Result<Self> {
        let path = root().join(LOG);
        let folder = path.parent().context("a folder for the simulator's words")?;
        std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        let log = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        let plain = simulator(BUDGET);
        let mut patient = Command::new("nice");
        patient
            .args(["-n", "19"])
            .arg(plain.get_program())
            .args(plain.get_args());
        patient.current_dir(root());
        // What `cargo` takes out of the environment.
        for (name, _) in plain.get_envs() {
            patient.env_remove(name);
        }
        let child = patient
            .stdout(log.try_clone().context("a file twice")?)
            .stderr(log)
            .spawn()
            .context("starting the simulator by `nice`")?;
        Ok(Self(child))
    }

    /// Waits for its end, and prints what it said.
    ///
    /// # Errors
    /// When something was broken, or not reached.
    pub(crate) fn end(mut self) -> Result<()> {
        let status = self.0.wait().context("waiting for the simulator")?;
        let said = std::fs::read_to_string(root().join(LOG)).context("what the simulator said")?;
        eprint!("{said}");
        ensure!(status.success(), "the simulator ended with {status}");
        Ok(())
    }
}

/// Nobody waits for it any more.
impl Drop for Beside {
    fn drop(&mut self) {
        // It may be over.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn simulator<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let build = [
        "run",
        "--quiet",
        "--profile",
        "simulator",
        "--package",
        "webinar-simulator",
        "--",
    ];
    cargo(build.into_iter().chain(args))
}
