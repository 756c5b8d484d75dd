//! When a Webinar has series of its own. Pure.
//!
//! Thousands of Webinars may wait for a start that is weeks ahead, or be kept in Git long after their end: nobody looks at
//! them, and each has dozens of series.

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{Input, Phase, Plan};

/// So long before the start, and after the end, there is something to see.
const MARGIN: SignedDuration = SignedDuration::from_hours(24);

/// From when until when it is shown; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    from: Timestamp,
    until: Timestamp,
}

/// What the window follows from.
#[derive(Debug, Clone, Copy)]
struct Life {
    phase: Option<Phase>,
    /// A run has begun and has not finished.
    under_way: bool,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
    finished: Option<Timestamp>,
}

impl Window {
    const ALWAYS: Self = Self {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
    };

    /// The Webinar's window, as far as can be said now. `None`: it is not shown.
    pub(crate) fn of(input: &Input, plan: &Plan) -> Option<Self> {
        if input.webinar.deleting {
            return None;
        }
        let schedule = plan.status.schedule.as_ref();
        let start = schedule.map(|s| s.start).or(input.spec.start);
        let end = schedule
            .map(|s| s.end)
            .or_else(|| input.spec.start.map(|t| after(t, input.spec.duration)));
        let memory = plan.memory.as_ref();
        Self::new(Life {
            phase: plan.status.phase,
            under_way: memory.is_some_and(webinar_plan::Memory::active),
            start,
            end,
            finished: memory.and_then(|m| m.finished_at),
        })
    }

    /// A run that is under way is always shown. One that is over is shown for a day more, so that how it went is seen, and
    /// one that is to come from a day before its start.
    fn new(life: Life) -> Option<Self> {
        let Life {
            phase,
            under_way,
            start,
            end,
            finished,
        } = life;
        let from = start.map_or(Timestamp::MIN, |t| after(t, -MARGIN));
        let until = |end: Option<Timestamp>| end.map_or(Timestamp::MAX, |t| after(t, MARGIN));
        match phase {
            // Refused or not: whoever runs it wants to see.
            _ if under_way => Some(Self::ALWAYS),
            Some(Phase::Ramping | Phase::Armed | Phase::Live | Phase::Overrun | Phase::Draining) => {
                Some(Self::ALWAYS)
            }
            Some(Phase::Scheduled) => Some(Self { from, ..Self::ALWAYS }),
            Some(Phase::Finished) => Some(Self {
                until: until(finished.or(end)),
                ..Self::ALWAYS
            }),
            Some(Phase::Expired) => None,
            // Refused: a person is needed, as long as there is something to save.
            None => Some(Self {
                from,
                until: until(end),
            }),
        }
    }

    /// It is shown at `now`.
    pub(crate) fn holds(self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// When that changes next.
    pub(crate) fn changes(self, now: Timestamp) -> Option<Timestamp> {
        let bounds = [self.from, self.until].into_iter();
        bounds.filter(|t| *t > now && *t < Timestamp::MAX).min()
    }
}

fn after(t: Timestamp, d: SignedDuration) -> Timestamp {
    t.saturating_add(d).unwrap_or(t)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: SignedDuration = SignedDuration::from_hours(1);

    fn now() -> Timestamp {
        "2027-03-04T17:00:00Z".parse().unwrap()
    }

    /// An event of an hour that starts so many hours from now.
    fn life(phase: Option<Phase>, hours: i64) -> Life {
        let start = after(now(), HOUR * i32::try_from(hours).unwrap());
        Life {
            phase,
            under_way: false,
            start: Some(start),
            end: Some(after(start, HOUR)),
            finished: None,
        }
    }

    fn shown(life: Life) -> bool {
        Window::new(life).is_some_and(|w| w.holds(now()))
    }

    #[test]
    fn what_is_to_come_is_shown_a_day_ahead() {
        let scheduled = |hours| life(Some(Phase::Scheduled), hours);
        assert!(!shown(scheduled(25)));
        assert!(shown(scheduled(24)));
        assert!(shown(scheduled(1)));
        let change = Window::new(scheduled(25)).and_then(|w| w.changes(now()));
        assert_eq!(change, Some(after(now(), HOUR)));
        let due = Window::new(scheduled(1)).and_then(|w| w.changes(now()));
        assert_eq!(due, None, "it has come and stays");
    }

    #[test]
    fn a_run_is_shown_however_far_its_start_is() {
        for phase in [
            Phase::Ramping,
            Phase::Armed,
            Phase::Live,
            Phase::Overrun,
            Phase::Draining,
        ] {
            assert!(shown(life(Some(phase), 300)) && shown(life(Some(phase), -300)));
        }
        let refused = Life {
            under_way: true,
            ..life(None, -300)
        };
        assert!(shown(refused));
    }

    #[test]
    fn what_is_over_is_shown_a_day_longer() {
        let finished = |hours: i32| Life {
            finished: Some(after(now(), HOUR * -hours)),
            ..life(Some(Phase::Finished), -300)
        };
        assert!(shown(finished(23)));
        assert!(!shown(finished(24)));
        let change = Window::new(finished(23)).and_then(|w| w.changes(now()));
        assert_eq!(change, Some(after(now(), HOUR)));
        assert!(!shown(life(Some(Phase::Expired), -1)));
    }

    #[test]
    fn a_refusal_is_shown_around_its_start() {
        for (hours, is) in [(25, false), (24, true), (-24, true), (-25, false)] {
            assert_eq!(shown(life(None, hours)), is, "{hours}");
        }
        let now_or_never = Life {
            start: None,
            end: None,
            ..life(None, 0)
        };
        assert!(shown(now_or_never));
    }
}
