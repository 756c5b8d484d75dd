//! FNV-1a: the same in every process.

/// Of nothing.
pub(crate) const NOTHING: u64 = 0xcbf2_9ce4_8422_2325;

/// Of what `before` is the hash of, and of `text` after it.
pub(crate) fn more(before: u64, text: &str) -> u64 {
    text.bytes()
        .fold(before, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}
