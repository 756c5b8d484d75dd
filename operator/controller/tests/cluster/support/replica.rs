//! Several operators on one control plane, each with a name and a ServiceAccount of its own, so that the audit log tells
//! them apart.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use webinar_operator::rbac;
use webinar_testbed::proxy::FaultProxy;
use webinar_testbed::wait::eventually;
use webinar_testbed::{OperatorProcess, free_port, http_get, wait_http_ok};

use super::manifests::OPERATOR_NAMESPACE;
use super::scene::{SOON, Scene};

/// Lease, renew deadline and retry period.
pub(crate) type Leases = [&'static str; 3];

/// A lease that expires within a test.
pub(crate) const SHORT: Leases = ["3s", "2s", "500ms"];

/// A lease that does not.
pub(crate) const LONG: Leases = ["60s", "40s", "500ms"];

/// One of them.
pub(crate) struct Replica {
    pub(crate) process: OperatorProcess,
    name: String,
    listen: SocketAddr,
}

impl Replica {
    /// Starts one and waits until its caches are filled.
    pub(crate) async fn start(scene: &Scene, name: &str, leases: Leases, args: &[&str]) -> Result<Self> {
        let kubeconfig = account(scene, name).await?;
        Self::run(scene, name, &kubeconfig, leases, args).await
    }

    /// Starts one that reaches the API server through a proxy of its own, and waits until its caches are filled.
    pub(crate) async fn start_behind(
        proxy: &FaultProxy,
        scene: &Scene,
        name: &str,
        leases: Leases,
        args: &[&str],
    ) -> Result<Self> {
        let kubeconfig = proxy.kubeconfig(&account(scene, name).await?)?;
        Self::run(scene, name, &kubeconfig, leases, args).await
    }

    async fn run(
        scene: &Scene,
        name: &str,
        kubeconfig: &Path,
        leases: Leases,
        args: &[&str],
    ) -> Result<Self> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut all: Vec<String> = [
            "run",
            "--operator-namespace",
            OPERATOR_NAMESPACE,
            "--identity",
            name,
        ]
        .map(str::to_owned)
        .to_vec();
        all.extend(["--listen".to_owned(), listen.to_string()]);
        all.extend(["--kubeconfig".to_owned(), kubeconfig.display().to_string()]);
        let flags = ["--lease-duration", "--renew-deadline", "--retry-period"];
        for (flag, time) in flags.into_iter().zip(leases) {
            all.extend([flag, time].map(str::to_owned));
        }
        all.extend(args.iter().map(|a| (*a).to_owned()));
        let log = scene.control_plane.work_dir().join(format!("{name}.log"));
        let binary = Path::new(env!("CARGO_BIN_EXE_webinar-operator"));
        let process = OperatorProcess::spawn(binary, all, [("NO_COLOR", "1")], log)?;
        let replica = Self {
            process,
            name: name.to_owned(),
            listen,
        };
        wait_http_ok(&format!("http://{listen}/readyz"), SOON).await?;
        Ok(replica)
    }

    /// As the API server knows it.
    pub(crate) fn user(&self) -> String {
        format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{}", self.name)
    }

    /// Waits until it says by its metrics that it leads, or that it does not.
    pub(crate) async fn says_it_leads(&self, leads: bool) -> Result<()> {
        let said = format!("webinar_operator_leader {}", u8::from(leads));
        let url = format!("http://{}/metrics", self.listen);
        eventually(&format!("{} to say {said:?}", self.name), SOON, async || {
            let metrics = http_get(&url, SOON).await?;
            let line = metrics
                .lines()
                .find(|l| l.starts_with("webinar_operator_leader "));
            ensure!(line == Some(&said), "{line:?}");
            Ok(())
        })
        .await
    }

    /// It serves its own health, leading or not.
    pub(crate) async fn answers(&self) -> Result<()> {
        wait_http_ok(&format!("http://{}/healthz", self.listen), SOON).await?;
        wait_http_ok(&format!("http://{}/metrics", self.listen), SOON).await
    }
}

/// Gives an operator of this name a ServiceAccount with the operator's rights; returns its kubeconfig.
async fn account(scene: &Scene, name: &str) -> Result<PathBuf> {
    let mut rights = rbac::manifests(OPERATOR_NAMESPACE);
    rights.service_account.metadata.name = Some(name.to_owned());
    rights.cluster_role_binding.metadata.name = Some(name.to_owned());
    rights.role_binding.metadata.name = Some(name.to_owned());
    let bindings = [
        &mut rights.cluster_role_binding.subjects,
        &mut rights.role_binding.subjects,
    ];
    for subject in bindings.into_iter().flatten().flatten() {
        name.clone_into(&mut subject.name);
    }
    scene.apply(&rights.yaml()?).await?;
    scene
        .control_plane
        .service_account_kubeconfig(OPERATOR_NAMESPACE, name)
        .await
}
