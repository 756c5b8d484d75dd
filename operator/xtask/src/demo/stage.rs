//! The stage: a control plane, the operator on it, nodes for its pods.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use webinar_api::{Tier, WebinarClass};
use webinar_testbed::audit::Writes;
use webinar_testbed::dataplane::{self, DataPlane, Event};
use webinar_testbed::tools::{Tool, Tools};
use webinar_testbed::wait::eventually;
use webinar_testbed::{ControlPlane, NodeShape, OperatorProcess, Options, Usage};

use super::counts::grouped;
use super::manifests;
use super::plan::Plan;
use super::scenario::SCALE;
use crate::operator::{self, OperatorCommand};
use crate::screen::Screen;
use crate::{build, clock};

const SOON: Duration = Duration::from_secs(30);

/// Everything that runs. Dropping it stops everything.
pub(super) struct Stage {
    // First, so that it ends before what it talks to.
    operator: Option<OperatorProcess>,
    command: OperatorCommand,
    /// What processes that were killed have used.
    spent: Usage,
    data_plane: DataPlane,
    pub(super) control_plane: ControlPlane,
    pub(super) kubectl: PathBuf,
    pub(super) plan: Plan,
}

impl Stage {
    /// Builds and starts everything.
    ///
    /// # Errors
    /// When something does not build, or does not come up in time.
    pub(super) async fn set(screen: &Screen, tier: Tier, max_tier: Tier, spare_zone: bool) -> Result<Self> {
        let binary = screen
            .step(
                "building the operator",
                "the operator is built",
                build::operator(),
            )
            .await?;
        let note = |text: &str| screen.say(&format!("  {text}"));
        let tools = screen
            .step(
                "looking for Kubernetes' programs",
                "Kubernetes' programs are there",
                Tools::ensure(&Tool::CONTROL_PLANE, &note),
            )
            .await?;
        let quiet = Options {
            progress: |_| {},
            ..Options::default()
        };
        let control_plane = screen
            .step(
                "starting etcd, API server, controller manager, scheduler",
                "the control plane is up",
                ControlPlane::start(quiet),
            )
            .await?;
        let data_plane = screen
            .step(
                "starting media servers that are simulated",
                "simulated media servers and viewers are there",
                DataPlane::start(
                    control_plane.client(),
                    dataplane::DataPlaneOptions::default().faster(SCALE),
                ),
            )
            .await?;
        let (command, mut operator) = screen
            .step(
                "installing the CRDs, a class and the operator",
                "the operator runs",
                install(&control_plane, binary, &data_plane),
            )
            .await?;
        let plan = screen
            .step(
                "waiting for the operator to judge the class",
                &format!("the class can serve {tier}"),
                judged(&control_plane, &mut operator, tier),
            )
            .await?;
        let largest = Plan::of(&demo_class(&control_plane).await?, max_tier)?;
        let nodes = nodes(&largest, spare_zone);
        let count = grouped(nodes.count as usize);
        screen
            .step(
                &format!("creating {count} simulated nodes of 16 CPUs"),
                &format!("{count} simulated nodes of 16 CPUs are Ready"),
                control_plane.create_nodes(&nodes),
            )
            .await?;
        Ok(Self {
            operator: Some(operator),
            command,
            spent: Usage::default(),
            data_plane,
            control_plane,
            kubectl: tools.path(Tool::Kubectl)?.to_owned(),
            plan,
        })
    }

    /// Applies the event. Returns when it was applied and when it starts, in whole seconds, as the API has it.
    ///
    /// # Errors
    /// When the API server refuses it.
    pub(super) async fn apply_event(
        &self,
        starts_in: webinar_api::Duration,
        duration: webinar_api::Duration,
        max_tier: Option<Tier>,
    ) -> Result<(Timestamp, Timestamp)> {
        let applied = clock::now();
        let start = applied + SignedDuration::try_from(starts_in.as_std())?;
        let start = Timestamp::from_second(start.as_second() + i64::from(start.subsec_nanosecond() > 0))?;
        let event = manifests::event(self.plan.tier, max_tier, start, duration);
        self.control_plane.apply_yaml(&event).await?;
        Ok((applied, start))
    }

    /// Presenters and audience.
    pub(super) fn event(&self) -> Event {
        self.data_plane.event(manifests::NAMESPACE, manifests::EVENT)
    }

    /// What the operator has used, all its processes together.
    ///
    /// # Errors
    /// When it no longer runs and was not killed, with the end of its log.
    pub(super) fn operator_usage(&mut self) -> Result<Usage> {
        let Some(operator) = &mut self.operator else {
            return Ok(self.spent);
        };
        let now = operator.usage()?;
        Ok(Usage {
            peak_rss: now.peak_rss.max(self.spent.peak_rss),
            rss: now.rss,
            cpu_seconds: now.cpu_seconds + self.spent.cpu_seconds,
        })
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it doesn't run.
    pub(super) fn kill_operator(&mut self) -> Result<()> {
        self.spent = self.operator_usage()?;
        if let Some(mut operator) = self.operator.take() {
            operator.kill9()?;
        }
        Ok(())
    }

    /// Starts the operator anew.
    ///
    /// # Errors
    /// When it doesn't become ready in time.
    pub(super) async fn start_operator(&mut self) -> Result<()> {
        self.operator = Some(self.command.start().await?);
        Ok(())
    }

    /// The operator's writes so far.
    ///
    /// # Errors
    /// When the audit log cannot be read.
    pub(super) fn operator_writes(&self) -> Result<Writes> {
        Ok(self.control_plane.audit().records()?.writes_by(&operator::user()))
    }

    /// The end of the operator's log.
    pub(super) fn operator_log(&self) -> String {
        self.operator
            .as_ref()
            .map_or_else(String::new, |o| o.log_tail(10))
    }
}

/// A node for each pod, and a few for those that replace others; with a spare zone half as many again. 16 CPUs hold one pod
/// of 15.
fn nodes(plan: &Plan, spare_zone: bool) -> NodeShape {
    let pods = plan.planned.total();
    let pods = if spare_zone { pods * 3 / 2 } else { pods };
    let count = (pods + pods / 50 + 3).next_multiple_of(NodeShape::default().zones.len());
    NodeShape {
        count: u32::try_from(count).unwrap_or(u32::MAX),
        ..NodeShape::default()
    }
}

async fn install(
    control_plane: &ControlPlane,
    binary: PathBuf,
    data_plane: &DataPlane,
) -> Result<(OperatorCommand, OperatorProcess)> {
    let yaml = format!("{}---\n{}", manifests::namespaces(), manifests::CLASS_YAML);
    let args = ["--scrape-proxy".into(), data_plane.proxy_url().into()];
    let command = OperatorCommand::install(control_plane, binary, &yaml, args).await?;
    let operator = command.start().await?;
    Ok((command, operator))
}

async fn demo_class(control_plane: &ControlPlane) -> Result<WebinarClass> {
    let classes: Api<WebinarClass> = Api::all(control_plane.client());
    Ok(classes.get(manifests::CLASS).await?)
}

async fn judged(control_plane: &ControlPlane, operator: &mut OperatorProcess, tier: Tier) -> Result<Plan> {
    let classes: Api<WebinarClass> = Api::all(control_plane.client());
    eventually("the class to be accepted", SOON, async || {
        operator.process().check_running()?;
        Plan::of(&classes.get(manifests::CLASS).await?, tier)
    })
    .await
}
