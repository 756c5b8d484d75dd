//! A control plane with the operator on it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::{Mutex, MutexGuard};
use webinar_api::{Webinar, WebinarStatus, crds};
use webinar_operator::rbac;
use webinar_testbed::audit::{Offset, Record, Records};
use webinar_testbed::dataplane::{self, DataPlane};
use webinar_testbed::proxy::FaultProxy;
use webinar_testbed::tools::Tool;
use webinar_testbed::wait::{Stopwatch, eventually};
use webinar_testbed::{ControlPlane, NodeShape, OperatorProcess, Options, free_port};

use super::manifests::{FULL, OPERATOR_NAMESPACE, class, templates, tiny};
pub(crate) use super::setting::Setting;

/// The operator as the API server knows it.
pub(crate) const OPERATOR: &str = "system:serviceaccount:webinar-system:webinar-operator";

/// For what takes a moment, even on a slow machine.
pub(crate) const SOON: Duration = Duration::from_secs(60);

/// For the EndpointSlice controller. While pods change quickly it often finds its cache out of date, and waits twice as
/// long each time before it tries again.
pub(crate) const ENDPOINTS: Duration = Duration::from_secs(120);

/// Clients and control planes outlive a test, so all tests share one runtime.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a runtime"));

/// The control plane of the stories of a million people.
static BIG: Mutex<Option<Scene>> = Mutex::const_new(None);

/// Plays a story on a control plane of its own. The operator does not run at first.
pub(crate) fn story(setting: Setting, play: impl AsyncFnOnce(&mut Scene) -> Result<()>) {
    RUNTIME.block_on(async {
        let mut scene = Scene::start(setting).await.expect("a scene");
        perform(&mut scene, play).await;
    });
}

/// Plays a story on the big control plane, in turn with the others. The operator runs.
pub(crate) fn big_story(play: impl AsyncFnOnce(&mut Scene) -> Result<()>) {
    RUNTIME.block_on(async {
        let mut stage: MutexGuard<'_, Option<Scene>> = BIG.lock().await;
        let mut scene = match stage.take() {
            Some(scene) => scene,
            None => Scene::start(Setting {
                nodes: 90,
                ..Setting::default()
            })
            .await
            .expect("a scene"),
        };
        scene.sweep().await.expect("an empty scene");
        perform(&mut scene, play).await;
        *stage = Some(scene);
    });
}

async fn perform(scene: &mut Scene, play: impl AsyncFnOnce(&mut Scene) -> Result<()>) {
    let stopwatch = Stopwatch::start();
    let mut outcome = play(scene).await;
    if outcome.is_ok() {
        outcome = scene.check_conduct().await;
    }
    println!("played in {:.1} s", stopwatch.elapsed().as_secs_f32());
    if let Err(error) = outcome {
        println!("the operator's log ends:\n{}", scene.log_tail(25));
        // While the scene exists, so that its logs are kept.
        panic!("{error:#}");
    }
}

/// Makes the operator's namespace and its rights, and a kubeconfig with them.
async fn grant(control_plane: &ControlPlane) -> Result<PathBuf> {
    let namespace =
        format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {OPERATOR_NAMESPACE}}}}}\n");
    let yaml = namespace + &rbac::manifests(OPERATOR_NAMESPACE).yaml()?;
    control_plane.apply_yaml(&yaml).await?;
    control_plane
        .service_account_kubeconfig(OPERATOR_NAMESPACE, rbac::NAME)
        .await
}

/// What an Event says.
#[derive(Debug)]
pub(crate) struct Told {
    /// `Normal` or `Warning`.
    pub(crate) type_: String,
    pub(crate) note: String,
    /// How often it was said.
    pub(crate) times: i32,
}

/// A control plane, and the operator's process while it runs.
pub(crate) struct Scene {
    pub(crate) control_plane: ControlPlane,
    pub(super) operator: Option<OperatorProcess>,
    pub(super) operator_args: Vec<String>,
    /// The operator's program: the present one, unless a story is of others.
    pub(crate) binary: PathBuf,
    pub(super) kubeconfig: PathBuf,
    proxy: Option<FaultProxy>,
    data_plane: Option<DataPlane>,
    pub(super) listen: SocketAddr,
    barriers: u32,
    /// The operator is refused what it may do, for a moment and as part of the story.
    pub(crate) refusing: bool,
}

impl Scene {
    async fn start(setting: Setting) -> Result<Self> {
        let stopwatch = Stopwatch::start();
        let control_plane = ControlPlane::start(Options {
            admission_plugins: setting.admission_plugins,
            ..Options::default()
        })
        .await?;
        let shape = NodeShape {
            count: setting.nodes,
            cpu_millis: 512_000,
            memory_gib: 2_048,
            ..NodeShape::default()
        };
        control_plane.create_nodes(&shape).await?;
        let mut kubeconfig = if setting.granted {
            grant(&control_plane).await?
        } else {
            control_plane.kubeconfig()
        };
        let mut proxy = None;
        if setting.proxied {
            let proxy = proxy.insert(FaultProxy::start(&control_plane).await?);
            kubeconfig = proxy.kubeconfig(&kubeconfig)?;
        }
        let mut operator_args = setting.operator_args;
        let mut data_plane = None;
        if let Some(scale) = setting.watched {
            let options = dataplane::DataPlaneOptions::default().faster(scale);
            let running = DataPlane::start(control_plane.client(), options).await?;
            operator_args.push(format!("--scrape-proxy={}", running.proxy_url()));
            data_plane = Some(running);
        }
        let scene = Self {
            control_plane,
            operator: None,
            operator_args,
            binary: PathBuf::from(env!("CARGO_BIN_EXE_webinar-operator")),
            kubeconfig,
            proxy,
            data_plane,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)),
            barriers: 0,
            refusing: false,
        };
        if setting.prepared {
            scene.prepare().await?;
        }
        println!("scene set in {:.1} s", stopwatch.elapsed().as_secs_f32());
        Ok(scene)
    }

    /// Gives the operator its rights, again if need be.
    pub(crate) async fn grant(&self) -> Result<()> {
        self.apply(&rbac::manifests(OPERATOR_NAMESPACE).yaml()?).await
    }

    /// Installs the CRDs, the templates and the classes.
    pub(crate) async fn prepare(&self) -> Result<()> {
        for crd in crds() {
            self.apply(&webinar_api::crd_yaml(&crd)?).await?;
        }
        self.apply(&templates()).await?;
        self.apply(&class("full", FULL)).await?;
        self.apply(&class("tiny", &tiny())).await?;
        let webinars: Api<Webinar> = Api::all(self.control_plane.client());
        eventually("the store of Webinars", SOON, async || {
            webinars.list_metadata(&ListParams::default()).await?;
            Ok(())
        })
        .await
    }

    /// Nothing of earlier stories, and an operator that runs.
    async fn sweep(&mut self) -> Result<()> {
        let client = self.control_plane.client();
        let webinars: Api<Webinar> = Api::all(client.clone());
        for webinar in webinars.list(&ListParams::default()).await? {
            let namespace = webinar.namespace().context("no namespace")?;
            self.webinars(&namespace)
                .delete(&webinar.name_any(), &DeleteParams::default())
                .await?;
        }
        let pods: Api<Pod> = Api::all(client);
        eventually(
            "the end of earlier fleets",
            Duration::from_secs(120),
            async || {
                let left = pods.list_metadata(&ListParams::default().limit(1)).await?;
                ensure!(
                    left.items.is_empty(),
                    "{} and {:?} more",
                    left.items[0].name_any(),
                    left.metadata.remaining_item_count
                );
                Ok(())
            },
        )
        .await?;
        if self.operator.is_none() {
            self.start_operator().await?;
        }
        Ok(())
    }

    /// What stands between the operator and the API server.
    pub(crate) fn proxy(&self) -> Result<&FaultProxy> {
        self.proxy.as_ref().context("the scene has no proxy")
    }

    /// The simulated media servers and viewers.
    pub(crate) fn data_plane(&self) -> Result<&DataPlane> {
        self.data_plane.as_ref().context("nobody watches in this scene")
    }

    /// Starts the API server anew. It answers 403 until it has loaded its roles.
    pub(crate) async fn restart_api_server(&mut self) -> Result<()> {
        self.refusing = true;
        self.control_plane.restart(Tool::ApiServer).await
    }

    /// Applies YAML as admin.
    pub(crate) async fn apply(&self, yaml: &str) -> Result<()> {
        self.control_plane.apply_yaml(yaml).await.map(|_| ())
    }

    /// Runs kubectl as admin; the arguments are separated by spaces.
    pub(crate) async fn kubectl(&self, args: &str) -> Result<String> {
        self.control_plane.kubectl(args.split(' ')).await
    }

    /// Applies YAML with kubectl, as a user does.
    pub(crate) async fn kubectl_apply(&self, yaml: &str) -> Result<String> {
        let file = self.control_plane.work_dir().join("manifest.yaml");
        std::fs::write(&file, yaml)?;
        self.control_plane
            .kubectl(["apply", "-f", &file.display().to_string()])
            .await
    }

    /// Makes a namespace.
    pub(crate) async fn namespace(&self, name: &str) -> Result<()> {
        self.apply(&format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}}}}}"
        ))
        .await
    }

    /// Webinars of a namespace.
    pub(crate) fn webinars(&self, namespace: &str) -> Api<Webinar> {
        Api::namespaced(self.control_plane.client(), namespace)
    }

    /// Changes fields of a Webinar's spec, as a user does.
    pub(crate) async fn edit(&self, namespace: &str, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": spec }));
        self.webinars(namespace)
            .patch(name, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// The Events about a Webinar that have this reason.
    pub(crate) async fn events(&self, namespace: &str, name: &str, reason: &str) -> Result<Vec<Told>> {
        let events: Api<Event> = Api::namespaced(self.control_plane.client(), namespace);
        let about = |e: &Event| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name);
        Ok(events
            .list(&ListParams::default())
            .await?
            .into_iter()
            .filter(|e| about(e) && e.reason.as_deref() == Some(reason))
            .map(|e| Told {
                type_: e.type_.unwrap_or_default(),
                note: e.note.unwrap_or_default(),
                times: e.series.map_or(1, |s| s.count),
            })
            .collect())
    }

    /// The status of a Webinar.
    pub(crate) async fn status(&self, namespace: &str, name: &str) -> Result<WebinarStatus> {
        Ok(self
            .webinars(namespace)
            .get(name)
            .await?
            .status
            .unwrap_or_default())
    }

    /// Waits until the status says what is `wanted`.
    pub(crate) async fn until(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&WebinarStatus) -> bool,
    ) -> Result<WebinarStatus> {
        eventually(
            &format!("{namespace}/{name} to be {what}"),
            deadline,
            async || {
                let status = self.status(namespace, name).await?;
                let verdicts: Vec<_> = status
                    .conditions
                    .iter()
                    .map(|c| (&c.type_, &c.status, &c.reason, &c.message))
                    .collect();
                ensure!(
                    wanted(&status),
                    "{:?} {:?} {verdicts:?}",
                    status.phase,
                    status.pools
                );
                Ok(status)
            },
        )
        .await
    }

    /// The moment after every write that has been answered by now.
    pub(crate) async fn mark(&mut self) -> Result<Offset> {
        let before = self.control_plane.audit().now()?;
        self.barriers += 1;
        let key = format!("barrier-{}", self.barriers);
        self.kubectl(&format!("annotate namespace default {key}=set"))
            .await?;
        eventually("the audit log to catch up", SOON, async || {
            let records = self.control_plane.audit().since(before)?;
            let seen = records
                .iter()
                .any(|r| r.user == "admin" && r.resource == "namespaces" && r.name == "default");
            ensure!(seen, "{} records", records.iter().count());
            Ok(())
        })
        .await?;
        self.control_plane.audit().now()
    }

    /// All writes since then that have been answered by now.
    pub(crate) async fn since(&mut self, moment: Offset) -> Result<Records> {
        self.mark().await?;
        self.control_plane.audit().since(moment)
    }

    /// What holds for every story: nothing was forbidden, the operator did not panic, and nothing went wrong beyond the
    /// script.
    async fn check_conduct(&mut self) -> Result<()> {
        if let Some(proxy) = &self.proxy {
            proxy.check()?;
        }
        let records = self.since(Offset::default()).await?;
        let forbidden: Vec<&Record> = records.by(OPERATOR).filter(|r| r.code == 403).collect();
        ensure!(
            self.refusing || forbidden.is_empty(),
            "the operator may not do what it tried: {forbidden:?}"
        );
        let log = self.log()?;
        // Reads are not in the audit log; a forbidden one is in the operator's.
        let bad: &[&str] = if self.refusing {
            &["panicked"]
        } else {
            &["panicked", "forbidden"]
        };
        for bad in bad {
            if let Some(line) = log.lines().find(|line| line.to_lowercase().contains(bad)) {
                bail!("the operator logged {line:?}");
            }
        }
        Ok(())
    }
}

/// The real time, which the operator under test follows too.
#[allow(clippy::disallowed_methods, reason = "events start at real times")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A whole second near now.
pub(crate) fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() + seconds).unwrap_or_default()
}
