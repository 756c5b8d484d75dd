//! The tests that a document names exist.

use std::collections::BTreeSet;

use super::Finding;
use crate::repository::Source;

const DOCUMENT: &str = "operator/docs/failure-modes.md";
const STORIES: &str = "operator/plan/tests/scenarios/";

/// Checks the last column of the document's tables: each row names a test, or says with `–` that there is none.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(document) = sources.iter().find(|source| source.path == DOCUMENT) else {
        return Vec::new();
    };
    let known = known(sources);
    let rows = document
        .lines()
        .filter_map(|(number, line)| Some((number, shown_by(line)?)));
    let mut findings = Vec::new();
    for (number, names) in rows {
        if names.is_empty() {
            findings.push(Finding::new(document, number, "the row names no test"));
        }
        for name in names.iter().filter(|name| !known.contains(**name)) {
            findings.push(Finding::new(
                document,
                number,
                format!("there is no test `{name}`"),
            ));
        }
    }
    findings
}

/// Tests of Rust, and stories of the plan.
fn known(sources: &[Source]) -> BTreeSet<&str> {
    let code = sources.iter().filter(|source| source.path.ends_with(".rs"));
    let functions = code.flat_map(Source::lines).filter_map(|(_, line)| {
        let rest = line.trim_start();
        let rest = rest.strip_prefix("async ").unwrap_or(rest).strip_prefix("fn ")?;
        rest.split('(').next()
    });
    let stories = sources
        .iter()
        .filter_map(|source| source.path.strip_prefix(STORIES)?.strip_suffix(".yaml"));
    functions.chain(stories).collect()
}

/// The names in the last cell of a row. `None` for what is no row, for headings, and where there is none.
fn shown_by(line: &str) -> Option<Vec<&str>> {
    let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
    let last = cells.rsplit(" | ").next()?;
    if matches!(last, "shown by" | "–") {
        return None;
    }
    Some(last.split('`').skip(1).step_by(2).collect())
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn lines(document: &str) -> Vec<usize> {
        let sources = [
            source(DOCUMENT, document),
            source(
                "operator/a/tests/a.rs",
                "#[test]\nfn a_thing_holds() {}\n    async fn it_waits() {}\n",
            ),
            source("operator/plan/tests/scenarios/a_story.yaml", "story: x\n"),
        ];
        check(&sources).iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn named_tests_exist() {
        let head = "| what | shown by |\n|---|---|\n";
        assert_eq!(
            lines(&format!(
                "{head}| x | `a_thing_holds`, `it_waits` |\n| y | `a_story` |\n| z | – |\n"
            )),
            [0; 0]
        );
        assert_eq!(
            lines(&format!(
                "{head}| x | `a_thing` |\n| y | `a_thing_holds`, `b` |\n| z | somebody |\n"
            )),
            [3, 4, 5]
        );
    }
}
