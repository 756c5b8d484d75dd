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
use crate::tools::{Tool, Tools, mediamtx};
use crate::wait::{eventually, within};
use cgroup::Cgroup;
use programs::Files;

use image::write_image;
pub use requirements::{Missing, missing};
pub use sandbox::Sandbox;

const START_DEADLINE: Duration = Duration::from_secs(60);
const IMPORT_DEADLINE: Duration = Duration::from_secs(120);

/// Writes MediaMTX's image as an archive, tagged as its makers tag it: the program and its configuration.
///
/// # Errors
/// When Go can't get the configuration, or the archive can't be written.
pub async fn write_mediamtx(archive: &Path, tools: &Tools) -> Result<()> {
    let tag = format!("docker.io/bluenviron/mediamtx:{}", Tool::MediaMtx.version());
    let configuration = mediamtx::configuration().await?;
    let beside: [(&str, &[u8]); 1] = [(mediamtx::CONFIGURATION, &configuration)];
    write_image(archive, &tag, tools.path(Tool::MediaMtx)?, &beside)
}

/// A node of one's own. Dropping it kills its programs; the pods end with the sandbox.
#[derive(Debug)]
pub struct RealNode {
    // In the order in which they end.
    kubelet: Process,
    kube_proxy: Process,
    coredns: Process,
    containerd: Process,
    name: String,
    cgroup: Cgroup,
}

impl RealNode {
    /// Makes the sandbox that this process runs in ready for a control plane and a node.
    ///
    /// # Errors
    /// When this is no [`Sandbox`], or the kernel refuses.
    pub fn prepare() -> Result<()> {
        cgroup_name()?;
        // A variable alone is no sandbox, and what follows would hurt a machine.
        let routes = std::fs::read_to_string("/proc/net/route").context("looking at the network")?;
        ensure!(
            std::os::unix::process::parent_id() == 1 && routes.lines().count() <= 1,
            "a real node runs in a sandbox only"
        );
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
        write_image(&pause, programs::PAUSE_IMAGE, tools.path(Tool::Pause)?, &[])?;
        for image in std::iter::once(&pause).chain(images) {
            let image = image.display().to_string();
            ctr(
                &socket,
                &["-n", "k8s.io", "images", "import", &image],
                IMPORT_DEADLINE,
            )
            .await?;
        }
        control_plane.apply_yaml(&programs::dns_service()).await?;
        let mut node = Self {
            kubelet: Process::spawn(&files.kubelet(tools, &cgroup, name, zone)?)?,
            kube_proxy: Process::spawn(&files.kube_proxy(tools, name)?)?,
            coredns: Process::spawn(&files.coredns(tools)?)?,
            containerd,
            name: name.to_owned(),
            cgroup,
        };
        node.ready(control_plane).await?;
        Ok(node)
    }

    async fn ready(&mut self, control_plane: &ControlPlane) -> Result<()> {
        let nodes: Api<Node> = Api::all(control_plane.client());
        let name = self.name.clone();
        eventually("the node to be Ready", START_DEADLINE, async || {
            self.check_running()?;
            let node = nodes.get(&name).await?;
            let conditions = node.status.and_then(|s| s.conditions).unwrap_or_default();
            let ready = conditions.iter().find(|c| c.type_ == "Ready");
            let ready = ready.context("it has told nothing")?;
            ensure!(ready.status == "True", "{:?}", ready.message);
            Ok(())
        })
        .await
        .with_context(|| format!("the kubelet's log ends:\n{}", self.kubelet.log_tail(20)))?;
        for (what, url) in [
            ("the name server", "http://127.0.0.1:8181/ready"),
            ("kube-proxy", "http://127.0.0.1:10256/healthz"),
        ] {
            eventually(what, START_DEADLINE, async || {
                self.check_running()?;
                get_ok(url).await
            })
            .await?;
        }
        Ok(())
    }

    fn check_running(&mut self) -> Result<()> {
        let all = [
            &mut self.kubelet,
            &mut self.kube_proxy,
            &mut self.coredns,
            &mut self.containerd,
        ];
        all.into_iter().try_for_each(Process::check_running)
    }

    /// The ends of its programs' logs, for when something went wrong.
    pub fn log_tail(&self, lines: usize) -> String {
        let all = [&self.kubelet, &self.kube_proxy, &self.coredns, &self.containerd];
        let tails = all.map(|process| format!("{}:\n{}", process.name(), process.log_tail(lines)));
        tails.join("\n")
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
