//! A place for a real node: network, mounts and processes of its own, which vanish with everything in them.
//!
//! The program inside is the first process's only child there. When it ends, or the process that made the sandbox does in
//! whatever way, the kernel kills all that runs inside; mounts, links and network rules go with their namespaces. A small
//! shell outside, which outlives this process if need be, removes the cgroups and the directory.

use std::ffi::OsString;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::requirements;
use crate::process::is_alive;
use crate::wait::eventually;
use crate::work_dir::{DIRECTORY, KEEP, target};

const GUARD: &str = include_str!("sandbox.sh");
/// Names of cgroups begin like this, and end with the process that made them.
const PREFIX: &str = "webinar-real-";
/// Where the kernel shows them: all of them, or one directory for each controller.
const CGROUPS: &str = "/sys/fs/cgroup";
/// The guard's exit status when it could not remove everything.
const LEFT: i32 = 70;
const START_DEADLINE: Duration = Duration::from_secs(10);
/// For the cgroups to become empty and be removed.
const END_DEADLINE: Duration = Duration::from_secs(30);

/// A program in a sandbox of its own. Dropping it kills everything inside and removes what is left.
#[derive(Debug)]
pub struct Sandbox {
    guard: Child,
    directory: PathBuf,
}

impl Sandbox {
    /// The environment variable that names the sandbox's cgroup to the program inside.
    pub const CGROUP: &'static str = "TESTBED_CGROUP";

    /// Starts `program` inside, with stdout and stderr of this process. Its control planes and nodes keep their files in a
    /// directory of the sandbox. What killed processes left behind is removed first.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn(program: &Path, args: impl IntoIterator<Item = OsString>) -> Result<Self> {
        let root = target().join("real");
        fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
        sweep(&root);
        let pid = std::process::id();
        let (name, directory) = (format!("{PREFIX}{pid}"), root.join(pid.to_string()));
        if directory.exists() {
            fs::remove_dir_all(&directory).with_context(|| format!("removing {}", directory.display()))?;
        }
        // There are keys and tokens in it.
        DirBuilder::new()
            .mode(0o700)
            .create(&directory)
            .with_context(|| format!("creating {}", directory.display()))?;
        let guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard", &name])
            .arg(&directory)
            .arg(program)
            .args(args)
            .env(DIRECTORY, &directory)
            .env(Self::CGROUP, &name)
            .env("PATH", requirements::path())
            .stdin(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("starting a sandbox")?;
        Ok(Self { guard, directory })
    }

    /// Where control planes and nodes inside keep their files.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The program's exit status once everything is removed, or `None` while it runs.
    ///
    /// # Errors
    /// When the operating system refuses to tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.guard.try_wait().context("looking at the sandbox")
    }

    /// The first process inside, by its number outside; `nsenter --target` takes it.
    ///
    /// # Errors
    /// When it is not there within ten seconds.
    pub async fn first_process(&self) -> Result<u32> {
        eventually("the sandbox's first process", START_DEADLINE, async || {
            let unshare = children(self.guard.id())?
                .into_iter()
                .find(|pid| name(*pid).is_ok_and(|name| name == "unshare"));
            let unshare = unshare.context("there is no sandbox yet")?;
            children(unshare)?.first().copied().context("it is empty")
        })
        .await
    }

    /// Kills everything inside, and returns when what was left is removed.
    ///
    /// # Errors
    /// When that takes longer than half a minute, or something can't be removed.
    pub async fn end(mut self) -> Result<()> {
        self.close();
        let status = eventually("the sandbox to be removed", END_DEADLINE, async || {
            self.ended()?.context("it is there")
        })
        .await?;
        ensure!(status.code() != Some(LEFT), "something of the sandbox is left");
        Ok(())
    }

    fn close(&mut self) {
        drop(self.guard.stdin.take());
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.close();
        // It waits ten seconds for the cgroups to become empty, and for nothing else.
        _ = self.guard.wait();
    }
}

fn children(pid: u32) -> Result<Vec<u32>> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(text
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok())
        .collect())
}

fn name(pid: u32) -> Result<String> {
    Ok(fs::read_to_string(format!("/proc/{pid}/comm"))?.trim().to_owned())
}

/// Removes what is left of sandboxes whose guard was killed too.
fn sweep(root: &Path) {
    let kept = std::env::var_os(KEEP).is_some();
    for directory in subdirectories(root) {
        if !kept && maker(&directory, "").is_some_and(|pid| !is_alive(pid)) {
            _ = fs::remove_dir_all(directory);
        }
    }
    let top = PathBuf::from(CGROUPS);
    let trees: Vec<PathBuf> = std::iter::once(top.clone())
        .chain(subdirectories(&top))
        .flat_map(|tree| subdirectories(&tree))
        .filter(|cgroup| maker(cgroup, PREFIX).is_some_and(|pid| !is_alive(pid)))
        .collect();
    trees.iter().for_each(|cgroup| remove_empty(cgroup));
}

/// The process that made it, from its name.
fn maker(path: &Path, prefix: &str) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix(prefix)?.parse().ok()
}

/// A cgroup's files can't be removed, and needn't be.
fn remove_empty(cgroup: &Path) {
    for child in subdirectories(cgroup) {
        remove_empty(&child);
    }
    _ = fs::remove_dir(cgroup);
}

pub(super) fn subdirectories(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_tell_who_made_them() {
        let maker = |path: &str, prefix| maker(Path::new(path), prefix);
        assert_eq!(maker("/target/real/42", ""), Some(42));
        assert_eq!(maker("/sys/fs/cgroup/pids/webinar-real-42", PREFIX), Some(42));
        for other in [
            "/sys/fs/cgroup/pids/webinar-real-",
            "/sys/fs/cgroup/pids/kubepods",
            "/",
        ] {
            assert_eq!(maker(other, PREFIX), None, "{other}");
        }
    }
}
