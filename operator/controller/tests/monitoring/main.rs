//! What a platform team watches with: rules for Prometheus, their tests, and what to do when one fires.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webinar_operator::metrics::catalog::{self, Description, Kind};
use webinar_testbed::tools::{Tool, Tools};

mod dashboards;

/// All of them (operations.md).
const ALERTS: [&str; 8] = [
    "WebinarAttendanceUnknown",
    "WebinarCapacityAtRisk",
    "WebinarDrainStuck",
    "WebinarHeadroomLow",
    "WebinarMediaStalled",
    "WebinarOperatorClockSkew",
    "WebinarOperatorDown",
    "WebinarStartedUnderCapacity",
];

/// What a runbook has, in this order.
const HEADINGS: [&str; 4] = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"];

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    #[serde(rename = "for")]
    pending: Option<String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RuleTests {
    rule_files: Vec<String>,
    tests: Vec<RuleTest>,
}

#[derive(Deserialize)]
struct RuleTest {
    input_series: Vec<Series>,
    alert_rule_test: Vec<Expectation>,
}

#[derive(Deserialize)]
struct Series {
    /// Such as `webinar_attendees{namespace="events",name="talk"}`.
    series: String,
}

#[derive(Deserialize)]
struct Expectation {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<Fired>,
}

#[derive(Deserialize)]
struct Fired {
    #[serde(default)]
    exp_annotations: BTreeMap<String, String>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn chart() -> PathBuf {
    repository().join("charts/webinar-operator")
}

fn alerts() -> PathBuf {
    chart().join("files/alerts.yaml")
}

/// The files of rule tests.
fn rule_tests() -> Result<Vec<PathBuf>> {
    listed(&chart().join("tests/alerts"))
}

fn runbooks() -> Result<Vec<PathBuf>> {
    listed(&repository().join("operator/docs/runbooks"))
}

fn dashboard_files() -> Result<Vec<PathBuf>> {
    listed(&chart().join("files/dashboards"))
}

/// The files of a directory, in the order of their names.
fn listed(directory: &Path) -> Result<Vec<PathBuf>> {
    let listing = fs::read_dir(directory).with_context(|| format!("listing {}", directory.display()))?;
    let mut files = Vec::new();
    for entry in listing {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_saphyr::from_str(&text).with_context(|| format!("decoding {}", path.display()))
}

fn rules() -> Result<Vec<Rule>> {
    let rules: Rules = read(&alerts())?;
    Ok(rules.groups.into_iter().flat_map(|group| group.rules).collect())
}

/// Runs a tool; what it says is told if it does not agree.
async fn judged(tool: Tool, args: &[&str], files: &[PathBuf]) -> Result<()> {
    let tools = Tools::ensure(&[tool], &|text| eprintln!("testbed: {text}")).await?;
    let output = Command::new(tools.path(tool)?)
        .args(args)
        .args(files)
        .output()
        .with_context(|| format!("starting {tool}"))?;
    ensure!(
        output.status.success(),
        "{tool} {}: {}\n{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[tokio::test]
async fn prometheus_takes_the_rules() -> Result<()> {
    let args = ["check", "rules", "--lint=all", "--lint-fatal"];
    judged(Tool::Promtool, &args, &[alerts()]).await
}

#[tokio::test]
async fn alerts_fire_when_they_should() -> Result<()> {
    judged(Tool::Promtool, &["test", "rules"], &rule_tests()?).await
}

#[test]
fn every_alert_says_what_a_person_needs() -> Result<()> {
    let rules = rules()?;
    let names: BTreeSet<&str> = rules.iter().map(|rule| rule.alert.as_str()).collect();
    assert_eq!(names, BTreeSet::from(ALERTS));
    assert_eq!(rules.len(), ALERTS.len(), "one rule for each");
    for rule in &rules {
        let name = &rule.alert;
        assert!(rule.pending.is_some(), "{name} has no `for`");
        let severity = rule.labels.get("severity").map(String::as_str);
        assert!(
            matches!(severity, Some("critical" | "warning")),
            "{name}: {severity:?}"
        );
        let said = |annotation: &str| rule.annotations.get(annotation).map_or("", String::as_str);
        assert!(said("summary").ends_with('.'), "{name}: {:?}", said("summary"));
        assert!(said("description").contains("{{"), "{name} tells no numbers");
        assert_eq!(said("runbook_url"), format!("runbooks/{name}.md"));
    }
    Ok(())
}

/// `promtool` says nothing of an alert that no test is about.
#[test]
fn every_alert_is_seen_firing_and_silent() -> Result<()> {
    let (mut firing, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for file in rule_tests()? {
        let tests: RuleTests = read(&file)?;
        assert!(!tests.tests.is_empty(), "{}", file.display());
        assert_eq!(
            tests.rule_files,
            ["../../files/alerts.yaml"],
            "{}",
            file.display()
        );
        for expected in tests.tests.into_iter().flat_map(|test| test.alert_rule_test) {
            let Expectation {
                alertname,
                exp_alerts,
            } = expected;
            assert!(
                ALERTS.contains(&alertname.as_str()),
                "{}: there is no {alertname}",
                file.display()
            );
            if exp_alerts.is_empty() {
                silent.insert(alertname);
            } else {
                let told = |fired: &Fired| fired.exp_annotations.contains_key("description");
                assert!(exp_alerts.iter().all(told), "{alertname} without its text");
                firing.insert(alertname);
            }
        }
    }
    let all: BTreeSet<String> = ALERTS.map(str::to_owned).into();
    assert_eq!(firing, all, "firing");
    assert_eq!(silent, all, "silent");
    Ok(())
}

#[test]
fn every_alert_has_a_runbook() -> Result<()> {
    let runbooks = repository().join("operator/docs/runbooks");
    let index = fs::read_to_string(runbooks.join("README.md")).context("reading the index of runbooks")?;
    for name in ALERTS {
        let path = runbooks.join(format!("{name}.md"));
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        assert!(text.starts_with(&format!("# {name}\n")), "{name}: its title");
        let headings: Vec<&str> = text.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, HEADINGS, "{name}");
        let sections = text.split("\n## ").skip(1);
        assert!(sections.clone().all(|s| s.lines().count() > 2), "{name}: empty");
        let diagnosis = sections
            .filter(|s| s.starts_with("Diagnosis"))
            .collect::<String>();
        assert!(diagnosis.contains("```"), "{name}: no command to copy");
        assert!(
            index.contains(&format!("({name}.md)")),
            "{name} is not in the index"
        );
    }
    let files = listed(&runbooks)?.len();
    assert_eq!(files, ALERTS.len() + 1, "a runbook of no alert");
    Ok(())
}

/// What rules, runbooks and dashboards speak of is there. A rule with a misspelt name is silent for ever.
#[test]
fn every_metric_exists() -> Result<()> {
    let mut files = runbooks()?;
    files.push(alerts());
    files.extend(dashboard_files()?);
    let mut found = BTreeSet::new();
    for file in files {
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        // `webinar_*` is all of them.
        for word in words.filter(|w| w.starts_with("webinar_") && !w.ends_with('_')) {
            let metric =
                described(word).with_context(|| format!("{}: there is no {word}", file.display()))?;
            found.insert(metric.name);
        }
    }
    assert!(found.len() >= 20, "only {found:?}");
    Ok(())
}

/// Rules are tested against series as Prometheus has them when it scrapes with `honorLabels`: those of a Webinar have
/// the Webinar's namespace, those of the operator its own.
#[test]
fn rules_are_tested_with_series_as_they_come() -> Result<()> {
    for file in rule_tests()? {
        let tests: RuleTests = read(&file)?;
        for Series { series } in tests.tests.into_iter().flat_map(|test| test.input_series) {
            check_series(&series).with_context(|| format!("{}: {series}", file.display()))?;
        }
    }
    Ok(())
}

fn check_series(series: &str) -> Result<()> {
    let (name, rest) = series.split_once('{').context("no labels")?;
    let inside = rest.strip_suffix('}').context("no end of the labels")?;
    let metric = described(name).context("no such metric")?;
    let labels = inside
        .split(',')
        .map(|label| label.split_once('=').map(|(key, _)| key).context("no label"))
        .collect::<Result<BTreeSet<&str>>>()?;
    let mut own: BTreeSet<&str> = metric.labels.iter().copied().collect();
    own.insert("namespace");
    let missing: Vec<_> = own.difference(&labels).collect();
    ensure!(missing.is_empty(), "without {missing:?}");
    // What a scrape adds.
    own.extend(["cluster", "job", "instance"]);
    let unknown: Vec<_> = labels.difference(&own).collect();
    ensure!(unknown.is_empty(), "{unknown:?} is no label of it");
    Ok(())
}

/// The metric that a series belongs to.
fn described(series: &str) -> Option<&'static Description> {
    catalog::ALL.iter().copied().find(|metric| {
        let histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .any(|suffix| series.strip_suffix(suffix) == Some(metric.name));
        match metric.kind {
            Kind::Histogram => histogram,
            Kind::Gauge | Kind::Counter | Kind::Info => series == metric.name,
        }
    })
}
