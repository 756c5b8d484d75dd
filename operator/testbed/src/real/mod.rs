//! A real node beside the control plane: kubelet, containerd, kube-proxy and CoreDNS, with real pods in real containers.
//!
//! It needs Linux, root and what [`missing`] names, and runs in a [`Sandbox`] only: network, mounts and processes of its
//! own, so that it changes nothing of the machine.

mod cgroup;
mod ground;
mod image;
mod programs;
mod requirements;
mod sandbox;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::{Api, ResourceExt as _};
use rustix::process::Pid;
pub use rustix::process::Signal;
use tokio::process::Command;

use crate::ControlPlane;
use crate::http::get_ok;
use crate::process::Process;
use crate::tools::{Tool, Tools};
use crate::wait::{eventually, within};
use cgroup::Cgroup;
use programs::Files;

pub use image::write_image;
pub use requirements::{Missing, missing};
pub use sandbox::Sandbox;

const START_DEADLINE: Duration = Duration::from_secs(60);
const IMPORT_DEADLINE: Duration = Duration::from_secs(120);

/// A node of one's own. Dropping it kills its programs; the pods end with the sandbox.
#[derive(Debug)]
pub struct RealNode {
    // In the order in which they end.
    kubelet: Process,
    _kube_proxy: Process,
    _coredns: Process,
    containerd: Process,
    name: String,
    cgroup: Cgroup,
    socket: PathBuf,
}

impl RealNode {
    /// Makes the sandbox that this process runs in ready for a control plane and a node.
    ///
    /// # Errors
    /// When this is no [`Sandbox`], or the kernel refuses.
    pub fn prepare() -> Result<()> {
        cgroup_name()?;
        ground::prepare(&crate::work_dir::root())
    }

    /// Starts the node, with images in it, and waits until it is Ready. Its name and its zone are as given.
    ///
    /// # Errors
    /// When a program is missing and cannot be built, or ends or is not ready within a minute, with the end of its log.
    pub async fn start(
        control_plane: &ControlPlane,
        tools: &Tools,
        name: &str,
        zone: &str,
        images: &[PathBuf],
    ) -> Result<Self> {
        let directory = control_plane.work_dir().join("node");
        std::fs::create_dir_all(&directory).context("creating the node's directory")?;
        let kubeconfig = control_plane.kubeconfig();
        let files = Files {
            directory: &directory,
            kubeconfig: &kubeconfig,
        };
        let cgroup = Cgroup::create(&cgroup_name()?)?;
        let socket = files.socket();

        let mut containerd = Process::spawn(&files.containerd()?)?;
        eventually("containerd", START_DEADLINE, async || {
            containerd.check_running()?;
            ctr(&socket, &["version"], START_DEADLINE).await
        })
        .await?;
        let pause = directory.join("pause.tar");
        write_image(&pause, programs::PAUSE_IMAGE, tools.path(Tool::Pause)?)?;
        for image in std::iter::once(&pause).chain(images) {
            let image = image.display().to_string();
            ctr(&socket, &["-n", "k8s.io", "images", "import", &image], IMPORT_DEADLINE).await?;
        }
        control_plane.apply_yaml(&programs::dns_service()).await?;
        let mut node = Self {
            kubelet: Process::spawn(&files.kubelet(tools, &cgroup, name, zone)?)?,
            _kube_proxy: Process::spawn(&files.kube_proxy(tools, name)?)?,
            _coredns: Process::spawn(&files.coredns(tools)?)?,
            containerd,
            name: name.to_owned(),
            cgroup,
            socket,
        };
        node.ready(control_plane).await?;
        Ok(node)
    }

    async fn ready(&mut self, control_plane: &ControlPlane) -> Result<()> {
        let nodes: Api<Node> = Api::all(control_plane.client());
        let name = self.name.clone();
        eventually("the node to be Ready", START_DEADLINE, async || {
            self.kubelet.check_running()?;
            self.containerd.check_running()?;
            let node = nodes.get(&name).await?;
            let conditions = node.status.and_then(|s| s.conditions).unwrap_or_default();
            let ready = conditions.iter().find(|c| c.type_ == "Ready");
            let ready = ready.context("it has told nothing")?;
            ensure!(ready.status == "True", "{:?}", ready.message);
            Ok(())
        })
        .await
        .with_context(|| format!("the kubelet's log ends:\n{}", self.kubelet.log_tail(20)))?;
        eventually("the name server", START_DEADLINE, async || {
            get_ok("http://127.0.0.1:8181/ready").await
        })
        .await
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The numbers, inside of the sandbox, of a pod's processes with this name.
    ///
    /// # Errors
    /// When the pod has no UID.
    pub fn processes(&self, pod: &Pod, program: &str) -> Result<Vec<u32>> {
        let uid = pod.uid().context("a pod without a UID")?;
        let all = self.cgroup.processes(&uid).into_iter();
        Ok(all
            .filter(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == program)
            })
            .collect())
    }

    /// Sends a signal to a pod's processes with this name.
    ///
    /// # Errors
    /// When there are none.
    pub fn signal(&self, pod: &Pod, program: &str, signal: Signal) -> Result<()> {
        let processes = self.processes(pod, program)?;
        ensure!(
            !processes.is_empty(),
            "no {program} runs in pod {}",
            pod.name_any()
        );
        for pid in processes {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a pid")?;
            rustix::process::kill_process(pid, signal)?;
        }
        Ok(())
    }

    /// The socket of its container runtime, for `ctr --address`.
    pub fn runtime(&self) -> &Path {
        &self.socket
    }
}

async fn ctr(socket: &Path, args: &[&str], deadline: Duration) -> Result<()> {
    let command = Command::new("ctr")
        .arg("--address")
        .arg(socket)
        .args(args)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within("ctr", deadline, async { Ok(command.await?) }).await?;
    if !output.status.success() {
        bail!(
            "ctr {} ended with {}: {}",
            args.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

fn cgroup_name() -> Result<String> {
    std::env::var(Sandbox::CGROUP).context("a real node runs in a sandbox only")
}
