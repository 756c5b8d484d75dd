//! Packets that did not come, told from RTP sequence numbers.

/// A packet this far behind the newest is not late: its sender has started anew.
const LATEST: u16 = 1000;
/// So has one whose packet is this far ahead (MAX_DROPOUT of RFC 3550).
const FURTHEST: u16 = 3000;

/// The sequence numbers of one stream (one SSRC).
#[derive(Debug)]
pub(crate) struct Sequence {
    newest: u16,
    expected: u64,
    received: u64,
}

impl Sequence {
    /// A stream that begins with this number.
    pub(crate) fn new(first: u16) -> Self {
        Self {
            newest: first,
            expected: 1,
            received: 1,
        }
    }

    /// A packet came; each number is told once.
    pub(crate) fn packet(&mut self, number: u16) {
        let ahead = number.wrapping_sub(self.newest);
        let behind = self.newest.wrapping_sub(number);
        self.received += 1;
        if ahead < FURTHEST {
            self.expected += u64::from(ahead);
            self.newest = number;
        } else if behind > LATEST {
            self.expected += 1;
            self.newest = number;
        }
    }

    /// Packets missing so far.
    pub(crate) fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(numbers: &[u16]) -> u64 {
        let mut sequence = Sequence::new(numbers[0]);
        for number in &numbers[1..] {
            sequence.packet(*number);
        }
        sequence.lost()
    }

    #[test]
    fn missing_numbers_are_lost() {
        assert_eq!(lost(&[7, 8, 9]), 0);
        assert_eq!(lost(&[7, 9, 12]), 3);
    }

    #[test]
    fn numbers_wrap() {
        assert_eq!(lost(&[65534, 65535, 0, 1]), 0);
        assert_eq!(lost(&[65534, 1]), 2);
    }

    #[test]
    fn late_packets_are_taken_off() {
        assert_eq!(lost(&[7, 10]), 2);
        assert_eq!(lost(&[7, 10, 9]), 1);
        assert_eq!(lost(&[65535, 2, 0, 1]), 0);
    }

    #[test]
    fn packets_from_before_the_first_are_no_gain() {
        assert_eq!(lost(&[7, 6, 8]), 0);
    }

    #[test]
    fn a_sender_that_starts_anew_loses_nothing() {
        assert_eq!(lost(&[30_000, 2, 3, 4]), 0);
        assert_eq!(lost(&[2, 30_000, 30_001, 30_003]), 1);
    }
}
