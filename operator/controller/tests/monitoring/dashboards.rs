//! Dashboards are what Grafana can show: known fields, panels beside each other, queries with a data source, and links
//! that lead somewhere. What a real operator answers to the queries is for `cluster/dashboards.rs`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::Value;
use webinar_testbed::tools::Tool;

use super::{dashboard_files, judged, repository};

/// What Grafana knows without a variable of the dashboard.
const BUILT_IN: [&str; 4] = ["__all", "__data", "__rate_interval", "__url_time_range"];

/// The grid has so many columns.
const COLUMNS: u32 = 24;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dashboard {
    uid: String,
    title: String,
    description: String,
    schema_version: u32,
    panels: Vec<Panel>,
    templating: Templating,
    annotations: Annotations,
}

#[derive(Deserialize)]
struct Annotations {
    list: Vec<Annotation>,
}

#[derive(Deserialize)]
struct Annotation {
    expr: Option<String>,
}

#[derive(Deserialize)]
struct Templating {
    list: Vec<Variable>,
}

#[derive(Deserialize)]
struct Variable {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    query: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Panel {
    id: u32,
    #[serde(rename = "type")]
    kind: String,
    title: String,
    #[serde(default)]
    description: String,
    grid_pos: Place,
    datasource: Option<Source>,
    #[serde(default)]
    targets: Vec<Target>,
    #[serde(default)]
    field_config: Value,
}

#[derive(Deserialize)]
struct Place {
    x: u32,
    y: u32,
    w: u32,
    h: u32,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: String,
    uid: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Target {
    ref_id: String,
    datasource: Source,
    expr: String,
    legend_format: Option<String>,
    #[serde(default)]
    instant: bool,
}

fn read(path: &Path) -> Result<(String, Dashboard)> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let dashboard = serde_json::from_str(&text).with_context(|| format!("decoding {}", path.display()))?;
    Ok((text, dashboard))
}

#[tokio::test]
async fn grafana_knows_every_field() -> Result<()> {
    judged(Tool::DashboardVerdict, &[], &dashboard_files()?).await
}

#[tokio::test]
async fn prometheus_takes_every_query() -> Result<()> {
    let mut files = Vec::new();
    for path in dashboard_files()? {
        let (_, dashboard) = read(&path)?;
        // `promtool` reads queries in rules only.
        let mut rules = "groups:\n- name: queries\n  rules:\n".to_owned();
        let annotations = dashboard.annotations.list.iter().filter_map(|a| a.expr.as_ref());
        let targets = dashboard.panels.iter().flat_map(|panel| &panel.targets);
        let queries = targets.map(|target| &target.expr).chain(annotations);
        for (number, query) in queries.enumerate() {
            let expr = Value::from(query.replace("$__rate_interval", "1m"));
            writeln!(rules, "  - {{record: 'query:{number}', expr: {expr}}}")?;
        }
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.yaml", dashboard.uid));
        fs::write(&file, rules)?;
        files.push(file);
    }
    judged(Tool::Promtool, &["check", "rules", "--lint=none"], &files).await
}

#[test]
fn every_dashboard_is_whole() -> Result<()> {
    let files = dashboard_files()?;
    let mut uids = BTreeSet::new();
    for path in &files {
        let (text, dashboard) = read(path)?;
        check(path, &text, &dashboard).with_context(|| path.display().to_string())?;
        uids.insert(dashboard.uid);
    }
    assert_eq!(uids.len(), 2, "{uids:?}");
    for path in &files {
        let (text, _) = read(path)?;
        check_links(&serde_json::from_str(&text)?, &uids).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn check(path: &Path, text: &str, dashboard: &Dashboard) -> Result<()> {
    let stem = path
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or_default();
    ensure!(
        dashboard.uid == format!("webinar-operator-{stem}"),
        "{}",
        dashboard.uid
    );
    ensure!(!dashboard.title.is_empty() && !dashboard.description.is_empty());
    // The first version without panels in rows is 16; what Grafana 11 writes is 39 and more.
    ensure!(dashboard.schema_version >= 39, "{}", dashboard.schema_version);

    let variables = &dashboard.templating.list;
    let first = variables.first().context("no variable")?;
    ensure!(
        (first.kind.as_str(), first.name.as_str(), &first.query)
            == ("datasource", "datasource", &Value::from("prometheus")),
        "the first variable is the data source"
    );
    let declared: BTreeSet<&str> = variables.iter().map(|v| v.name.as_str()).collect();
    let used = variables_in(text);
    for name in &used {
        ensure!(
            declared.contains(name) || BUILT_IN.contains(name),
            "${name} is no variable"
        );
    }
    let unused: Vec<_> = declared.iter().filter(|name| !used.contains(*name)).collect();
    ensure!(unused.is_empty(), "{unused:?} change nothing");

    let ids: BTreeSet<u32> = dashboard.panels.iter().map(|panel| panel.id).collect();
    ensure!(ids.len() == dashboard.panels.len(), "two panels with one id");
    for (number, panel) in dashboard.panels.iter().enumerate() {
        check_panel(panel).with_context(|| format!("panel {} {}", panel.id, panel.title))?;
        for other in dashboard.panels.iter().skip(number + 1) {
            ensure!(
                !panel.grid_pos.overlaps(&other.grid_pos),
                "{} ({}) lies over {} ({})",
                panel.title,
                panel.id,
                other.title,
                other.id
            );
        }
    }
    Ok(())
}

impl Place {
    fn overlaps(&self, other: &Self) -> bool {
        let beside = |a: u32, width: u32, b: u32, other_width: u32| a + width <= b || b + other_width <= a;
        !beside(self.x, self.w, other.x, other.w) && !beside(self.y, self.h, other.y, other.h)
    }
}

fn check_panel(panel: &Panel) -> Result<()> {
    let Place { x, w, h, .. } = panel.grid_pos;
    ensure!(w > 0 && h > 0 && x + w <= COLUMNS, "out of the grid");
    ensure!(!panel.title.is_empty(), "no title");
    if panel.kind == "row" {
        return Ok(());
    }
    ensure!(panel.description.ends_with('.'), "what it shows is not said");
    panel.datasource.as_ref().context("no data source")?.check()?;
    ensure!(!panel.targets.is_empty(), "no query");
    let refs: BTreeSet<&str> = panel.targets.iter().map(|t| t.ref_id.as_str()).collect();
    ensure!(refs.len() == panel.targets.len(), "two queries with one refId");
    for target in &panel.targets {
        target.datasource.check()?;
        ensure!(!target.expr.is_empty(), "an empty query");
        let over_time = matches!(panel.kind.as_str(), "timeseries" | "state-timeline");
        ensure!(target.instant != over_time, "{}: over time or now", target.ref_id);
        let legend = target.legend_format.as_deref().unwrap_or_default();
        ensure!(!over_time || !legend.is_empty(), "{}: no legend", target.ref_id);
    }
    check_units(panel)
}

/// A number without a unit may be anything: a panel has one, or each column of a table does, or values have words.
fn check_units(panel: &Panel) -> Result<()> {
    let defaults = &panel.field_config["defaults"];
    let mapped = defaults["mappings"].as_array().is_some_and(|m| !m.is_empty());
    if defaults["unit"].is_string() || mapped {
        return Ok(());
    }
    ensure!(panel.kind == "table", "no unit");
    let overrides = panel.field_config["overrides"].as_array();
    let units = overrides
        .into_iter()
        .flatten()
        .filter_map(|o| o["properties"].as_array())
        .filter(|all| all.iter().any(|property| property["id"] == "unit"))
        .count();
    ensure!(
        units == panel.targets.len(),
        "{units} units for {} columns",
        panel.targets.len()
    );
    Ok(())
}

impl Source {
    fn check(&self) -> Result<()> {
        ensure!(
            (self.kind.as_str(), self.uid.as_str()) == ("prometheus", "${datasource}"),
            "{} {}",
            self.kind,
            self.uid
        );
        Ok(())
    }
}

/// Names after `$`, with or without braces.
fn variables_in(text: &str) -> BTreeSet<&str> {
    let starts = text.split('$').skip(1);
    starts
        .map(|rest| {
            let rest = rest.strip_prefix('{').unwrap_or(rest);
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// Links lead to the other dashboard or to a runbook. The chart puts an address before `runbooks/`.
fn check_links(value: &Value, uids: &BTreeSet<String>) -> Result<()> {
    let mut urls = Vec::new();
    collect_urls(value, &mut urls);
    ensure!(urls.len() >= 3, "only {urls:?}");
    for url in urls {
        if let Some(rest) = url.strip_prefix("/d/") {
            let uid = rest.split('?').next().unwrap_or_default();
            ensure!(uids.contains(uid), "{url} leads nowhere");
            continue;
        }
        let runbook = url
            .strip_prefix("runbooks/")
            .with_context(|| format!("{url}: where to?"))?;
        if runbook != "${__data.fields.Alert}.md" {
            let file: PathBuf = repository().join("operator/docs/runbooks").join(runbook);
            ensure!(file.is_file(), "there is no {}", file.display());
        }
    }
    Ok(())
}

fn collect_urls<'a>(value: &'a Value, urls: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_str() {
                    Some(url) if key == "url" => urls.push(url),
                    _ => collect_urls(field, urls),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_urls(item, urls)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
