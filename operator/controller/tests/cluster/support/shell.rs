//! Where commands of documents are run: a clone to look at, programs to call, a cluster.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use webinar_testbed::ControlPlane;
use webinar_testbed::tools::{Tool, Tools};

const OPERATOR: &str = env!("CARGO_BIN_EXE_webinar-operator");

/// For one block.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a clone has that no command needs, and that is large.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// Stands in for cargo, so that nothing is compiled: the operator is there already. Of the tasks those that need a cluster of
/// their own or much time are taken as said; `cargo xtask tidy` checks that they are understood.
const CARGO: &str = r#"#!/bin/sh
case "$1 $2" in
"xtask demo" | "xtask test" | "xtask bench" | "xtask real" | "xtask calibrate") exit 0 ;;
"run "*)
  shift
  while [ $# -gt 0 ]; do
    case "$1" in
    --) shift; exec "$OPERATOR" "$@" ;;
    -q | --quiet | -r | --release) shift ;;
    *) break ;;
    esac
  done
  ;;
esac
echo "cargo $*: not run here; say before the block why" >&2
exit 64
"#;

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// A clean directory that looks like a clone, and the environment for commands in it.
pub(crate) struct Shell {
    home: PathBuf,
    kubeconfig: PathBuf,
}

impl Shell {
    /// `name` is that of its directory.
    pub(crate) async fn open(control_plane: &ControlPlane, name: &str) -> Result<Self> {
        let tools = Tools::ensure(&[Tool::Kubectl, Tool::Helm], &|_| ()).await?;
        let home = control_plane.work_dir().join("documented").join(name);
        let programs = home.join("bin");
        let clone = home.join("clone");
        fs::create_dir_all(&programs)?;
        fs::create_dir(&clone)?;
        symlink(tools.path(Tool::Kubectl)?, programs.join("kubectl"))?;
        symlink(tools.path(Tool::Helm)?, programs.join("helm"))?;
        let cargo = programs.join("cargo");
        fs::write(&cargo, CARGO)?;
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755))?;
        for entry in fs::read_dir(root())? {
            let entry = entry?;
            if !LEFT_OUT.iter().any(|name| entry.file_name() == *name) {
                symlink(entry.path(), clone.join(entry.file_name()))?;
            }
        }
        Ok(Self {
            home,
            kubeconfig: control_plane.kubeconfig(),
        })
    }

    /// Runs commands, and tells what they print. Their files stay for those after them. `place` is where they are written.
    pub(crate) async fn run(&self, place: &str, commands: &str) -> Result<String> {
        let home = &self.home;
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([home.join("bin")].into_iter().chain(env::split_paths(&path)))?;
        let child = Command::new("/bin/sh")
            .args(["-eux", "-c", commands])
            .current_dir(home.join("clone"))
            .env("HOME", home)
            .env("PATH", path)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("OPERATOR", OPERATOR)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("starting a shell")?;
        let group = child.id();
        let output = match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
            Ok(output) => output?,
            Err(_) => {
                // With everybody that it started.
                if let Some(group) = group {
                    let kill = Command::new("/bin/kill")
                        .args(["-9", "--", &format!("-{group}")])
                        .status();
                    kill.await?;
                }
                bail!("{place}: not done after {PATIENCE:?}:\n{commands}");
            }
        };
        if !output.status.success() {
            bail!(
                "{place}: {}\n{commands}\nit said:\n{}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
