//! Whether what is written in objects can be of ours. Who may write pods or ControllerRevisions in a namespace may write
//! anything into them, and their numbers must not become slots, Services or times without end.

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{Accepted, Counts, Failover, Memory, Role, Shape, Slot, Spec};

/// Most pods of one role that a class can allow.
const MOST_PODS: u32 = 50_000;
/// More SFUs than any class can ask for.
const MOST_SFUS: u32 = 100;
/// More viewers Services than the most relays need.
const MOST_SHARDS: u32 = 1_000;
/// The longest event, and the longest that one can be overrun.
const LONGEST: SignedDuration = SignedDuration::from_hours(72);
/// Seconds of the years 2000 and 2200, between which every event is.
const TIMES: std::ops::Range<i64> = 946_684_800..7_258_118_400;

/// A slot that a fleet can have, as labels name it.
pub(crate) fn slot(text: &str) -> Option<Slot> {
    let slot: Slot = text.parse().ok()?;
    let slots = match slot.role {
        Role::Sfu => MOST_SFUS,
        Role::Mid | Role::Relay => MOST_PODS,
    };
    (slot.index < slots).then_some(slot)
}

/// A time of an event, as annotations name it.
pub(crate) fn time(text: &str) -> Option<Timestamp> {
    let time: Timestamp = text.parse().ok()?;
    moment(time).ok().map(|()| time)
}

/// The error is a sentence that says what can't be of a memory.
pub(crate) fn check(memory: &Memory) -> Result<(), String> {
    let Memory {
        run,
        accepted:
            Accepted {
                spec,
                start,
                since,
                base,
            },
        shape,
        ready_at,
        live_since,
        draining_since,
        finished_at,
        postponed_at,
        suspended_since,
        resumed_at,
        most_relays,
        peak: _,
        incidents: _,
        failover,
    } = memory;
    let Counts { sfu, mid, relay } = base;
    let Shape {
        room: _,
        sfus,
        mids: _,
        shards,
    } = shape;
    at_most("run", u64::from(*run), u64::from(i32::MAX.unsigned_abs()))?;
    asked(spec)?;
    for (what, pods, most) in [
        ("SFUs", sfu, MOST_SFUS),
        ("SFUs", sfus, MOST_SFUS),
        ("mids", mid, MOST_PODS),
        ("relays", relay, MOST_PODS),
        ("relays", most_relays, MOST_PODS),
        ("viewers Services", &shards.count(), MOST_SHARDS),
    ] {
        at_most(what, u64::from(*pods), u64::from(most))?;
    }
    if let Some(Failover { from, to, .. }) = failover {
        at_most("SFUs", u64::from(*from.max(to)), u64::from(MOST_SFUS))?;
    }
    let moments = [
        ready_at,
        live_since,
        draining_since,
        finished_at,
        postponed_at,
        suspended_since,
        resumed_at,
    ];
    let failed_over = failover.as_ref().map(|f| f.at);
    let moments = moments.into_iter().copied().flatten().chain(failed_over);
    for time in moments.chain([*start, *since]) {
        moment(time)?;
    }
    Ok(())
}

fn asked(spec: &Spec) -> Result<(), String> {
    let Spec {
        tier: _,
        max_tier: _,
        start,
        duration,
        panelists,
        ready_before,
        overrun,
    } = spec;
    at_most("panelists", u64::from(*panelists), 1_000)?;
    if let Some(start) = start {
        moment(*start)?;
    }
    let lengths = [Some(duration), ready_before.as_ref(), overrun.as_ref()];
    let possible = SignedDuration::ZERO..=LONGEST;
    match lengths.into_iter().flatten().find(|d| !possible.contains(d)) {
        Some(d) => Err(format!("a duration of {} s can't be", d.as_secs())),
        None => Ok(()),
    }
}

fn at_most(what: &str, is: u64, most: u64) -> Result<(), String> {
    if is > most {
        return Err(format!("{is} {what} can't be"));
    }
    Ok(())
}

fn moment(t: Timestamp) -> Result<(), String> {
    if TIMES.contains(&t.as_second()) {
        return Ok(());
    }
    Err(format!("the time {t} can't be"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_and_times_without_end_are_none() {
        for (text, is) in [
            ("relay-0", true),
            ("relay-49999", true),
            ("relay-50000", false),
            ("relay-4294967295", false),
            ("mid-4294967294", false),
            ("sfu-99", true),
            ("sfu-100", false),
            ("relay--1", false),
        ] {
            assert_eq!(slot(text).is_some(), is, "{text}");
        }
        for (text, is) in [
            ("2027-03-04T17:00:00Z", true),
            ("9999-12-30T22:00:00Z", false),
            ("-009999-01-02T01:59:59Z", false),
            ("now", false),
        ] {
            assert_eq!(time(text).is_some(), is, "{text}");
        }
    }
}
