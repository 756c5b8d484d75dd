//! Random choices that can be repeated: every seed is printed.

use std::hash::{BuildHasher as _, RandomState};

/// A small generator (splitmix64).
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The same choices for the same seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A seed of its own for each run, or the one in the environment variable `SEED`. Printed.
    pub(crate) fn new(what: &str) -> Self {
        let given = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().hash_one(what));
        println!("{what}: SEED={seed}");
        Self(seed)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit.max(1)
    }

    /// `count` of the items, each at most once.
    pub(crate) fn pick<T>(&mut self, mut items: Vec<T>, count: usize) -> Vec<T> {
        let mut picked = Vec::new();
        while picked.len() < count && !items.is_empty() {
            let at = self.below(items.len() as u64);
            picked.push(items.swap_remove(usize::try_from(at).unwrap_or_default()));
        }
        picked
    }
}
