//! The integration tests of all packages.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::repository::root;

/// Those that run programs of [`Part::Tools`](super::part::Part::Tools), most of them a control plane.
pub(super) const CLUSTER: [&str; 8] = [
    "prometheus",
    "monitoring",
    "release",
    "chart",
    "control_plane",
    "honest",
    "dataplane",
    "cluster",
];

/// The one that a feature is asked for: without it there is no such test.
pub(super) const TRACES: &str = "otlp";

/// The names of all others.
///
/// # Errors
/// When a directory cannot be listed.
pub(super) fn without_cluster() -> Result<BTreeSet<String>> {
    let mut tests = BTreeSet::new();
    for package in list(&root().join("operator"))? {
        let directory = root().join("operator").join(package).join("tests");
        if directory.is_dir() {
            tests.extend(
                list(&directory)?
                    .iter()
                    .filter_map(|name| target(&directory, name)),
            );
        }
    }
    for other in CLUSTER.iter().chain([&TRACES]) {
        tests.remove(*other);
    }
    Ok(tests)
}

/// The test that cargo makes of a file or directory.
fn target(directory: &Path, name: &str) -> Option<String> {
    if directory.join(name).join("main.rs").is_file() {
        return Some(name.to_owned());
    }
    name.strip_suffix(".rs").map(str::to_owned)
}

fn list(directory: &Path) -> Result<Vec<String>> {
    let listing = || -> std::io::Result<Vec<String>> {
        fs::read_dir(directory)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    };
    listing().with_context(|| format!("listing {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_files_or_directories_with_a_main() {
        let tests = without_cluster().expect("the packages");
        assert!(
            tests.contains("vectors") && tests.contains("process"),
            "{tests:?}"
        );
        let directory = root().join("operator/controller/tests");
        assert_eq!(target(&directory, "cluster").as_deref(), Some("cluster"));
        assert_eq!(target(&root().join("operator/plan/tests"), "scenarios"), None);
    }

    #[test]
    fn tests_on_the_control_plane_and_of_a_feature_are_left_out() {
        let tests = without_cluster().expect("the packages");
        assert!(!tests.contains(TRACES), "{tests:?}");
        assert!(CLUSTER.iter().all(|test| !tests.contains(*test)), "{tests:?}");
    }
}
