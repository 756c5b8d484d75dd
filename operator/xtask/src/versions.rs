//! `cargo xtask versions`: the crates, the chart, the changelog and a release's tag name one version.

use std::fs;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::repository::root;

/// What to compare.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The tag of a release, such as `v1.2.3`. The changelog must then have a section for it.
    #[arg(long)]
    tag: Option<String>,
}

/// The part of `Chart.yaml` that is compared.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chart {
    version: String,
    app_version: String,
}

/// Compares.
///
/// # Errors
/// When a file can't be read or two versions differ, naming them all.
pub(crate) fn run(args: &Args) -> Result<()> {
    let chart = root().join("charts/webinar-operator/Chart.yaml");
    let chart = fs::read_to_string(&chart).with_context(|| format!("reading {}", chart.display()))?;
    let chart: Chart = serde_saphyr::from_str(&chart).context("reading Chart.yaml")?;
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).context("reading CHANGELOG.md")?;
    let version = env!("CARGO_PKG_VERSION");
    let faults = compare(version, &chart, &changelog, args.tag.as_deref());
    if !faults.is_empty() {
        bail!("{}", faults.join("; "));
    }
    println!("{version}");
    Ok(())
}

/// What differs, in sentences.
fn compare(version: &str, chart: &Chart, changelog: &str, tag: Option<&str>) -> Vec<String> {
    let mut faults = Vec::new();
    for (what, found) in [("version", &chart.version), ("appVersion", &chart.app_version)] {
        if found != version {
            faults.push(format!(
                "Cargo.toml has {version}, `{what}` of the chart is {found}"
            ));
        }
    }
    if let Some(tag) = tag {
        if tag.strip_prefix('v') != Some(version) {
            faults.push(format!("Cargo.toml has {version}, the tag is {tag}"));
        }
        let named = |heading: &str| {
            let heading = heading.trim_start_matches('[');
            let rest = heading.strip_prefix(version);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ']']))
        };
        let sections = changelog.lines().filter_map(|line| line.strip_prefix("## "));
        if !sections.into_iter().any(named) {
            faults.push(format!("CHANGELOG.md has no section for {version}"));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(version: &str, app_version: &str) -> Chart {
        Chart {
            version: version.to_owned(),
            app_version: app_version.to_owned(),
        }
    }

    #[test]
    fn one_version_everywhere() {
        let good = chart("1.2.3", "1.2.3");
        for changelog in [
            "# C\n\n## Unreleased\n\n## 1.2.3 - 2027-01-01\n",
            "## [1.2.3]\n",
            "## 1.2.3\n",
        ] {
            assert!(
                compare("1.2.3", &good, changelog, Some("v1.2.3")).is_empty(),
                "{changelog}"
            );
        }
        assert!(compare("1.2.3", &good, "", None).is_empty());
    }

    #[test]
    fn each_difference_is_named() {
        let log = "## 1.2.3\n";
        let faults = |chart: &Chart, log: &str, tag: &str| compare("1.2.3", chart, log, Some(tag)).join("; ");
        let good = chart("1.2.3", "1.2.3");
        assert!(faults(&chart("1.2.4", "1.2.3"), log, "v1.2.3").contains("`version` of the chart is 1.2.4"));
        assert!(
            faults(&chart("1.2.3", "1.2.4"), log, "v1.2.3").contains("`appVersion` of the chart is 1.2.4")
        );
        for tag in ["v1.2.4", "1.2.3", "vv1.2.3"] {
            assert!(faults(&good, log, tag).contains("the tag is"), "{tag}");
        }
        for log in ["## Unreleased\n", "## 1.2.30\n", "### 1.2.3\n", "1.2.3\n"] {
            assert!(faults(&good, log, "v1.2.3").contains("no section"), "{log}");
        }
    }
}
