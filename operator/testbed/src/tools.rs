//! The programs that the testbed runs: found at the right version, or built once from pinned Go modules.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

mod build;
pub(crate) mod mediamtx;
mod version;

/// A program that the testbed runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tool {
    /// The store behind the API server.
    Etcd,
    /// The API server.
    ApiServer,
    /// The controllers that come with Kubernetes: garbage collection, ServiceAccounts, EndpointSlices and so on.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// The command-line client.
    Kubectl,
    /// The simulator of nodes and of their kubelets.
    Kwok,
    /// The chart installer.
    Helm,
    /// The monitoring server. It finds targets in its configuration and in files only.
    Prometheus,
    /// The agent of a real node.
    Kubelet,
    /// What leads a Service's address to its pods, on a real node.
    KubeProxy,
    /// The name server of a cluster, with the plugins that one node needs.
    CoreDns,
    /// What holds the namespaces of a pod.
    Pause,
    /// The media server.
    MediaMtx,
    /// What Flux makes of objects and of its own manifests; a program of ours around its libraries.
    FluxVerdict,
    /// The linter of GitHub workflows.
    Actionlint,
}

impl Tool {
    /// What [`ControlPlane`](crate::ControlPlane) needs.
    pub const CONTROL_PLANE: [Self; 6] = [
        Self::Etcd,
        Self::ApiServer,
        Self::ControllerManager,
        Self::Scheduler,
        Self::Kubectl,
        Self::Kwok,
    ];

    /// What [`RealNode`](crate::real::RealNode) needs beyond a control plane and what Linux distributions bring.
    pub const REAL_NODE: [Self; 5] = [
        Self::Kubelet,
        Self::KubeProxy,
        Self::CoreDns,
        Self::Pause,
        Self::MediaMtx,
    ];

    /// The executable's name.
    pub fn program(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kubectl => "kubectl",
            Self::Kwok => "kwok",
            Self::Helm => "helm",
            Self::Prometheus => "prometheus",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::CoreDns => "coredns",
            Self::Pause => "pause",
            Self::MediaMtx => "mediamtx",
            Self::FluxVerdict => "flux-verdict",
            Self::Actionlint => "actionlint",
        }
    }

    /// The only version that is used, without a leading `v`. The Go modules beside this crate's
    /// `src/` pin the same ones.
    pub fn version(self) -> &'static str {
        match self {
            Self::ApiServer
            | Self::ControllerManager
            | Self::Scheduler
            | Self::Kubectl
            | Self::Kubelet
            | Self::KubeProxy => "1.36.4",
            Self::Etcd => "3.6.8",
            Self::Kwok => "0.8.0",
            Self::Helm => "4.2.4",
            Self::Prometheus => "3.15.0",
            Self::CoreDns => "1.14.2",
            Self::Pause | Self::FluxVerdict => "1.0.0",
            Self::Actionlint => "1.7.12",
            Self::MediaMtx => "1.19.3",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program(), self.version())
    }
}

/// Receives one sentence whenever something that takes long begins.
pub type Progress<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Where the programs are.
#[derive(Debug, Clone, Default)]
pub struct Tools(BTreeMap<Tool, PathBuf>);

impl Tools {
    /// Finds each tool in the directory named by `KUBEBUILDER_ASSETS`, on `PATH`, or among those built before, in this
    /// order and only at the right version; builds what is missing. A first build takes minutes, later calls a moment.
    ///
    /// # Errors
    /// When a tool has to be built and Go is missing, too old or fails, or another process builds for over 30 minutes.
    pub async fn ensure(tools: &[Tool], progress: Progress<'_>) -> Result<Self> {
        let mut found = BTreeMap::new();
        let mut missing = Vec::new();
        for &tool in tools {
            match find(tool, progress).await {
                Some(path) => _ = found.insert(tool, path),
                None => missing.push(tool),
            }
        }
        if !missing.is_empty() {
            build::build(&missing, progress).await?;
            found.extend(missing.into_iter().map(|tool| (tool, build::built(tool))));
        }
        Ok(Self(found))
    }

    /// The path of a tool that [`Tools::ensure`] was asked for.
    ///
    /// # Errors
    /// When it was not asked for.
    pub fn path(&self, tool: Tool) -> Result<&Path> {
        self.0
            .get(&tool)
            .map(PathBuf::as_path)
            .with_context(|| format!("{tool} was not asked for"))
    }
}

async fn find(tool: Tool, progress: Progress<'_>) -> Option<PathBuf> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut seen = BTreeSet::new();
    for directory in assets.into_iter().chain(std::env::split_paths(&path)) {
        let candidate = directory.join(tool.program());
        // Directories may be links to one another.
        let is_new = candidate
            .canonicalize()
            .is_ok_and(|file| file.is_file() && seen.insert(file));
        if !is_new {
            continue;
        }
        match version::of(tool, &candidate).await {
            Ok(version) if version == tool.version() => return Some(candidate),
            Ok(version) => progress(&format!(
                "{} is {version}, not used: {tool} is needed",
                candidate.display()
            )),
            Err(error) => progress(&format!("{} is not used: {error:#}", candidate.display())),
        }
    }
    // Built ones are complete and of the right version, or they would not be in place.
    Some(build::built(tool)).filter(|path| path.is_file())
}
