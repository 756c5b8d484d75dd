//! Directories for the data and logs of one control plane.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::process::is_alive;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The workspace's `target` directory.
pub(crate) fn target() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join("target")
}

/// Where directories are made, instead of `target/testbed`. Whoever numbers processes anew needs a place of its own.
pub(crate) const DIRECTORY: &str = "TESTBED_DIRECTORY";

/// Where directories are made.
pub(crate) fn root() -> PathBuf {
    std::env::var_os(DIRECTORY).map_or_else(|| target().join("testbed"), PathBuf::from)
}

/// Set to anything, it keeps directories that would be removed.
pub(crate) const KEEP: &str = "TESTBED_KEEP";

/// A fresh directory `target/testbed/<pid>-<n>`. It is removed when dropped, but kept for a look when the thread
/// panics or `TESTBED_KEEP` is set. Whoever makes a directory removes those of processes that have ended, unless
/// `TESTBED_KEEP` is set.
#[derive(Debug)]
pub(crate) struct WorkDir(PathBuf);

impl WorkDir {
    pub(crate) fn create() -> Result<Self> {
        let root = root();
        fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
        if std::env::var_os(KEEP).is_none() {
            remove_stale(&root);
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("{}-{number}", std::process::id()));
        if path.exists() {
            // Left over by an earlier process that had our pid.
            fs::remove_dir_all(&path).with_context(|| format!("removing {}", path.display()))?;
        }
        // There are keys and tokens in it.
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if std::thread::panicking() || std::env::var_os(KEEP).is_some() {
            // The test's output is where this must appear, with or without a tracing subscriber.
            eprintln!("logs and data are kept in {}", self.0.display());
        } else if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!("{} is not removed: {error}", self.0.display());
        }
    }
}

fn remove_stale(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.split_once('-'))
            .and_then(|(pid, _)| pid.parse().ok());
        // Another process may remove it at the same time.
        if pid.is_some_and(|pid| !is_alive(pid)) {
            _ = fs::remove_dir_all(entry.path());
        }
    }
}
