//! `cargo xtask tidy`: the project's own rules for its files, which no other tool knows.

mod code;
mod decisions;
mod dependencies;
mod documented;
mod imports;
mod layout;
mod proofs;
mod words;

use std::fmt;

use anyhow::{Result, bail};

use crate::repository::{Source, sources};

/// Looks at one file.
type Rule = fn(&Source) -> Vec<Finding>;

const RULES: [Rule; 5] = [
    imports::check,
    dependencies::check,
    layout::check,
    words::check,
    documented::check,
];

/// A breach of a rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(source: &Source, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: source.path.clone(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Checks all files.
///
/// # Errors
/// When a rule is broken, after naming each place on stderr.
pub(crate) fn run() -> Result<()> {
    let sources = sources()?;
    let mut findings: Vec<Finding> = sources
        .iter()
        .flat_map(|source| RULES.iter().flat_map(move |rule| rule(source)))
        .collect();
    findings.extend(decisions::check(&sources));
    findings.extend(proofs::check(&sources));
    for finding in &findings {
        eprintln!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => bail!("1 place breaks a rule"),
        many => bail!("{many} places break a rule"),
    }
}

#[cfg(test)]
fn source(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
