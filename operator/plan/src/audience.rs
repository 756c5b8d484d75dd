//! Who is watching, as far as the pods' answers can be believed.

mod state;
mod trend;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::input::{Class, Input, Memory, Pod, Source};
use crate::signal::{Reading, Signal};
use crate::slot::Role;
use crate::tier::{Capacity, Tier};
use crate::time::after;

pub(crate) use state::State;

/// An answer of a pod that is asked directly is believed for so long.
const FRESH: SignedDuration = SignedDuration::from_secs(30);

/// How often pods are asked directly.
const ASKED_EVERY: SignedDuration = SignedDuration::from_secs(5);

/// No pod can have so many times the viewers that it is planned for.
const BEYOND_BELIEF: u32 = 4;

/// What is known of the audience, and what was before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attendance {
    pub(crate) verdict: Verdict,
    /// Viewers as they are believed: now, or when they were last known. Absent until they are known.
    pub(crate) viewers: Option<u32>,
    /// The latest answer that `viewers` comes from.
    pub(crate) observed: Option<Timestamp>,
    /// The pods that viewers are counted on, by UID.
    pub(crate) pods: BTreeMap<String, Told>,
    /// What the pods say themselves, where that is not believed.
    pub(crate) reported: u32,
    /// Viewers there will be when what is created now carries them, if their number goes on as it does.
    pub(crate) demand: u32,
    /// Since when so few have been watching that the event counts as left.
    pub(crate) gone_since: Option<Timestamp>,
    /// How long that must be so before the event counts as over.
    pub(crate) gone_after: SignedDuration,
    /// Most viewers at once that this process has seen.
    pub(crate) most: Option<u32>,
    /// When all of this could come out differently without another answer.
    pub(crate) next: Option<Timestamp>,
}

/// What one pod says of its viewers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    /// It has said it lately, and it can be.
    pub(crate) lately: Option<u32>,
    /// Its last answer is recent, and can't be.
    pub(crate) absurd: bool,
    /// Viewers that are believed to be on it.
    pub(crate) believed: u32,
}

/// How far `viewers` can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is what is true now.
    Known,
    /// Too many pods have not answered lately, or none ever has.
    Stale,
    /// What they answer can't be, or not yet.
    Implausible {
        /// Since when the pods have said that most viewers have gone.
        drop_since: Option<Timestamp>,
    },
}

impl Attendance {
    /// Viewers, if that is what is true now.
    pub(crate) fn known(&self) -> Option<u32> {
        self.viewers.filter(|_| self.verdict == Verdict::Known)
    }

    /// When everyone who has gone will have been gone for long enough.
    pub(crate) fn gone_at(&self) -> Option<Timestamp> {
        self.gone_since.map(|t| after(t, self.gone_after))
    }

    /// Nobody watches any more at `now`, and did not at the planned end or has not for a while.
    pub(crate) fn over(&self, end: Timestamp, now: Timestamp) -> bool {
        self.gone_since.is_some_and(|t| t <= end) || self.gone_at().is_some_and(|t| t <= now)
    }
}

/// Viewers below which an event of `tier` counts as left.
pub(crate) fn hardly_any(tier: Tier) -> u32 {
    match tier {
        Tier::Room => 1,
        _ => (tier.attendees() / 1000).max(5),
    }
}

/// How long an answer is believed, and how often there is one.
pub(crate) fn pace(source: Source) -> (SignedDuration, SignedDuration) {
    match source {
        Source::Pods => (FRESH, ASKED_EVERY),
        Source::Prometheus { interval } => (
            interval
                .saturating_mul(2)
                .saturating_add(SignedDuration::from_secs(10)),
            interval.max(ASKED_EVERY),
        ),
    }
}

/// The pods that viewers are counted on: those that may have any. What is lost, ended or on its way out has none.
pub(crate) fn counted<'a>(input: &'a Input, memory: &Memory) -> impl Iterator<Item = &'a Pod> {
    let role = leaves(memory);
    let run = memory.run;
    input.pods.iter().filter(move |p| {
        p.run == run && p.slot.role == role && p.alive() && !p.lost && (p.ready || p.was_ready)
    })
}

/// What viewers connect to.
pub(crate) fn leaves(memory: &Memory) -> Role {
    if memory.shape.room { Role::Sfu } else { Role::Relay }
}

/// Most viewers that one pod can have.
pub(crate) fn beyond_belief(memory: &Memory, capacity: &Capacity) -> u32 {
    let planned = if memory.shape.room {
        Tier::Room.attendees()
    } else {
        capacity.per_relay.unwrap_or(0)
    };
    planned.saturating_mul(BEYOND_BELIEF)
}

/// What is known of the audience now, and what to remember for the next look.
pub(crate) fn look(
    input: &Input,
    class: &Class,
    memory: &Memory,
    capacity: &Capacity,
) -> (Attendance, State) {
    let mut state = input.recent.watch.audience.clone();
    let now = input.now;
    let (bound, every) = pace(class.attendance.unwrap_or(Source::Pods));
    let most = beyond_belief(memory, capacity);
    let settle = class.ramp.settle.total();
    let mut answers = BTreeMap::new();
    for pod in counted(input, memory) {
        let signal = input.signals.get(&pod.uid);
        let signal = signal.filter(|_| class.attendance.is_some());
        answers.insert(pod.uid.as_str(), Answer::of(signal, bound, most, now));
    }
    let verdict = state.hear(&answers, bound, now);
    let believed = state.believed();
    let viewers = state.ever_known().then_some(believed);
    let few = believed < hardly_any(memory.accepted.spec.tier);
    state.note_gone(verdict == Verdict::Known && few, now);
    let pods = answers.iter().map(|(uid, answer)| {
        let told = Told {
            lately: answer.value,
            absurd: answer.absurd,
            believed: state.of(uid),
        };
        ((*uid).to_owned(), told)
    });
    let attendance = Attendance {
        verdict,
        viewers,
        observed: state.observed(),
        pods: pods.collect(),
        reported: state.reported(&answers),
        demand: state.demand(settle, now),
        gone_since: state.gone_since,
        gone_after: class.live.gone_after,
        most: state.most(),
        next: state.next(&answers, bound, every, now),
    };
    (attendance, state)
}

/// One pod's answer, weighed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Answer {
    /// When it was given.
    at: Option<Timestamp>,
    /// Viewers, if it is recent and can be.
    value: Option<u32>,
    /// It is recent and can't be.
    absurd: bool,
}

impl Answer {
    fn of(signal: Option<&Signal>, bound: SignedDuration, most: u32, now: Timestamp) -> Self {
        let Some(signal) = signal else {
            return Self::default();
        };
        let recent = after(signal.answered, bound) > now;
        let value = match signal.viewers {
            Reading::Value(n) => u32::try_from(n).ok().filter(|n| *n <= most),
            Reading::Missing | Reading::Absurd => None,
        };
        Self {
            at: Some(signal.answered),
            value: value.filter(|_| recent),
            absurd: recent && value.is_none() && signal.viewers != Reading::Missing,
        }
    }
}
