//! Commands that documents tell people to type: they are understood.

use clap::Parser as _;
use clap::error::ErrorKind;

use super::Finding;
use crate::cli::Cli;
use crate::repository::Source;

const COMMAND: &str = "cargo xtask";

/// Checks the code blocks of one document.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    if !source.path.ends_with(".md") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let mut in_block = false;
    for (number, line) in source.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block && let Some(error) = refused(line) {
            findings.push(Finding::new(source, number, error));
        }
    }
    findings
}

/// Why the command on the line is refused.
fn refused(line: &str) -> Option<String> {
    let command = line.trim().trim_start_matches("$ ");
    let command = command.split(" #").next().unwrap_or_default();
    let args = command.strip_prefix(COMMAND)?.split_whitespace();
    let error = Cli::try_parse_from(std::iter::once(COMMAND).chain(args)).err()?;
    let asks_for_help = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    (!asks_for_help).then(|| format!("`{command}`: {}", error.kind()))
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn lines(text: &str) -> Vec<usize> {
        check(&source("README.md", text))
            .iter()
            .map(|finding| finding.line)
            .collect()
    }

    #[test]
    fn commands_in_blocks_are_understood() {
        assert_eq!(
            lines("```sh\ncargo xtask demo --keep  # until Ctrl-C\n$ cargo xtask test\n```"),
            [0; 0]
        );
        assert_eq!(lines("```sh\ncargo xtask demo --help\n```"), [0; 0]);
        assert_eq!(
            lines("```sh\ncargo xtask dance\n```\n\n```\n$ cargo xtask demo --fast\n```\n"),
            [2, 6]
        );
    }

    #[test]
    fn text_outside_of_blocks_is_free() {
        assert_eq!(lines("cargo xtask dance\n"), [0; 0]);
    }
}
