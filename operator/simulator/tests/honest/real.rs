//! The real API server.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use futures::TryStreamExt as _;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use webinar_simulator::server::Answer;
use webinar_testbed::tools::Tool;
use webinar_testbed::wait::eventually;
use webinar_testbed::{ControlPlane, Options};

const SOON: Duration = Duration::from_secs(20);

/// An API server that nobody else writes to.
pub(crate) struct Real {
    client: Client,
    _control_plane: ControlPlane,
}

/// A call in the real server's own names.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: String,
    pub(crate) accept: Option<String>,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

impl Real {
    pub(crate) async fn start() -> Result<Self> {
        let mut control_plane = ControlPlane::start(Options {
            // Pods need no ServiceAccount then, which nobody makes here.
            api_server_args: vec!["--disable-admission-plugins=ServiceAccount".to_owned()],
            ..Options::default()
        })
        .await?;
        for controller in [Tool::ControllerManager, Tool::Scheduler, Tool::Kwok] {
            control_plane.kill(controller)?;
        }
        let yaml = webinar_api::crds()
            .iter()
            .map(|crd| Ok(format!("---\n{}\n", webinar_api::crd_yaml(crd)?)))
            .collect::<Result<String>>()?;
        control_plane.apply_yaml(&yaml).await?;
        let this = Self {
            client: control_plane.client(),
            _control_plane: control_plane,
        };
        for plural in ["webinars", "webinarclasses"] {
            eventually(&format!("{plural} to be served"), SOON, async || {
                let path = format!("/apis/webinar-operator.io/v1alpha1/{plural}");
                let (answer, _) = this.ask(&Asked::get(&path)).await?;
                ensure!(answer.code == 200, "{answer:?}");
                Ok(())
            })
            .await?;
        }
        Ok(this)
    }

    /// The answer, and the time it was given.
    pub(crate) async fn ask(&self, asked: &Asked) -> Result<(Answer, Timestamp)> {
        let response = self.send(asked).await?;
        let code = response.status().as_u16();
        let date = response.headers().get(http::header::DATE);
        let date = date.context("an answer without a date")?.to_str()?.to_owned();
        let now = jiff::fmt::rfc2822::parse(&date)?.timestamp();
        let body = response.into_body().collect().await?.to_bytes();
        let body = serde_json::from_slice(&body)
            .with_context(|| format!("{code}: {}", String::from_utf8_lossy(&body)))?;
        Ok((Answer { code, body }, now))
    }

    async fn send(&self, asked: &Asked) -> Result<http::Response<Body>> {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(&asked.uri)
            .header(http::header::CONTENT_TYPE, &asked.content_type)
            .header(http::header::USER_AGENT, super::world::USER);
        if let Some(accept) = &asked.accept {
            request = request.header(http::header::ACCEPT, accept);
        }
        let request = request.body(Body::from(asked.body.clone().into_bytes()))?;
        Ok(self.client.send(request).await?)
    }

    /// Everything that a watch tells, from now on.
    pub(crate) async fn watch(&self, uri: &str) -> Result<mpsc::UnboundedReceiver<Value>> {
        let response = self.send(&Asked::get(uri)).await?;
        ensure!(response.status().is_success(), "{uri}: {}", response.status());
        let (tell, told) = mpsc::unbounded_channel();
        let mut frames = response.into_body().into_data_stream();
        tokio::spawn(async move {
            let mut rest = Vec::new();
            while let Ok(Some(bytes)) = frames.try_next().await {
                rest.extend_from_slice(&bytes);
                while let Some(end) = rest.iter().position(|b| *b == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    // A line that is no JSON would be missed by whoever reads.
                    let Ok(event) = serde_json::from_slice(&line) else {
                        return;
                    };
                    if tell.send(event).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(told)
    }

    /// Takes a namespace away that is going and empty, as the controller manager would.
    pub(crate) async fn finalize(&self, namespace: &str) -> Result<()> {
        let asked = Asked {
            method: Method::PUT,
            uri: format!("/api/v1/namespaces/{namespace}/finalize"),
            accept: None,
            content_type: "application/json".to_owned(),
            body: json!({
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": namespace},
                "spec": {"finalizers": []},
            })
            .to_string(),
        };
        let (answer, _) = self.ask(&asked).await?;
        ensure!(answer.code == 200, "{answer:?}");
        self.settled(namespace, "not found").await
    }

    /// Waits until admission has heard of what happened to a namespace or its quota: until creating something there is
    /// answered with these words. Nothing is created.
    pub(crate) async fn settled(&self, namespace: &str, words: &str) -> Result<()> {
        let asked = Asked {
            method: Method::POST,
            uri: format!("/api/v1/namespaces/{namespace}/configmaps?dryRun=All"),
            accept: None,
            content_type: "application/json".to_owned(),
            body: json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "probe"}}).to_string(),
        };
        eventually(&format!("{words:?} in {namespace}"), SOON, async || {
            let (answer, _) = self.ask(&asked).await?;
            let said = answer.body.to_string();
            if said.contains(words) {
                return Ok(());
            }
            bail!("{said}")
        })
        .await
    }
}

impl Asked {
    pub(crate) fn get(uri: &str) -> Self {
        Self {
            method: Method::GET,
            uri: uri.to_owned(),
            accept: None,
            content_type: "application/json".to_owned(),
            body: String::new(),
        }
    }
}
