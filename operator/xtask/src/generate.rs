//! `cargo xtask generate`: writes the generated files, or finds out whether they are as they would be written.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::generated::{Generated, files};
use crate::repository::root;

/// Writes the files that are not as they should be, and names them.
///
/// # Errors
/// When one cannot be written.
pub(crate) fn write() -> Result<()> {
    for file in drifted(&files()?, root()) {
        let place = root().join(&file.path);
        if let Some(directory) = place.parent() {
            fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        }
        fs::write(&place, &file.content).with_context(|| format!("writing {}", file.path))?;
        println!("{}", file.path);
    }
    Ok(())
}

/// Compares, and writes nothing.
///
/// # Errors
/// When a file is not as it would be written, naming each.
pub(crate) fn check() -> Result<()> {
    let files = files()?;
    let drifted: Vec<&str> = drifted(&files, root()).map(|file| file.path.as_str()).collect();
    if !drifted.is_empty() {
        bail!("run cargo xtask generate: not up to date: {}", drifted.join(", "));
    }
    Ok(())
}

fn drifted<'a>(files: &'a [Generated], root: &'a Path) -> impl Iterator<Item = &'a Generated> {
    // A file that cannot be read is not as it should be either.
    files
        .iter()
        .filter(|file| fs::read_to_string(root.join(&file.path)).ok().as_deref() != Some(&file.content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, content: String) -> Generated {
        Generated {
            path: path.to_owned(),
            content,
        }
    }

    #[test]
    fn missing_and_changed_files_have_drifted() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let current = fs::read_to_string(here.join("Cargo.toml")).expect("our manifest");
        let files = [
            file("Cargo.toml", current.clone()),
            file("Cargo.toml", current + "\n"),
            file("missing", String::new()),
        ];
        let found: Vec<&str> = drifted(&files, here).map(|file| file.path.as_str()).collect();
        assert_eq!(found, ["Cargo.toml", "missing"]);
    }
}
