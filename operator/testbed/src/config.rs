//! The files and command lines of the control plane's programs.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::certificates::{CA_CERT, SERVER_CERT, SERVER_KEY, TOKEN_KEY, TOKEN_PUBLIC_KEY};
use crate::control_plane::Options;
use crate::kubeconfig;
use crate::ports::Ports;
use crate::process::{Process, Program};
use crate::tools::{Tool, Tools};

/// The user for tests; kwok's has the same rights but a name of its own, so that the audit log tells them apart.
pub(crate) const ADMIN: &str = "admin";
const KWOK: &str = "kwok";
// The API server's built-in roles are bound to these two names.
const CONTROLLER_MANAGER: &str = "system:kube-controller-manager";
const SCHEDULER: &str = "system:kube-scheduler";

const USERS: [(&str, &str); 4] = [
    (ADMIN, "system:masters"),
    (KWOK, "system:masters"),
    (CONTROLLER_MANAGER, ""),
    (SCHEDULER, ""),
];

const KWOK_CONFIG: &str = concat!(
    include_str!("../kube/kwok.yaml"),
    "---\n",
    include_str!("../kube/stages/node.yaml"),
    "---\n",
    include_str!("../kube/stages/pod.yaml"),
);
/// For programs in Go. Their garbage collectors trade CPU time for memory, and of the two CPU time is scarce in a test: with
/// these the API server takes a quarter less of it, and twice the memory. The limit is a soft one.
const COLLECT_RARELY: [(&str, &str); 2] = [("GOGC", "400"), ("GOMEMLIMIT", "1536MiB")];

const TOKENS: &str = "tokens.csv";
const AUDIT_POLICY_FILE: &str = "audit-policy.yaml";
/// The files that an API server reads.
const SERVED_WITH: [&str; 7] = [
    CA_CERT,
    SERVER_CERT,
    SERVER_KEY,
    TOKEN_KEY,
    TOKEN_PUBLIC_KEY,
    TOKENS,
    AUDIT_POLICY_FILE,
];
const AUDIT_POLICY: &str = include_str!("../kube/audit-policy.yaml");

/// Where everything of one control plane lies, and how its programs are called.
#[derive(Debug)]
pub(crate) struct Layout {
    dir: PathBuf,
    ports: Ports,
    server: String,
    /// Arguments that the options add.
    extra: BTreeMap<Tool, Vec<String>>,
}

impl Layout {
    pub(crate) fn new(dir: &Path, ports: Ports, options: &Options) -> Self {
        let mut api_server = options.api_server_args.clone();
        if !options.admission_plugins.is_empty() {
            api_server.push(format!(
                "--enable-admission-plugins={}",
                options.admission_plugins.join(",")
            ));
        }
        let controller_manager = options.controller_manager_rate.map_or_else(Vec::new, |rate| {
            vec![
                format!("--kube-api-qps={}", rate.qps),
                format!("--kube-api-burst={}", rate.burst),
            ]
        });
        Self {
            dir: dir.to_owned(),
            ports,
            server: server(ports),
            extra: BTreeMap::from([
                (Tool::ApiServer, api_server),
                (Tool::ControllerManager, controller_manager),
            ]),
        }
    }

    /// The same API server in another directory and on other ports, with the same keys, users and flags.
    pub(crate) fn elsewhere(&self, dir: &Path, ports: Ports) -> Result<Self> {
        let copy = Self {
            dir: dir.to_owned(),
            ports,
            server: server(ports),
            extra: self.extra.clone(),
        };
        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        for name in SERVED_WITH {
            fs::copy(self.dir.join(name), dir.join(name)).with_context(|| format!("copying {name}"))?;
        }
        let kubeconfig = fs::read_to_string(self.kubeconfig(ADMIN)).context("reading the kubeconfig")?;
        let kubeconfig = kubeconfig.replace(self.server(), copy.server());
        fs::write(copy.kubeconfig(ADMIN), kubeconfig).context("writing the kubeconfig")?;
        Ok(copy)
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.join(CA_CERT)
    }

    pub(crate) fn certificate(&self) -> (PathBuf, PathBuf) {
        (self.dir.join(SERVER_CERT), self.dir.join(SERVER_KEY))
    }

    pub(crate) fn audit_log(&self) -> PathBuf {
        self.dir.join("audit.log")
    }

    pub(crate) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.dir.join(format!("{}.kubeconfig", user.replace(':', "-")))
    }

    pub(crate) fn etcd_health(&self) -> String {
        format!("{}/health", self.etcd())
    }

    pub(crate) fn etcd_put(&self) -> String {
        format!("{}/v3/kv/put", self.etcd())
    }

    pub(crate) fn etcd_data(&self) -> PathBuf {
        self.dir.join("etcd")
    }

    /// Starts a program, with its log beside the others.
    pub(crate) fn spawn(&self, tool: Tool, tools: &Tools) -> Result<Process> {
        let name = tool.program();
        let mut program = Program::new(name, tools.path(tool)?, self.dir.join(format!("{name}.log")))
            .args(self.args(tool))
            .args(self.extra.get(&tool).into_iter().flatten());
        program.env = COLLECT_RARELY
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        Process::spawn(&program)
    }

    fn etcd(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.etcd_client)
    }

    fn file(&self, name: &str) -> String {
        self.dir.join(name).display().to_string()
    }

    fn as_user(&self, user: &str) -> String {
        format!("--kubeconfig={}", self.kubeconfig(user).display())
    }

    fn args(&self, tool: Tool) -> Vec<String> {
        match tool {
            Tool::Etcd => self.etcd_args(),
            Tool::ApiServer => self.api_server_args(),
            Tool::ControllerManager => vec![
                self.as_user(CONTROLLER_MANAGER),
                "--use-service-account-credentials".to_owned(),
                "--leader-elect=false".to_owned(),
                "--secure-port=0".to_owned(),
                // A busy machine delays a thousand simulated heartbeats; nodes are lost only when a test says so. Nor does an
                // outage of the API server lose any: where managers elect a leader, theirs ends in it and the next one begins
                // anew. Simulated kubelets would never take back what is said of their pods.
                "--node-monitor-grace-period=1h".to_owned(),
                // Writes an annotation to each node that only real kubelets read.
                "--controllers=*,-ttl-controller".to_owned(),
                format!("--service-account-private-key-file={}", self.file(TOKEN_KEY)),
                format!("--root-ca-file={}", self.file(CA_CERT)),
            ],
            Tool::Scheduler => {
                vec![
                    self.as_user(SCHEDULER),
                    "--leader-elect=false".to_owned(),
                    "--secure-port=0".to_owned(),
                ]
            }
            Tool::Kwok => vec![
                self.as_user(KWOK),
                format!("--config={}", self.file("kwok.yaml")),
                format!(
                    "--manage-nodes-with-annotation-selector={}=fake",
                    crate::nodes::MANAGED
                ),
                // EndpointSlices refuse addresses in 127.0.0.0/8; the default, a /24, is too small.
                "--cidr=10.64.0.0/14".to_owned(),
                format!("--node-ip={}", crate::nodes::NODE_IP),
                "--node-lease-duration-seconds=40".to_owned(),
            ],
            // Their arguments are the business of those who run them.
            Tool::Kubectl
            | Tool::Helm
            | Tool::Prometheus
            | Tool::Promtool
            | Tool::Kubelet
            | Tool::KubeProxy
            | Tool::CoreDns
            | Tool::Pause
            | Tool::MediaMtx
            | Tool::FluxVerdict
            | Tool::DashboardVerdict
            | Tool::Actionlint
            | Tool::KubeScore => Vec::new(),
        }
    }

    fn etcd_args(&self) -> Vec<String> {
        let client = self.etcd();
        let peer = format!("http://127.0.0.1:{}", self.ports.etcd_peer);
        vec![
            format!("--data-dir={}", self.etcd_data().display()),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            "--unsafe-no-fsync".to_owned(),
            // A single member elects itself after this many milliseconds; the default is a second.
            "--election-timeout=100".to_owned(),
            "--heartbeat-interval=10".to_owned(),
            "--quota-backend-bytes=8589934592".to_owned(),
            "--log-level=warn".to_owned(),
        ]
    }

    fn api_server_args(&self) -> Vec<String> {
        vec![
            format!("--etcd-servers={}", self.etcd()),
            "--bind-address=127.0.0.1".to_owned(),
            // Found from the default route otherwise, which there may not be.
            "--advertise-address=127.0.0.1".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            format!("--secure-port={}", self.ports.api_server),
            format!("--tls-cert-file={}", self.file(SERVER_CERT)),
            format!("--tls-private-key-file={}", self.file(SERVER_KEY)),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            format!("--service-account-key-file={}", self.file(TOKEN_PUBLIC_KEY)),
            format!("--service-account-signing-key-file={}", self.file(TOKEN_KEY)),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            format!("--token-auth-file={}", self.file(TOKENS)),
            "--authorization-mode=RBAC".to_owned(),
            // New nodes would wait for the controller manager to remove a taint; ours are Ready from the start.
            "--disable-admission-plugins=TaintNodesByCondition".to_owned(),
            "--allow-privileged".to_owned(),
            format!("--audit-policy-file={}", self.file(AUDIT_POLICY_FILE)),
            format!("--audit-log-path={}", self.audit_log().display()),
            // Megabytes; readers do not follow a rotation.
            "--audit-log-maxsize=1000000".to_owned(),
        ]
    }
}

fn server(ports: Ports) -> String {
    format!("https://127.0.0.1:{}", ports.api_server)
}

/// Writes the configuration files, among them one kubeconfig for each user.
pub(crate) fn write(layout: &Layout) -> Result<()> {
    let mut tokens = String::new();
    for (user, group) in USERS {
        let token = random_token();
        tokens += &format!("{token},{user},{user},{group}\n");
        kubeconfig::write_kubeconfig(&layout.kubeconfig(user), layout.server(), &layout.ca(), &token)?;
    }
    for (name, text) in [
        (TOKENS, tokens.as_str()),
        ("kwok.yaml", KWOK_CONFIG),
        (AUDIT_POLICY_FILE, AUDIT_POLICY),
    ] {
        fs::write(layout.dir.join(name), text).with_context(|| format!("writing {name}"))?;
    }
    Ok(())
}

/// 128 random bits, which keep other users of the machine out.
fn random_token() -> String {
    // Each `RandomState` of a process differs from the one before; hashing mixes its random keys.
    let half = || RandomState::new().hash_one("testbed");
    format!("{:016x}{:016x}", half(), half())
}
