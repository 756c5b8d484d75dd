//! What a platform team watches with: rules for Prometheus, their tests, and what to do when one fires.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webinar_testbed::tools::{Tool, Tools};

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
    alert_rule_test: Vec<Expectation>,
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

/// The files of rule tests, in the order of their names.
fn rule_tests() -> Result<Vec<PathBuf>> {
    let directory = chart().join("tests/alerts");
    let listing = fs::read_dir(&directory).with_context(|| format!("listing {}", directory.display()))?;
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

/// Runs promtool; what it says is told if it does not agree.
async fn promtool(args: &[&str], files: &[PathBuf]) -> Result<()> {
    let tools = Tools::ensure(&[Tool::Promtool], &|text| eprintln!("testbed: {text}")).await?;
    let output = Command::new(tools.path(Tool::Promtool)?)
        .args(args)
        .args(files)
        .output()
        .context("starting promtool")?;
    ensure!(
        output.status.success(),
        "promtool {}: {}\n{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

#[tokio::test]
async fn prometheus_takes_the_rules() -> Result<()> {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal"], &[alerts()]).await
}

#[tokio::test]
async fn alerts_fire_when_they_should() -> Result<()> {
    promtool(&["test", "rules"], &rule_tests()?).await
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
    let files = fs::read_dir(&runbooks)?.count();
    assert_eq!(files, ALERTS.len() + 1, "a runbook of no alert");
    Ok(())
}
