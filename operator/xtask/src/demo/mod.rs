//! `cargo xtask demo`: one event on a local control plane, from its manifest to its start or to its end.

mod build;
mod clock;
mod counts;
mod fleet;
mod follow;
mod manifests;
mod plan;
mod progress;
mod screen;
mod stage;
mod summary;

use std::process::ExitCode;

use anyhow::{Context, Result};
use webinar_api::{Duration, Tier};

use clock::time_of_day;
use follow::{Story, Until};
use manifests::{EVENT, NAMESPACE};
use screen::Screen;
use stage::Stage;
use summary::Summary;

/// As shells report a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Which event to play, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Audience: room, 10k, 50k, 100k, 250k, 500k or 1M.
    #[arg(long, default_value = "1M")]
    tier: Tier,

    /// From the event's creation to its start, such as 90s or 4m.
    #[arg(long, value_name = "DURATION", default_value = "4m")]
    starts_in: Duration,

    /// Go on to the event's end, a minute after its start, until its pods are gone.
    #[arg(long)]
    through_end: bool,

    /// Leave everything running for kubectl, until Ctrl-C.
    #[arg(long)]
    keep: bool,

    /// End standard output with one line of JSON; what people read goes to standard error.
    #[arg(long)]
    json: bool,
}

/// Plays the event. The exit code is 0 if every seat was Ready before the start, and 130 after Ctrl-C.
///
/// # Errors
/// When something does not build, start or end in time.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting a runtime")?;
    runtime.block_on(async {
        let screen = Screen::new(args.json);
        tokio::select! {
            outcome = play(args, &screen) => outcome,
            // What runs is part of the future that is dropped here.
            interrupt = tokio::signal::ctrl_c() => {
                interrupt.context("listening for Ctrl-C")?;
                screen.say("stopped: all of the demo's processes are gone");
                Ok(ExitCode::from(INTERRUPTED))
            }
        }
    })
}

async fn play(args: &Args, screen: &Screen) -> Result<ExitCode> {
    screen.say(&format!(
        "A webinar of tier {}, on a Kubernetes of its own with simulated nodes.\n",
        args.tier
    ));
    let mut stage = Stage::set(screen, args.tier).await?;
    screen.say(&format!(
        "\n  {}\n  {}",
        stage.plan.sentence(),
        stage.plan.shortened()
    ));

    let (duration, until) = if args.through_end {
        (Duration::from_mins(1), Until::End)
    } else {
        (Duration::from_mins(60), Until::Live)
    };
    let (applied, start) = stage.apply_event(args.starts_in, duration).await?;
    screen.say(&format!(
        "\n✓ {NAMESPACE}/{EVENT} is applied: {} people at {}, in {}",
        counts::grouped(args.tier.attendees() as usize),
        time_of_day(start),
        args.starts_in
    ));

    let mut story = Story::new(applied, start);
    story
        .follow(&mut stage, screen, until)
        .await
        .with_context(|| format!("the operator's log ends:\n{}", stage.operator_log()))?;
    let usage = stage.operator_usage()?;
    let summary = Summary::new(&stage.plan, &story, stage.operator_writes()?, usage);
    screen.say(&format!("\n{}", summary.text()));
    if args.json {
        println!("{}", summary.json()?);
    }
    if args.keep {
        keep(&stage, screen).await;
    }
    Ok(if summary.is_full() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Leaves everything running until Ctrl-C, and says how to look at it.
async fn keep(stage: &Stage, screen: &Screen) {
    let kubectl = stage.kubectl.display();
    screen.say(&format!(
        "\nEverything runs until Ctrl-C. In another shell:\n  \
         export KUBECONFIG={}\n  \
         {kubectl} -n {NAMESPACE} get webinars\n  \
         {kubectl} -n {NAMESPACE} describe webinar {EVENT}\n  \
         {kubectl} -n {NAMESPACE} get pods,services,poddisruptionbudgets",
        stage.control_plane.kubeconfig().display()
    ));
    std::future::pending::<()>().await;
}
