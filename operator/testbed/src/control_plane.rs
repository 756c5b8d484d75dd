//! A Kubernetes control plane of one's own on loopback, with simulated nodes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::DynamicObject;
use kube::{Api, Client};
use tokio::process::Command;

use crate::audit::Audit;
use crate::config::{self, Layout};
use crate::past::Past;
use crate::process::Process;
use crate::store::{START_DEADLINE, Store, ready};
use crate::tools::{Tool, Tools};
use crate::wait::{eventually, within};
use crate::work_dir::WorkDir;
use crate::{apply, certificates, http, identity, kubeconfig, ports};

const KUBECTL_DEADLINE: Duration = Duration::from_secs(120);
/// Somebody else may take a free port before its owner is up.
const ATTEMPTS: usize = 3;

/// How fast a client may call the API server.
#[derive(Debug, Clone, Copy)]
pub struct ApiRate {
    /// Requests per second in the long run.
    pub qps: u32,
    /// Requests at once.
    pub burst: u32,
}

/// What a control plane is started with.
#[derive(Debug, Clone)]
pub struct Options {
    /// Admission plugins beyond the default ones, such as `OwnerReferencesPermissionEnforcement`.
    pub admission_plugins: Vec<String>,
    /// More flags for the API server, such as `--feature-gates=…`.
    pub api_server_args: Vec<String>,
    /// The controller manager's rate; `None` leaves its default of 20 and 30, with which collecting a thousand pods
    /// takes a minute.
    pub controller_manager_rate: Option<ApiRate>,
    /// Receives a sentence when something that takes long begins; prints it to stderr by default.
    pub progress: fn(&str),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            admission_plugins: Vec::new(),
            api_server_args: Vec::new(),
            controller_manager_rate: Some(ApiRate { qps: 200, burst: 400 }),
            progress: |text| eprintln!("testbed: {text}"),
        }
    }
}

/// etcd, the API server, the controller manager, the scheduler and kwok, each a process of its own on 127.0.0.1.
///
/// Dropping it kills them and removes their data; if the thread panics or the environment variable `TESTBED_KEEP` is set,
/// data and logs are kept. They die with this
/// process however it ends. Needs a Tokio runtime.
pub struct ControlPlane {
    /// In the order of their start.
    components: Vec<Component>,
    client: Client,
    layout: Layout,
    tools: Tools,
    pasts: usize,
    // Last, so that nobody writes into it any more when it is removed.
    dir: WorkDir,
}

struct Component {
    tool: Tool,
    process: Process,
}

impl ControlPlane {
    /// Starts everything; building the programs comes first if they are nowhere at the right version. Returns when the
    /// API server is ready and the ServiceAccount `default` exists, hence pods can be created.
    ///
    /// # Errors
    /// When a program is missing and cannot be built, or ends or is not ready within a minute, with the end of its log.
    pub async fn start(options: Options) -> Result<Self> {
        let tools = Tools::ensure(&Tool::CONTROL_PLANE, &options.progress).await?;
        let mut attempt = 1;
        loop {
            match Self::try_start(&tools, &options).await {
                Err(error)
                    if attempt < ATTEMPTS && format!("{error:#}").contains("address already in use") =>
                {
                    attempt += 1;
                }
                outcome => return outcome,
            }
        }
    }

    async fn try_start(tools: &Tools, options: &Options) -> Result<Self> {
        let dir = WorkDir::create()?;
        let layout = Layout::new(dir.path(), ports::free()?, options);
        certificates::write(dir.path())?;
        config::write(&layout)?;

        let Store {
            etcd,
            api_server,
            client,
        } = Store::start(&layout, tools).await?;
        let mut components = vec![
            Component {
                tool: Tool::Etcd,
                process: etcd,
            },
            Component {
                tool: Tool::ApiServer,
                process: api_server,
            },
        ];
        for tool in [Tool::ControllerManager, Tool::Scheduler, Tool::Kwok] {
            components.push(Component {
                tool,
                process: layout.spawn(tool, tools)?,
            });
        }
        let mut this = Self {
            components,
            client,
            layout,
            tools: tools.clone(),
            pasts: 0,
            dir,
        };
        this.service_account_made().await?;
        Ok(this)
    }

    async fn service_account_made(&mut self) -> Result<()> {
        let accounts: Api<ServiceAccount> = Api::default_namespaced(self.client.clone());
        eventually(
            "the ServiceAccount of the default namespace",
            START_DEADLINE,
            async || {
                for component in &mut self.components {
                    component.process.check_running()?;
                }
                accounts.get("default").await?;
                Ok(())
            },
        )
        .await
    }

    /// A client that may do everything, as user `admin`. It does not repeat failed requests.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// The kubeconfig of [`ControlPlane::client`].
    pub fn kubeconfig(&self) -> PathBuf {
        self.layout.kubeconfig(config::ADMIN)
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        self.layout.server()
    }

    /// The certificate that the API server's is signed with, a PEM file.
    pub fn ca(&self) -> PathBuf {
        self.layout.ca()
    }

    /// The certificate that the API server shows, and its key: PEM files. It is valid for all of loopback.
    pub(crate) fn certificate(&self) -> (PathBuf, PathBuf) {
        self.layout.certificate()
    }

    /// The directory of logs (`<program>.log`) and data. Tests may put files of their own there.
    pub fn work_dir(&self) -> &Path {
        self.dir.path()
    }

    /// The record of all writes.
    pub fn audit(&self) -> Audit {
        Audit::new(self.layout.audit_log())
    }

    /// Runs kubectl as admin and returns its output.
    ///
    /// # Errors
    /// When it fails, with what it printed to stderr, or takes more than 2 minutes.
    pub async fn kubectl<A: AsRef<std::ffi::OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
    ) -> Result<String> {
        let mut command = Command::new(self.tools.path(Tool::Kubectl)?);
        command
            .args(args)
            .env("KUBECONFIG", self.kubeconfig())
            .env("KUBECACHEDIR", self.work_dir().join("kubectl-cache"))
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let what = format!("{:?}", command.as_std());
        within(&what, KUBECTL_DEADLINE, async {
            let output = command.output().await?;
            if !output.status.success() {
                bail!(
                    "{}: {}",
                    output.status,
                    String::from_utf8_lossy(&output.stderr).trim()
                );
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })
        .await
    }

    /// Applies the documents of a YAML text in their order, server-side and by force, as field manager
    /// `webinar-testbed`. Objects of namespaced kinds that name no namespace go to `default`. A kind defined earlier in
    /// the text may be used: its CustomResourceDefinition is waited for.
    ///
    /// # Errors
    /// When the text is no YAML, a kind is unknown after 10 s, or the API server refuses an object, naming it.
    pub async fn apply_yaml(&self, yaml: &str) -> Result<Vec<DynamicObject>> {
        apply::apply_yaml(&self.client, yaml).await
    }

    /// A bearer token of an existing ServiceAccount, valid for 24 hours; for a kubeconfig that names another server, see
    /// [`write_kubeconfig`](crate::write_kubeconfig).
    ///
    /// # Errors
    /// When the ServiceAccount does not exist.
    pub async fn service_account_token(&self, namespace: &str, name: &str) -> Result<String> {
        identity::token(&self.client, namespace, name).await
    }

    /// Writes a kubeconfig for an existing ServiceAccount, with a token that is valid for 24 hours.
    ///
    /// # Errors
    /// When the ServiceAccount does not exist or the file cannot be written.
    pub async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let token = self.service_account_token(namespace, name).await?;
        let file = self.work_dir().join(format!("{namespace}.{name}.kubeconfig"));
        kubeconfig::write_kubeconfig(&file, self.server(), &self.ca(), &token)?;
        Ok(file)
    }

    /// The running process of a component, to pause or resume it, or to look at its log.
    ///
    /// # Errors
    /// When the tool is no component, such as kubectl.
    pub fn process(&mut self, tool: Tool) -> Result<&mut Process> {
        Ok(&mut self.component(tool)?.process)
    }

    /// Kills a component with SIGKILL. It stays away until [`ControlPlane::restart`].
    ///
    /// # Errors
    /// When the tool is no component or cannot be killed.
    pub fn kill(&mut self, tool: Tool) -> Result<()> {
        self.process(tool)?.kill()?;
        Ok(())
    }

    /// Starts a component anew, on its old port and data, killing it first if it runs; for the API server, returns when
    /// it is ready.
    ///
    /// # Errors
    /// When the tool is no component or does not come up, with the end of its log.
    pub async fn restart(&mut self, tool: Tool) -> Result<()> {
        self.kill(tool)?;
        let mut process = self.layout.spawn(tool, &self.tools)?;
        if tool == Tool::ApiServer {
            ready(&mut process, &self.client).await?;
        }
        self.component(tool)?.process = process;
        Ok(())
    }

    /// The cluster as it is now, for good: a second API server, which knows nothing of what comes.
    ///
    /// # Errors
    /// When the data cannot be copied, or its programs do not come up, with the end of their logs.
    pub async fn freeze(&mut self) -> Result<Past> {
        self.pasts += 1;
        let dir = self.dir.path().join(format!("past-{}", self.pasts));
        let etcd = self.components.iter_mut().find(|c| c.tool == Tool::Etcd);
        let etcd = &mut etcd.context("no etcd")?.process;
        Past::of(etcd, &self.layout, &dir, &self.tools).await
    }

    /// Stores an object as it is, with its UID and its times, past the API server: as if it had always lain there. `key` is
    /// etcd's, below `/registry/`, such as `pods/<namespace>/<name>`.
    ///
    /// # Errors
    /// When etcd can't be reached or refuses.
    pub async fn lay(&self, key: &str, object: &serde_json::Value) -> Result<()> {
        let base64 = |text: String| serde_json::to_value(ByteString(text.into_bytes()));
        let put = serde_json::json!({
            "key": base64(format!("/registry/{key}"))?,
            "value": base64(object.to_string())?,
        });
        http::post(&self.layout.etcd_put(), &put.to_string())
            .await
            .with_context(|| format!("storing {key}"))
    }

    /// Names and process ids of the components.
    pub fn pids(&self) -> Vec<(&'static str, u32)> {
        self.components
            .iter()
            .map(|component| (component.tool.program(), component.process.pid()))
            .collect()
    }

    fn component(&mut self, tool: Tool) -> Result<&mut Component> {
        self.components
            .iter_mut()
            .find(|component| component.tool == tool)
            .with_context(|| format!("{tool} is no component"))
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        // Whoever writes stops before what it writes to.
        while self.components.pop().is_some() {}
    }
}
