//! How it stands with the answers for one Webinar, told when it has changed and not more often than every half minute.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;

/// A state is told after this long at the earliest: single answers get lost all the time.
const QUIET: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Standing {
    failing: BTreeSet<String>,
    failure: Option<Failure>,
    heard: bool,
    told: &'static str,
    since: Option<Instant>,
}

impl Standing {
    /// Whether `who` has answered.
    pub(super) fn take(&mut self, who: &str, failure: Option<Failure>) {
        self.heard = true;
        match failure {
            None => _ = self.failing.remove(who),
            Some(failure) => {
                self.failure = Some(failure);
                if !self.failing.contains(who) {
                    self.failing.insert(who.to_owned());
                }
            }
        }
    }

    /// Forgets who is gone.
    pub(super) fn keep(&mut self, here: impl Fn(&str) -> bool) {
        self.failing.retain(|who| who.is_empty() || here(who));
    }

    /// How it stands, of `asked` that are asked, when there is something new to tell.
    pub(super) fn news(&mut self, asked: usize, now: Instant) -> Option<(&'static str, Option<Failure>)> {
        if !self.heard || self.since.is_some_and(|since| now < since + QUIET) {
            return None;
        }
        let stands = match self.failing.len() {
            0 => "all who are asked for figures answer",
            n if n >= asked => "nobody who is asked for figures answers",
            _ => "some who are asked for figures don't answer",
        };
        if stands == self.told {
            return None;
        }
        self.told = stands;
        self.since = Some(now);
        Some((stands, self.failure.filter(|_| !self.failing.is_empty())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn changes_are_told_once_and_not_each_that_comes_and_goes() {
        let mut standing = Standing::default();
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(standing.news(2, at(0)), None, "nothing is known");
        standing.take("a", None);
        standing.take("b", Some(Failure::Timeout));
        let (told, why) = standing.news(2, at(1)).expect("news");
        assert_eq!(
            (told, why),
            (
                "some who are asked for figures don't answer",
                Some(Failure::Timeout)
            )
        );
        standing.take("b", None);
        assert_eq!(standing.news(2, at(30)), None, "too soon");
        standing.take("b", Some(Failure::Connect));
        assert_eq!(standing.news(2, at(31)), None, "nothing new");
        standing.take("a", Some(Failure::Connect));
        let (told, why) = standing.news(2, at(32)).expect("news");
        assert_eq!(
            (told, why),
            ("nobody who is asked for figures answers", Some(Failure::Connect))
        );
        standing.keep(|_| false);
        standing.take("a", None);
        assert_eq!(
            standing.news(1, at(70)),
            Some(("all who are asked for figures answer", None))
        );
    }
}
