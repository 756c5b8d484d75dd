//! How files look: their length, the ends of their lines.

use super::Finding;
use crate::repository::Source;

const LONGEST: usize = 500;

/// Checks one file.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings: Vec<Finding> = long(source).into_iter().collect();
    // Recorded output is kept as it came.
    if !source.path.ends_with(".snap") {
        findings.extend(line_ends(source));
    }
    findings
}

/// Code only: files of tests may be as long as they like, and tests at the end of a file do not count.
fn long(source: &Source) -> Option<Finding> {
    if !source.path.ends_with(".rs") || !source.path.contains("/src/") {
        return None;
    }
    let lines = source
        .text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .count();
    (lines > LONGEST).then(|| {
        let message = format!("{lines} lines of code, more than {LONGEST}: split it by ideas");
        Finding::new(source, LONGEST + 1, message)
    })
}

fn line_ends(source: &Source) -> Vec<Finding> {
    let mut findings: Vec<Finding> = source
        .lines()
        .filter(|(_, line)| line.ends_with(char::is_whitespace))
        .map(|(number, _)| Finding::new(source, number, "white space at the end of the line"))
        .collect();
    let last = source.lines().count();
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        findings.push(Finding::new(source, last, "the last line has no end"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn code_is_short() {
        let code = "line\n".repeat(500);
        let longer = format!("{code}line\n");
        let path = "operator/plan/src/a.rs";
        assert_eq!(check(&source(path, &code)), []);
        assert_eq!(check(&source(path, &longer)).len(), 1);
        assert_eq!(
            check(&source(path, &format!("{code}#[cfg(test)]\nmod tests {{}}\n"))),
            []
        );
        assert_eq!(check(&source("operator/plan/tests/a.rs", &longer)), []);
        assert_eq!(check(&source("crds/a.yaml", &longer)), []);
    }

    #[test]
    fn lines_end_where_their_text_ends() {
        for text in ["a \n", "a\t\n", "a\r\n", "a"] {
            assert_eq!(check(&source("README.md", text)).len(), 1, "{text:?}");
        }
        assert_eq!(check(&source("README.md", "a\n\nb\n")), []);
        assert_eq!(check(&source("a.snap", "a \n")), []);
    }
}
