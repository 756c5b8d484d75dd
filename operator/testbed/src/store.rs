//! What everything else of a control plane is built on: etcd, and an API server on it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::Client;

use crate::config::{self, Layout};
use crate::process::Process;
use crate::tools::{Tool, Tools};
use crate::wait::eventually;
use crate::{http, kubeconfig};

pub(crate) const START_DEADLINE: Duration = Duration::from_secs(60);

/// Both processes, and a client that may do everything.
pub(crate) struct Store {
    // First, because it is dropped first: who writes stops before what it writes to.
    pub(crate) api_server: Process,
    pub(crate) etcd: Process,
    pub(crate) client: Client,
}

impl Store {
    /// Starts both and returns when the API server is ready.
    ///
    /// # Errors
    /// When one ends or is not ready within a minute, with the end of its log.
    pub(crate) async fn start(layout: &Layout, tools: &Tools) -> Result<Self> {
        let mut etcd = layout.spawn(Tool::Etcd, tools)?;
        eventually("etcd", START_DEADLINE, async || {
            etcd.check_running()?;
            http::get_ok(&layout.etcd_health()).await
        })
        .await?;
        let mut api_server = layout.spawn(Tool::ApiServer, tools)?;
        let client = kubeconfig::client(&layout.kubeconfig(config::ADMIN)).await?;
        ready(&mut api_server, &client).await?;
        Ok(Self {
            api_server,
            etcd,
            client,
        })
    }
}

/// Waits until an API server is ready.
pub(crate) async fn ready(api_server: &mut Process, client: &Client) -> Result<()> {
    eventually("the API server", START_DEADLINE, async || {
        api_server.check_running()?;
        let request = ::http::Request::get("/readyz").body(Vec::new())?;
        client.request_text(request).await?;
        Ok(())
    })
    .await
    .with_context(|| format!("the API server's log ends:\n{}", api_server.log_tail(20)))
}
