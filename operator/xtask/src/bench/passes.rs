//! One decision of the operator, as measured by the benchmark of the crate that makes it.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use webinar_plan::grouped;

use super::amount::Amount;
use super::samples::Samples;
use super::table::{Figure, Row};
use crate::commands::cargo;

const GOAL_SECONDS: f64 = 0.005;

/// Measures it.
///
/// # Errors
/// When the benchmark does not build or run.
pub(super) fn measure() -> Result<(String, Vec<Row>)> {
    eprintln!("building and running the benchmark of webinar-plan in release mode …");
    let output = cargo(["bench", "--package", "webinar-plan", "--bench", "plan"])
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo")?;
    ensure!(
        output.status.success(),
        "cargo bench ended with {}",
        output.status
    );
    let cases = cases(&String::from_utf8_lossy(&output.stdout))?;
    let passes = cases.first().map_or(0, |case| case.passes);
    let how = format!("One call of `webinar_plan::plan`, release build. {passes} passes each, in turns.");
    Ok((how, rows(&cases)?))
}

/// A line of the benchmark's output.
#[derive(Debug)]
struct Case {
    name: String,
    tier: String,
    pods: u32,
    passes: usize,
    samples: Samples,
}

fn cases(output: &str) -> Result<Vec<Case>> {
    output
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| case(line).with_context(|| format!("the benchmark printed `{line:.60}`")))
        .collect()
}

fn case(line: &str) -> Result<Case> {
    let mut words = line.split_whitespace();
    let (Some(name), Some(tier), Some(pods)) = (words.next(), words.next(), words.next()) else {
        bail!("it names no case, tier and pods");
    };
    let times: Vec<Duration> = words
        .map(|nanos| Ok(Duration::from_nanos(nanos.parse()?)))
        .collect::<Result<_>>()?;
    Ok(Case {
        name: name.to_owned(),
        tier: tier.to_owned(),
        pods: pods.parse()?,
        passes: times.len(),
        samples: Samples::new(times)?,
    })
}

/// The smaller event of each case is what the larger one is compared with.
fn rows(cases: &[Case]) -> Result<Vec<Row>> {
    cases
        .iter()
        .map(|case| {
            let yardstick = cases.iter().find(|other| other.name == case.name);
            let yardstick = yardstick.context("every case has a first one")?;
            let ratio = Amount::ratio(case.per_pod(), yardstick.per_pod());
            let mut figures = case.samples.figures();
            figures.push(Figure::new("per pod", case.per_pod()));
            figures.extend(ratio.map(|ratio| Figure::new("per pod vs 10k", ratio)));
            Ok(Row {
                name: case.title(),
                goal: (case.tier == "1M").then(|| Amount::seconds(GOAL_SECONDS)),
                figures,
            })
        })
        .collect()
}

impl Case {
    fn per_pod(&self) -> Duration {
        self.samples.median() / self.pods.max(1)
    }

    fn title(&self) -> String {
        let (pods, tier) = (grouped(self.pods), &self.tier);
        match self.name.as_str() {
            "create" => format!("{tier}: create {pods} pods"),
            "ready" => format!("{tier}: keep {pods} Ready pods"),
            "drain" => format!("{tier}: begin to drain {pods} pods"),
            other => format!("{tier}: {other} {pods} pods"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "ready 10k 17 1700 1700 3400\nready 1M 1242 248400 2484 248400\n";

    #[test]
    fn cases_are_read_and_compared_per_pod() {
        let rows = rows(&cases(OUTPUT).expect("two cases")).expect("two rows");
        let value = serde_json::to_value(&rows).expect("JSON");
        assert_eq!(value[0]["goal"], serde_json::Value::Null);
        let large = &value[1];
        assert_eq!(large["name"], "1M: keep 1,242 Ready pods");
        assert_eq!(large["figures"][0]["value"], 0.000_248_4);
        assert_eq!(large["figures"][3]["name"], "per pod");
        assert_eq!(large["figures"][3]["value"], 0.000_000_2);
        assert_eq!(large["figures"][4]["value"], 2.0);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for (output, why) in [
            ("ready 10k", "it names no case"),
            ("ready 10k 17", "nothing was measured"),
            ("ready 10k 17 1.5", "invalid digit"),
        ] {
            let error = cases(output).expect_err("not readable");
            assert!(format!("{error:#}").contains(why), "{error:#}");
        }
    }
}
