//! The API server is away, or not yet what the operator needs.

use std::time::Duration;

use anyhow::ensure;
use webinar_operator::rbac;
use webinar_testbed::tools::Tool;
use webinar_testbed::wait::eventually;

use crate::support::assertions::nothing_was_replaced;
use crate::support::manifests::webinar;
use crate::support::scene::{OPERATOR, SOON, Setting, story};
use crate::support::world::Fleet;

/// Watches are tried again at most this long after a failure, and a bit.
const RECOVERY: Duration = Duration::from_secs(60);

#[test]
fn an_outage_in_the_middle_of_the_ramp_is_survived() {
    let setting = Setting {
        operator_args: vec!["--max-creates-per-second=8".to_owned()],
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("events").await?;
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        scene
            .apply(&webinar("events", "event", "tier: 10k, className: tiny"))
            .await?;
        eventually("the first pods", SOON, async || {
            let there = Fleet::of(scene, "events", "event").await?.0.len();
            ensure!(there >= 3, "{there}");
            Ok(())
        })
        .await?;
        let before = scene.log()?.len();
        scene.control_plane.kill(Tool::ApiServer)?;
        tokio::time::sleep(Duration::from_secs(4)).await;
        scene.operator()?.process().check_running()?;
        scene.operator_answers("/healthz").await?;
        let log = scene.log()?.split_off(before);
        let said: Vec<&str> = log.lines().filter(|line| line.contains("trying again")).collect();
        ensure!(!said.is_empty(), "nothing is said about the outage:\n{log}");
        println!("{} lines about the outage:\n{}", said.len(), said.join("\n"));
        ensure!(said.len() < 100, "{} lines in four seconds", said.len());

        scene.restart_api_server().await?;
        scene.operator_ready(SOON).await?;
        let fleet = Fleet::complete(scene, "events", "event", [2, 3, 15], RECOVERY).await?;
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, "events", "event")
    });
}

#[test]
fn an_operator_that_is_there_before_its_definitions_waits_for_them() {
    let setting = Setting {
        prepared: false,
        ..Setting::default()
    };
    story(setting, async |scene| {
        scene.namespace("events").await?;
        scene.spawn_operator()?;
        eventually("a log line about what is missing", SOON, async || {
            scene.operator()?.process().check_running()?;
            let log = scene.log()?;
            let line = log
                .lines()
                .find(|line| line.contains("WebinarClass") && line.contains("trying again"));
            println!("{}", line.unwrap_or_default());
            ensure!(line.is_some(), "{log}");
            Ok(())
        })
        .await?;
        ensure!(
            scene.operator_answers("/readyz").await.is_err(),
            "ready without its definitions"
        );
        scene.operator_answers("/healthz").await?;

        scene.prepare().await?;
        scene.operator_ready(RECOVERY).await?;
        scene
            .apply(&webinar("events", "event", "tier: 10k, className: tiny"))
            .await?;
        Fleet::complete(scene, "events", "event", [2, 3, 15], SOON).await?;
        Ok(())
    });
}

#[test]
fn a_right_that_is_missing_for_a_moment_holds_up_nothing_for_long() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        scene.start_operator().await?;
        scene.refusing = true;
        let moment = scene.mark().await?;
        // As with an API server that has just started and has not loaded all of its roles.
        let reads = r#"{"rules":[{"apiGroups":["*"],"resources":["*"],"verbs":["get","list","watch"]}]}"#;
        scene
            .kubectl(&format!(
                "patch clusterrole {} --type=merge --patch={reads}",
                rbac::NAME
            ))
            .await?;
        scene
            .apply(&webinar("events", "event", "tier: 10k, className: tiny"))
            .await?;
        eventually("a refusal", SOON, async || {
            let records = scene.control_plane.audit().since(moment)?;
            ensure!(records.by(OPERATOR).any(|r| r.code == 403), "none");
            Ok(())
        })
        .await?;
        scene.grant().await?;
        let fleet = Fleet::complete(scene, "events", "event", [2, 3, 15], SOON).await?;
        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, "events", "event")
    });
}
