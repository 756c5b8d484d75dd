//! The plan command on each example, beside what it takes to start the same program.

use std::fs;

use anyhow::{Context, Result};

use super::amount::Amount;
use super::program::{Args, Program, plan};
use super::samples::in_turns;
use super::table::{Figure, Row};
use crate::repository::root;

const EXAMPLES: &str = "examples";
const ROUNDS: usize = 40;
const GOAL_SECONDS: f64 = 0.05;

/// Measures it.
///
/// # Errors
/// When the program does not build or refuses an example.
pub(super) fn measure() -> Result<(String, Vec<Row>)> {
    let program = Program::build()?;
    let mut calls: Vec<(String, Args)> = vec![("--version".to_owned(), vec!["--version".into()])];
    for name in examples()? {
        let args = plan([format!("{EXAMPLES}/{name}")]);
        calls.push((name, args));
    }
    calls.push((format!("{EXAMPLES}/ together"), plan([EXAMPLES])));
    let samples = in_turns(&calls, ROUNDS, |(_, args)| program.time(args))?;
    let start = &samples[0];
    let rows = calls.iter().zip(&samples).map(|((name, _), samples)| {
        let mut figures = samples.figures();
        let ratio = samples.ratio(start);
        figures.extend(ratio.map(|ratio| Figure::new("vs --version", ratio)));
        Row {
            name: name.clone(),
            goal: name.ends_with(".yaml").then(|| Amount::seconds(GOAL_SECONDS)),
            figures,
        }
    });
    let how = format!(
        "`webinar-operator plan -f FILE`, release build, from the start of the process to its end. {ROUNDS} runs each, \
         in turns."
    );
    Ok((how, rows.collect()))
}

/// The files that hold a Webinar. One with classes alone is nothing to plan.
fn examples() -> Result<Vec<String>> {
    let directory = root().join(EXAMPLES);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).with_context(|| format!("listing {}", directory.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if name.ends_with(".yaml") && holds_webinar(&fs::read_to_string(&path)?) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn holds_webinar(manifests: &str) -> bool {
    manifests.lines().any(|line| line == "kind: Webinar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_without_a_webinar_are_left_out() {
        let names = examples().expect("the examples");
        assert!(names.iter().any(|name| name == "webinar-1m.yaml"), "{names:?}");
        assert!(!names.iter().any(|name| name == "class.yaml"), "{names:?}");
    }
}
