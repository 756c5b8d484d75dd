//! A Prometheus server is asked instead of the pods: one instant query for each figure.
//!
//! The value of a query carries the instant at which it was computed, not the one at which the pod was asked. So a pod
//! that no longer answers Prometheus keeps its last value, under new instants, until its series are marked stale: one
//! failed scrape of that server later, or five minutes later when it has lost the target without noticing. That is why
//! the class says how often that server asks, and why what is noticed is noticed two of those intervals late.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE, USER_AGENT};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use webinar_api as api;
use webinar_plan::{Reading, Sample};

use super::failure::Failure;
use super::figure::{MOST_BYTES, MOST_VIEWERS, reading};
use super::lanes::Lane;
use super::wire::{AGENT, accept};
use crate::tls;

/// Most of an answer that is read, in bytes.
const MAX_BODY: u64 = 8 * 1024 * 1024;

/// How far ahead of ours a server's clock may be.
const AHEAD: SignedDuration = SignedDuration::from_secs(30);

/// Shortest time between two questions.
const LEAST: Duration = Duration::from_secs(5);

/// How long an unused connection to a server is kept.
const IDLE: Duration = Duration::from_secs(90);

/// What a server is asked for one Webinar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    url: String,
    /// Viewers, bytes received, bytes sent.
    queries: [Option<String>; 3],
    every: Duration,
}

impl Question {
    /// The queries of a class for the Webinar `name`.
    pub(super) fn of(server: &api::Prometheus, namespace: &str, name: &str) -> Self {
        let api::Queries {
            viewers,
            bytes_in,
            bytes_out,
        } = &server.queries;
        let fill = |query: &String| filled(query, namespace, name);
        Self {
            url: format!("{}/api/v1/query", server.url.trim_end_matches('/')),
            queries: [
                Some(fill(viewers)),
                bytes_in.as_ref().map(fill),
                bytes_out.as_ref().map(fill),
            ],
            every: server.scrape_interval.into(),
        }
    }

    /// How often it is asked: more often than it asks the pods, so that what it learns is known soon after.
    pub(super) fn lane(&self) -> Lane {
        Lane::Server((self.every / 4).max(LEAST))
    }
}

/// Tells what a server has learnt from what it only says again.
///
/// Between two of its scrapes it gives the same values under new instants. Taken for news they would look as if media
/// stood still. So what has not changed is news only when the server must have asked the pod since.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// By the names of pods, when each value was first given.
    first: BTreeMap<String, Sample>,
}

impl Repeats {
    /// Whether what is said of `pod` is news.
    pub(super) fn is_news(&mut self, question: &Question, pod: &str, sample: &Sample) -> bool {
        let figures = |s: &Sample| (s.viewers, s.bytes_in, s.bytes_out);
        if let Some(first) = self.first.get(pod)
            && figures(first) == figures(sample)
            && first.at <= sample.at
        {
            // A tenth more, as no scrape is quite on time.
            let since = sample.at.duration_since(first.at);
            return Duration::try_from(since).is_ok_and(|since| since >= question.every * 11 / 10);
        }
        self.first.insert(pod.to_owned(), *sample);
        true
    }

    /// Forgets pods that are gone.
    pub(super) fn keep(&mut self, here: impl Fn(&str) -> bool) {
        self.first.retain(|pod, _| here(pod));
    }
}

/// `query` with the Webinar's namespace and name, neither of which can hold a quote.
fn filled(query: &str, namespace: &str, name: &str) -> String {
    let mut text = String::with_capacity(query.len());
    let mut rest = query;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = if let Some(after) = after.strip_prefix("namespace") {
            text.push_str(namespace);
            after
        } else if let Some(after) = after.strip_prefix("webinar") {
            text.push_str(name);
            after
        } else {
            text.push('$');
            after
        };
    }
    text + rest
}

/// The way to Prometheus servers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Servers(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Servers {
    /// Keeps connections between questions.
    pub(super) fn new() -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(2)
            .build(tls::connector());
        Self(client)
    }

    /// What the server says of each pod in `pods`, by name. `deadline` is that of each query.
    ///
    /// Viewers of a pod that only its bytes are told of are zero: servers leave out series that nobody uses.
    pub(super) async fn ask(
        &self,
        question: &Question,
        pods: &BTreeSet<String>,
        deadline: Duration,
        now: impl Fn() -> Timestamp,
    ) -> Result<BTreeMap<String, Sample>, Failure> {
        let mut told: [BTreeMap<String, f64>; 3] = Default::default();
        let mut at: Option<(f64, Timestamp)> = None;
        for (told, query) in told.iter_mut().zip(&question.queries) {
            let Some(query) = query else { continue };
            // All of one instant: that of the first.
            let body = self.query(&question.url, query, at.map(|(seconds, _)| seconds));
            let body = tokio::time::timeout(deadline, body)
                .await
                .unwrap_or(Err(Failure::Timeout))?;
            let (values, seconds) = values(&body, pods)?;
            *told = values;
            if at.is_none()
                && let Some(seconds) = seconds
            {
                at = Some((seconds, instant(seconds, now())?));
            }
        }
        let Some((_, at)) = at else {
            return Ok(BTreeMap::new());
        };
        Ok(samples(&told, at))
    }

    async fn query(&self, url: &str, query: &str, at: Option<f64>) -> Result<Bytes, Failure> {
        let request = Request::post(url)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form(query, at)))
            .map_err(|_| Failure::Malformed)?;
        let answer = self.0.request(request).await.map_err(|error| {
            if error.is_connect() {
                Failure::Connect
            } else {
                Failure::Broken
            }
        })?;
        accept(answer.status(), answer.headers(), MAX_BODY)?;
        let mut body = answer.into_body();
        let mut whole = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Failure::Broken)?;
            if let Some(data) = frame.data_ref() {
                if (whole.len() + data.len()) as u64 > MAX_BODY {
                    return Err(Failure::TooLarge);
                }
                whole.extend_from_slice(data);
            }
        }
        Ok(whole.freeze())
    }
}

fn form(query: &str, at: Option<f64>) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("query", query);
    if let Some(at) = at {
        form.append_pair("time", &at.to_string());
    }
    form.finish()
}

#[derive(Deserialize)]
struct Answer {
    status: String,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Labelled>,
}

#[derive(Deserialize)]
struct Labelled {
    #[serde(default)]
    metric: Labels,
    value: (f64, String),
}

#[derive(Deserialize, Default)]
struct Labels {
    pod: Option<String>,
}

/// Values by pod, and the instant they were computed at. A pod with several values has none that can be believed.
fn values(body: &[u8], pods: &BTreeSet<String>) -> Result<(BTreeMap<String, f64>, Option<f64>), Failure> {
    let answer: Answer = serde_json::from_slice(body).map_err(|_| Failure::Malformed)?;
    if answer.status != "success" || answer.data.result_type != "vector" {
        return Err(Failure::Malformed);
    }
    let mut values = BTreeMap::new();
    let mut at = None;
    for Labelled { metric, value } in answer.data.result {
        let Some(pod) = metric.pod.filter(|pod| pods.contains(pod)) else {
            continue;
        };
        at = at.or(Some(value.0));
        let number = value.1.parse().unwrap_or(f64::NAN);
        values
            .entry(pod)
            .and_modify(|twice| *twice = f64::NAN)
            .or_insert(number);
    }
    Ok((values, at))
}

/// An instant that a server reports, if it can be one.
fn instant(seconds: f64, now: Timestamp) -> Result<Timestamp, Failure> {
    // Casts of floats saturate, and what is not a number becomes the epoch.
    let at = Timestamp::from_millisecond((seconds * 1_000.0) as i64).map_err(|_| Failure::Malformed)?;
    if at.duration_since(now) > AHEAD {
        return Err(Failure::Malformed);
    }
    Ok(at)
}

fn samples(
    [viewers, bytes_in, bytes_out]: &[BTreeMap<String, f64>; 3],
    at: Timestamp,
) -> BTreeMap<String, Sample> {
    let figure = |told: &BTreeMap<String, f64>, pod: &str, most| {
        told.get(pod)
            .map_or(Reading::Missing, |value| reading(*value, most))
    };
    let pods: BTreeSet<&String> = viewers
        .keys()
        .chain(bytes_in.keys())
        .chain(bytes_out.keys())
        .collect();
    let sample = |pod: &String| Sample {
        at,
        viewers: viewers
            .get(pod)
            .map_or(Reading::Value(0), |value| reading(*value, MOST_VIEWERS)),
        bytes_in: figure(bytes_in, pod, MOST_BYTES),
        bytes_out: figure(bytes_out, pod, MOST_BYTES),
    };
    pods.into_iter().map(|pod| (pod.clone(), sample(pod))).collect()
}

#[cfg(test)]
mod tests;
