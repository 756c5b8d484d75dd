//! What each step of the controller may use of the others, and words that it must not contain.
//!
//! Cargo keeps crates apart; this keeps the modules of one crate apart. Modules that are no step, such as `error`,
//! are free to all.

use super::Finding;
use super::code::{line_of, positions, without_comments_and_tests};
use crate::repository::Source;

const CONTROLLER: &str = "operator/controller/src/";

/// The steps of a pass, and what runs them.
const STEPS: [&str; 9] = [
    "observe",
    "scrape",
    "validate",
    "build",
    "act",
    "status",
    "report",
    "reconcile",
    "run",
];

/// The rule of one step.
struct Step {
    name: &'static str,
    /// Other steps that it may name.
    may: &'static [&'static str],
    /// Words that it must not contain, each with the reason.
    never: &'static [(&'static str, &'static str)],
}

const READS: &[(&str, &str)] = &[
    (".create(", "it only reads"),
    (".patch(", "it only reads"),
    (".replace(", "it only reads"),
    (".delete(", "it only reads"),
];
const PURE: &[(&str, &str)] = &[
    ("Client", "it talks to nobody"),
    ("client", "it talks to nobody"),
    ("async", "it waits for nothing"),
    (".await", "it waits for nothing"),
    ("now()", "time is an argument"),
];
const NO_DECISIONS: &[(&str, &str)] = &[("::plan(", "what is decided is decided in the plan")];

const RULES: [Step; 8] = [
    Step {
        name: "observe",
        may: &[],
        never: READS,
    },
    Step {
        name: "scrape",
        may: &["observe"],
        never: READS,
    },
    Step {
        name: "validate",
        may: &["observe", "build"],
        never: PURE,
    },
    Step {
        name: "build",
        may: &["observe"],
        never: PURE,
    },
    Step {
        name: "act",
        may: &["observe", "build"],
        never: NO_DECISIONS,
    },
    Step {
        name: "status",
        may: &["validate", "build", "act"],
        never: PURE,
    },
    Step {
        name: "report",
        may: &["validate", "build"],
        never: &[
            ("::plan(", "what is decided is decided in the plan"),
            ("Pod", "it writes no children"),
            ("Service", "it writes no children"),
        ],
    },
    Step {
        name: "reconcile",
        may: &["observe", "validate", "build", "act", "status", "report", "run"],
        never: &[
            ("ConditionType", "it only calls the steps"),
            ("Reason", "it only calls the steps"),
        ],
    },
];

/// Checks a file of the controller.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let Some(module) = module(source) else {
        return Vec::new();
    };
    let Some(rule) = RULES.iter().find(|rule| rule.name == module[0]) else {
        return Vec::new();
    };
    let text = without_comments_and_tests(&source.text);
    let mut findings: Vec<Finding> = uses(&text, module.len())
        .into_iter()
        .filter(|(_, used)| STEPS.contains(used) && *used != rule.name && !rule.may.contains(used))
        .map(|(at, used)| {
            let message = format!(
                "{} must not use {used}: it may use {}",
                rule.name,
                listed(rule.may)
            );
            Finding::new(source, line_of(&text, at), message)
        })
        .collect();
    for (word, reason) in rule.never {
        findings.extend(positions(&text, word).into_iter().map(|at| {
            let message = format!("{} must not contain `{word}`: {reason}", rule.name);
            Finding::new(source, line_of(&text, at), message)
        }));
    }
    findings
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        return "no other step".to_owned();
    }
    names.join(", ")
}

/// The path of the module inside of the controller, such as `[build, pod]`.
fn module(source: &Source) -> Option<Vec<&str>> {
    let path = source.path.strip_prefix(CONTROLLER)?.strip_suffix(".rs")?;
    Some(path.strip_suffix("/mod").unwrap_or(path).split('/').collect())
}

/// The modules of the crate that the text of a module `depth` below the crate names, with their positions.
fn uses(text: &str, depth: usize) -> Vec<(usize, &str)> {
    let from_parent = "super::".repeat(depth);
    let roots = positions(text, "crate::")
        .into_iter()
        .map(|at| (at, at + "crate::".len()));
    let parents = positions(text, &from_parent)
        .into_iter()
        .map(|at| (at, at + from_parent.len()));
    roots
        .chain(parents)
        .flat_map(|(at, rest)| first_names(&text[rest..]).into_iter().map(move |name| (at, name)))
        .collect()
}

/// The first names of the paths that follow `crate::`: one, or several in braces.
fn first_names(rest: &str) -> Vec<&str> {
    let Some(group) = rest.strip_prefix('{') else {
        return vec![name(rest)];
    };
    let mut depth = 0;
    let mut names = vec![name(group.trim_start())];
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(name(group[at + 1..].trim_start())),
            _ => {}
        }
    }
    names
}

fn name(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(usize, String)> {
        check(&source(&format!("{CONTROLLER}{path}"), text))
            .into_iter()
            .map(|finding| (finding.line, finding.message))
            .collect()
    }

    #[test]
    fn a_step_uses_only_what_it_may() {
        let not_report = "status must not use report: it may use validate, build, act".to_owned();
        for text in [
            "use crate::report;",
            "use crate::report::tell;",
            "use crate::{act, report};",
            "use crate::{\n    act::{Applied, Writer},\n    report::tell,\n};",
            "fn f() { crate::report::tell(); }",
            "use super::report;",
        ] {
            assert_eq!(found("status.rs", text), [(1, not_report.clone())], "{text}");
        }
        assert_eq!(found("status.rs", "\n\nuse crate::{act, error};"), []);
        assert_eq!(
            found("observe.rs", "use crate::act;"),
            [(1, "observe must not use act: it may use no other step".to_owned())]
        );
    }

    #[test]
    fn files_below_a_step_follow_its_rule() {
        for text in ["use crate::act;", "use super::super::act;"] {
            assert_eq!(found("build/pod.rs", text).len(), 1, "{text}");
        }
        assert_eq!(found("build/pod.rs", "use super::act;"), []);
        assert_eq!(found("build/mod.rs", "use super::act;").len(), 1);
        for step in ["build", "act", "status"] {
            assert_eq!(
                found("scrape/book.rs", &format!("use crate::{step};")).len(),
                1,
                "{step}"
            );
        }
    }

    #[test]
    fn words_of_a_step_are_forbidden_in_code() {
        for text in ["async fn f() {}", "f(clock.now());", "use kube::Client;"] {
            assert_eq!(found("validate.rs", text).len(), 1, "{text}");
            assert_eq!(found("act.rs", text), [], "{text}");
        }
        assert_eq!(found("observe.rs", "api.delete(name)").len(), 1);
        assert_eq!(found("act.rs", "webinar_plan::plan(&input)").len(), 1);
        assert_eq!(
            found("report.rs", "use k8s_openapi::api::core::v1::Pod;").len(),
            1
        );
        assert_eq!(found("reconcile.rs", "Reason::Armed").len(), 1);
    }

    #[test]
    fn comments_tests_and_other_files_are_free() {
        assert_eq!(
            found(
                "validate.rs",
                "// async\n\n#[cfg(test)]\nmod tests { async fn f() {} }"
            ),
            []
        );
        assert_eq!(found("client.rs", "use crate::act; async fn f() {}"), []);
        assert_eq!(
            check(&source("operator/plan/src/act.rs", "use crate::report;")),
            []
        );
    }
}
