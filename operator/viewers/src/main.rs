//! A load generator that stands for many viewers of WebRTC streams.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use jiff::SignedDuration;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep};
use webinar_viewers::{Endpoint, Fleet, Plan, Summary};

/// Watches WebRTC streams as many viewers at once, and reports what came.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Where to ask for a stream, such as http://10.96.3.4:8889/stage/whep; viewers take turns over several
    #[arg(long, required = true, value_name = "URL")]
    whep: Vec<Endpoint>,
    /// How many viewers there are
    #[arg(long)]
    viewers: usize,
    /// How many arrive per second
    #[arg(long, default_value_t = 20.0, value_name = "PER_SECOND")]
    rate: f64,
    /// Leave after this time, such as 90s; otherwise on SIGINT or SIGTERM
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    lasting: Option<Duration>,
    /// Keep a JSON report in this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How often to write it
    #[arg(long, default_value = "1s", value_parser = duration, value_name = "DURATION")]
    every: Duration,
    /// Pause before a viewer tries again
    #[arg(long, default_value = "2s", value_parser = duration, value_name = "DURATION")]
    retry: Duration,
    /// Threads that run viewers
    #[arg(long, default_value = "1", value_name = "COUNT")]
    threads: NonZeroUsize,
    /// Local address for media; otherwise the one from which the server is reached
    #[arg(long, value_name = "IP")]
    bind: Option<IpAddr>,
}

fn duration(text: &str) -> Result<Duration> {
    let duration: SignedDuration = text.parse().context("not like 1s or 500ms")?;
    Duration::try_from(duration)
        .ok()
        .filter(|duration| !duration.is_zero())
        .ok_or_else(|| anyhow!("not more than 0"))
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    allow_many_sockets()?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(cli.threads.get())
        .enable_all()
        .build()
        .context("starting threads")?;
    // This thread runs no viewers, so a slow disk holds up only the reports.
    runtime.block_on(run(&cli))
}

async fn run(cli: &Cli) -> Result<()> {
    let plan = Plan {
        whep: cli.whep.clone(),
        viewers: cli.viewers,
        rate: cli.rate,
        retry: cli.retry,
        bind: cli.bind,
    };
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut over = pin!(async {
        match cli.lasting {
            Some(time) => sleep(time).await,
            None => std::future::pending().await,
        }
    });
    let mut ticks = interval(cli.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let fleet = Fleet::start(&plan, &tokio::runtime::Handle::current())?;
    loop {
        tokio::select! {
            _ = interrupted.recv() => break,
            _ = terminated.recv() => break,
            () = &mut over => break,
            _ = ticks.tick() => write(&fleet, cli.report.as_deref())?,
        }
    }
    // Taken before they leave: what matters is how many were there.
    let report = fleet.report();
    if let Some(file) = &cli.report {
        report.write(file)?;
    }
    fleet.stop().await?;
    println!("{}", Summary(&report));
    Ok(())
}

fn write(fleet: &Fleet, file: Option<&Path>) -> Result<()> {
    match file {
        Some(file) => fleet.report().write(file),
        None => Ok(()),
    }
}

/// A viewer needs two sockets, and the usual limit is 1024 open files.
fn allow_many_sockets() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )
    .context("allowing many open files")
}
