//! The operator's process in a scene: started, asked, stopped.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use webinar_testbed::{OperatorProcess, wait_http_ok};

use super::manifests::OPERATOR_NAMESPACE;
use super::scene::{SOON, Scene};

impl Scene {
    /// Starts the operator and waits until its caches are filled.
    pub(crate) async fn start_operator(&mut self) -> Result<()> {
        self.spawn_operator()?;
        self.operator_ready(SOON).await
    }

    /// Starts the operator.
    pub(crate) fn spawn_operator(&mut self) -> Result<()> {
        let mut args: Vec<String> = ["run", "--operator-namespace", OPERATOR_NAMESPACE, "--listen"]
            .map(str::to_owned)
            .to_vec();
        args.push(self.listen.to_string());
        // One name for every process of a story: a restart goes on at once.
        args.extend(["--identity", "operator"].map(str::to_owned));
        args.push("--kubeconfig".to_owned());
        args.push(self.kubeconfig.display().to_string());
        args.extend(self.operator_args.iter().cloned());
        self.spawn(args, &[])
    }

    /// Starts the operator as a pod of a release would: with these arguments and variables, and as this ServiceAccount.
    /// Only where it listens is the scene's.
    pub(crate) async fn start_installed(
        &mut self,
        account: &str,
        mut args: Vec<String>,
        env: &[(&str, &str)],
    ) -> Result<()> {
        let kubeconfig = self
            .control_plane
            .service_account_kubeconfig(OPERATOR_NAMESPACE, account)
            .await?;
        args.push(format!("--kubeconfig={}", kubeconfig.display()));
        args.push(format!("--listen={}", self.listen));
        self.spawn(args, env)?;
        self.operator_ready(SOON).await
    }

    fn spawn(&mut self, args: Vec<String>, env: &[(&str, &str)]) -> Result<()> {
        let log = self.control_plane.work_dir().join("operator.log");
        let env = env.iter().chain(&[("NO_COLOR", "1")]).copied();
        self.operator = Some(OperatorProcess::spawn(&self.binary, args, env, log)?);
        Ok(())
    }

    /// Ends the operator as the kubelet does.
    pub(crate) async fn stop_operator(&mut self) -> Result<()> {
        let exit = self.operator()?.stop(Duration::from_secs(30)).await?;
        ensure!(exit.success(), "the operator ended: {exit:?}");
        self.operator = None;
        Ok(())
    }

    /// The operator's process.
    pub(crate) fn operator(&mut self) -> Result<&mut OperatorProcess> {
        self.operator.as_mut().context("the operator was not started")
    }

    /// Waits for 200 from `/readyz`.
    pub(crate) async fn operator_ready(&mut self, deadline: Duration) -> Result<()> {
        wait_http_ok(&format!("http://{}/readyz", self.listen), deadline).await?;
        self.operator()?.process().check_running()
    }

    /// The status line's code of an HTTP path of the operator.
    pub(crate) async fn operator_answers(&self, path: &str) -> Result<()> {
        wait_http_ok(&format!("http://{}{path}", self.listen), Duration::from_secs(2)).await
    }

    /// Where the operator serves `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listen)
    }

    /// `kill -9`.
    pub(crate) fn kill_operator(&mut self) -> Result<()> {
        self.operator()?.kill9()?;
        self.operator = None;
        Ok(())
    }

    /// Everything the operator has logged.
    pub(crate) fn log(&self) -> Result<String> {
        let file = self.control_plane.work_dir().join("operator.log");
        if !file.exists() {
            return Ok(String::new());
        }
        Ok(String::from_utf8_lossy(&std::fs::read(file)?).into_owned())
    }

    pub(super) fn log_tail(&self, lines: usize) -> String {
        let log = self.log().unwrap_or_default();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}
