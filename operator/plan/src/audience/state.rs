//! What was believed of each pod, and when a sudden fall is.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::trend::Trend;
use super::{Answer, Verdict};
use crate::time::after;

/// How long pods must agree before it is believed that most viewers have gone at once.
const AGREED_FOR: SignedDuration = SignedDuration::from_secs(60);

/// Fewer people than this may well leave at once.
const CROWD: u32 = 20;

type Answers<'a> = BTreeMap<&'a str, Answer>;

/// What was measured of the audience lately. It begins empty with each process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pods: BTreeMap<String, Believed>,
    /// The audience was known once, with the most there were.
    known: Option<u32>,
    /// The latest answer there was while it was known.
    observed: Option<Timestamp>,
    /// The pods say that most viewers have gone at once.
    doubt: Option<Doubt>,
    trend: Trend,
    /// Since when hardly anybody has been watching.
    pub(super) gone_since: Option<Timestamp>,
    /// When this process first looked.
    pub(crate) began: Option<Timestamp>,
    /// Relays that the audience needed when it was last known, while the fleet follows it.
    pub(crate) needed: Option<u32>,
    /// Since when there have been more relays than are needed.
    pub(crate) above_since: Option<Timestamp>,
    /// When relays were last taken out of their entry points because the audience needs less.
    pub(crate) shrunk_at: Option<Timestamp>,
}

/// A sudden fall that is not believed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Doubt {
    since: Timestamp,
    /// Since when enough pods have said so without a break.
    agreed_since: Option<Timestamp>,
}

/// What is believed of one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Believed {
    viewers: u32,
    /// Viewers in the answer before.
    earlier: u32,
    /// The last answer that could be.
    answered: Option<Timestamp>,
    /// When it was first counted.
    since: Timestamp,
}

impl State {
    /// Takes the pods' `answers` in, as far as they can be believed.
    pub(super) fn hear(&mut self, answers: &Answers<'_>, bound: SignedDuration, now: Timestamp) -> Verdict {
        self.follow(answers, now);
        self.take(answers, now);
        let heard = |told: fn(&Answer) -> bool| self.covered(answers, told, bound, now);
        let told = heard(|a| a.value.is_some());
        let verdict = match (told, self.doubt.map(|d| d.since)) {
            (true, None) => Verdict::Known,
            (true, drop_since) => Verdict::Implausible { drop_since },
            (false, drop_since) if heard(|a| a.value.is_some() || a.absurd) => {
                Verdict::Implausible { drop_since }
            }
            (false, _) => Verdict::Stale,
        };
        if verdict == Verdict::Known {
            let viewers = self.believed();
            self.known = Some(self.known.map_or(viewers, |most| most.max(viewers)));
            self.observed = answers.values().filter_map(|a| a.value.and(a.at)).max();
            let level = self.trend.awaited(now).unwrap_or(0);
            if let Some(at) = self.observed {
                self.trend.note(at, viewers.max(level));
            }
        } else {
            self.trend.forget();
        }
        verdict
    }

    /// Pods that are gone leave both sides at once; new ones hold nobody yet.
    fn follow(&mut self, answers: &Answers<'_>, now: Timestamp) {
        if self.pods.is_empty() && answers.values().all(|a| a.at.is_none()) {
            return;
        }
        let before = self.believed();
        self.pods.retain(|uid, _| answers.contains_key(uid.as_str()));
        if self.believed() < before {
            self.trend.lost(before, now);
        }
        for uid in answers
            .keys()
            .filter(|uid| !self.pods.contains_key(**uid))
            .copied()
            .collect::<Vec<_>>()
        {
            let new = Believed {
                viewers: 0,
                earlier: 0,
                answered: None,
                since: now,
            };
            self.pods.insert(uid.to_owned(), new);
        }
    }

    /// Believes the answers, unless most viewers are gone at once.
    fn take(&mut self, answers: &Answers<'_>, now: Timestamp) {
        if let Some(doubt) = self.doubt {
            return self.doubt(answers, doubt, now);
        }
        let mut next = self.pods.clone();
        let mut found = 0_u32;
        for (uid, answer) in answers {
            let (Some(pod), Some(viewers)) = (next.get_mut(*uid), answer.value) else {
                continue;
            };
            if pod.answered == answer.at {
                continue;
            }
            let first = pod.answered.is_none();
            pod.earlier = if first { viewers } else { pod.viewers };
            found = found.saturating_add(if first { viewers } else { 0 });
            (pod.viewers, pod.answered) = (viewers, answer.at);
        }
        let after = total(next.values().map(|p| p.viewers));
        let before = total(next.values().map(|p| p.earlier));
        if self.known.is_some() && before >= CROWD && halved(before, after) {
            // Some pods may have said so before the others did.
            for pod in next.values_mut() {
                pod.viewers = pod.earlier;
            }
            self.doubt = Some(Doubt {
                since: now,
                agreed_since: Some(now),
            });
        }
        self.trend.found(found);
        self.pods = next;
    }

    /// Holds what was believed until the pods have agreed for long enough, or say something else.
    fn doubt(&mut self, answers: &Answers<'_>, mut doubt: Doubt, now: Timestamp) {
        let agree = halved(self.believed(), self.reported(answers));
        let most = |told: &dyn Fn(&Answer) -> bool| {
            answers.values().filter(|a| a.value.is_some() && told(a)).count() * 10 >= answers.len() * 9
        };
        let agreed = doubt.agreed_since.map(|t| after(t, AGREED_FOR));
        let confirmed = |a: &Answer| agreed.is_some_and(|t| a.at.is_some_and(|at| at >= t));
        if agree && !most(&confirmed) {
            doubt.agreed_since = most(&|_| true).then(|| doubt.agreed_since.unwrap_or(now));
            self.doubt = Some(doubt);
            return;
        }
        self.doubt = None;
        for (uid, answer) in answers {
            if let (Some(pod), Some(viewers)) = (self.pods.get_mut(*uid), answer.value) {
                (pod.viewers, pod.earlier, pod.answered) = (viewers, viewers, answer.at);
            }
        }
    }

    /// The pods that `told` holds of had 90 % of the last known viewers, and are half of all at least. Before anybody was
    /// known, they are 90 % of all.
    fn covered(
        &self,
        answers: &Answers<'_>,
        told: impl Fn(&Answer) -> bool,
        bound: SignedDuration,
        now: Timestamp,
    ) -> bool {
        let weighed = |uid: &str| self.pods.get(uid).map_or(0, |p| p.viewers);
        // One that has just come up was not asked yet.
        let asked = |uid: &str| {
            self.known.is_none()
                || self
                    .pods
                    .get(uid)
                    .is_some_and(|p| p.answered.is_some() || after(p.since, bound) <= now)
        };
        let heard = answers.iter().filter(|(_, a)| told(a));
        let viewers = total(heard.clone().map(|(uid, _)| weighed(uid)));
        let pods = heard.count() as u64;
        let all = answers.iter().filter(|(uid, a)| told(a) || asked(uid)).count() as u64;
        let enough = if self.known.is_some() {
            pods * 2 >= all && u64::from(viewers) * 10 >= u64::from(self.believed()) * 9
        } else {
            pods * 10 >= all * 9
        };
        pods > 0 && enough
    }

    /// Viewers as they are believed.
    pub(super) fn believed(&self) -> u32 {
        total(self.pods.values().map(|p| p.viewers))
    }

    /// Viewers that are believed to be on one pod.
    pub(super) fn of(&self, uid: &str) -> u32 {
        self.pods.get(uid).map_or(0, |p| p.viewers)
    }

    /// Viewers as the pods tell them; one that doesn't is carried at what was believed of it.
    pub(super) fn reported(&self, answers: &Answers<'_>) -> u32 {
        total(
            answers
                .iter()
                .map(|(uid, a)| a.value.unwrap_or_else(|| self.of(uid))),
        )
    }

    /// The audience was known at least once.
    pub(super) fn ever_known(&self) -> bool {
        self.known.is_some()
    }

    /// Most viewers at once.
    pub(super) fn most(&self) -> Option<u32> {
        self.known
    }

    /// The latest answer while it was known.
    pub(super) fn observed(&self) -> Option<Timestamp> {
        self.observed
    }

    /// Viewers there will be after `ahead`, as far as anyone can tell.
    pub(super) fn demand(&self, ahead: SignedDuration, now: Timestamp) -> u32 {
        let level = self.trend.awaited(now).unwrap_or(0).max(self.believed());
        level.saturating_add(self.trend.rise(ahead))
    }

    /// Takes note of whether hardly anybody is watching.
    pub(super) fn note_gone(&mut self, few: bool, now: Timestamp) {
        self.gone_since = few.then(|| self.gone_since.unwrap_or(now));
    }

    /// When this could come out differently: with the next answers, or for want of them.
    pub(super) fn next(
        &self,
        answers: &Answers<'_>,
        bound: SignedDuration,
        every: SignedDuration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let answered = || answers.values().filter_map(|a| a.at);
        let due = answered().max().map(|t| after(t, every));
        let stale = answered().map(|t| after(t, bound));
        let unasked = self.pods.values().filter(|p| p.answered.is_none());
        let unasked = unasked.map(|p| after(p.since, bound));
        let asked = due.is_some();
        stale
            .chain(due)
            .chain(unasked.filter(|_| asked))
            .chain(self.trend.awaited_until(now))
            .filter(|t| *t > now)
            .min()
    }
}

fn total(viewers: impl Iterator<Item = u32>) -> u32 {
    viewers.fold(0, u32::saturating_add)
}

/// At least half of the viewers are missing.
fn halved(before: u32, after: u32) -> bool {
    u64::from(after) * 2 <= u64::from(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: SignedDuration = SignedDuration::from_secs(30);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    /// Four pods; each says so many, when it said so.
    fn heard(state: &mut State, now: i64, said: [(u32, i64); 4]) -> Verdict {
        let names = ["a", "b", "c", "d"];
        let answers = names.into_iter().zip(said).map(|(name, (viewers, when))| {
            let answer = Answer {
                at: Some(at(when)),
                value: (now - when < 30).then_some(viewers),
                absurd: false,
            };
            (name, answer)
        });
        state.hear(&answers.collect(), BOUND, at(now))
    }

    #[test]
    fn a_fall_that_is_told_by_one_pod_after_the_other_is_held_whole() {
        let mut state = State::default();
        assert_eq!(heard(&mut state, 0, [(100, 0); 4]), Verdict::Known);
        assert_eq!(
            heard(&mut state, 6, [(0, 6), (100, 0), (100, 0), (100, 0)]),
            Verdict::Known
        );
        assert_eq!(state.believed(), 300);
        let half = heard(&mut state, 7, [(0, 6), (0, 7), (100, 0), (100, 0)]);
        assert!(matches!(half, Verdict::Implausible { drop_since: Some(t) } if t == at(7)));
        assert_eq!(state.believed(), 400);
    }

    #[test]
    fn a_fall_is_true_after_a_minute_in_which_nine_in_ten_agree() {
        let mut state = State::default();
        heard(&mut state, 0, [(100, 0); 4]);
        heard(&mut state, 5, [(0, 5); 4]);
        // One is silent for a while: the minute begins anew.
        heard(&mut state, 36, [(0, 36), (0, 36), (0, 36), (0, 5)]);
        heard(&mut state, 40, [(0, 40); 4]);
        heard(&mut state, 99, [(0, 99); 4]);
        assert_eq!(state.believed(), 400);
        assert_eq!(heard(&mut state, 100, [(0, 100); 4]), Verdict::Known);
        assert_eq!(state.believed(), 0);
    }

    #[test]
    fn few_people_may_leave_at_once() {
        let mut state = State::default();
        heard(&mut state, 0, [(4, 0); 4]);
        assert_eq!(heard(&mut state, 5, [(0, 5); 4]), Verdict::Known);
        assert_eq!(state.believed(), 0);
    }

    #[test]
    fn what_comes_back_after_a_loss_is_no_growth() {
        let ahead = SignedDuration::from_secs(405);
        let mut state = State::default();
        for second in (0..=60).step_by(5) {
            heard(&mut state, second, [(100, second); 4]);
        }
        let three = |state: &mut State, now: i64, viewers: u32| {
            let answer = Answer {
                at: Some(at(now)),
                value: Some(viewers),
                absurd: false,
            };
            let answers = ["a", "b", "c"].map(|name| (name, answer));
            state.hear(&answers.into_iter().collect(), BOUND, at(now))
        };
        three(&mut state, 65, 100);
        assert_eq!((state.believed(), state.demand(ahead, at(65))), (300, 400));
        for second in (70..=130).step_by(5) {
            let back = u32::try_from(second - 65).unwrap() / 2;
            three(&mut state, second, 100 + back.min(33));
            assert_eq!(state.demand(ahead, at(second)), 400, "at {second}");
        }
    }
}
