//! Everything that runs in the sandbox: a control plane, one real node, the operator, and what encoders send.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use jiff::SignedDuration;
use webinar_api::WebinarClass;
use webinar_testbed::real::{RealNode, write_mediamtx};
use webinar_testbed::tools::{Tool, Tools};
use webinar_testbed::wait::eventually;
use webinar_testbed::{ControlPlane, OperatorProcess, Options};

use super::class;
use super::encoder::Clips;
use super::event::Event;
use super::inside::Inside;
use crate::clock::now;
use crate::operator::OperatorCommand;
use crate::screen::Screen;
use crate::viewers::Viewers;

/// Where events live.
pub(super) const NAMESPACE: &str = "events";
/// The name of the media server's process.
pub(super) const SERVER: &str = "mediamtx";
const NODE: &str = "real-0";
const ZONE: &str = "zone-a";
const JUDGED: std::time::Duration = std::time::Duration::from_secs(30);

/// Programs that run here.
pub(super) fn tools() -> Vec<Tool> {
    Tool::CONTROL_PLANE.into_iter().chain(Tool::REAL_NODE).collect()
}

/// All of it. Dropping it stops everything.
pub(super) struct Lane {
    // First, so that it ends before what it talks to.
    operator: OperatorProcess,
    command: OperatorCommand,
    pub(super) node: RealNode,
    pub(super) control_plane: ControlPlane,
    pub(super) kubectl: PathBuf,
    pub(super) viewers: PathBuf,
    pub(super) clips: Clips,
    events: u32,
}

impl Lane {
    /// Starts everything.
    ///
    /// # Errors
    /// When something doesn't come up in time.
    pub(super) async fn start(screen: &Screen, programs: &Inside) -> Result<Self> {
        // They were built outside, and were told of there.
        let tools = Tools::ensure(&tools(), &|_| {}).await?;
        RealNode::prepare()?;
        let quiet = Options {
            progress: |_| {},
            // For kubectl logs, and for what the kubelet measures: nobody knows the node's name here.
            api_server_args: vec!["--kubelet-preferred-address-types=InternalIP".to_owned()],
            ..Options::default()
        };
        let control_plane = screen
            .step(
                "starting etcd, API server, controller manager, scheduler",
                "the control plane is up",
                ControlPlane::start(quiet),
            )
            .await?;
        let node = screen
            .step(
                "starting containerd, kubelet, kube-proxy, CoreDNS",
                "a real node is Ready",
                node(&control_plane, &tools),
            )
            .await?;
        let clips = screen
            .step(
                "encoding what presenters show",
                "clips are encoded",
                Clips::make(control_plane.work_dir()),
            )
            .await?;
        let yaml = class::manifests(NAMESPACE)?;
        let (command, operator) = screen
            .step(
                "installing the operator and the preset",
                "the operator runs",
                async {
                    let command =
                        OperatorCommand::install(&control_plane, programs.operator.clone(), &yaml, [])
                            .await?;
                    let operator = command.start().await?;
                    accepted(&control_plane).await?;
                    Ok((command, operator))
                },
            )
            .await?;
        Ok(Self {
            operator,
            command,
            node,
            kubectl: tools.path(Tool::Kubectl)?.to_owned(),
            viewers: programs.viewers.clone(),
            control_plane,
            clips,
            events: 0,
        })
    }

    /// A new event that starts in half a minute. `spec` is what else its spec holds, YAML in braces without them.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(super) async fn event(&mut self, spec: &str) -> Result<Event> {
        self.events += 1;
        let start = now() + SignedDuration::from_secs(30);
        Event::apply(
            &self.control_plane,
            &format!("event-{}", self.events),
            start,
            spec,
        )
        .await
    }

    /// Lets viewers come, `rate` each second, to these addresses in turn.
    ///
    /// # Errors
    /// When their program can't be started.
    pub(super) fn viewers(&self, addresses: &[String], count: usize, rate: u32) -> Result<Viewers> {
        Viewers::come(
            &self.viewers,
            self.control_plane.work_dir(),
            addresses,
            count,
            rate,
        )
    }

    /// A figure that the operator tells of an event.
    ///
    /// # Errors
    /// When it tells none.
    pub(super) async fn metric(&self, name: &str, event: &str) -> Result<f64> {
        let text = self.command.ask("/metrics").await?;
        let of = format!("name=\"{event}\"");
        let line = text.lines().find(|line| {
            line.strip_prefix(name).is_some_and(|rest| rest.starts_with('{')) && line.contains(&of)
        });
        let value = line.and_then(|line| line.rsplit(' ').next()?.parse().ok());
        value.with_context(|| format!("no {name} of {event}"))
    }

    /// The ends of all logs.
    pub(super) fn logs(&self) -> String {
        let (operator, node) = (self.operator.log_tail(12), self.node.log_tail(4));
        format!("the operator's log ends:\n{operator}\n{node}")
    }

    /// Removes what a story has left, whatever became of it: a second fleet has no room on the node.
    ///
    /// # Errors
    /// When it doesn't go in time.
    pub(super) async fn tidy_up(&self) -> Result<()> {
        self.control_plane.kubectl(["uncordon", self.node.name()]).await?;
        for event in Event::all(&self.control_plane).await? {
            event.delete().await?;
        }
        Ok(())
    }
}

async fn node(control_plane: &ControlPlane, tools: &Tools) -> Result<RealNode> {
    let image = control_plane.work_dir().join("mediamtx.tar");
    write_mediamtx(&image, tools).await?;
    RealNode::start(control_plane, tools, NODE, ZONE, &[image]).await
}

/// Waits until the operator has accepted the class.
async fn accepted(control_plane: &ControlPlane) -> Result<()> {
    let classes: kube::Api<WebinarClass> = kube::Api::all(control_plane.client());
    eventually("the class to be accepted", JUDGED, async || {
        let class = classes.get("standard").await?;
        let conditions = class.status.map(|s| s.conditions).unwrap_or_default();
        let accepted = conditions.iter().find(|c| c.type_ == "Accepted");
        let accepted = accepted.context("it is not judged yet")?;
        anyhow::ensure!(accepted.status == "True", "{}", accepted.message);
        Ok(())
    })
    .await
}
