//! Arithmetic on instants that can't panic.

use jiff::{SignedDuration, Timestamp};

/// `t + d`, held at the largest representable instant instead of overflowing.
pub(crate) fn after(t: Timestamp, d: SignedDuration) -> Timestamp {
    t.checked_add(d).unwrap_or(if d.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// `t - d`, held at the smallest representable instant instead of overflowing.
pub(crate) fn before(t: Timestamp, d: SignedDuration) -> Timestamp {
    after(t, -d)
}

/// Seconds that people can read: `17:00:05Z`, with the date when it isn't today's (as seen from `now`).
pub(crate) fn clock(t: Timestamp, now: Timestamp) -> String {
    let same_day = t.strftime("%F").to_string() == now.strftime("%F").to_string();
    let format = if same_day { "%H:%M:%SZ" } else { "%F %H:%M:%SZ" };
    t.strftime(format).to_string()
}

/// A count with thousands separated: `1,242`.
pub(crate) fn grouped(n: u32) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_242), "1,242");
        assert_eq!(grouped(1_000_000), "1,000,000");
    }

    #[test]
    fn far_instants_are_held_at_the_edge() {
        assert_eq!(
            after(Timestamp::MAX, SignedDuration::from_secs(1)),
            Timestamp::MAX
        );
        assert_eq!(
            before(Timestamp::MIN, SignedDuration::from_secs(1)),
            Timestamp::MIN
        );
    }
}
