//! The programs of a node: how each is configured and called.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::json;

use super::cgroup::Cgroup;
use super::ground::NODE_IP;
use super::requirements;
use crate::process::Program;
use crate::tools::{Tool, Tools};

/// Where Services ask for names; in the range of Service addresses.
pub(super) const DNS_IP: &str = "10.96.0.10";
/// The pods' addresses.
const POD_CIDR: &str = "10.68.0.0/20";
pub(super) const PAUSE_IMAGE: &str = "docker.io/testbed/pause:1.0.0";

/// The files of one node, below one directory.
pub(super) struct Files<'a> {
    pub(super) directory: &'a Path,
    pub(super) kubeconfig: &'a Path,
}

impl Files<'_> {
    pub(super) fn socket(&self) -> PathBuf {
        self.directory.join("containerd.sock")
    }

    fn write(&self, name: &str, text: &str) -> Result<String> {
        let path = self.directory.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        Ok(path.display().to_string())
    }

    fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    fn program(&self, name: &str, path: impl Into<PathBuf>) -> Program {
        Program::new(name, path, self.directory.join(format!("{name}.log")))
    }

    pub(super) fn containerd(&self) -> Result<Program> {
        let plugins = requirements::plugins().context("network plugins are missing")?;
        self.write(
            "cni/10-pods.conflist",
            &json!({"cniVersion": "0.4.0", "name": "pods", "plugins": [{
                "type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
                "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_CIDR}]], "routes": [{"dst": "0.0.0.0/0"}]},
            }]})
            .to_string(),
        )?;
        let config = format!(
            r#"version = 2
root = "{root}"
state = "{state}"
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE_IMAGE}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{cni}"
"#,
            root = self.path("containerd/root"),
            state = self.path("containerd/state"),
            socket = self.socket().display(),
            plugins = plugins.display(),
            cni = self.path("cni"),
        );
        let config = self.write("containerd.toml", &config)?;
        Ok(self
            .program("containerd", "containerd")
            .args(["--config", &config]))
    }

    pub(super) fn kubelet(&self, tools: &Tools, cgroup: &Cgroup, node: &str, zone: &str) -> Result<Program> {
        let config = json!({
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            // Machines with version 1 are refused otherwise.
            "failCgroupV1": false,
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": cgroup.path(),
            "protectKernelDefaults": true,
            "makeIPTablesUtilChains": false,
            // Only processes of the sandbox can reach it.
            "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
            "authorization": {"mode": "AlwaysAllow"},
            "address": NODE_IP,
            "healthzBindAddress": "127.0.0.1",
            "clusterDNS": [DNS_IP],
            "clusterDomain": "cluster.local",
            "containerRuntimeEndpoint": format!("unix://{}", self.socket().display()),
            "resolvConf": "",
            "failSwapOn": false,
            "volumePluginDir": self.path("volume-plugins"),
            "podLogsDir": self.path("pod-logs"),
            // The machine's disk is not this node's to clean.
            "evictionHard": {"memory.available": "100Mi"},
            "imageGCHighThresholdPercent": 100,
        });
        let config = self.write("kubelet.json", &config.to_string())?;
        Ok(self.program("kubelet", tools.path(Tool::Kubelet)?).args([
            format!("--config={config}"),
            format!("--kubeconfig={}", self.kubeconfig.display()),
            format!("--root-dir={}", self.path("kubelet")),
            format!("--hostname-override={node}"),
            format!("--node-ip={NODE_IP}"),
            format!("--node-labels=topology.kubernetes.io/zone={zone}"),
        ]))
    }

    pub(super) fn kube_proxy(&self, tools: &Tools, node: &str) -> Result<Program> {
        Ok(self.program("kube-proxy", tools.path(Tool::KubeProxy)?).args([
            format!("--kubeconfig={}", self.kubeconfig.display()),
            "--proxy-mode=nftables".to_owned(),
            format!("--bind-address={NODE_IP}"),
            format!("--hostname-override={node}"),
            format!("--cluster-cidr={POD_CIDR}"),
            // Limits of the whole machine, which stay as they are.
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-tcp-timeout-established=0s".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0s".to_owned(),
            "--healthz-bind-address=127.0.0.1:10256".to_owned(),
            "--metrics-bind-address=127.0.0.1:10249".to_owned(),
        ]))
    }

    pub(super) fn coredns(&self, tools: &Tools) -> Result<Program> {
        let config = format!(
            "cluster.local:53 {{\n  bind {NODE_IP}\n  errors\n  ready 127.0.0.1:8181\n  kubernetes cluster.local {{\n    \
             kubeconfig {}\n  }}\n}}\n",
            self.kubeconfig.display()
        );
        let config = self.write("Corefile", &config)?;
        Ok(self
            .program("coredns", tools.path(Tool::CoreDns)?)
            .args(["-conf", &config]))
    }
}

/// The Service at which pods ask for names, and where it leads.
pub(super) fn dns_service() -> String {
    format!(
        "apiVersion: v1
kind: Service
metadata: {{name: kube-dns, namespace: kube-system}}
spec:
  clusterIP: {DNS_IP}
  ports: [{{name: dns, port: 53, protocol: UDP}}, {{name: dns-tcp, port: 53, protocol: TCP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {{name: kube-dns, namespace: kube-system, labels: {{kubernetes.io/service-name: kube-dns}}}}
addressType: IPv4
ports: [{{name: dns, port: 53, protocol: UDP}}, {{name: dns-tcp, port: 53, protocol: TCP}}]
endpoints: [{{addresses: [{NODE_IP}]}}]
"
    )
}
