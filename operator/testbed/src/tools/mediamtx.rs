//! The source of MediaMTX: its published module, completed with the two files that its release process makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use super::Tool;
use crate::wait::within;

/// The directory of the module that pins it.
pub(super) const MODULE: &str = "mediamtx";
const NAME: &str = "github.com/bluenviron/mediamtx";
const DEADLINE: Duration = Duration::from_secs(10 * 60);

/// Copies the module that `pinned` requires into `place`, completes it there, and returns `place`. Files of the module
/// cache can't be added to, and Go's build overlay refuses to.
///
/// # Errors
/// When Go can't get the module, or it can't be copied.
pub(super) async fn source(pinned: &Path, place: &Path) -> Result<PathBuf> {
    let module = download(pinned).await?;
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("removing {}", place.display()))?;
    }
    copy(&module, place).with_context(|| format!("copying {}", module.display()))?;
    let version = format!("v{}", Tool::MediaMtx.version());
    for (file, text) in [
        ("internal/core/VERSION", version.as_str()),
        // A player for browsers in HLS pages, which nobody opens here.
        ("internal/servers/hls/hls.min.js", ""),
    ] {
        fs::write(place.join(file), text).with_context(|| format!("writing {file}"))?;
    }
    Ok(place.to_owned())
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    dir: PathBuf,
}

async fn download(pinned: &Path) -> Result<PathBuf> {
    let command = Command::new("go")
        .args(["mod", "download", "-json", NAME])
        .current_dir(pinned)
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .kill_on_drop(true)
        .output();
    let output = within("go mod download", DEADLINE, async { Ok(command.await?) }).await?;
    if !output.status.success() {
        bail!(
            "go mod download {NAME} ended with {}:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let downloaded: Downloaded = serde_json::from_slice(&output.stdout).context("reading what Go downloaded")?;
    Ok(downloaded.dir)
}

/// Copies a directory. Files of the module cache are read-only; their copies are not.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            let bytes = fs::read(entry.path())?;
            fs::write(&target, bytes)?;
        }
    }
    Ok(())
}
