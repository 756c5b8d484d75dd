//! What can't be done is refused in a sentence that says how to go on, and heals when the cause is gone.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use webinar_api::WebinarStatus;

use crate::support::assertions::verdict;
use crate::support::manifests::{CPU_15, class, template, webinar};
use crate::support::scene::{OPERATOR, SOON, Scene, Setting, in_seconds, story};

/// Name, rest of the spec, reason, and what the message says.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    (
        "unknown-class",
        "tier: 10k, className: gold",
        "ClassNotFound",
        "There is no WebinarClass `gold`.",
    ),
    (
        "no-default",
        "tier: 10k",
        "ClassNotFound",
        "`className` is not set and no WebinarClass is annotated",
    ),
    (
        "no-template",
        "tier: 10k, className: bare",
        "ClassNotAccepted",
        "`templates.relay` names PodTemplate `bare-relay`, which doesn't exist in the operator's namespace.",
    ),
    (
        "no-request",
        "tier: 10k, className: lax",
        "ClassNotAccepted",
        "PodTemplate `lax-relay` of `templates.relay` can't be used: container `media` has no `resources.requests.cpu`",
    ),
    (
        "too-big",
        "tier: 1M, className: small",
        "TierNotAllowed",
        "needs 54 mids, the SFU feeds 50",
    ),
];

#[test]
fn the_api_server_refuses_what_can_be_seen_at_once() {
    story(
        Setting {
            nodes: 0,
            ..Setting::default()
        },
        async |scene| {
            scene.namespace("events").await?;
            let long = "a".repeat(41);
            for (name, spec, said) in [
                (
                    "event",
                    "tier: 1m",
                    "supported values: \"room\", \"10k\", \"50k\", \"100k\", \"250k\", \"500k\", \"1M\"",
                ),
                (
                    "event",
                    "tier: 100k, maxTier: 50k",
                    "`maxTier` must not be below `tier`",
                ),
                (
                    long.as_str(),
                    "tier: 10k",
                    "`metadata.name` must be at most 40 characters long",
                ),
            ] {
                let outcome = scene.kubectl_apply(&webinar("events", name, spec)).await;
                let refusal = format!(
                    "{:#}",
                    outcome.err().with_context(|| format!("{spec:?} was accepted"))?
                );
                ensure!(refusal.contains(said), "{refusal}");
            }
            Ok(())
        },
    );
}

#[test]
fn the_operator_says_what_is_wrong_and_heals_with_its_cause() {
    story(Setting::default(), async |scene| {
        scene.namespace("events").await?;
        let own = |name: &str| format!("\n  templates: {{sfu: {name}-sfu, relay: {name}-relay}}\n");
        for name in ["bare", "lax", "small"] {
            scene.apply(&class(name, &own(name))).await?;
            scene.apply(&template(&format!("{name}-sfu"), CPU_15)).await?;
        }
        scene
            .apply(&template("lax-relay", "limits: {memory: 1Gi}"))
            .await?;
        scene
            .apply(&template("small-relay", "requests: {cpu: '7'}"))
            .await?;
        scene.start_operator().await?;
        let start = in_seconds(30 * 24 * 3600);
        for (name, spec, ..) in REFUSED {
            scene
                .kubectl_apply(&webinar("events", name, &format!("{spec}, startTime: '{start}'")))
                .await?;
        }
        for (name, _, reason, said) in REFUSED {
            let status = refused(scene, name, reason).await?;
            let (truth, _, message) = verdict(&status, "Ready");
            println!("{name}: {message}");
            ensure!(truth == "False" && message.contains(said), "{message}");
            ensure!(
                verdict(&status, "Stalled").0.is_empty(),
                "stalled too early: {status:?}"
            );
        }

        // Events come after statuses.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let moment = scene.mark().await?;
        for (name, ..) in REFUSED {
            let status = scene
                .until("events", name, "Stalled", Duration::from_secs(75), |s| {
                    verdict(s, "Stalled").0 == "True"
                })
                .await?;
            let took = since(&status, "Stalled")?
                .duration_since(since(&status, "Ready")?)
                .as_secs();
            ensure!((59..70).contains(&took), "{name} stalled after {took} s");
        }
        let writes = scene.since(moment).await?.writes_by(OPERATOR);
        ensure!(
            writes.status == REFUSED.len() && writes.total() - writes.events == writes.status,
            "{writes:?}"
        );

        scene
            .apply(&class(
                "gold",
                "\n  templates: {sfu: media-sfu, relay: media-relay}\n",
            ))
            .await?;
        heals(scene, "unknown-class").await?;
        scene
            .kubectl("annotate webinarclass full webinar-operator.io/is-default-class=true")
            .await?;
        heals(scene, "no-default").await?;
        scene.apply(&template("bare-relay", CPU_15)).await?;
        heals(scene, "no-template").await?;
        scene.apply(&template("lax-relay", CPU_15)).await?;
        heals(scene, "no-request").await?;
        scene.apply(&template("small-relay", CPU_15)).await?;
        heals(scene, "too-big").await
    });
}

async fn refused(scene: &Scene, name: &str, reason: &str) -> Result<WebinarStatus> {
    let what = format!("refused for {reason}");
    scene
        .until("events", name, &what, SOON, |s| verdict(s, "Ready").1 == reason)
        .await
}

/// Nobody touches the Webinar, and it is scheduled.
async fn heals(scene: &Scene, name: &str) -> Result<()> {
    let status = scene
        .until("events", name, "healed", SOON, |s| {
            verdict(s, "Ready").1 == "Scheduled"
        })
        .await?;
    ensure!(
        verdict(&status, "Ready").0 == "True" && verdict(&status, "Stalled").0.is_empty(),
        "{status:?}"
    );
    let generation = scene.webinars("events").get(name).await?.metadata.generation;
    ensure!(generation == Some(1), "{generation:?}");
    Ok(())
}

/// Since when a condition is what it is.
fn since(status: &WebinarStatus, kind: &str) -> Result<Timestamp> {
    let found = status.conditions.iter().find(|c| c.type_ == kind);
    Ok(found
        .with_context(|| format!("no {kind}"))?
        .last_transition_time
        .0)
}
