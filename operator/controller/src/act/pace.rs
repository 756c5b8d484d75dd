//! How fast a Webinar's pods are created: slowly at first, so that a refusal costs one request and not hundreds.

use jiff::SignedDuration;

use super::BATCH;

/// The longest wait between two tries of a refused write.
const LONGEST_RETRY: SignedDuration = SignedDuration::from_mins(5);

/// How fast a Webinar's pods are created, and how patiently its refused writes are tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Pods that are created at once. It doubles with each success and begins anew after a refusal.
    pub(crate) at_once: usize,
    /// Refusals in a row.
    pub(crate) refusals: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            at_once: 1,
            refusals: 0,
        }
    }
}

impl Pace {
    /// After as many were created as asked.
    pub(super) fn faster(self) -> Self {
        Self {
            at_once: (self.at_once * 2).min(BATCH),
            refusals: 0,
        }
    }

    /// One at first, and as patient as before.
    pub(crate) fn anew(self) -> Self {
        Self { at_once: 1, ..self }
    }

    /// After a refusal.
    pub(super) fn slower(self) -> Self {
        Self {
            at_once: 1,
            refusals: self.refusals.saturating_add(1),
        }
    }

    /// `first`, doubled with each refusal in a row, up to five minutes.
    pub(super) fn wait(self, first: SignedDuration) -> SignedDuration {
        let factor = 1_i32 << self.refusals.min(8);
        first.saturating_mul(factor).min(LONGEST_RETRY.max(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_up_to_a_whole_pass_and_begins_anew_after_a_refusal() {
        let mut pace = Pace::default();
        let mut steps = vec![pace.at_once];
        for _ in 0..9 {
            pace = pace.faster();
            steps.push(pace.at_once);
        }
        assert_eq!(steps, [1, 2, 4, 8, 16, 32, 64, 128, BATCH, BATCH]);
        assert_eq!(pace.slower().at_once, 1);
        assert_eq!(pace.anew().at_once, 1);
    }

    #[test]
    fn refusals_in_a_row_wait_twice_as_long_each_time() {
        let first = SignedDuration::from_secs(30);
        let mut pace = Pace::default();
        let mut waits = Vec::new();
        for _ in 0..6 {
            waits.push(pace.wait(first).as_secs());
            pace = pace.slower();
        }
        assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
        assert_eq!(pace.faster().wait(first), first);
        let mut long = Pace::default();
        for _ in 0..1000 {
            long = long.slower();
        }
        assert_eq!(long.wait(first).as_secs(), 300);
    }
}
