//! Kubeconfig files, and clients that use them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use serde_json::json;

/// Writes a kubeconfig for a bearer token. `ca` is the PEM file of the certificate that the server's is signed with.
///
/// # Errors
/// When the file cannot be written.
pub fn write_kubeconfig(file: &Path, server: &str, ca: &Path, token: &str) -> Result<()> {
    // JSON is YAML.
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "testbed", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "user", "user": {"token": token}}],
        "contexts": [{"name": "testbed", "context": {"cluster": "testbed", "user": "user"}}],
        "current-context": "testbed",
    });
    fs::write(file, format!("{config:#}\n")).with_context(|| format!("writing {}", file.display()))
}

/// A client for the kubeconfig in a file. It does not repeat failed requests, so that tests see what happens.
///
/// # Errors
/// When the file is no usable kubeconfig.
pub async fn client(file: &Path) -> Result<Client> {
    install_crypto_provider();
    let kubeconfig = Kubeconfig::read_from(file).with_context(|| format!("reading {}", file.display()))?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .with_context(|| format!("using {}", file.display()))?;
    config.default_retry = false;
    Client::try_from(config).context("making a client")
}

fn install_crypto_provider() {
    // An error only means that there is one already.
    _ = rustls::crypto::ring::default_provider().install_default();
}
