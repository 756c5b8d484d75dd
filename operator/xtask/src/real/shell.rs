//! A shell beside the pods.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::process::Command;
use tokio_util::task::AbortOnDropHandle;
use webinar_testbed::real::Sandbox;
use webinar_testbed::wait::{eventually, give_up};

use super::lane::Lane;

/// The control plane and the node take less than a minute; a slow machine is given more.
const DEADLINE: Duration = Duration::from_secs(300);

/// Inside: says that all is there, and waits for the sandbox's end.
pub(super) async fn announce(lane: &Lane) -> Result<ExitCode> {
    let kubectl = lane.kubectl.display().to_string();
    let directory = kubectl.rsplit_once('/').map_or("", |(directory, _)| directory);
    let text = format!(
        "export KUBECONFIG='{}' PATH='{directory}':\"$PATH\" PS1='real \\$ '\n",
        lane.control_plane.kubeconfig().display()
    );
    // Renamed into place, or half of it might be read.
    let half = lane.control_plane.work_dir().join("shell");
    std::fs::write(&half, text).context("writing the shell's settings")?;
    std::fs::rename(&half, lane.control_plane.work_dir().with_file_name("shell"))?;
    std::future::pending().await
}

/// Outside: waits until all is there, and opens a shell in the sandbox until it is left.
pub(super) async fn open(sandbox: &mut Sandbox) -> Result<()> {
    let settings = sandbox.directory().join("shell");
    eventually("the node", DEADLINE, async || {
        if let Some(status) = sandbox.ended()? {
            return Err(give_up(format_args!("it ended with {status}")));
        }
        if !settings.is_file() {
            bail!("it is not there yet");
        }
        Ok(())
    })
    .await?;
    println!(
        "\nA shell beside the pods; leaving it ends everything. kubectl is set up:\n  kubectl get nodes\n"
    );
    let first = sandbox.first_process().await?;
    // Ctrl-C is the shell's.
    let _interrupts = AbortOnDropHandle::new(tokio::spawn(async {
        loop {
            _ = tokio::signal::ctrl_c().await;
        }
    }));
    let status = Command::new("nsenter")
        .arg(format!("--target={first}"))
        .args(["--net", "--mount", "--pid", "--", "/bin/sh", "-i"])
        .env("ENV", &settings)
        .stdin(Stdio::inherit())
        .kill_on_drop(true)
        .status()
        .await
        .context("starting nsenter")?;
    if status.code().is_none() {
        bail!("the shell ended with {status}");
    }
    Ok(())
}
