//! Container images of programs that need nothing else, as the archives that `docker save` writes.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use sha2::{Digest as _, Sha256};

/// Writes an archive with one layer that holds one program at the top, which is what the container runs, and beside it
/// other files by their names.
///
/// # Errors
/// When the program cannot be read or the archive not be written.
pub(super) fn write_image(archive: &Path, tag: &str, program: &Path, beside: &[(&str, &[u8])]) -> Result<()> {
    let name = program
        .file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("{} has no name", program.display()))?;
    let bytes = std::fs::read(program).with_context(|| format!("reading {}", program.display()))?;
    let layer = layer(name, &bytes, beside).context("packing a layer")?;
    let digest = hex(&layer);
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {"Entrypoint": [format!("/{name}")], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{digest}")]},
    })
    .to_string()
    .into_bytes();
    let (config_name, layer_name) = (format!("{}.json", hex(&config)), format!("{digest}/layer.tar"));
    let manifest = json!([{"Config": config_name, "RepoTags": [tag], "Layers": [layer_name]}]).to_string();

    let file = File::create(archive).with_context(|| format!("creating {}", archive.display()))?;
    let mut tar = tar::Builder::new(file);
    for (path, content) in [
        (config_name.as_str(), config.as_slice()),
        (layer_name.as_str(), layer.as_slice()),
        ("manifest.json", manifest.as_bytes()),
    ] {
        append(&mut tar, path, content, 0o644)?;
    }
    tar.into_inner()?.flush()?;
    Ok(())
}

fn layer(name: &str, program: &[u8], beside: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, name, program, 0o755)?;
    for (name, content) in beside {
        append(&mut tar, name, content, 0o644)?;
    }
    Ok(tar.into_inner()?)
}

/// Without a time or an owner: the same program makes the same image.
fn append<W: std::io::Write>(tar: &mut tar::Builder<W>, path: &str, content: &[u8], mode: u32) -> Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    tar.append_data(&mut header, path, content)
        .with_context(|| format!("packing {path}"))
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// As images name it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_archive_describes_what_is_in_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let (program, archive) = (
            directory.path().join("server"),
            directory.path().join("server.tar"),
        );
        std::fs::write(&program, b"a program").expect("written");
        write_image(
            &archive,
            "docker.io/example/server:1",
            &program,
            &[("server.yml", b"a: 1")],
        )
        .expect("an archive");

        let mut files = BTreeMap::new();
        for entry in tar::Archive::new(File::open(&archive).expect("an archive"))
            .entries()
            .expect("entries")
        {
            let mut entry = entry.expect("an entry");
            let path = entry.path().expect("a path").display().to_string();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("its content");
            files.insert(path, bytes);
        }
        let manifest: serde_json::Value = serde_json::from_slice(&files["manifest.json"]).expect("JSON");
        assert_eq!(manifest[0]["RepoTags"][0], "docker.io/example/server:1");
        let layer = &files[manifest[0]["Layers"][0].as_str().expect("a layer")];
        let config = &files[manifest[0]["Config"].as_str().expect("a config")];
        assert_eq!(
            manifest[0]["Config"].as_str(),
            Some(format!("{}.json", hex(config)).as_str())
        );
        let config: serde_json::Value = serde_json::from_slice(config).expect("JSON");
        assert_eq!(config["config"]["Entrypoint"][0], "/server");
        assert_eq!(
            config["rootfs"]["diff_ids"][0].as_str(),
            Some(format!("sha256:{}", hex(layer)).as_str())
        );
        let mut layer = tar::Archive::new(layer.as_slice());
        let packed: Vec<(String, u32)> = layer
            .entries()
            .expect("entries")
            .map(|entry| {
                let entry = entry.expect("whole");
                let path = entry.path().expect("a path").display().to_string();
                (path, entry.header().mode().expect("a mode"))
            })
            .collect();
        assert_eq!(
            packed,
            [("server".to_owned(), 0o755), ("server.yml".to_owned(), 0o644)]
        );
    }
}
