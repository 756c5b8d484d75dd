//! Commands in documents: the blocks marked `sh`, and why some of them are not run.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

/// Why a block may go unrun. It stands before the block: `<!-- not run: needs a cloud -->`.
const REASONS: [&str; 6] = [
    "needs a cloud",
    "needs a registry",
    "needs another controller",
    "needs root",
    "takes an hour",
    "is this very test",
];

const MARK: &str = "<!-- not run: ";

/// A block of commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// Line of its first command, from 1.
    pub(super) line: usize,
    pub(super) commands: String,
    /// Why it is not run.
    pub(super) unrun: Option<&'static str>,
}

impl Block {
    /// Where it is, in this document.
    pub(super) fn place(&self, document: &str) -> String {
        format!("{document}:{}", self.line)
    }
}

/// A document with commands.
#[derive(Debug)]
pub(super) struct Document {
    /// From the top of the repository.
    pub(super) path: String,
    pub(super) blocks: Vec<Block>,
}

/// Runbooks are for events in trouble: `dashboards` types their commands there.
const RUNBOOKS: &str = "operator/docs/runbooks/";

/// Every document whose commands are run: README, the documents, and the READMEs of examples.
pub(super) fn documents(root: &Path) -> Result<Vec<Document>> {
    let mut paths = vec!["README.md".to_owned()];
    collect(root, "operator/docs", &|name| name.ends_with(".md"), &mut paths)?;
    collect(root, "examples", &|name| name == "README.md", &mut paths)?;
    paths.retain(|path| !path.starts_with(RUNBOOKS));
    let mut documents = Vec::new();
    for path in paths {
        let text = fs::read_to_string(root.join(&path)).with_context(|| format!("reading {path}"))?;
        let blocks = blocks(&text).with_context(|| path.clone())?;
        documents.push(Document { path, blocks });
    }
    Ok(documents)
}

fn collect(root: &Path, under: &str, wanted: &dyn Fn(&str) -> bool, into: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(root.join(under)).with_context(|| format!("listing {under}"))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        names.push((
            entry.file_name().to_string_lossy().into_owned(),
            entry.file_type()?.is_dir(),
        ));
    }
    names.sort();
    for (name, is_directory) in names {
        let path = format!("{under}/{name}");
        if is_directory {
            collect(root, &path, wanted, into)?;
        } else if wanted(&name) {
            into.push(path);
        }
    }
    Ok(())
}

/// The blocks of one document. A reason that is not in the list is an error, and so is one without a block.
fn blocks(text: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut mark: Option<(usize, &'static str)> = None;
    let mut lines = (1..).zip(text.lines());
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if let Some(rest) = line.strip_prefix(MARK) {
            ensure!(mark.is_none(), "line {number}: two marks for one block");
            let reason = rest.trim_end_matches("-->").trim();
            let Some(known) = REASONS.iter().find(|known| **known == reason) else {
                bail!("line {number}: `{reason}` is no reason: {}", REASONS.join(", "));
            };
            mark = Some((number, known));
            continue;
        }
        let Some(language) = line.strip_prefix("```") else {
            ensure!(
                mark.is_none() || line.is_empty(),
                "line {number}: a mark stands directly before its block"
            );
            continue;
        };
        let body: Vec<&str> = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| !line.trim_start().starts_with("```"))
            .collect();
        let unrun = mark.take();
        if language == "sh" {
            blocks.push(Block {
                line: number + 1,
                commands: body.join("\n") + "\n",
                unrun: unrun.map(|(_, reason)| reason),
            });
        } else if let Some((number, _)) = unrun {
            bail!("line {number}: a mark for a block that is not `sh`");
        }
    }
    ensure!(mark.is_none(), "a mark stands at the end");
    Ok(blocks)
}

#[test]
fn blocks_have_their_line_and_their_reason() {
    let text = "# A\n\n```sh\nls\npwd\n```\n\n```yaml\na: 1\n```\n\n<!-- not run: needs root -->\n\n```sh\nreboot\n```\n";
    let block = |line, commands: &str, unrun| Block {
        line,
        commands: commands.to_owned(),
        unrun,
    };
    assert_eq!(
        blocks(text).expect("blocks"),
        [
            block(4, "ls\npwd\n", None),
            block(15, "reboot\n", Some("needs root"))
        ]
    );
}

#[test]
fn a_mark_has_a_known_reason_and_a_block() {
    for (text, said) in [
        (
            "<!-- not run: no time -->\n```sh\nls\n```\n",
            "`no time` is no reason",
        ),
        ("<!-- not run: needs root -->\n```yaml\na: 1\n```\n", "not `sh`"),
        (
            "<!-- not run: needs root -->\nwords\n```sh\nls\n```\n",
            "directly before",
        ),
        ("<!-- not run: needs root -->\n", "at the end"),
    ] {
        let error = format!("{:#}", blocks(text).expect_err(text));
        assert!(error.contains(said), "{error}");
    }
}
