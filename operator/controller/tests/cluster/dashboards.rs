//! Dashboards, alerts and runbooks are true of a real operator: every query has an answer, a frozen picture raises the
//! alarm, and what people are told to type works.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use webinar_testbed::dataplane::{Encoder, Publishing};
use webinar_testbed::wait::{Stopwatch, eventually};
use webinar_testbed::{Prometheus, Sample};

use crate::support::assertions::verdict;
use crate::support::audience::{Booking, Show};
use crate::support::manifests::{OPERATOR_NAMESPACE, webinar};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};

/// For what the operator shows, and Prometheus scrapes each second, in windows of [`WINDOW`].
const SHOWN: Duration = Duration::from_secs(60);

/// What Grafana would put in the place of `$__rate_interval`, and a little more.
const WINDOW: &str = "30s";

/// From the last byte until the alert fires: 20 s to be seen, 15 s pending, and two evaluations 15 s apart.
const RAISED: Duration = Duration::from_secs(90);

/// What Prometheus says of alerts itself.
const FIRING: &str = "ALERTS{alertstate='firing'}";

/// Of what a runbook tells to type, these change nothing.
const HARMLESS: [&str; 5] = ["get", "describe", "events", "auth", "logs"];

#[test]
fn all_that_people_look_at_is_there() {
    story(Setting::watched(3), async |scene| {
        let prometheus = Prometheus::start(&configuration(scene)).await?;
        scene.start_operator().await?;
        let show = on_air(scene).await?;
        let alerts = prometheus.query(FIRING).await?;
        ensure!(alerts.is_empty(), "nothing is wrong, and {alerts:?}");

        // What is looked at meanwhile is looked at while the picture is frozen.
        show.stage.stop(Encoder::All);
        let stopwatch = Stopwatch::start();
        for runbook in runbooks()? {
            check_runbook(scene, &prometheus, &runbook).await?;
        }
        let names = [("events", "event"), ("events", "short")];
        finished(scene, names[1]).await?;
        raised(&prometheus, stopwatch).await?;
        for dashboard in ["webinars", "webinar"] {
            check_dashboard(&prometheus, dashboard, &names).await?;
        }
        Ok(())
    });
}

/// Those and no others: a frozen picture is a frozen picture.
async fn raised(prometheus: &Prometheus, since: Stopwatch) -> Result<()> {
    let left = RAISED.saturating_sub(since.elapsed());
    eventually("the alert", left, async || {
        let alerts = prometheus.query(FIRING).await?;
        let names: Vec<_> = alerts.iter().filter_map(|a| a.labels.get("alertname")).collect();
        ensure!(names == ["WebinarMediaStalled"], "{names:?}");
        Ok(())
    })
    .await?;
    println!(
        "a frozen picture raised the alarm within {:.0} s",
        since.elapsed().as_secs_f32()
    );
    Ok(())
}

/// The operator is scraped as the chart's ServiceMonitor has it done, but more often.
fn configuration(scene: &Scene) -> String {
    let target = scene.url("").replace("http://", "");
    format!(
        "
global: {{scrape_interval: 1s}}
rule_files: ['{}']
scrape_configs:
- job_name: webinar-operator-metrics
  honor_labels: true
  static_configs:
  - targets: ['{target}']
    labels: {{namespace: {OPERATOR_NAMESPACE}}}
",
        chart().join("files/alerts.yaml").display()
    )
}

/// An event with an audience, and beside it a short one and one that is to come.
async fn on_air(scene: &Scene) -> Result<Show> {
    scene.namespace("events").await?;
    let show = Show::booked(scene, &Booking::default()).await?;
    let short = "tier: room, duration: 1m, className: audience";
    scene.apply(&webinar("events", "short", short)).await?;
    let later = format!(
        "tier: 10k, className: audience, startTime: '{}'",
        in_seconds(7_200)
    );
    scene.apply(&webinar("events", "later", &later)).await?;
    show.opens(Publishing::Single, 9_000);
    show.on_air(scene).await?;
    show.watched_by(9_000, Duration::from_secs(90)).await?;
    show.counted(scene, 9_000, SOON).await?;
    let flows = |s: &_| verdict(s, "MediaFlowing").1 == "Flowing";
    scene.until("events", "event", "flowing", SOON, flows).await?;
    Ok(show)
}

/// The short one is over.
async fn finished(scene: &Scene, (namespace, name): (&str, &str)) -> Result<()> {
    scene
        .until(namespace, name, "over", Duration::from_secs(180), |s| {
            s.phase == Some(webinar_api::Phase::Finished)
        })
        .await
        .map(|_| ())
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn chart() -> PathBuf {
    repository().join("charts/webinar-operator")
}

/// Every panel, variable and annotation has something to show, of one of these webinars at least: how long before its
/// start one was ready is known when it is over, and who watches it while it is on air.
async fn check_dashboard(prometheus: &Prometheus, name: &str, webinars: &[(&str, &str)]) -> Result<()> {
    let path = chart().join(format!("files/dashboards/{name}.json"));
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    println!("\n{name}.json");
    for variable in list(&dashboard, "/templating/list") {
        if let Some(query) = variable.pointer("/query/query").and_then(Value::as_str) {
            check_variable(prometheus, query, webinars).await?;
        }
    }
    for annotation in list(&dashboard, "/annotations/list") {
        if let Some(expr) = annotation["expr"].as_str() {
            check_query(prometheus, &title(annotation), expr, webinars).await?;
        }
    }
    let mut asked = 0;
    for panel in list(&dashboard, "/panels") {
        for target in list(panel, "/targets") {
            let expr = target["expr"].as_str().context("a target without query")?;
            check_query(prometheus, &title(panel), expr, webinars).await?;
            asked += 1;
        }
    }
    ensure!(asked > 20, "{name} asks only {asked} questions");
    Ok(())
}

fn list<'a>(value: &'a Value, at: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(at).and_then(Value::as_array).into_iter().flatten()
}

fn title(value: &Value) -> String {
    let title = value["title"].as_str().or(value["name"].as_str());
    title.unwrap_or_default().to_owned()
}

/// `label_values(series, label)` offers something.
async fn check_variable(prometheus: &Prometheus, query: &str, webinars: &[(&str, &str)]) -> Result<()> {
    let inside = query
        .strip_prefix("label_values(")
        .and_then(|rest| rest.strip_suffix(')'));
    let (series, label) = inside
        .and_then(|inside| inside.rsplit_once(", "))
        .with_context(|| format!("variable {query}"))?;
    let values = format!("count by ({label}) ({series})");
    check_query(prometheus, query, &values, webinars).await
}

async fn check_query(
    prometheus: &Prometheus,
    title: &str,
    expr: &str,
    webinars: &[(&str, &str)],
) -> Result<()> {
    let found = eventually(&format!("an answer to {title}: {expr}"), SHOWN, async || {
        for webinar in webinars {
            let asked = filled_in(expr, *webinar);
            // A query that is no query stays one.
            let samples = prometheus.query(&asked).await?;
            if samples.iter().any(|sample| !sample.value.is_nan()) {
                return Ok(samples);
            }
        }
        bail!("no data")
    })
    .await?;
    println!("{title:32} {}", told(&found));
    Ok(())
}

/// The query as Grafana would send it.
fn filled_in(expr: &str, (namespace, name): (&str, &str)) -> String {
    expr.replace("$__rate_interval", WINDOW)
        .replace("=~\"$namespace\"", "=~\".*\"")
        .replace("=~\"$job\"", "=~\".*\"")
        .replace("$namespace", namespace)
        .replace("$name", name)
}

/// The first few values.
fn told(samples: &[Sample]) -> String {
    let few: Vec<String> = samples
        .iter()
        .take(4)
        .map(|sample| {
            let labels: Vec<&str> = sample.labels.values().map(String::as_str).collect();
            format!("{} {:.4}", labels.join("/"), sample.value)
        })
        .collect();
    let more = samples.len().saturating_sub(few.len());
    format!("{} (+{more})", few.join(", "))
}

fn runbooks() -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(repository().join("operator/docs/runbooks"))? {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// Queries of the runbook can be asked, and its commands are understood.
async fn check_runbook(scene: &Scene, prometheus: &Prometheus, path: &Path) -> Result<()> {
    let text = fs::read_to_string(path)?;
    for query in queries(&text) {
        let asked = query
            .replace("\"NS\"", "\"events\"")
            .replace("\"NAME\"", "\"event\"");
        prometheus
            .query(&asked)
            .await
            .with_context(|| format!("{}: {query}", path.display()))?;
    }
    for command in commands(&text) {
        let mut args = words(command).with_context(|| format!("{}: {command}", path.display()))?;
        let verb = args.get(1).cloned().unwrap_or_default();
        if verb == "patch" {
            args.push("--dry-run=server".to_owned());
        } else if !HARMLESS.contains(&verb.as_str()) {
            continue;
        }
        scene
            .control_plane
            .kubectl(args.iter().skip(1).map(String::as_str))
            .await
            .with_context(|| format!("{}: {command}", path.display()))?;
    }
    Ok(())
}

/// What blocks of a language hold.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let begun = text.split(&fence).skip(1);
    begun.filter_map(|rest| rest.split("```").next()).collect()
}

/// One query a line; a line that is indented goes on with the one before.
fn queries(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for line in blocks(text, "promql").into_iter().flat_map(str::lines) {
        match all.last_mut() {
            Some(last) if line.starts_with(' ') => last.push_str(line),
            _ => all.push(line.to_owned()),
        }
    }
    all
}

/// Calls of kubectl, without what they are piped into.
fn commands(text: &str) -> Vec<&str> {
    let lines = blocks(text, "sh").into_iter().flat_map(str::lines);
    lines
        .filter(|line| line.starts_with("kubectl "))
        .filter_map(|line| line.split(" | ").next())
        .collect()
}

/// The words of a command as a shell has them.
fn words(command: &str) -> Result<Vec<String>> {
    let output = Command::new("sh")
        .args(["-c", &format!("printf '%s\\0' {command}")])
        .env("NS", "events")
        .env("NAME", "event")
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split_terminator('\0').map(str::to_owned).collect())
}
