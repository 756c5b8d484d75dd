//! `cargo xtask simulate`: lives worlds, and tells of the first in which something was broken.

mod missed;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::time::Instant;
use webinar_simulator::{Cover, Manner, Mutation, Outcome, Scenario, generate, live, shrink};

/// Lives worlds until so many ticks have passed, and tells of the first in which something was broken.
#[derive(Debug, Parser)]
struct Args {
    /// The first world's seed; each further world has the next one. Absent: one that was not there before.
    #[arg(long)]
    seed: Option<u64>,
    /// Ticks to live in all, each a tenth of a second. Absent: a million, or a hundred million with `--nightly`.
    #[arg(long)]
    ticks: Option<u64>,
    /// As long as a night.
    #[arg(long)]
    nightly: bool,
    /// Fails when a fault or a branch of a decision was never reached.
    #[arg(long)]
    complete: bool,
    /// Goes on until something is broken.
    #[arg(long)]
    until_failure: bool,
    /// One world, as this file says.
    #[arg(long, conflicts_with_all = ["seed", "until_failure"])]
    scenario: Option<PathBuf>,
    /// Tells everything that happens.
    #[arg(long)]
    story: bool,
    /// Takes a protection away, which must be missed.
    #[arg(long, value_enum)]
    mutation: Option<Mutation>,
    /// First takes each protection away, one after the other, from seed 1 on: each must be missed within its bound.
    #[arg(long)]
    mutations: bool,
    /// Worlds lived at once. Absent: one for each processor.
    #[arg(long)]
    threads: Option<usize>,
    /// Where the shortest scenario that breaks something is written.
    #[arg(long, default_value = "target/simulate")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

impl Args {
    fn ticks(&self) -> u64 {
        let usual = if self.nightly { 100_000_000 } else { 1_000_000 };
        self.ticks.unwrap_or(usual)
    }

    fn threads(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.threads.unwrap_or_else(processors).max(1)
    }
}

/// Whether nothing was broken, and if asked for, everything reached.
fn run(args: &Args) -> Result<bool> {
    let manner = Manner {
        told: args.story,
        mutation: args.mutation,
    };
    if let Some(file) = &args.scenario {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let scenario: Scenario =
            serde_saphyr::from_str(&text).with_context(|| format!("{} is no scenario", file.display()))?;
        let outcome = live(&Arc::new(scenario), Manner { told: true, ..manner })?;
        report::story(&outcome);
        println!("{} ticks, digest {:016x}", outcome.ticks, outcome.digest);
        return Ok(outcome.violation.is_none());
    }
    if args.mutations && !missed::all(&Mutation::ALL, args.threads())? {
        return Ok(false);
    }
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000_000));
    println!("seed {seed}");
    let begun = Instant::now();
    let all = worlds(args, seed, manner)?;
    report::totals(&all.cover, all.worlds, all.ticks, all.calls, begun.elapsed());
    let missing = all.cover.missing();
    if !missing.is_empty() {
        println!("never reached: {}", missing.join(", "));
    }
    let Some((seed, outcome)) = all.broken else {
        return Ok(missing.is_empty() || !args.complete);
    };
    if args.story {
        report::story(&outcome);
    }
    broken(args, seed, manner, &outcome)?;
    Ok(false)
}

/// The world of a seed. Some protections are missed in worlds of their own.
fn world(manner: Manner, seed: u64) -> Scenario {
    manner
        .mutation
        .map_or_else(|| generate(seed), |mutation| mutation.world(seed))
}

/// What came of all worlds.
#[derive(Default)]
struct All {
    cover: Cover,
    worlds: u64,
    ticks: u64,
    calls: u64,
    broken: Option<(u64, Outcome)>,
}

fn worlds(args: &Args, first: u64, manner: Manner) -> Result<All> {
    let all = Mutex::new(All::default());
    let (next, over) = (AtomicU64::new(first), AtomicBool::new(false));
    let begun = Instant::now();
    let work = || -> Result<()> {
        while !over.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let outcome = live(&Arc::new(world(manner, seed)), manner)?;
            let mut all = all
                .lock()
                .map_err(|_| anyhow::anyhow!("a world's thread panicked"))?;
            all.cover.merge(&outcome.cover);
            all.worlds += 1;
            all.ticks += outcome.ticks;
            all.calls += outcome.calls;
            report::progress(all.worlds, all.ticks, begun.elapsed());
            // Of several the one with the smallest seed is told, whichever thread was faster.
            if outcome.violation.is_some() && all.broken.as_ref().is_none_or(|(known, _)| seed < *known) {
                all.broken = Some((seed, outcome));
                over.store(true, Ordering::Relaxed);
            } else if all.ticks >= args.ticks() && !args.until_failure {
                over.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    on_threads(args.threads(), work)?;
    all.into_inner()
        .map_err(|_| anyhow::anyhow!("a world's thread panicked"))
}

/// Does the same work on so many threads.
fn on_threads(threads: usize, work: impl Fn() -> Result<()> + Sync) -> Result<()> {
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(&work)).collect();
        running.into_iter().try_for_each(|thread| {
            thread
                .join()
                .map_err(|_| anyhow::anyhow!("a world's thread panicked"))?
        })
    })
}

/// Shrinks, writes and tells.
fn broken(args: &Args, seed: u64, manner: Manner, outcome: &Outcome) -> Result<()> {
    if let Some(violation) = &outcome.violation {
        println!("\nseed {seed}: {violation}");
    }
    println!("looking for the shortest scenario that breaks it…");
    let begun = Instant::now();
    let long = world(manner, seed);
    let short = shrink(&long, manner)?;
    let told = live(&Arc::new(short.clone()), Manner { told: true, ..manner })?;
    report::story(&told);
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let file = args.out.join(format!("seed-{seed}.yaml"));
    std::fs::write(&file, serde_saphyr::to_string(&short)?)
        .with_context(|| format!("writing {}", file.display()))?;
    let mutation = manner
        .mutation
        .map_or_else(String::new, |m| format!(" --mutation {}", missed::name(m)));
    println!(
        "\n{} of {} happenings are enough (found in {} s). Again:\n  cargo xtask simulate --scenario {}{mutation}\nThe whole world:\n  cargo xtask simulate --seed {seed} --ticks 1 --threads 1{mutation}",
        short.happenings.len(),
        long.happenings.len(),
        begun.elapsed().as_secs(),
        file.display(),
    );
    Ok(())
}
