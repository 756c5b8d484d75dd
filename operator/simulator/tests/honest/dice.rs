//! Random choices that can be repeated.

use fastrand::Rng;

/// A generator whose seed was printed.
pub(crate) struct Dice(Rng);

impl Dice {
    /// The same choices for the same seed; a seed of its own for a run that is given none.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let seed = seed.unwrap_or_else(|| fastrand::u64(..));
        println!("honest: HONEST_SEED={seed}");
        Self(Rng::with_seed(seed))
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0.usize(..limit.max(1))
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
