//! A reverse proxy between a client and the API server, on which everything goes wrong that a script says.
//!
//! ```no_run
//! # use std::{path::Path, time::Duration};
//! # async fn example(control_plane: &webinar_testbed::ControlPlane, operators: &Path) -> anyhow::Result<()> {
//! use webinar_testbed::proxy::{Fault, FaultProxy, Hook, Pattern, Rule, Verb};
//!
//! let proxy = FaultProxy::start(control_plane).await?;
//! let kubeconfig = proxy.kubeconfig(operators)?;
//! // … start the operator with this kubeconfig …
//!
//! // Every fifth pod is created, but nobody is told; watches of pods fall silent, those already open included.
//! let creates = Pattern::resource("pods").verbs([Verb::Create]);
//! proxy.script([
//!     Rule::new(creates, Fault::ApplyThenReset).every(5),
//!     Rule::new(Pattern::resource("pods"), Fault::FreezeWatch),
//! ]);
//! // … see how the operator gets on …
//! proxy.lift();
//! println!("{} faults", proxy.injected().len());
//!
//! // The operator is killed right after its seventh write.
//! let (hook, mut holds) = Hook::hold();
//! proxy.script([Rule::new(Pattern::writes().except("leases"), Fault::KillAfter(hook)).nth(7)]);
//! let held = holds.next(Duration::from_secs(60)).await?;
//! // … kill it …
//! drop(held);
//!
//! // Cut off, and back.
//! proxy.cut();
//! proxy.heal();
//! proxy.check()?;
//! # Ok(())
//! # }
//! ```
//!
//! A proxy serves one client, or all that shall meet the same fate: to cut off one of two operators, give each a proxy of
//! its own.

mod answer;
mod body;
mod elsewhere;
mod fault;
mod handle;
mod hook;
mod log;
mod pattern;
mod request;
mod rule;
mod script;
mod serve;
mod snapshot;
mod state;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod upstream;
mod watches;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use kube::config::Kubeconfig;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

pub use answer::Answer;
pub use elsewhere::Elsewhere;
pub use fault::Fault;
pub use hook::{Held, Holds, Hook};
pub use log::{Injected, Write};
pub use pattern::Pattern;
pub use request::{Request, Verb};
pub use rule::Rule;
pub use snapshot::Snapshot;

use crate::ControlPlane;
use script::Script;
use state::Shared;
use upstream::Upstream;

/// A proxy on 127.0.0.1. Without a script it changes nothing. Dropping it closes all its connections.
pub struct FaultProxy {
    shared: Arc<Shared>,
    upstream: String,
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

/// What a proxy stands before, and how it shows itself: PEM files.
struct Place<'a> {
    server: &'a str,
    ca: &'a Path,
    cert: &'a Path,
    key: &'a Path,
}

impl FaultProxy {
    /// Stands before the API server of a control plane, on a free port and with the same certificate. Needs a Tokio
    /// runtime.
    ///
    /// # Errors
    /// When there is no free port.
    pub async fn start(control_plane: &ControlPlane) -> Result<Self> {
        let (cert, key) = control_plane.certificate();
        Self::start_at(&Place {
            server: control_plane.server(),
            ca: &control_plane.ca(),
            cert: &cert,
            key: &key,
        })
        .await
    }

    async fn start_at(place: &Place<'_>) -> Result<Self> {
        let upstream = Upstream::new(place.server, place.ca)?;
        let tls = tls::acceptor(place.cert, place.key)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("listening for clients")?;
        let address = listener.local_addr()?;
        let shared = Shared::new();
        let serving = serve::serve(listener, tls, Arc::new(upstream), Arc::clone(&shared));
        Ok(Self {
            shared,
            upstream: place.server.to_owned(),
            address,
            _serving: AbortOnDropHandle::new(tokio::spawn(serving)),
        })
    }

    /// The URL for clients.
    pub fn server(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Writes a copy of a kubeconfig in which the API server is this proxy, beside it, and returns its path.
    ///
    /// # Errors
    /// When the file is no kubeconfig, does not name the API server that the proxy stands before, or the copy cannot be
    /// written.
    pub fn kubeconfig(&self, existing: &Path) -> Result<PathBuf> {
        let mut config =
            Kubeconfig::read_from(existing).with_context(|| format!("reading {}", existing.display()))?;
        let mut found = false;
        for cluster in config
            .clusters
            .iter_mut()
            .filter_map(|named| named.cluster.as_mut())
        {
            if cluster.server.as_deref() == Some(self.upstream.as_str()) {
                cluster.server = Some(self.server());
                found = true;
            }
        }
        ensure!(found, "{} does not name {}", existing.display(), self.upstream);
        let copy = existing.with_extension(format!("{}.kubeconfig", self.address.port()));
        // JSON is YAML.
        fs::write(&copy, serde_json::to_vec_pretty(&config)?)
            .with_context(|| format!("writing {}", copy.display()))?;
        Ok(copy)
    }

    /// Replaces the script, and prints it with its seeds. What the last one did is over, as told of each [`Fault`]. The
    /// rules are asked in their order; of those whose turn it is, the first one acts. They count from 1: first the
    /// watches that are open, in the order in which they were asked for, for faults that can happen to them, then the
    /// requests that arrive.
    pub fn script(&self, rules: impl IntoIterator<Item = Rule>) {
        let rules: Vec<Rule> = rules.into_iter().collect();
        for (place, rule) in rules.iter().enumerate() {
            println!("fault {place}: {rule}");
        }
        self.shared.play(Script::new(rules));
    }

    /// Ends the script.
    pub fn lift(&self) {
        self.script([]);
    }

    /// Cuts all connections; no request passes any more, and new connections are reset. What the API server has got by
    /// then may still be done. For a client that hears nothing at all, use a rule with [`Fault::Hang`].
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Ends [`FaultProxy::cut`].
    pub fn heal(&self) {
        self.shared.heal();
    }

    /// The writes that were asked for, in the order in which they arrived; those that were cut off before that are not
    /// among them.
    pub fn writes(&self) -> Vec<Write> {
        self.shared.log(|log| log.writes.clone())
    }

    /// The faults that happened, under all scripts so far.
    pub fn injected(&self) -> Vec<Injected> {
        self.shared.log(|log| log.injected.clone())
    }

    /// How many watches are open.
    pub fn open_watches(&self) -> usize {
        self.shared.open_watches()
    }

    /// Makes sure that nothing went wrong beyond the script.
    ///
    /// # Errors
    /// When a bound was met: of an event's length, of events that are held, of connections, or of the time for an answer
    /// or a hook.
    pub fn check(&self) -> Result<()> {
        let problems = self.shared.log(|log| log.problems.clone());
        ensure!(problems.is_empty(), "the fault proxy: {}", problems.join("; "));
        Ok(())
    }
}
