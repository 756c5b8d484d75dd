//! cargo-deny, built once at a pinned version.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::commands::{cargo, run};
use crate::repository::root;

const VERSION: &str = "0.20.2";

/// Checks licences, bans and sources by `operator/deny.toml`. Advisories are left out: their database is fetched
/// anew each time, so the same commit would pass one day and fail the next, and not at all without that network.
pub(super) fn run_checks() -> Result<()> {
    let program = installed();
    if !program.is_file() {
        install()?;
    }
    let mut command = Command::new(program);
    command.current_dir(root()).args([
        "--locked",
        "--config",
        "operator/deny.toml",
        "check",
        "licenses",
        "bans",
        "sources",
    ]);
    run(command)
}

/// A directory for each version, so that a new one is built when the version above changes.
fn directory() -> PathBuf {
    root().join("target/tools/cargo-deny").join(VERSION)
}

fn installed() -> PathBuf {
    directory().join("bin/cargo-deny")
}

fn install() -> Result<()> {
    eprintln!("building cargo-deny {VERSION} (about 2 min the first time) …");
    // Unoptimised: it runs for three seconds, and its release profile (one codegen unit, fat LTO) builds for longer.
    let mut command = cargo(["install", "--quiet", "--locked", "--debug", "--version", VERSION]);
    command
        .arg("--root")
        .arg(directory())
        .arg("cargo-deny")
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    run(command)
}
