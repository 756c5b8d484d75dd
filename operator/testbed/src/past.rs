//! The cluster as it was at one moment: a second API server on a copy of the first one's data.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube::Client;
use sysinfo::{Pid, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};

use crate::config::Layout;
use crate::ports;
use crate::process::Process;
use crate::store::Store;
use crate::tools::Tools;
use crate::wait::eventually;

const STOP_DEADLINE: Duration = Duration::from_secs(10);

/// An API server for which time stands still: it has everything that was stored when it was made, accepts the same
/// tokens, and nobody tells it anything new. No controller runs on it. Reads are sent to it by
/// [`Fault::ReadFrom`](crate::proxy::Fault::ReadFrom).
///
/// Dropping it ends it. Its data and logs are in a directory of the control plane's, `past-<n>`.
pub struct Past {
    store: Store,
    layout: Layout,
}

impl Past {
    /// Copies the data of `etcd`, which stands still meanwhile, to a place of its own and starts an API server on it.
    pub(crate) async fn of(etcd: &mut Process, present: &Layout, dir: &Path, tools: &Tools) -> Result<Self> {
        let layout = present.elsewhere(dir, ports::free()?)?;
        etcd.pause()?;
        let copied = match stands_still(etcd.pid()).await {
            Ok(()) => copy(&present.etcd_data(), &layout.etcd_data()),
            failed => failed,
        };
        etcd.resume()?;
        copied.context("copying the data of etcd")?;
        let store = Store::start(&layout, tools).await.context("starting the past")?;
        Ok(Self { store, layout })
    }

    /// A client that may read everything, as user `admin`.
    pub fn client(&self) -> Client {
        self.store.client.clone()
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        self.layout.server()
    }

    /// The certificate that the API server's is signed with, a PEM file.
    pub fn ca(&self) -> PathBuf {
        self.layout.ca()
    }
}

/// Waits until a process that was told to stop has done so.
async fn stands_still(pid: u32) -> Result<()> {
    let pid = Pid::from_u32(pid);
    let mut system = System::new();
    eventually("etcd to stand still", STOP_DEADLINE, async || {
        let wanted = ProcessRefreshKind::nothing();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, wanted);
        let status = system.process(pid).context("etcd has ended")?.status();
        ensure!(status == ProcessStatus::Stop, "{status}");
        Ok(())
    })
    .await
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| format!("copying {}", from.display()))?;
        }
    }
    Ok(())
}
