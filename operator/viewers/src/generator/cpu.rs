//! Processor time of this process.

use std::fs;

/// Linux reports times to programs in this unit on every processor that this is built for.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time used so far, in seconds; none where the system does not tell.
pub(crate) fn seconds() -> Option<f64> {
    parse(&fs::read_to_string("/proc/self/stat").ok()?)
}

fn parse(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses, which may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    let (user, system) = (next()?, next()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_system_time_are_added() {
        let stat = "42 (a ) b) S 1 42 42 0 -1 4194304 2081 0 3 0 250 125 7 8 20 0 3 0 99 1 2";
        assert_eq!(parse(stat), Some(3.75));
        assert_eq!(parse("42 (cut) S 1"), None);
        assert_eq!(parse(""), None);
    }
}
