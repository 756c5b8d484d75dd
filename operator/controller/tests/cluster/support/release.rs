//! A release of the chart, by Helm, and its pods: kubelets are simulated, so what a pod of it would run is run here, with the
//! pod's own arguments and ServiceAccount.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::process::Command;
use webinar_testbed::ControlPlane;
use webinar_testbed::tools::{Tool, Tools};
use webinar_testbed::wait::{eventually, within};

use super::manifests::OPERATOR_NAMESPACE;
use super::scene::{SOON, Scene};

/// The release's name, which its objects have too.
pub(crate) const NAME: &str = "webinar-operator";

/// For one command of Helm, with what it waits for.
const HELM: Duration = Duration::from_secs(180);

/// The chart as it is now.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/webinar-operator")
}

/// Helm.
pub(crate) struct Helm(PathBuf);

impl Helm {
    pub(crate) async fn new() -> Result<Self> {
        let tools = Tools::ensure(&[Tool::Helm], &|text| println!("{text}")).await?;
        Ok(Self(tools.path(Tool::Helm)?.to_owned()))
    }

    /// Runs a command about the release, with more arguments.
    pub(crate) fn run(
        &self,
        scene: &Scene,
        command: &str,
        more: &[&str],
    ) -> impl Future<Output = Result<String>> + use<> {
        let mut helm = Command::new(&self.0);
        helm.args(command.split(' '))
            .arg(NAME)
            .args(["--namespace", OPERATOR_NAMESPACE])
            .args(more)
            .env("KUBECONFIG", scene.control_plane.kubeconfig())
            .env("HOME", scene.control_plane.work_dir())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let what = format!("helm {command} {more:?}");
        async move {
            within(&what, HELM, async {
                let output = helm.output().await?;
                let said = String::from_utf8_lossy(&output.stdout).into_owned();
                ensure!(
                    output.status.success(),
                    "{}\n{said}",
                    String::from_utf8_lossy(&output.stderr)
                );
                Ok(said)
            })
            .await
        }
    }

    /// `install` or `upgrade`, which waits until what it deployed is ready. The operator of before runs to the end of it,
    /// then one as the release says; where none runs, it is started as soon as there is a Deployment.
    pub(crate) async fn deploy(&self, scene: &mut Scene, command: &str, more: &[&str]) -> Result<()> {
        let chart = chart();
        self.deploy_from(scene, command, &chart.display().to_string(), more)
            .await
    }

    /// As [`Helm::deploy`], with another chart.
    pub(crate) async fn deploy_from(
        &self,
        scene: &mut Scene,
        command: &str,
        chart: &str,
        more: &[&str],
    ) -> Result<()> {
        let mut args = vec![chart, "--wait", "--timeout=120s"];
        args.extend(more);
        let deployed = tokio::spawn(self.run(scene, command, &args));
        if scene.operator().is_ok() {
            deployed.await??;
            scene.stop_operator().await?;
            start(scene).await
        } else {
            let started = start(scene).await;
            deployed.await??;
            started
        }
    }

    /// `helm test`, with its pod, and what that said.
    pub(crate) async fn test(&self, scene: &Scene) -> Result<String> {
        let (tested, said) = tokio::join!(self.run(scene, "test", &[]), run_test_pod(&scene.control_plane));
        let said = said?;
        tested.with_context(|| said.clone())?;
        Ok(said)
    }
}

/// Starts the operator as the release's Deployment would.
pub(crate) async fn start(scene: &mut Scene) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(scene.control_plane.client(), OPERATOR_NAMESPACE);
    let deployment = eventually("the Deployment", SOON, async || Ok(deployments.get(NAME).await?)).await?;
    let pod = deployment.spec.and_then(|spec| spec.template.spec);
    let Program { account, args } = program(&pod.context("a Deployment without pods")?)?;
    let env = [("POD_NAME", "operator"), ("POD_NAMESPACE", OPERATOR_NAMESPACE)];
    scene.start_installed(&account, args, &env).await
}

/// What a pod runs, and as whom.
struct Program {
    account: String,
    args: Vec<String>,
}

fn program(pod: &PodSpec) -> Result<Program> {
    let [container] = pod.containers.as_slice() else {
        bail!("{} containers", pod.containers.len());
    };
    Ok(Program {
        account: pod.service_account_name.clone().context("no ServiceAccount")?,
        args: container.args.clone().context("no arguments")?,
    })
}

/// Runs what the pod of `helm test` would, and tells the API server how it ended.
async fn run_test_pod(control_plane: &ControlPlane) -> Result<String> {
    let name = format!("{NAME}-smoke-test");
    let pods: Api<Pod> = Api::namespaced(control_plane.client(), OPERATOR_NAMESPACE);
    let pod = eventually("the pod of helm test", SOON, async || {
        let pod = pods.get(&name).await?;
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        ensure!(phase == Some("Running"), "{phase:?}");
        Ok(pod)
    })
    .await?;
    let Program { account, args } = program(&pod.spec.context("no spec")?)?;
    let kubeconfig = control_plane
        .service_account_kubeconfig(OPERATOR_NAMESPACE, &account)
        .await?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_webinar-operator"));
    command
        .args(args)
        .arg(format!("--kubeconfig={}", kubeconfig.display()))
        .kill_on_drop(true);
    let output = within("the smoke test", HELM, async { Ok(command.output().await?) }).await?;
    let phase = if output.status.success() {
        "Succeeded"
    } else {
        "Failed"
    };
    let status = Patch::Merge(json!({"status": {"phase": phase}}));
    pods.patch_status(&name, &PatchParams::default(), &status).await?;
    Ok(format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}
