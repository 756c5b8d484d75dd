//! `cargo xtask demo`: one event on a local control plane, from its manifest to its start or to its end.

mod counts;
mod fleet;
mod follow;
mod manifests;
mod plan;
mod progress;
mod scenario;
mod stage;
mod summary;

use std::process::ExitCode;

use anyhow::{Context, Result};
use webinar_api::{Duration, Tier};

use crate::clock::time_of_day;
use crate::screen::Screen;
use follow::{Story, Until};
use manifests::{EVENT, NAMESPACE};
use scenario::{Drama, Scenario};
use stage::Stage;
use summary::Summary;

/// As shells report a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Which event to play, and how.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Audience: room, 10k, 50k, 100k, 250k, 500k or 1M. [default: 1M; 50k for a scenario]
    #[arg(long)]
    tier: Option<Tier>,

    /// What goes wrong. Without it, nothing does.
    #[arg(long, value_enum)]
    scenario: Option<Scenario>,

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

/// Plays the event. The exit code is 0 if every seat was Ready before the start (which a late event is not asked for) and
/// nobody was thrown out (but by a lost zone), and 130 after Ctrl-C.
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
    let tier = args.tier.unwrap_or(match args.scenario {
        Some(_) => Tier::T50k,
        None => Tier::T1M,
    });
    screen.say(&format!(
        "A webinar of tier {tier}, on a Kubernetes of its own with simulated nodes.\n"
    ));
    let max_tier = args.scenario.and_then(|s| s.max_tier(tier));
    let spare_zone = args.scenario == Some(Scenario::ZoneLoss);
    let mut stage = Stage::set(screen, tier, max_tier.unwrap_or(tier), spare_zone).await?;
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
    let starts_in = args
        .scenario
        .and_then(Scenario::starts_in)
        .unwrap_or(args.starts_in);
    let (applied, start) = stage.apply_event(starts_in, duration, max_tier).await?;
    screen.say(&format!(
        "\n✓ {NAMESPACE}/{EVENT} is applied: {} people at {}, in {}",
        counts::grouped(tier.attendees() as usize),
        time_of_day(start),
        starts_in
    ));

    let mut drama = Drama::open(args.scenario, stage.event(), tier, start);
    screen.say(&format!("  {}", drama.sentence()));

    let mut story = Story::new(applied, start);
    story
        .follow(&mut stage, &mut drama, screen, until)
        .await
        .with_context(|| format!("the operator's log ends:\n{}", stage.operator_log()))?;
    let usage = stage.operator_usage()?;
    let crowd = drama.results();
    let summary = Summary::new(&stage.plan, &story, stage.operator_writes()?, usage, crowd);
    screen.say(&format!("\n{}", summary.text()));
    if args.json {
        println!("{}", summary.json()?);
    }
    if args.keep {
        keep(&stage, screen).await;
    }
    let promised = summary.is_full() || args.scenario == Some(Scenario::Late);
    Ok(if promised && summary.is_kept(args.scenario) {
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
