//! What must hold after an attack.

use std::str::FromStr;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use webinar_api::labels;
use webinar_testbed::audit::Records;
use webinar_testbed::wait::eventually;

use crate::support::assertions::verdict;
use crate::support::scene::{OPERATOR, SOON, Scene};

/// One thing that must hold. Webinars are named `namespace/name`, or by their name in the tenant's namespace.
#[derive(Debug, Clone)]
pub(crate) enum Hold {
    /// `<webinar> <condition>=<status>/<reason>`: its status comes to say so.
    Says(Who, String, String, String),
    /// `<webinar> stored without <text>`.
    Without(Who, String),
    /// `at most <n> pods of <webinar>`, or `no pods of <webinar>`.
    Pods(Who, usize),
    /// `gone webinars <webinar>`: somebody removes it.
    Gone(Who),
    /// `left alone <plural> <name>`: the operator writes no object of this name.
    Alone(String, String),
    /// `refused to <ReplicaSet>: <words>`: its controller was refused its pods.
    RefusedTo(String, String),
    /// `no line of the log begins with <text>`.
    NoLine(String),
}

/// Namespace and name.
type Who = (String, String);

fn who(text: &str) -> Who {
    let (namespace, name) = text.split_once('/').unwrap_or(("tenant", text));
    // Of the name of forty letters only the number of letters is written.
    let name = match name
        .strip_prefix("{{")
        .and_then(|n| n.strip_suffix("}}")?.split_once(" * "))
    {
        Some((count, letter)) => letter.repeat(count.parse().unwrap_or(1)),
        None => name.to_owned(),
    };
    (namespace.to_owned(), name)
}

impl FromStr for Hold {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || format!("nothing that can hold: {text:?}");
        if let Some(pods) = text.strip_prefix("at most ") {
            let (most, webinar) = pods.split_once(" pods of ").with_context(unknown)?;
            return Ok(Self::Pods(who(webinar), most.parse()?));
        }
        if let Some(webinar) = text.strip_prefix("no pods of ") {
            return Ok(Self::Pods(who(webinar), 0));
        }
        if let Some(webinar) = text.strip_prefix("gone webinars ") {
            return Ok(Self::Gone(who(webinar)));
        }
        if let Some(object) = text.strip_prefix("left alone ") {
            let (plural, name) = object.split_once(' ').with_context(unknown)?;
            return Ok(Self::Alone(plural.to_owned(), name.to_owned()));
        }
        if let Some(refused) = text.strip_prefix("refused to ") {
            let (name, words) = refused.split_once(": ").with_context(unknown)?;
            return Ok(Self::RefusedTo(name.to_owned(), words.to_owned()));
        }
        if let Some(line) = text.strip_prefix("no line of the log begins with ") {
            return Ok(Self::NoLine(line.to_owned()));
        }
        if let Some((webinar, words)) = text.split_once(" stored without ") {
            return Ok(Self::Without(who(webinar), words.to_owned()));
        }
        let (webinar, said) = text.rsplit_once(' ').with_context(unknown)?;
        let (kind, said) = said.split_once('=').with_context(unknown)?;
        let (status, reason) = said.split_once('/').with_context(unknown)?;
        Ok(Self::Says(
            who(webinar),
            kind.to_owned(),
            status.to_owned(),
            reason.to_owned(),
        ))
    }
}

impl Hold {
    /// Waits for it. Without `records` it can't be said what was left alone.
    pub(crate) async fn check(&self, scene: &Scene, records: Option<&Records>) -> Result<()> {
        match self {
            Self::Says((namespace, name), kind, status, reason) => {
                let what = format!("{kind}={status}/{reason}");
                let said = |s: &webinar_api::WebinarStatus| {
                    let (is, why, _) = verdict(s, kind);
                    (is, why) == (status, reason)
                };
                scene.until(namespace, name, &what, SOON, said).await.map(|_| ())
            }
            Self::Without((namespace, name), words) => {
                let stored = scene.webinars(namespace).get(name).await?;
                let stored = serde_json::to_string(&stored)?;
                ensure!(!stored.contains(words), "{stored}");
                Ok(())
            }
            Self::Pods((namespace, name), most) => {
                let pods: Api<Pod> = Api::namespaced(scene.control_plane.client(), namespace);
                let its = ListParams::default().labels(&format!("{}={name}", labels::WEBINAR));
                let there = pods.list_metadata(&its).await?.items.len();
                ensure!(there <= *most, "{there} pods of {name}");
                Ok(())
            }
            Self::Gone((namespace, name)) => {
                eventually(&format!("the end of {name}"), SOON, async || {
                    let left = scene.webinars(namespace).get_opt(name).await?;
                    ensure!(left.is_none(), "it is there");
                    Ok(())
                })
                .await
            }
            Self::Alone(plural, name) => {
                let records = records.context("nothing is known of writes yet")?;
                let written = records.by(OPERATOR).filter(|r| r.done());
                let written: Vec<_> = written
                    .filter(|r| &r.resource == plural && &r.name == name)
                    .collect();
                ensure!(written.is_empty(), "{written:?}");
                Ok(())
            }
            Self::RefusedTo(name, words) => {
                let sets: Api<ReplicaSet> = Api::namespaced(scene.control_plane.client(), "tenant");
                eventually(&format!("{name} to be refused its pods"), SOON, async || {
                    let status = sets.get(name).await?.status.unwrap_or_default();
                    let said = status
                        .conditions
                        .iter()
                        .flatten()
                        .filter_map(|c| c.message.as_ref());
                    ensure!(said.into_iter().any(|m| m.contains(words)), "{status:?}");
                    Ok(())
                })
                .await
            }
            Self::NoLine(text) => {
                let log = scene.log()?;
                let line = log.lines().find(|l| l.trim_start().starts_with(text));
                ensure!(line.is_none(), "{line:?}");
                Ok(())
            }
        }
    }
}
