//! Hostile manifests: one file each. Its header names the attack and what must come of it; then come the requests that make
//! it, of which the last one counts. The others only prepare it, and are accepted.
//!
//! `refused:` is followed by words of the API server's answer. `harmless:` is followed by what must hold, for people; lines
//! `holds:` say it for the test, see [`Hold`]. A request is `# METHOD path` above its body; a path without a slash at its
//! beginning is one in the tenant's namespace. Lines above it may say `# AFTER <hold>` or `# <count> TIMES`. Bodies are sent as
//! they stand, with what is in double braces filled in, see `Scenery::filled`.

mod hold;
mod send;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

pub(crate) use hold::Hold;
pub(crate) use send::{Answer, Sender};

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Attack {
    /// The file's name without its extension.
    pub(crate) name: String,
    pub(crate) expected: Expected,
    pub(crate) requests: Vec<Request>,
}

/// What must come of it.
#[derive(Debug)]
pub(crate) enum Expected {
    /// These words are in the API server's answer.
    Refused(String),
    /// It is accepted, and all of this holds.
    Harmless(Vec<Hold>),
}

/// A request to the API server.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) after: Option<Hold>,
    pub(crate) times: usize,
    /// `POST`, `PUT`, `DELETE`, or a kind of patch: `MERGE`, `APPLY`.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
}

/// All of them, by name.
pub(crate) fn attacks() -> Result<Vec<Attack>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster/hostile");
    let entries = std::fs::read_dir(&directory).with_context(|| directory.display().to_string())?;
    let files = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<PathBuf>>>()?;
    let mut files: Vec<_> = files
        .into_iter()
        .filter(|f| f.extension().is_some_and(|e| e == "yaml"))
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| attack(file).with_context(|| file.display().to_string()))
        .collect()
}

fn attack(file: &Path) -> Result<Attack> {
    let text = std::fs::read_to_string(file)?;
    let name = file
        .file_stem()
        .context("no name")?
        .to_string_lossy()
        .into_owned();
    let (mut attack, mut expected, mut holds) = (None, None, Vec::new());
    let mut rest = text.as_str();
    while let Some((line, after)) = rest.split_once('\n') {
        let Some((key, value)) = line.strip_prefix("# ").and_then(|l| l.split_once(": ")) else {
            break;
        };
        match key {
            "attack" => attack = Some(value),
            "expected" => expected = value.split_once(": "),
            "holds" => holds.push(value.parse()?),
            _ => bail!("unknown key {key:?}"),
        }
        rest = after;
    }
    attack.context("no attack")?;
    let expected = match expected.context("nothing is expected")? {
        ("refused", words) if holds.is_empty() => Expected::Refused(words.to_owned()),
        ("harmless", _) if !holds.is_empty() => Expected::Harmless(holds),
        other => bail!("unknown outcome, or one that nothing is held against: {other:?}"),
    };
    Ok(Attack {
        name,
        expected,
        requests: rest.split("\n---\n").map(request).collect::<Result<_>>()?,
    })
}

fn request(text: &str) -> Result<Request> {
    let (mut after, mut times, mut line, mut rest) = (None, 1, None, text);
    while let Some((said, more)) = rest.split_once('\n') {
        let Some(said) = said.strip_prefix("# ") else {
            break;
        };
        if let Some(hold) = said.strip_prefix("AFTER ") {
            after = Some(hold.parse()?);
        } else if let Some(count) = said.strip_suffix(" TIMES") {
            times = count.parse()?;
        } else {
            line = said.split_once(' ');
        }
        rest = more;
    }
    let (method, path) = line.context("no request")?;
    ensure!(!rest.trim().is_empty(), "no body");
    Ok(Request {
        after,
        times,
        method: method.to_owned(),
        path: path.to_owned(),
        body: rest.to_owned(),
    })
}
