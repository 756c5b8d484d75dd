//! A small event from its beginning to its end, to see whether an installed operator does its work.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use futures::{Stream, StreamExt as _};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Api;
use kube::api::{DeleteParams, PostParams, PropagationPolicy};
use kube::client::ClientBuilder;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Error, watch_object};
use serde_json::json;
use tower::timeout::TimeoutLayer;
use webinar_api::labels::ALLOW_DELETE;
use webinar_api::{Webinar, WebinarStatus};
use webinar_plan::{ConditionType, Truth};

use crate::cli::duration;
use crate::client::{DEADLINE, configuration};

/// Of the Webinar. Two tests at a time in one namespace would share it.
const NAME: &str = "smoke-test";

/// For pods that end, which take their grace period.
const GONE: Duration = Duration::from_secs(120);

/// How to test an installed operator.
#[derive(Debug, Clone, Args)]
pub(crate) struct SmokeTestArgs {
    /// Kubeconfig to use. Without it: the pod's own ServiceAccount, or $KUBECONFIG, or ~/.kube/config.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// Namespace for the Webinar `smoke-test`; one that is there is removed first. The operator must watch it.
    #[arg(long, value_name = "NAMESPACE", env = "POD_NAMESPACE")]
    namespace: String,

    /// Class of the Webinar. Without it: the default class.
    #[arg(long, value_name = "NAME")]
    class: Option<String>,

    /// How long its seats may take.
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration)]
    timeout: Duration,
}

/// Makes a Webinar of tier `room` that starts at once, waits until its seats are there, and removes it with its pods.
///
/// # Errors
///
/// The seats are not there in time or never will be, its pods do not end, or the API server refuses a call.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn run(args: &SmokeTestArgs) -> anyhow::Result<()> {
    // A provider that is installed already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = configuration(args.kubeconfig.as_deref()).await?;
    let client = ClientBuilder::try_from(config)
        .context("the client can't be made from this configuration")?
        .with_layer(&TimeoutLayer::new(DEADLINE))
        .build();
    let webinars = Api::namespaced(client, &args.namespace);
    let webinar = webinar(args.class.as_deref())?;
    let what = format!("Webinar {}/{NAME}", args.namespace);
    // A test that was cut off may have left one.
    remove(&webinars)
        .await
        .with_context(|| format!("removing {what} of an earlier test"))?;
    webinars
        .create(&PostParams::default(), &webinar)
        .await
        .with_context(|| format!("creating {what}"))?;
    println!("{what} was created");
    let seats = seats(&webinars, args.timeout).await;
    // Whatever came of it: nothing is left behind.
    let removed = remove(&webinars)
        .await
        .with_context(|| format!("removing {what}"));
    seats.with_context(|| what.clone())?;
    removed?;
    println!("{what} and its pods are gone: the operator works");
    Ok(())
}

fn webinar(class: Option<&str>) -> anyhow::Result<Webinar> {
    let mut spec = json!({"tier": "room", "duration": "15m"});
    if let Some(class) = class {
        spec["className"] = class.into();
    }
    let webinar = json!({
        "apiVersion": "webinar-operator.io/v1alpha1",
        "kind": "Webinar",
        // It is on air when it is removed.
        "metadata": {"name": NAME, "annotations": {ALLOW_DELETE: "true"}},
        "spec": spec,
    });
    Ok(serde_json::from_value(webinar)?)
}

/// How far a Webinar has come.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Seated,
    Waiting,
    Stuck,
}

fn progress(status: &WebinarStatus) -> Progress {
    let holds = |kind: ConditionType| {
        let is = |c: &&Condition| c.type_ == kind.as_str();
        let truth = status.conditions.iter().find(is).map(|c| c.status.as_str());
        truth == Some(Truth::True.as_str())
    };
    if holds(ConditionType::CapacityReady) {
        Progress::Seated
    } else if holds(ConditionType::Stalled) {
        Progress::Stuck
    } else {
        Progress::Waiting
    }
}

/// What the operator says of it, in one line.
fn said(status: &WebinarStatus) -> String {
    let told: Vec<String> = [ConditionType::Ready, ConditionType::CapacityReady]
        .iter()
        .filter_map(|kind| status.conditions.iter().find(|c| c.type_ == kind.as_str()))
        .map(|c| format!("{}={} ({}): {}", c.type_, c.status, c.reason, c.message))
        .collect();
    if told.is_empty() {
        "the operator has said nothing of it".to_owned()
    } else {
        told.join("; ")
    }
}

async fn seats(webinars: &Api<Webinar>, timeout: Duration) -> anyhow::Result<()> {
    let mut last = said(&WebinarStatus::default());
    let seated = async {
        let mut looks = pin!(looks(webinars));
        while let Some(look) = looks.next().await {
            let webinar = match look {
                Ok(webinar) => webinar.context("somebody deleted it")?,
                Err(error) => {
                    println!("it can't be seen: {error}");
                    continue;
                }
            };
            let status = webinar.status.unwrap_or_default();
            let now = said(&status);
            if now != last {
                println!("{now}");
                last = now;
            }
            match progress(&status) {
                Progress::Seated => return Ok(()),
                Progress::Stuck => bail!("a person is needed: {last}"),
                Progress::Waiting => {}
            }
        }
        bail!("the watch ended")
    };
    let outcome = tokio::time::timeout(timeout, seated).await;
    outcome.unwrap_or_else(|_| bail!("no seats after {timeout:?}: {last}"))
}

async fn remove(webinars: &Api<Webinar>) -> anyhow::Result<()> {
    // The pods first, so that all is gone when the Webinar is.
    let all = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..DeleteParams::default()
    };
    match webinars.delete(NAME, &all).await {
        Err(kube::Error::Api(status)) if status.is_not_found() => return Ok(()),
        done => _ = done?,
    }
    let gone = async {
        let mut looks = pin!(looks(webinars));
        while let Some(look) = looks.next().await {
            if let Ok(None) = look {
                return Ok(());
            }
        }
        bail!("the watch ended")
    };
    let outcome = tokio::time::timeout(GONE, gone).await;
    outcome.unwrap_or_else(|_| bail!("it has pods that do not end, {GONE:?} after it was deleted"))
}

/// The Webinar as it is, again at each change; nothing when it is gone.
fn looks(webinars: &Api<Webinar>) -> impl Stream<Item = Result<Option<Webinar>, Error>> + use<> {
    watch_object(webinars.clone(), NAME).default_backoff()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(conditions: &[(&str, &str)]) -> WebinarStatus {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(kind, status)| {
                json!({
                    "type": kind, "status": status, "reason": "Why", "message": "so",
                    "lastTransitionTime": "2027-03-04T17:00:00Z",
                })
            })
            .collect();
        serde_json::from_value(json!({"conditions": conditions})).expect("a status")
    }

    #[test]
    fn seats_are_there_when_the_operator_says_so() {
        assert_eq!(progress(&status(&[])), Progress::Waiting);
        assert_eq!(
            progress(&status(&[("CapacityReady", "False")])),
            Progress::Waiting
        );
        assert_eq!(progress(&status(&[("CapacityReady", "True")])), Progress::Seated);
        let stuck = status(&[("CapacityReady", "False"), ("Stalled", "True")]);
        assert_eq!(progress(&stuck), Progress::Stuck);
        assert_eq!(said(&stuck), "CapacityReady=False (Why): so");
    }
}
