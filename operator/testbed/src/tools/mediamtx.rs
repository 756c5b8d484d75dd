//! The source of MediaMTX: its published module, completed with the two files that its release process makes.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use tokio::process::Command;

use super::Tool;
use crate::wait::within;

/// The directory of the module that pins it.
pub(super) const MODULE: &str = "mediamtx";
/// Its name in the image, too.
pub(crate) const CONFIGURATION: &str = "mediamtx.yml";
const NAME: &str = "github.com/bluenviron/mediamtx";
const DEADLINE: Duration = Duration::from_secs(10 * 60);

/// The configuration that the image of this version holds beside the program.
///
/// # Errors
/// When Go can't get the module.
pub(crate) async fn configuration() -> Result<Vec<u8>> {
    let pinned = Path::new(env!("CARGO_MANIFEST_DIR")).join(MODULE);
    let file = download(&pinned).await?.dir.join(CONFIGURATION);
    fs::read(&file).with_context(|| format!("reading {}", file.display()))
}

/// Copies the module that `pinned` requires into `place`, completes it there, and returns `place`. Files of the module
/// cache can't be added to, and Go's build overlay refuses to.
///
/// # Errors
/// When Go can't get the module, or it can't be copied.
pub(super) async fn source(pinned: &Path, place: &Path) -> Result<PathBuf> {
    let Downloaded { dir, version } = download(pinned).await?;
    let wanted = format!("v{}", Tool::MediaMtx.version());
    ensure!(
        version == wanted,
        "{} pins {version}, not {wanted}",
        pinned.join("go.mod").display()
    );
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("removing {}", place.display()))?;
    }
    copy(&dir, place).with_context(|| format!("copying {}", dir.display()))?;
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
    version: String,
}

async fn download(pinned: &Path) -> Result<Downloaded> {
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
    serde_json::from_slice(&output.stdout).context("reading what Go downloaded")
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
