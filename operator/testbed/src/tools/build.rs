//! Builds tools from the Go modules beside `src/`, once for all processes on the machine.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::process::Command;

use super::version::of_go;
use super::{Progress, Tool, mediamtx};
use crate::wait::{eventually, within};
use crate::work_dir::target;

const GO: (u32, u32) = (1, 26);
const BUILD_DEADLINE: Duration = Duration::from_secs(30 * 60);

/// Tools that one `go build` makes, as they share most of their code.
struct Batch {
    tools: &'static [Tool],
    /// The directory of their module.
    module: &'static str,
    tags: &'static str,
    ldflags: &'static str,
    about: &'static str,
}

/// Without a version the API server takes itself for v0.0.0 and serves nothing.
const KUBERNETES: &str = concat!(
    "-s -w",
    " -X k8s.io/component-base/version.gitVersion=v1.36.4",
    " -X k8s.io/component-base/version.gitMajor=1",
    " -X k8s.io/component-base/version.gitMinor=36",
    " -X k8s.io/component-base/version.gitTreeState=clean",
    " -X k8s.io/component-base/version.gitCommit=module",
);

const BATCHES: [Batch; 10] = [
    Batch {
        tools: &[
            Tool::ApiServer,
            Tool::ControllerManager,
            Tool::Scheduler,
            Tool::Kubectl,
        ],
        module: "kube",
        tags: "",
        ldflags: KUBERNETES,
        about: "4 min",
    },
    Batch {
        tools: &[Tool::Etcd],
        module: "kube",
        tags: "",
        ldflags: "-s -w",
        about: "30 s",
    },
    Batch {
        tools: &[Tool::Kwok],
        module: "kube/kwok",
        tags: "",
        ldflags: "-s -w",
        about: "1 min",
    },
    Batch {
        tools: &[Tool::Helm],
        module: "kube/helm",
        tags: "",
        ldflags: "-s -w -X helm.sh/helm/v4/internal/version.version=v4.2.4",
        about: "1 min",
    },
    Batch {
        tools: &[Tool::Prometheus],
        module: "prometheus",
        // Without the clients of clouds and registries that it can ask for targets, a third of its packages.
        tags: "remove_all_sd",
        ldflags: "-s -w -X github.com/prometheus/common/version.Version=3.15.0",
        about: "3 min",
    },
    Batch {
        tools: &[Tool::Kubelet, Tool::KubeProxy],
        module: "kube",
        tags: "",
        ldflags: KUBERNETES,
        about: "2 min",
    },
    Batch {
        tools: &[Tool::CoreDns, Tool::Pause],
        module: "node",
        tags: "",
        ldflags: "-s -w",
        about: "1 min",
    },
    Batch {
        tools: &[Tool::MediaMtx],
        module: mediamtx::MODULE,
        tags: "",
        ldflags: "-s -w",
        about: "2 min",
    },
    Batch {
        tools: &[Tool::FluxVerdict],
        module: "flux",
        tags: "",
        ldflags: "-s -w",
        about: "1 min",
    },
    Batch {
        tools: &[Tool::Actionlint],
        module: "actionlint",
        tags: "",
        ldflags: "-s -w -X github.com/rhysd/actionlint.version=v1.7.12",
        about: "10 s",
    },
];

/// Where a tool lies once it is built.
pub(super) fn built(tool: Tool) -> PathBuf {
    target().join("kube").join(tool.version()).join(tool.program())
}

fn package(tool: Tool) -> &'static str {
    match tool {
        Tool::Etcd => "./etcd",
        Tool::ApiServer => "k8s.io/kubernetes/cmd/kube-apiserver",
        Tool::ControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
        Tool::Scheduler => "k8s.io/kubernetes/cmd/kube-scheduler",
        Tool::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
        Tool::Kwok => "sigs.k8s.io/kwok/cmd/kwok",
        Tool::Helm => "helm.sh/helm/v4/cmd/helm",
        Tool::Prometheus => "github.com/prometheus/prometheus/cmd/prometheus",
        Tool::Kubelet => "k8s.io/kubernetes/cmd/kubelet",
        Tool::KubeProxy => "k8s.io/kubernetes/cmd/kube-proxy",
        Tool::CoreDns => "./coredns",
        Tool::Pause => "./pause",
        Tool::MediaMtx => ".",
        Tool::FluxVerdict => "./flux-verdict",
        Tool::Actionlint => "github.com/rhysd/actionlint/cmd/actionlint",
    }
}

/// Builds the tools, unless another process has just done so.
pub(super) async fn build(tools: &[Tool], progress: Progress<'_>) -> Result<()> {
    let modules = Path::new(env!("CARGO_MANIFEST_DIR"));
    // All modules ask for the same Go.
    check_go(&modules.join("kube"), tools).await?;
    let root = target().join("kube");
    fs::create_dir_all(&root).with_context(|| format!("creating {}", root.display()))?;
    let _lock = lock(&root.join("lock"), progress).await?;
    for batch in BATCHES {
        let missing: Vec<Tool> = batch
            .tools
            .iter()
            .copied()
            .filter(|tool| tools.contains(tool) && !built(*tool).is_file())
            .collect();
        if missing.is_empty() {
            continue;
        }
        let names = missing
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ");
        progress(&format!(
            "building {names} (about {} the first time) …",
            batch.about
        ));
        let module = modules.join(batch.module);
        let module = if batch.module == mediamtx::MODULE {
            mediamtx::source(&module, &root.join("mediamtx")).await?
        } else {
            module
        };
        go_build(&batch, &missing, &module, &root.join("unfinished"))
            .await
            .with_context(|| format!("building {names}"))?;
    }
    Ok(())
}

async fn check_go(modules: &Path, tools: &[Tool]) -> Result<()> {
    let what = tools
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let (major, minor) = GO;
    let hint = format!(
        "Go {major}.{minor} or newer is needed to build {what}. Install it with your package manager or from \
         https://go.dev/doc/install, or let KUBEBUILDER_ASSETS name a directory that holds these programs"
    );
    let version = of_go(modules).await.with_context(|| hint.clone())?;
    ensure!(version >= GO, "{hint}; `go` is {}.{}", version.0, version.1);
    Ok(())
}

async fn lock(path: &Path, progress: Progress<'_>) -> Result<File> {
    let file = File::create(path).with_context(|| format!("opening the lock {}", path.display()))?;
    let mut told = false;
    eventually("another process's build", BUILD_DEADLINE, async || {
        match file.try_lock() {
            Ok(()) => Ok(()),
            Err(TryLockError::WouldBlock) => {
                if !told {
                    progress("waiting for another process that builds the tools …");
                    told = true;
                }
                bail!("{} is locked", path.display())
            }
            Err(TryLockError::Error(error)) => Err(error).context("locking"),
        }
    })
    .await?;
    Ok(file)
}

async fn go_build(batch: &Batch, tools: &[Tool], module: &Path, unfinished: &Path) -> Result<()> {
    if unfinished.exists() {
        fs::remove_dir_all(unfinished).context("removing an unfinished build")?;
    }
    fs::create_dir_all(unfinished)?;
    let build = Command::new("go")
        .args([
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-tags",
            batch.tags,
            "-ldflags",
            batch.ldflags,
            "-o",
        ])
        .arg(unfinished)
        .args(tools.iter().map(|tool| package(*tool)))
        .current_dir(module)
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "-mod=readonly")
        .env("GOWORK", "off")
        .env_remove("GOOS")
        .env_remove("GOARCH")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = within("go build", BUILD_DEADLINE, async { Ok(build.await?) }).await?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = text.lines().collect();
        bail!(
            "go build ended with {}:\n{}",
            output.status,
            lines[lines.len().saturating_sub(20)..].join("\n")
        );
    }
    for tool in tools {
        let place = built(*tool);
        if let Some(directory) = place.parent() {
            fs::create_dir_all(directory)?;
        }
        fs::rename(unfinished.join(tool.program()), &place)
            .with_context(|| format!("putting {} in place", place.display()))?;
    }
    fs::remove_dir_all(unfinished).context("removing the emptied build directory")
}
