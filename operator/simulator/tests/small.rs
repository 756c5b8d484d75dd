//! Small scope, exhaustively: see `webinar_simulator::small`.

use std::time::Instant;

use stateright::{Checker as _, HasDiscoveries, Model as _};
use webinar_simulator::Mutation;
use webinar_simulator::small::{Left, Model, story};

/// Walks all states, or until something is broken.
fn walk(scope: Left, mutation: Option<Mutation>) -> Vec<(&'static str, String)> {
    let begun = Instant::now();
    let checker = Model::new(scope, mutation)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures)
        .timeout(std::time::Duration::from_secs(std::env::var("LIMIT").ok().and_then(|v| v.parse().ok()).unwrap_or(90)))
        .spawn_bfs()
        .join_and_report(&mut stateright::report::WriteReporter::new(&mut std::io::stdout()));
    println!(
        "{scope:?} {mutation:?}: {} states, {} unique, {} deep, {} replays, {:.1} s",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth(),
        checker.model().replays(),
        begun.elapsed().as_secs_f64()
    );
    let mut found = Vec::new();
    for (name, path) in checker.discoveries() {
        let story = story(&path.into_actions());
        println!("{name}:\n{story}");
        found.push((name, story));
    }
    found
}

#[test]
fn probe() {
    let number = |name: &str| std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(0);
    let scope = Left {
        crashes: number("CRASHES"),
        stale: number("STALE"),
        troubles: number("TROUBLES"),
        recreations: number("RECREATIONS"),
    };
    walk(scope, None);
}
