//! Sends requests as they stand.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use kube::{Client, ResourceExt as _};

use super::Request;
use crate::support::scene::{Scene, in_seconds};
use crate::support::world::Fleet;

/// Where the Webinars of a namespace are.
const WEBINARS: &str = "/apis/webinar-operator.io/v1alpha1/namespaces/tenant/";

/// What the API server answered.
pub(crate) enum Answer {
    Accepted,
    Refused(String),
}

/// Sends requests by the clients of tenants.
pub(crate) struct Sender<'a> {
    pub(crate) scene: &'a Scene,
    /// By the namespace in which they are at home.
    pub(crate) clients: BTreeMap<&'static str, Client>,
}

impl Sender<'_> {
    /// Sends it as often as it says, and returns the last answer.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer> {
        if let Some(hold) = &request.after {
            hold.check(self.scene, None).await?;
        }
        let mut answer = Answer::Accepted;
        for n in 0..request.times {
            answer = self.once(request, n).await?;
        }
        Ok(answer)
    }

    async fn once(&self, request: &Request, n: usize) -> Result<Answer> {
        let mut path = self.filled(&request.path, n).await?;
        if !path.starts_with('/') {
            path.insert_str(0, WEBINARS);
        }
        // The least that the API server checks is what an attacker asks for.
        let mut ask = "fieldManager=tenant&fieldValidation=Ignore";
        let (method, kind) = match request.method.as_str() {
            "POST" => ("POST", "application/yaml"),
            "PUT" => ("PUT", "application/yaml"),
            "MERGE" => ("PATCH", "application/merge-patch+json"),
            "APPLY" => ("PATCH", "application/apply-patch+yaml"),
            "DELETE" => ("DELETE", "application/json"),
            other => bail!("unknown method {other:?}"),
        };
        if path.contains("fieldManager=") || method == "DELETE" {
            ask = "fieldValidation=Ignore";
        }
        let ask = if method == "DELETE" { "" } else { ask };
        let joint = if path.contains('?') { "&" } else { "?" };
        let body = self.filled(&request.body, n).await?;
        let http = http::Request::builder()
            .method(method)
            .uri(format!("{path}{joint}{ask}"))
            .header("content-type", kind)
            .body(body.into_bytes())?;
        let home = ["keyholder"]
            .into_iter()
            .find(|home| path.contains(&format!("/namespaces/{home}/")));
        let client = &self.clients[home.unwrap_or("tenant")];
        match client.request_text(http).await {
            Ok(_) => Ok(Answer::Accepted),
            Err(kube::Error::Api(status)) => Ok(Answer::Refused(status.message)),
            Err(error) => Err(error).with_context(|| format!("{method} {path}")),
        }
    }

    /// Fills in what is in double braces: `far` (a time weeks ahead), `n` (how often it was sent before), `odd` (whether that
    /// is odd), `uid of namespace/name` and `pod of namespace/name` (of a Webinar), `100 labels`, `100 * text`.
    async fn filled(&self, text: &str, n: usize) -> Result<String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            // Of three braces the first one is YAML's.
            let at = at + usize::from(rest[at..].starts_with("{{{"));
            let (before, after) = (&rest[..at], &rest[at + 2..]);
            let end = after.find("}}").context("braces that nothing closes")?;
            out.push_str(before);
            self.fill(&mut out, &after[..end], n).await?;
            rest = &after[end + 2..];
        }
        out.push_str(rest);
        Ok(out)
    }

    async fn fill(&self, out: &mut String, what: &str, n: usize) -> Result<()> {
        if let Some((count, text)) = what.split_once(" * ") {
            out.push_str(&text.repeat(count.parse()?));
        } else if let Some(count) = what.strip_suffix(" labels") {
            for i in 0..count.parse::<u32>()? {
                write!(out, "example.com/label-{i}: value-{i},")?;
            }
        } else if let Some(webinar) = what.strip_prefix("uid of ") {
            let (namespace, name) = webinar.split_once('/').context("no namespace")?;
            let found = self.scene.webinars(namespace).get(name).await?;
            out.push_str(&found.uid().context("no UID")?);
        } else if let Some(webinar) = what.strip_prefix("pod of ") {
            let (namespace, name) = webinar.split_once('/').context("no namespace")?;
            let fleet = Fleet::of(self.scene, namespace, name).await?;
            out.push_str(&fleet.0.values().next().context("no pod")?.name_any());
        } else {
            match what {
                "far" => write!(out, "{}", in_seconds(21 * 24 * 3600))?,
                "n" => write!(out, "{}", n + 1)?,
                "odd" => write!(out, "{}", n % 2 == 1)?,
                other => bail!("nothing to fill in for {other:?}"),
            }
        }
        Ok(())
    }
}
