//! The operator on a control plane: installed as its users do, with its own permissions and no others.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use webinar_api::{crd_yaml, crds};
use webinar_operator::rbac;
use webinar_testbed::{ControlPlane, OperatorProcess, free_port, http_get, wait_http_ok};

use crate::generated::OPERATOR_NAMESPACE;

const READY_DEADLINE: Duration = Duration::from_secs(30);
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// How the operator is started.
pub(crate) struct OperatorCommand {
    binary: PathBuf,
    args: Vec<OsString>,
    log: PathBuf,
    listen: SocketAddr,
}

impl OperatorCommand {
    /// Applies the CRDs, the operator's permissions and `yaml`, which has to bring the operator's namespace.
    ///
    /// # Errors
    /// When the API server refuses an object.
    pub(crate) async fn install(
        control_plane: &ControlPlane,
        binary: PathBuf,
        yaml: &str,
        more: impl IntoIterator<Item = OsString>,
    ) -> Result<Self> {
        let mut all = String::new();
        for crd in crds() {
            all += &format!("---\n{}\n", crd_yaml(&crd)?);
        }
        all += &format!(
            "---\n{yaml}\n---\n{}",
            rbac::manifests(OPERATOR_NAMESPACE).yaml()?
        );
        control_plane.apply_yaml(&all).await?;

        let kubeconfig = control_plane
            .service_account_kubeconfig(OPERATOR_NAMESPACE, rbac::NAME)
            .await?;
        // Free a moment ago. Should somebody take it now, the operator says so and ends.
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let mut args: Vec<OsString> = vec![
            "run".into(),
            "--kubeconfig".into(),
            kubeconfig.into_os_string(),
            "--identity".into(),
            "xtask".into(),
            "--operator-namespace".into(),
            OPERATOR_NAMESPACE.into(),
            "--listen".into(),
            listen.to_string().into(),
        ];
        args.extend(more);
        Ok(Self {
            binary,
            args,
            log: control_plane.work_dir().join("operator.log"),
            listen,
        })
    }

    /// What it answers at a path such as `/metrics`.
    ///
    /// # Errors
    /// When it doesn't within ten seconds.
    pub(crate) async fn ask(&self, path: &str) -> Result<String> {
        http_get(&format!("http://{}{path}", self.listen), ANSWER_DEADLINE).await
    }

    /// Starts it, and waits until it is ready.
    ///
    /// # Errors
    /// When it isn't within half a minute, with the end of its log.
    pub(crate) async fn start(&self) -> Result<OperatorProcess> {
        let operator = OperatorProcess::spawn(
            &self.binary,
            self.args.clone(),
            [("NO_COLOR", "1")],
            self.log.clone(),
        )?;
        wait_http_ok(&format!("http://{}/readyz", self.listen), READY_DEADLINE)
            .await
            .with_context(|| format!("the operator's log ends:\n{}", operator.log_tail(10)))?;
        Ok(operator)
    }
}

/// The operator's name in the audit log.
pub(crate) fn user() -> String {
    format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{}", rbac::NAME)
}
