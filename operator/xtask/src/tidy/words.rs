//! Words that do not belong into files. This file holds them, and is the only one that may.

use super::Finding;
use super::code::positions;
use crate::repository::Source;

const THIS: &str = "operator/xtask/src/tidy/words.rs";

/// Where packages come from is the business of these files.
const LOCK_FILES: [&str; 2] = ["Cargo.lock", "go.sum"];

/// Which files a word is forbidden in.
#[derive(Clone, Copy, PartialEq)]
enum In {
    Everything,
    Rust,
}

const FORBIDDEN: [(In, &[&str], &str); 5] = [
    (
        In::Everything,
        &["TODO", "FIXME", "XXX"],
        "do it now or write an issue",
    ),
    (
        In::Rust,
        &["todo!", "unimplemented!"],
        "do it now or return an error",
    ),
    (
        In::Rust,
        &["#[ignore"],
        "a test runs always, or it is a command of its own",
    ),
    (
        In::Everything,
        &[
            "crates.io",
            "proxy.golang.org",
            "sum.golang.org",
            "registry.npmjs.org",
            "pypi.org",
        ],
        "packages come from wherever the user's tools are set to",
    ),
    (
        In::Everything,
        &[
            "this session",
            "last session",
            "next session",
            "earlier session",
            "language model",
            "/work/main",
            "/work/shared",
            "/root/",
        ],
        "files speak of the project, not of how or where they were written",
    ),
];

/// Checks one file.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    if source.path == THIS || LOCK_FILES.contains(&source.name()) {
        return Vec::new();
    }
    let rust = source.path.ends_with(".rs");
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        for (scope, words, reason) in FORBIDDEN {
            if scope == In::Rust && !rust {
                continue;
            }
            for word in words.iter().filter(|word| !positions(line, word).is_empty()) {
                findings.push(Finding::new(source, number, format!("`{word}`: {reason}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn every_word_is_found() {
        for (_, words, reason) in FORBIDDEN {
            for word in words {
                let found = check(&source("operator/a/src/b.rs", &format!("\n// ({word})\n")));
                let line = 2;
                assert_eq!(
                    found,
                    [Finding::new(
                        &source("operator/a/src/b.rs", ""),
                        line,
                        format!("`{word}`: {reason}")
                    )]
                );
            }
        }
    }

    #[test]
    fn other_words_and_other_files_are_free() {
        assert_eq!(
            check(&source("a.rs", "mktemp webinar.XXXXXX; todo_list; TODOS")),
            []
        );
        assert_eq!(
            check(&source("a.md", "A control plane that is set up in this sessions")),
            []
        );
        assert_eq!(check(&source("a.md", "`#[ignore]` and todo!()")), []);
        assert_eq!(
            check(&source(
                "Cargo.lock",
                "registry+https://github.com/rust-lang/crates.io-index"
            )),
            []
        );
    }
}
