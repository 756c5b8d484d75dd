//! Decision records are numbered, each with a number of its own: `0007-in-a-few-words.md`.

use std::collections::BTreeMap;

use super::Finding;
use crate::repository::Source;

const DIRECTORY: &str = "operator/docs/decisions/";

/// Checks the records among the files.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut seen = BTreeMap::new();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with(DIRECTORY)) {
        match number(&source.path[DIRECTORY.len()..]) {
            None => findings.push(Finding::new(
                source,
                1,
                "a decision's name is four digits, then words in lower case: 0007-in-a-few-words.md",
            )),
            Some(number) => {
                if let Some(other) = seen.insert(number, &source.path) {
                    findings.push(Finding::new(source, 1, format!("{other} has the same number")));
                }
            }
        }
    }
    findings
}

fn number(name: &str) -> Option<&str> {
    let (number, words) = name.strip_suffix(".md")?.split_once('-')?;
    let digits = number.len() == 4 && number.bytes().all(|byte| byte.is_ascii_digit());
    let plain = !words.is_empty()
        && words
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (digits && plain).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn found(names: &[&str]) -> Vec<String> {
        let sources: Vec<Source> = names
            .iter()
            .map(|name| source(&format!("{DIRECTORY}{name}"), "text\n"))
            .collect();
        check(&sources).into_iter().map(|finding| finding.path).collect()
    }

    #[test]
    fn records_are_numbered() {
        assert_eq!(found(&["0001-a-thing.md", "0002-pods-2.md"]), [""; 0]);
        for name in [
            "a-thing.md",
            "1-a.md",
            "0001.md",
            "0001-A.md",
            "0001-a.txt",
            "drafts/0001-a.md",
        ] {
            assert_eq!(found(&[name]), [format!("{DIRECTORY}{name}")]);
        }
    }

    #[test]
    fn a_number_is_used_once() {
        assert_eq!(
            found(&["0001-a.md", "0001-b.md"]),
            [format!("{DIRECTORY}0001-b.md")]
        );
    }
}
