//! A real Prometheus, for tests of what reads attendance from one. No stand-in has all of its ways: values that are
//! text, series that go stale, samples that lag behind by a scrape interval, targets it hears of seconds late.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use bytes::Bytes;
use http::header::HOST;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use crate::http::get_ok;
use crate::ports::free_port;
use crate::process::{Process, Program};
use crate::tools::{Tool, Tools};
use crate::wait::{eventually, within};
use crate::work_dir::WorkDir;

const START_DEADLINE: Duration = Duration::from_secs(60);
/// It passes changes on every 5 s at most, and restarts that pause while it waits: 10 s when nobody else computes.
const TARGETS_DEADLINE: Duration = Duration::from_secs(60);
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);
/// In bytes; what it tells of ten thousand targets.
const LONGEST_ANSWER: usize = 32 * 1024 * 1024;

/// A label of all targets that tells which call of [`Prometheus::set_targets`] they come from. Labels with this prefix
/// are forgotten before a scrape.
const TURN: &str = "__meta_testbed_turn";

/// A Prometheus server on 127.0.0.1 with its data in a directory of its own. It is killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    // First, because it is dropped first: who writes stops before its directory goes.
    process: Process,
    listen: SocketAddr,
    url: String,
    turn: u64,
    dir: WorkDir,
}

/// One series in the answer to a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its labels, with `__name__` if the query keeps it.
    pub labels: BTreeMap<String, String>,
    /// Its value, which may be no number or infinite.
    pub value: f64,
}

impl Prometheus {
    /// The file in which the configuration finds what [`Prometheus::set_targets`] sets, as in
    /// `file_sd_configs: [{files: [targets.json]}]`.
    pub const TARGETS: &'static str = "targets.json";

    /// Starts a server with a configuration as in `prometheus.yml`; building the program comes first if it is nowhere
    /// at the right version. Returns when it answers queries. Targets may be static, or come from
    /// [`Prometheus::TARGETS`]; the program is built without its clients of clouds and registries.
    ///
    /// # Errors
    /// When the program is missing and cannot be built, refuses the configuration, or ends or is not ready within a
    /// minute, with the end of its log.
    pub async fn start(config: &str) -> Result<Self> {
        let tools = Tools::ensure(&[Tool::Prometheus], &|text| eprintln!("testbed: {text}")).await?;
        let dir = WorkDir::create()?;
        let config_file = dir.path().join("prometheus.yml");
        fs::write(&config_file, config).context("writing the configuration of Prometheus")?;
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let name = Tool::Prometheus.program();
        let program = Program::new(
            name,
            tools.path(Tool::Prometheus)?,
            dir.path().join("prometheus.log"),
        )
        .args([
            format!("--config.file={}", config_file.display()),
            format!("--storage.tsdb.path={}", dir.path().join("data").display()),
            format!("--web.listen-address={listen}"),
            // After 5 s otherwise, on top of those that it takes to hear of new ones.
            "--scrape.discovery-reload-interval=100ms".to_owned(),
        ]);
        let mut prometheus = Self {
            process: Process::spawn(&program)?,
            listen,
            url: format!("http://{listen}"),
            turn: 0,
            dir,
        };
        let ready = format!("{}/-/ready", prometheus.url);
        eventually("Prometheus", START_DEADLINE, async || {
            prometheus.process.check_running()?;
            get_ok(&ready).await
        })
        .await
        .with_context(|| format!("its log ends:\n{}", prometheus.process.log_tail(20)))?;
        Ok(prometheus)
    }

    /// Where it answers, as in `http://127.0.0.1:20000`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Replaces all targets in [`Prometheus::TARGETS`], each an address such as `127.0.0.1:8080` with further labels.
    /// Returns when it scrapes these and no others, which takes up to ten seconds: it collects changes for that long.
    ///
    /// # Errors
    /// When the file cannot be written, Prometheus does not answer or, after a minute, it has not taken up the
    /// targets, as when the configuration does not name the file.
    pub async fn set_targets(&mut self, targets: &[(&str, &[(&str, &str)])]) -> Result<()> {
        self.turn += 1;
        let turn = self.turn.to_string();
        let groups: Vec<_> = targets
            .iter()
            .map(|(address, labels)| {
                let mut labels: BTreeMap<&str, &str> = labels.iter().copied().collect();
                labels.insert(TURN, &turn);
                json!({"targets": [address], "labels": labels})
            })
            .collect();
        // Renamed into place, or half of it might be read.
        let half = self.file("targets.new");
        fs::write(&half, json!(groups).to_string()).context("writing targets")?;
        fs::rename(&half, self.file(Self::TARGETS)).context("putting targets in place")?;

        let wanted: BTreeSet<&str> = targets.iter().map(|(address, _)| *address).collect();
        eventually("Prometheus to take up targets", TARGETS_DEADLINE, async || {
            let known: Known = self.get("/api/v1/targets").await?;
            let ours: Vec<_> = known.of_file().collect();
            let seen: BTreeSet<&str> = ours.iter().map(|(_, address)| *address).collect();
            ensure!(
                seen == wanted && ours.iter().all(|(of, _)| *of == turn),
                "it has {seen:?}"
            );
            Ok(())
        })
        .await
        .with_context(|| format!("its log ends:\n{}", self.process.log_tail(20)))
    }

    /// What it answers to a query now. One that gives a plain number is to be wrapped in `vector()`.
    ///
    /// # Errors
    /// When it does not answer within ten seconds, or refuses the query, or the answer is no instant vector.
    pub async fn query(&self, query: &str) -> Result<Vec<Sample>> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("query", query)
            .finish();
        let found: Found = self.get(&format!("/api/v1/query?{query}")).await?;
        found
            .result
            .into_iter()
            .map(|series| {
                let (_, value) = series.value;
                Ok(Sample {
                    value: value.parse().with_context(|| format!("{value:?} as a number"))?,
                    labels: series.metric,
                })
            })
            .collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        within(&format!("asking Prometheus for {path}"), ANSWER_DEADLINE, async {
            let stream = TcpStream::connect(self.listen).await?;
            let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
            let request = http::Request::get(path)
                .header(HOST, self.listen.to_string())
                .body(Empty::<Bytes>::new())?;
            let answer = requests.send_request(request).await?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
            let body = body.map_err(|error| anyhow!("{error}"))?.to_bytes();
            ensure!(
                status.is_success(),
                "{status}: {}",
                String::from_utf8_lossy(&body)
            );
            let answer: Answer<T> = serde_json::from_slice(&body)?;
            Ok(answer.data)
        })
        .await
    }
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Known {
    active_targets: Vec<Target>,
    /// Those that relabelling leaves out.
    dropped_targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    discovered_labels: BTreeMap<String, String>,
}

impl Known {
    /// The turn and the address of each target from our file.
    fn of_file(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.active_targets.iter().chain(&self.dropped_targets);
        all.filter_map(|Target { discovered_labels }| {
            let turn = discovered_labels.get(TURN)?;
            Some((turn.as_str(), discovered_labels.get("__address__")?.as_str()))
        })
    }
}

#[derive(Deserialize)]
struct Found {
    result: Vec<Series>,
}

#[derive(Deserialize)]
struct Series {
    metric: BTreeMap<String, String>,
    /// The time in seconds, and the value as text.
    value: (f64, String),
}
