//! What worlds are good for: the same seed is the same history, what is missing is missed, and what was once broken stays
//! whole.

use std::path::Path;
use std::sync::Arc;

use webinar_simulator::{Manner, Mutation, Outcome, Scenario, flood, generate, live, shrink};

fn lived(scenario: Scenario, mutation: Option<Mutation>) -> Outcome {
    let manner = Manner {
        told: false,
        mutation,
    };
    live(&Arc::new(scenario), manner).expect("a runtime")
}

#[test]
fn the_same_seed_is_the_same_history() {
    let mut digests = Vec::new();
    for seed in [3, 5] {
        let [once, again] = [lived(generate(seed), None), lived(generate(seed), None)];
        assert_eq!(once.violation, None);
        assert_eq!(once.digest, again.digest, "seed {seed}");
        assert_eq!((once.ticks, once.calls), (again.ticks, again.calls));
        assert_eq!(once.cover, again.cover);
        digests.push(once.digest);
    }
    assert_ne!(digests[0], digests[1]);
}

#[test]
fn a_scenario_that_is_written_and_read_is_the_same() {
    for seed in 0..50 {
        let scenario = generate(seed);
        let text = serde_saphyr::to_string(&scenario).expect("YAML");
        let read: Scenario = serde_saphyr::from_str(&text).expect("a scenario");
        assert_eq!(read, scenario, "{text}");
    }
}

/// The bound on waits is met although forty others of one tenant have to be looked at, and missed without turns.
#[test]
fn a_crowd_of_one_tenant_delays_no_neighbour() {
    let outcome = lived(flood(40), None);
    assert_eq!(outcome.violation, None);
    assert_eq!(
        outcome.cover.count("phase", "Armed").min(1),
        1,
        "nobody was served"
    );
    let violation = lived(flood(40), Some(Mutation::FirstCome)).violation;
    let violation = violation.expect("nobody missed the turns");
    println!("{:?}: {violation}", Mutation::FirstCome);
    assert!(
        Mutation::FirstCome.breaks().contains(&violation.invariant),
        "{violation}"
    );
}

#[test]
fn a_scenario_that_breaks_something_shrinks_to_one_that_still_does() {
    let manner = Manner {
        told: false,
        mutation: Some(Mutation::ImpatientDrain),
    };
    let seed = (1..).find(|seed| lived(generate(*seed), manner.mutation).violation.is_some());
    let long = generate(seed.expect("a seed"));
    let short = shrink(&long, manner).expect("a runtime");
    assert!(short.happenings.len() < long.happenings.len());
    assert!(lived(short.clone(), manner.mutation).violation.is_some());
    assert_eq!(
        lived(short, None).violation,
        None,
        "it is the missing protection that broke it"
    );
}

/// A ResourceQuota allows nothing until its use was counted for the first time, which takes moments: no reason to wait for
/// minutes as after a refusal that somebody has to mend.
#[test]
fn a_quota_that_is_not_counted_yet_costs_no_start() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions/quota-not-counted.yaml");
    let text = std::fs::read_to_string(file).expect("a file");
    let outcome = lived(serde_saphyr::from_str(&text).expect("a scenario"), None);
    assert_eq!(outcome.violation, None);
    assert!(
        outcome.cover.count("answer", "POST pods 403") > 0,
        "nothing was refused"
    );
    assert_eq!(outcome.cover.count("start", "on time"), 1);
}

/// Each file of `regressions/` once broke something.
#[test]
fn what_was_broken_once_stays_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a file");
        let scenario: Scenario =
            serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let outcome = lived(scenario, None);
        assert!(
            outcome.violation.is_none(),
            "{}: {:?}",
            file.display(),
            outcome.violation
        );
    }
}
