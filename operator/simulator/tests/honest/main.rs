//! The model of the API server answers as the real one does: random calls go to both, and everything they answer and
//! everything their watches tell is compared.
//!
//! `HONEST_SEED` repeats a run, `HONEST_CALLS` says how many calls it makes. A seed that failed is tried until it passes.

mod calls;
mod dice;
mod objects;
mod pairs;
mod real;
mod tally;
mod watches;
mod world;

use anyhow::Result;

use dice::Dice;
use world::World;

/// Calls in a run, if nobody asks for more.
const CALLS: usize = 5_000;

fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_answers_as_the_real_server_does() -> Result<()> {
    let dice = Dice::new(given("HONEST_SEED"));
    let seed = dice.seed();
    let outcome = compare(dice).await;
    Dice::judged(seed, outcome.is_err())?;
    outcome
}

async fn compare(dice: Dice) -> Result<()> {
    let calls = given("HONEST_CALLS").and_then(|n| usize::try_from(n).ok());
    let mut world = World::new(dice).await?;
    let outcome = calls::play(&mut world, calls.unwrap_or(CALLS)).await;
    // A table also of a run that failed.
    println!("{}", world.tally);
    outcome?;
    world.compare_watches().await
}
