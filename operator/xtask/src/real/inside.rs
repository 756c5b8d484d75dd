//! The part that runs in the sandbox.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::lane::Lane;
use super::shell;
use super::stories::Story;
use super::tally::Tally;
use crate::screen::Screen;

/// Programs that were built outside.
#[derive(Debug, Clone, clap::Args)]
#[group(requires_all = ["operator", "viewers"])]
pub(super) struct Inside {
    /// The operator.
    #[arg(long = "inside-operator", id = "operator", hide = true, required = false)]
    pub(super) operator: PathBuf,
    /// The viewers.
    #[arg(long = "inside-viewers", id = "viewers", hide = true, required = false)]
    pub(super) viewers: PathBuf,
}

impl Inside {
    /// As flags.
    pub(super) fn args(&self) -> [OsString; 4] {
        [
            "--inside-operator".into(),
            self.operator.clone().into(),
            "--inside-viewers".into(),
            self.viewers.clone().into(),
        ]
    }
}

/// Starts the node and plays the stories one after the other. A story that fails doesn't keep the others from being told.
///
/// # Errors
/// When the node or the operator doesn't come up.
pub(super) async fn run(programs: &Inside, stories: &[Story], freezes: u32, keep: bool) -> Result<ExitCode> {
    let screen = Screen::new(false);
    let mut lane = Lane::start(&screen, programs).await?;
    if keep {
        return shell::announce(&lane).await;
    }
    let mut tally = Tally::default();
    for &story in stories {
        screen.say(&format!("\n── {story}: {}", story.what()));
        let outcome = story.tell(&mut lane, freezes).await;
        tally.record(story, &outcome, &lane);
        lane.tidy_up().await?;
    }
    screen.say(&format!("\n{tally}"));
    Ok(tally.code())
}
