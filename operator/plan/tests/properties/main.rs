//! What holds for every class, tier, event and accident.
//!
//! The cases are the same in every run. `PROPTEST_RNG_SEED=7 PROPTEST_CASES=1000 cargo test -p webinar-plan --test
//! properties` looks at others, and at more of them.

#[path = "../world/mod.rs"]
mod world;

mod accident;
mod audience;
mod lives;
mod media;
mod rest;
mod sizes;
mod watch;

use proptest::test_runner::{Config, RngSeed};

/// A failure prints its smallest case; it becomes a test of its own, not a file.
fn cases(n: u32) -> Config {
    let asked = Config::default();
    Config {
        failure_persistence: None,
        rng_seed: match asked.rng_seed {
            RngSeed::Random => RngSeed::Fixed(1),
            fixed @ RngSeed::Fixed(_) => fixed,
        },
        cases: if std::env::var_os("PROPTEST_CASES").is_some() {
            asked.cases
        } else {
            n
        },
        ..asked
    }
}
