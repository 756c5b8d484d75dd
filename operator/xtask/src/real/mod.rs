//! `cargo xtask real`: the operator with real media servers in real pods, a real encoder and real viewers.
//!
//! This process builds what is needed and makes a sandbox; the same program inside of it starts the control plane and
//! the node and plays the stories.

mod class;
mod encoder;
mod event;
mod inside;
mod lane;
mod shell;
mod stories;
mod tally;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use webinar_testbed::real::{Sandbox, missing};
use webinar_testbed::tools::Tools;

use crate::build;
use crate::screen::Screen;
use inside::Inside;
use stories::Story;

/// As shells report a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;
const LOOK: Duration = Duration::from_millis(100);

/// What to play.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Say what this machine lacks, and the one command that installs it. Changes nothing.
    #[arg(long)]
    check: bool,

    /// Start everything, and open a shell beside the pods instead of playing stories.
    #[arg(long, conflicts_with = "only")]
    shell: bool,

    /// Only these stories; repeat it for several.
    #[arg(long, value_enum, value_name = "STORY")]
    only: Vec<Story>,

    /// How often the encoder freezes in the story of that name.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    freezes: u32,

    /// Set by this program for itself.
    #[command(flatten)]
    inside: Option<Inside>,
}

/// Plays. The exit code is 0 if all stories ended as told, and 2 when nothing was run because something is missing.
///
/// # Errors
/// When something does not build, or the sandbox can't be made.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting a runtime")?;
    let wanted = if args.only.is_empty() {
        Story::value_variants()
    } else {
        &args.only
    };
    if let Some(programs) = &args.inside {
        let stories = if args.shell { &[] } else { wanted };
        return runtime.block_on(inside::run(programs, stories, args.freezes, args.shell));
    }
    let missing = missing();
    if !missing.is_nothing() {
        for sentence in &missing.sentences {
            println!("{sentence}");
        }
        if let Some(command) = missing.command() {
            println!("\nOn Debian and its descendants this installs it:\n  {command}");
        }
        println!("\nnothing was run");
        return Ok(ExitCode::from(2));
    }
    if args.check {
        println!("this machine has all that a real node needs");
        return Ok(ExitCode::SUCCESS);
    }
    runtime.block_on(outside(args, wanted))
}

/// Builds everything, and has it run in a sandbox.
async fn outside(args: &Args, wanted: &[Story]) -> Result<ExitCode> {
    let screen = Screen::new(false);
    let programs = screen
        .step(
            "building the operator and the viewers",
            "operator and viewers are built",
            async {
                Ok(Inside {
                    operator: build::operator().await?,
                    viewers: build::viewers().await?,
                })
            },
        )
        .await?;
    let note = |text: &str| screen.say(&format!("  {text}"));
    screen
        .step(
            "looking for Kubernetes' programs and MediaMTX",
            "Kubernetes' programs and MediaMTX are there",
            Tools::ensure(&lane::tools(), &note),
        )
        .await?;

    let mut inner: Vec<OsString> = vec!["real".into()];
    inner.extend(programs.args());
    inner.extend(["--freezes".into(), args.freezes.to_string().into()]);
    for story in wanted.iter().filter(|_| !args.shell) {
        inner.extend(["--only".into(), story.to_string().into()]);
    }
    if args.shell {
        inner.push("--shell".into());
    }
    let this: PathBuf = std::env::current_exe().context("finding this program")?;
    let mut sandbox = Sandbox::spawn(&this, inner)?;
    if args.shell {
        shell::open(&mut sandbox).await?;
        sandbox.end().await?;
        return Ok(ExitCode::SUCCESS);
    }
    tokio::select! {
        status = ended(&mut sandbox) => Ok(code(status?)),
        interrupt = tokio::signal::ctrl_c() => {
            interrupt.context("listening for Ctrl-C")?;
            sandbox.end().await?;
            screen.say("stopped: nothing of it is left");
            Ok(ExitCode::from(INTERRUPTED))
        }
    }
}

async fn ended(sandbox: &mut Sandbox) -> Result<ExitStatus> {
    loop {
        if let Some(status) = sandbox.ended()? {
            return Ok(status);
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
