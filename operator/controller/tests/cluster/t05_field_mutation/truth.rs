//! What must be said about a spec, worked out from the spec alone.

use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use webinar_api::{Phase, Schedule, Tier, WebinarClassSpec, WebinarClassStatus, WebinarSpec, WebinarStatus};

use super::cases::path;
use crate::support::assertions::verdict;
use crate::support::scene::now;

/// The class that Webinars name.
pub(super) const CLASS: &str = "chosen";
/// The class of those that name none.
pub(super) const DEFAULT_CLASS: &str = "usual";
/// Of both.
const MAX_TIER: Tier = Tier::T100k;

/// The status of a class, in which the fields `at` were changed.
pub(super) fn of_class(at: &str, spec: &Value, status: &Value) -> Result<()> {
    let spec: WebinarClassSpec = serde_json::from_value(spec.clone())?;
    let status = completed(status)?;
    let status: WebinarClassStatus = serde_json::from_value(status)?;
    let condition = status.conditions.first().context("nothing is said yet")?;
    let said = &condition.message;
    ensure!(
        condition.type_ == "Accepted" && status.conditions.len() == 1,
        "{condition:?}"
    );
    let names = |template: &str| ["media-sfu", "media-relay", "secretive"].contains(&template);
    let templates = &spec.templates;
    let relay = templates.relay.as_deref();
    let secretive = relay == Some("secretive") && !spec.allow_credentials;
    if !names(&templates.sfu) || !relay.is_none_or(names) || secretive {
        let named = |at: &str| said.contains(&format!("`{}", path(at).replace("spec.", "")));
        ensure!(
            condition.status == "False" && condition.reason == "ClassNotAccepted" && at.split(',').any(named),
            "{condition:?} names none of {at}"
        );
        ensure!(
            status.tiers.is_empty() && status.viewers_per_relay.is_none(),
            "{status:?}"
        );
        return Ok(());
    }
    ensure!(
        condition.status == "True" && condition.reason == "Accepted",
        "{condition:?}"
    );
    let viewers = status.viewers_per_relay;
    ensure!(
        viewers.is_some() == relay.is_some(),
        "{viewers:?} viewers per relay"
    );
    if let (Some(most), Some(viewers)) = (spec.sizing.max_viewers_per_relay, viewers) {
        ensure!(viewers <= most, "{viewers} viewers per relay, more than {most}");
        ensure!(said.contains(&format!("for {viewers} viewers")), "{said}");
    }
    let tiers: Vec<Tier> = status.tiers.iter().map(|t| t.tier).collect();
    ensure!(tiers == Tier::ALL, "{tiers:?}");
    let most = spec.max_total_pods.unwrap_or(i32::MAX).min(spec.max_pods);
    for plan in &status.tiers {
        match (plan.pods, &plan.message) {
            (None, Some(why)) if plan.tier > spec.max_tier => ensure!(why.contains("`maxTier`"), "{why}"),
            (None, Some(why)) => ensure!(why.contains("needs"), "{why}"),
            (Some(pods), None) => ensure!(
                pods <= most
                    && plan.tier <= spec.max_tier
                    && plan.sfu == Some(spec.sizing.sfu.counts.of(plan.tier)),
                "{plan:?}"
            ),
            other => anyhow::bail!("{:?}: {other:?}", plan.tier),
        }
    }
    Ok(())
}

/// The status of a Webinar.
pub(super) fn of_webinar(_: &str, spec: &Value, status: &Value) -> Result<()> {
    let spec: WebinarSpec = serde_json::from_value(spec.clone())?;
    let status: WebinarStatus = serde_json::from_value(completed(status)?)?;
    let (is, reason, message) = verdict(&status, "Ready");
    let says = |truth: &str, wanted: &str, words: &str| -> Result<()> {
        ensure!(
            is == truth && reason == wanted && message.contains(words),
            "Ready is {is} for {reason}, {message:?}, and should be {truth} for {wanted}, with {words:?}"
        );
        Ok(())
    };
    if let Some(class) = &spec.class_name
        && class != CLASS
    {
        return says("False", "ClassNotFound", &format!("`{class}`"));
    }
    if spec.tier.max(spec.max_tier.unwrap_or(spec.tier)) > MAX_TIER {
        return says("False", "TierNotAllowed", "`maxTier`");
    }
    if spec.panelists == 1000 {
        return says("False", "TierNotAllowed", "1000 panelists");
    }
    let Some(start) = spec.start_time else {
        says("True", "Live", "")?;
        ensure!(verdict(&status, "CapacityReady").1 == "AllReady", "{status:?}");
        return Ok(());
    };
    let length = |d: webinar_api::Duration| SignedDuration::try_from(d.as_std());
    let start = start.0;
    let end = start + length(spec.duration)?;
    let ready_before = spec.ready_before.map_or(Ok(SignedDuration::ZERO), length)?;
    let overrun = spec.overrun.map_or(Ok(SignedDuration::ZERO), length)?;
    if end < now() {
        ensure!(status.phase == Some(Phase::Expired), "{:?}", status.phase);
        return says("True", "Expired", "");
    }
    says("True", if spec.suspend { "Suspended" } else { "Scheduled" }, "")?;
    ensure!(status.phase == Some(Phase::Scheduled), "{:?}", status.phase);
    ensure!(status.tier == Some(spec.tier), "{:?}", status.tier);
    let Schedule {
        ready_by_time,
        start_time,
        end_time,
        release_time,
        ..
    } = status.schedule.context("no schedule")?;
    for (what, said, should) in [
        ("startTime", start_time, start),
        ("endTime", end_time, end),
        ("readyByTime", ready_by_time, start - ready_before),
        ("releaseTime", release_time, end + overrun),
    ] {
        let said: Timestamp = said.with_context(|| format!("no {what}"))?.0;
        ensure!(
            said.as_second() == should.as_second(),
            "{what} is {said}, and should be {should}"
        );
    }
    Ok(())
}

/// With what was masked for comparison, so that the type is whole again.
fn completed(status: &Value) -> Result<Value> {
    let mut status = status.clone();
    for condition in status["conditions"].as_array_mut().into_iter().flatten() {
        condition["lastTransitionTime"] = "2000-01-01T00:00:00Z".into();
    }
    ensure!(status.is_object(), "nothing is said yet");
    Ok(status)
}
