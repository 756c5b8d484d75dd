//! What the watches of both tell.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use webinar_simulator::server::{Call, Kind, Server, Watch};
use webinar_testbed::wait::within;

use super::pairs::{Comparison, Pairs};
use super::real::{Asked, Real};
use super::world::{USER, ours, without_managed_fields};

const SOON: Duration = Duration::from_secs(20);

/// Selectors beside the watches of everything.
const SELECTED: &[(Kind, &str)] = &[
    (Kind::Pod, "labelSelector=role%3Drelay"),
    (
        Kind::Pod,
        "labelSelector=role%20in%20%28relay%2Cmid%29%2C%21accepting",
    ),
    (Kind::Pod, "fieldSelector=status.phase%21%3DFailed"),
    (Kind::Service, "labelSelector=slot"),
    (Kind::Webinar, "labelSelector=role%21%3Drelay"),
];

/// A watch of the real server that runs beside the calls.
pub(crate) struct Running {
    watch: Watch,
    uri: String,
    told: mpsc::UnboundedReceiver<Value>,
}

/// Begins to watch every kind.
pub(crate) async fn begin(real: &Real) -> Result<Vec<Running>> {
    let everything = Kind::ALL
        .into_iter()
        .filter(|k| *k != Kind::Event)
        .map(|k| (k, ""));
    let mut running = Vec::new();
    for (kind, selector) in everything.chain(SELECTED.iter().copied()) {
        let path = kind.path("");
        let (list, _) = real.ask(&Asked::get(&path)).await?;
        let version = list.body["metadata"]["resourceVersion"].as_str();
        let version = version.context("a list without a version")?;
        let uri = format!("{path}?watch=true&resourceVersion={version}&{selector}");
        let call = Call {
            method: Method::GET,
            path,
            query: uri.split_once('?').map(|(_, query)| query.to_owned()),
            accept: None,
            content_type: None,
            body: bytes::Bytes::new(),
            user: USER.to_owned(),
        };
        let Ok(Some(watch)) = Watch::of(&call) else {
            bail!("{uri} is no watch to the model");
        };
        let told = real.watch(&uri).await?;
        running.push(Running { watch, uri, told });
    }
    Ok(running)
}

impl Running {
    /// Compares all that was told, and says how much that was.
    pub(crate) async fn compare(mut self, server: &Server, pairs: &mut Pairs) -> Result<usize> {
        let changes = server
            .changes(self.watch.kind, 0)
            .context("nothing was forgotten")?;
        let expected: Vec<Value> = changes
            .iter()
            .filter_map(|change| self.watch.sees(change))
            .map(|(happened, object)| json!({"type": happened.as_str(), "object": *object}))
            .collect();
        let mut seen: Vec<Value> = Vec::new();
        let told = within(&self.uri, SOON, async {
            // The last thing that is told is the last that was written: what is told beside it is seen before.
            while seen.len() < expected.len() {
                let mut event = self.told.recv().await.context("the watch ended")?;
                if ours(&event["object"]) {
                    without_managed_fields(&mut event);
                    seen.push(event);
                }
            }
            Ok(())
        })
        .await;
        for (i, (model, real)) in expected.iter().zip(&seen).enumerate() {
            let mut comparison = Comparison {
                pairs,
                other_words: false,
                found: Vec::new(),
            };
            comparison.compare(model, real);
            if !comparison.found.is_empty() {
                bail!(
                    "{}, event {i}: {:#?}\nmodel: {model}\nreal: {real}\nbefore: {}",
                    self.uri,
                    comparison.found,
                    i.checked_sub(1).map_or(&Value::Null, |i| &seen[i])
                );
            }
        }
        told.with_context(|| format!("{} of {} events", seen.len(), expected.len()))?;
        Ok(seen.len())
    }
}
