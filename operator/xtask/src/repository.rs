//! The repository's files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What holds no source. In a linked work tree of git `.git` is a file.
const SKIPPED: [&str; 2] = [".git", "target"];

/// The top directory.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here)
}

/// A text file of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// From the top, with `/` between the parts.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

impl Source {
    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The lines with their numbers, which begin at 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.split('\n'))
    }
}

/// All text files, sorted by path; not what git ignores.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn sources() -> Result<Vec<Source>> {
    let mut files = Vec::new();
    collect(root(), &mut files)?;
    files.sort();
    files.iter().filter_map(|file| read(file).transpose()).collect()
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
    for entry in entries {
        let entry = entry?;
        if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            collect(&entry.path(), files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// `None` for what is no text.
fn read(file: &Path) -> Result<Option<Source>> {
    let bytes = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let path = file.strip_prefix(root())?.display().to_string();
    Ok(String::from_utf8(bytes).ok().map(|text| Source { path, text }))
}
