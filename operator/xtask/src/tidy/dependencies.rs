//! Which crates the crates of plain data may build on. What is not in `Cargo.toml` can't be used, so this is enough.

use super::Finding;
use crate::repository::Source;

const ALLOWED: [(&str, &[&str], &str); 2] = [
    (
        "operator/plan/Cargo.toml",
        &["jiff", "sha2"],
        "decisions know no Kubernetes, clock, randomness or I/O",
    ),
    (
        "operator/api/Cargo.toml",
        &[
            "jiff",
            "jsonschema",
            "k8s-openapi",
            "kube",
            "schemars",
            "serde",
            "serde-saphyr",
            "serde_json",
            "thiserror",
        ],
        "the types that users write hold no decisions and talk to nobody",
    ),
];

/// Checks the dependencies of one manifest, but for those of its tests.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some((_, allowed, reason)) = ALLOWED.iter().find(|(path, ..)| *path == source.path) else {
        return Vec::new();
    };
    let mut section = "";
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        if let Some(header) = line.strip_prefix('[') {
            section = header.trim_end_matches(']');
        } else if section.ends_with("dependencies") && section != "dev-dependencies" {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            if !name.is_empty() && !name.starts_with('#') && !allowed.contains(&name) {
                findings.push(Finding::new(
                    source,
                    number,
                    format!("{name} is not allowed here: {reason}"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&source("operator/plan/Cargo.toml", text))
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn only_listed_crates_are_allowed() {
        assert_eq!(
            lines("[dependencies]\njiff.workspace = true\nkube = \"5\"\n"),
            [3]
        );
        assert_eq!(
            lines("[target.'cfg(unix)'.dependencies]\nrustix.workspace = true"),
            [2]
        );
        assert_eq!(lines("[build-dependencies]\ncc = \"1\""), [2]);
    }

    #[test]
    fn tests_may_use_more() {
        assert_eq!(
            lines("[package]\nname = \"a\"\n[dev-dependencies]\nproptest.workspace = true"),
            [0; 0]
        );
    }
}
