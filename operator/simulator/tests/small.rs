//! Small scope, exhaustively: see `webinar_simulator::small`.

use std::collections::BTreeMap;
use std::time::Instant;

use stateright::{Checker as _, HasDiscoveries, Model as _};
use webinar_simulator::Mutation;
use webinar_simulator::small::{Left, Model, story};

/// One process dies, and the first list of the one that comes after it may show the past.
const SCOPE: Left = Left {
    crashes: 1,
    stale: 1,
    stale_anytime: false,
    troubles: 0,
    recreations: 0,
};

/// What must be reached, or the walk proves little.
const REACHED: [&str; 3] = [
    "a create finds the pod there already",
    "all is quiet",
    "two replicas create a pod in the same slot at once",
];

/// Walks all states, or until something is broken. What was found, by property, and how.
fn walk(scope: Left, mutation: Option<Mutation>) -> BTreeMap<&'static str, String> {
    let begun = Instant::now();
    let checker = Model::new(scope, mutation)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    println!(
        "{scope:?}, without {mutation:?}: {} states, {} of them different, {} deep, {} replays, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        checker.model().replays(),
        begun.elapsed().as_secs_f64()
    );
    let found = checker.discoveries().into_iter();
    found
        .map(|(name, path)| (name, story(&path.into_actions())))
        .collect()
}

/// Nothing is broken in any state, and what the walk is for was reached.
fn holds(scope: Left) {
    let found = walk(scope, None);
    for (name, story) in found.iter().filter(|(name, _)| !REACHED.contains(name)) {
        panic!("broken: {name}\n{story}");
    }
    for name in REACHED {
        assert!(found.contains_key(name), "never reached: {name}");
    }
}

#[test]
fn two_replicas_a_crash_and_a_stale_list_break_nothing() {
    holds(SCOPE);
}

#[test]
fn two_pods_in_one_slot_are_found() {
    let found = walk(SCOPE, Some(Mutation::RandomNames));
    let story = found.get("one living pod in each slot");
    println!(
        "{}",
        story.expect("pods with names of their own fill a slot twice")
    );
}

/// Hours of a machine's time are left to the nightly run.
#[test]
fn a_stale_list_at_any_time_breaks_nothing() {
    if std::env::var_os("WEBINAR_TEST_NIGHTLY").is_none() {
        println!("skipped: WEBINAR_TEST_NIGHTLY is not set");
        return;
    }
    holds(Left {
        stale_anytime: true,
        ..SCOPE
    });
}

#[test]
#[ignore = "a probe"]
fn probe() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(0);
    let mutation = std::env::var("MUTATION").ok().map(|m| match m.as_str() {
        "RandomNames" => Mutation::RandomNames,
        _ => Mutation::BlindDelete,
    });
    let scope = Left {
        crashes: number("CRASHES"),
        stale: number("STALE"),
        stale_anytime: true,
        troubles: number("TROUBLES"),
        recreations: number("RECREATIONS"),
    };
    for (name, story) in walk(scope, mutation) {
        println!("{name}:\n{story}");
    }
}
