//! The rules that hold now, and how far they are.

use tokio_util::sync::CancellationToken;

use super::fault::Fault;
use super::request::Request;
use super::rule::{Rule, When};

/// Rules with their counts.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<Running>,
    /// Fires when these rules no longer hold.
    pub(super) lifted: CancellationToken,
}

#[derive(Debug)]
struct Running {
    rule: Rule,
    matched: u64,
    fired: u64,
    dice: fastrand::Rng,
}

impl Script {
    pub(super) fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        let rules = rules.into_iter().map(|rule| {
            let seed = match rule.when {
                When::Chance { seed, .. } => seed,
                When::Always | When::Nth(_) | When::Every(_) | When::From(_) => 0,
            };
            Running {
                rule,
                matched: 0,
                fired: 0,
                dice: fastrand::Rng::with_seed(seed),
            }
        });
        Self {
            rules: rules.collect(),
            lifted: CancellationToken::new(),
        }
    }

    /// What happens to a request: the fault of the first rule whose turn it is, with the rule's place in the script.
    pub(super) fn fault_for(&mut self, request: &Request) -> Option<(usize, Fault)> {
        self.choose(request, |_| true)
    }

    /// What happens to a watch that was open before these rules.
    pub(super) fn fault_for_open(&mut self, request: &Request) -> Option<(usize, Fault)> {
        self.choose(request, |fault| fault.mode().is_some())
    }

    fn choose(&mut self, request: &Request, may: impl Fn(&Fault) -> bool) -> Option<(usize, Fault)> {
        let mut chosen = None;
        for (place, running) in self.rules.iter_mut().enumerate() {
            let rule = &running.rule;
            if may(&rule.fault) && rule.fault.concerns(request) && rule.pattern.matches(request) {
                let turn = running.is_its_turn();
                if turn && chosen.is_none() {
                    running.fired += 1;
                    chosen = Some((place, running.rule.fault.clone()));
                }
            }
        }
        chosen
    }
}

impl Running {
    /// Counts a request.
    fn is_its_turn(&mut self) -> bool {
        self.matched += 1;
        let turn = match self.rule.when {
            When::Always => true,
            When::Nth(n) => self.matched == n,
            When::Every(k) => k > 0 && self.matched.is_multiple_of(k),
            When::From(n) => self.matched >= n,
            // Drawn for every request, so that it depends on the request's number alone.
            When::Chance { probability, .. } => self.dice.f64() < probability,
        };
        turn && self.rule.limit.is_none_or(|limit| self.fired < limit)
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::super::pattern::Pattern;
    use super::*;

    fn request(method: &Method, path: &str) -> Request {
        Request::of(method, &path.parse().expect("a URI"), b"")
    }

    fn create() -> Request {
        request(&Method::POST, "/api/v1/namespaces/events/pods")
    }

    /// The numbers of the requests, out of 12, that the rule acts on.
    fn turns(rule: Rule) -> Vec<u64> {
        let mut script = Script::new([rule]);
        (1..=12)
            .filter(|_| script.fault_for(&create()).is_some())
            .collect()
    }

    fn drop() -> Rule {
        Rule::new(Pattern::any(), Fault::Drop)
    }

    #[test]
    fn rules_act_in_their_turn() {
        assert_eq!(turns(drop()).len(), 12);
        assert_eq!(turns(drop().nth(3)), [3]);
        assert_eq!(turns(drop().every(5)), [5, 10]);
        assert_eq!(turns(drop().from(11)), [11, 12]);
        assert_eq!(turns(drop().from(4).times(2)), [4, 5]);
        assert_eq!(turns(drop().nth(0)), [0; 0]);
        assert_eq!(turns(drop().every(0)), [0; 0]);
    }

    #[test]
    fn a_seed_always_picks_the_same() {
        let first = turns(drop().chance(0.5, 7));
        assert_eq!(first, turns(drop().chance(0.5, 7)));
        assert!((1..12).contains(&first.len()), "{first:?}");
        let others: Vec<_> = (8..16).map(|seed| turns(drop().chance(0.5, seed))).collect();
        assert!(others.iter().any(|other| *other != first));
        assert_eq!(turns(drop().chance(0.0, 7)), [0; 0]);
        assert_eq!(turns(drop().chance(1.0, 7)).len(), 12);
        assert!(drop().chance(0.5, 7).to_string().contains("SEED=7"));
    }

    #[test]
    fn the_first_rule_in_turn_acts_and_all_count() {
        let mut script = Script::new([
            drop().nth(1),
            Rule::new(Pattern::resource("pods"), Fault::Hang).nth(2),
            Rule::new(Pattern::resource("services"), Fault::ApplyThenReset),
        ]);
        let mut fault = |request: &Request| script.fault_for(request).map(|(place, _)| place);
        assert_eq!(fault(&create()), Some(0));
        assert_eq!(fault(&create()), Some(1));
        assert_eq!(fault(&create()), None);
        let service = request(&Method::POST, "/api/v1/namespaces/events/services");
        assert_eq!(fault(&service), Some(2));
    }

    #[test]
    fn faults_of_watches_happen_to_watches() {
        let mut script = Script::new([
            drop().nth(3),
            Rule::new(Pattern::any(), Fault::FreezeWatch).times(1),
            Rule::new(Pattern::any(), Fault::Gone),
        ]);
        let list = request(&Method::GET, "/api/v1/pods");
        let watch = request(&Method::GET, "/api/v1/pods?watch=1");
        assert!(script.fault_for(&create()).is_none());
        assert!(matches!(script.fault_for(&list), Some((2, Fault::Gone))));
        // Not a request: the first rule does not count it.
        assert!(matches!(
            script.fault_for_open(&watch),
            Some((1, Fault::FreezeWatch))
        ));
        assert!(matches!(script.fault_for(&watch), Some((0, Fault::Drop))));
        assert!(matches!(script.fault_for(&watch), Some((2, Fault::Gone))));
    }
}
