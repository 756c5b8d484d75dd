//! Arithmetic on instants that can't panic, and how instants and counts are written for people.

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
    t.checked_sub(d).unwrap_or(if d.is_negative() {
        Timestamp::MAX
    } else {
        Timestamp::MIN
    })
}

/// `a` is later than `b` as people are told both: in whole seconds.
pub(crate) fn later(a: Timestamp, b: Timestamp) -> bool {
    a.as_second() > b.as_second()
}

/// An instant with its date: `2027-03-04 17:00Z`, with seconds only if there are any.
pub(crate) fn date_and_clock(t: Timestamp) -> String {
    format!("{} {}", t.strftime("%F"), time_of_day(t))
}

/// An instant near the event: `17:00Z`, with the date only if it isn't the day of `start`.
///
/// It is never told from today's date: a sentence that changes at midnight would be written again.
pub(crate) fn clock(t: Timestamp, start: Timestamp) -> String {
    let day = |t: Timestamp| t.strftime("%F").to_string();
    if day(t) == day(start) {
        time_of_day(t)
    } else {
        date_and_clock(t)
    }
}

fn time_of_day(t: Timestamp) -> String {
    let format = if t.as_second() % 60 == 0 {
        "%H:%MZ"
    } else {
        "%H:%M:%SZ"
    };
    t.strftime(format).to_string()
}

/// A count with thousands separated: `1,242`.
pub fn grouped(n: impl Into<u64>) -> String {
    let digits = n.into().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A count and its noun: `1 relay`, `1,212 relays`.
pub fn counted(n: u32, noun: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {noun}{s}", grouped(n))
}

/// `1 person`, `190,000 people`.
pub(crate) fn people(n: u32) -> String {
    match n {
        1 => "1 person".to_owned(),
        n => format!("{} people", grouped(n)),
    }
}

/// `is` or `are`.
pub(crate) const fn is_are(n: u32) -> &'static str {
    if n == 1 { "is" } else { "are" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_thousands() {
        assert_eq!(grouped(0_u32), "0");
        assert_eq!(grouped(999_u32), "999");
        assert_eq!(grouped(1_242_u32), "1,242");
        assert_eq!(grouped(1_000_000_u32), "1,000,000");
        assert_eq!(counted(1, "relay"), "1 relay");
        assert_eq!(counted(1_212, "relay"), "1,212 relays");
    }

    #[test]
    fn far_instants_are_held_at_the_edge() {
        let second = SignedDuration::from_secs(1);
        assert_eq!(after(Timestamp::MAX, second), Timestamp::MAX);
        assert_eq!(before(Timestamp::MIN, second), Timestamp::MIN);
        assert_eq!(before(Timestamp::MAX, SignedDuration::MIN), Timestamp::MAX);
    }

    #[test]
    fn dates_are_told_only_where_they_help() {
        let start: Timestamp = "2027-03-04T17:00:00Z".parse().unwrap();
        let early = before(start, SignedDuration::from_secs(5));
        let next_day = after(start, SignedDuration::from_hours(8));
        assert_eq!(clock(start, start), "17:00Z");
        assert_eq!(clock(early, start), "16:59:55Z");
        assert_eq!(clock(next_day, start), "2027-03-05 01:00Z");
        assert_eq!(date_and_clock(start), "2027-03-04 17:00Z");
    }
}
