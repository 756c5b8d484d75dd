//! Random choices that can be repeated.

use fastrand::Rng;

/// A generator whose seed was printed.
pub(crate) struct Dice {
    random: Rng,
    seed: u64,
}

/// Where a seed is kept that failed: it is the next one that is tried, so that a second try is no way out.
const FAILED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/honest-seed");

impl Dice {
    /// The same choices for the same seed. A run that is given none tries the one that failed last, or one of its own.
    pub(crate) fn new(given: Option<u64>) -> Self {
        let failed = || std::fs::read_to_string(FAILED).ok()?.trim().parse().ok();
        let seed = given.or_else(failed).unwrap_or_else(|| fastrand::u64(..));
        println!("honest: HONEST_SEED={seed}");
        Self {
            random: Rng::with_seed(seed),
            seed,
        }
    }

    /// Remembers whether the run failed.
    pub(crate) fn judged(seed: u64, failed: bool) -> std::io::Result<()> {
        match (failed, std::fs::exists(FAILED)?) {
            (true, _) => std::fs::write(FAILED, format!("{seed}\n")),
            (false, true) => std::fs::remove_file(FAILED),
            (false, false) => Ok(()),
        }
    }

    /// What it began with.
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.random.usize(..limit.max(1))
    }

    /// True in so many of a hundred cases.
    pub(crate) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// One of these.
    pub(crate) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// One of these, each as often as its number says.
    pub(crate) fn weighed<T: Copy>(&mut self, of: &[(usize, T)]) -> T {
        let all = of.iter().map(|(weight, _)| weight).sum();
        let mut at = self.below(all);
        for (weight, what) in of {
            if at < *weight {
                return *what;
            }
            at -= weight;
        }
        of[0].1
    }
}
