//! One world from its beginning to its end.

use std::sync::{Arc, Mutex};

use tokio::time::{Instant, sleep_until};

use crate::check::{Invariant, QUIET, SETTLED, Violation};
use crate::cover::Cover;
use crate::mutation::Mutation;
use crate::operator::{KeptPanics, Process, panicked};
use crate::scenario::Scenario;
use crate::story::Story;
use crate::time::{MINUTE, Moment, SECOND, TICK};
use crate::world::{REPLICAS, Shared, World, locked};

/// How long a process that is told to stop may take.
const STOPS_WITHIN: u64 = 3 * SECOND;

/// How a world is lived.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manner {
    /// Everything is told.
    pub told: bool,
    /// The protection that is missing.
    pub mutation: Option<Mutation>,
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    /// Ticks that were lived.
    pub ticks: u64,
    /// What was broken, if anything.
    pub violation: Option<Violation>,
    /// What was reached.
    pub cover: Cover,
    /// What happened, if it was told.
    pub story: Story,
    /// Calls that replicas made.
    pub calls: u64,
    /// The same for the same history.
    pub digest: u64,
}

/// Lives a world. One thread, no real time, no chance but the scenario's seed.
///
/// # Errors
///
/// When no Tokio runtime can be made.
pub fn live(scenario: &Arc<Scenario>, manner: Manner) -> std::io::Result<Outcome> {
    let _kept = KeptPanics::begin();
    let story = if manner.told {
        Story::told()
    } else {
        Story::silent()
    };
    let world = World::new(Arc::clone(scenario), story, manner.mutation);
    let world = Arc::new(Mutex::new(world));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()?;
    runtime.block_on(run(&world));
    // What is still under way ends with the runtime.
    drop(runtime);
    let mut held = locked(&world);
    let calls = held.network.calls.iter().sum();
    Ok(Outcome {
        ticks: held.now.0,
        violation: held.checks.violation.take(),
        cover: std::mem::take(&mut held.cover),
        story: std::mem::take(&mut held.story),
        calls,
        digest: held.digest,
    })
}

async fn run(world: &Shared) {
    let scenario = Arc::clone(&locked(world).scenario);
    let begun = Instant::now();
    let mut order: Vec<usize> = (0..scenario.happenings.len()).collect();
    order.sort_by_key(|i| scenario.happenings[*i].at);
    let mut next = order.into_iter().peekable();
    let mut processes: [Option<Process>; REPLICAS] = [const { None }; REPLICAS];
    let mut lives = 0;
    for tick in 1..=scenario.until.0 {
        sleep_until(begun + TICK.saturating_mul(u32::try_from(tick).unwrap_or(u32::MAX))).await;
        {
            let mut held = locked(world);
            held.now = Moment(tick);
            while let Some(index) = next.next_if(|i| scenario.happenings[*i].at.0 <= tick) {
                held.happen(index);
            }
            if tick == scenario.calm_from.0 {
                held.calm();
            }
            held.step();
            if tick.is_multiple_of(SECOND) {
                held.check_starts();
            }
            if tick == scenario.calm_from.0 + SETTLED {
                held.check_settled();
            }
        }
        for (number, place) in processes.iter_mut().enumerate() {
            lives += live_or_die(world, number, place, lives);
            if let Some(process) = place {
                process.step(world);
            }
        }
        let mut held = locked(world);
        let leading = processes.iter().flatten().filter(|p| p.leads()).count();
        held.leaders(leading);
        if let Some(text) = panicked() {
            held.checks.broken(Invariant::Panics, Moment(tick), text);
        }
        if tick.is_multiple_of(MINUTE) {
            let needed = processes.iter().flatten().map(Process::needs).min();
            held.forget(needed.unwrap_or(u64::MAX));
        }
        if held.checks.violation.is_some() {
            return;
        }
    }
    let mut held = locked(world);
    if scenario.until.0 >= scenario.calm_from.0 + SETTLED + QUIET {
        held.check_settled();
        held.check_quiet();
    }
}

/// Starts, stops and kills a process as it is due. Says how many were started.
fn live_or_die(world: &Shared, number: usize, place: &mut Option<Process>, lives: u64) -> u64 {
    let mut held = locked(world);
    let now = held.now;
    if let Some(until) = held.replicas.stopping[number].take() {
        if let Some(process) = place.as_ref() {
            process.stop();
        }
        held.replicas.ends[number] = Some((now.0 + STOPS_WITHIN, until));
    }
    if let Some((at, until)) = held.replicas.ends[number].filter(|(at, _)| *at <= now.0) {
        held.replicas.ends[number] = None;
        let until = Moment(until.0.max(at + 1));
        held.replicas.down[number] = Some(until);
    }
    match held.replicas.down[number] {
        Some(until) if now < until => {
            if place.take().is_some() {
                held.cover.reach("operator", "process ends");
                held.story
                    .tell(now, &format!("operator-{number}"), || "is dead".to_owned());
            }
            return 0;
        }
        Some(_) => held.replicas.down[number] = None,
        None => {}
    }
    drop(held);
    if place.is_some() {
        return 0;
    }
    *place = Some(Process::start(world, number, lives));
    1
}
