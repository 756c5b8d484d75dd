//! The files that only a registry or a forge can run, as far as they can be checked without one: workflows and Dockerfile.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;
use webinar_testbed::tools::{Tool, Tools};

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

fn workflows() -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(".github/workflows")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let names: Vec<&str> = paths
        .iter()
        .map(|p| p.file_name().unwrap().to_str().unwrap())
        .collect();
    assert_eq!(names, ["ci.yaml", "release.yaml"]);
    paths
}

fn jobs(path: &Path) -> Vec<(String, Value)> {
    let workflow: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(
        workflow["permissions"],
        serde_json::json!({}),
        "{}",
        path.display()
    );
    let jobs = workflow["jobs"].as_object().unwrap();
    jobs.iter()
        .map(|(name, job)| (name.clone(), job.clone()))
        .collect()
}

async fn actionlint(files: &[PathBuf]) -> Output {
    let tools = Tools::ensure(&[Tool::Actionlint], &|text| println!("{text}"))
        .await
        .unwrap();
    // Other linters are used when they happen to be installed; a test must not depend on that.
    Command::new(tools.path(Tool::Actionlint).unwrap())
        .args(["-no-color", "-shellcheck=", "-pyflakes="])
        .args(files)
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn workflows_have_no_fault_that_their_linter_finds() {
    let done = actionlint(&workflows()).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

#[tokio::test]
async fn the_linter_finds_text_of_strangers_in_a_script() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("bad.yaml");
    let bad = "on: issues\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n    - run: echo ${{ github.event.issue.title }}\n";
    fs::write(&file, bad).unwrap();
    let done = actionlint(&[file]).await;
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(!done.status.success() && said.contains("untrusted"), "{said}");
}

#[test]
fn jobs_may_do_what_they_need_and_no_more() {
    let mut found = Vec::new();
    for path in workflows() {
        for (name, job) in jobs(&path) {
            let granted: Vec<String> = job["permissions"]
                .as_object()
                .unwrap_or_else(|| panic!("{name} takes the default"))
                .iter()
                .map(|(what, how)| format!("{what}={}", how.as_str().unwrap()))
                .collect();
            assert!(job["timeout-minutes"].is_u64(), "{name} may run for hours");
            found.push(format!("{name}: {}", granted.join(" ")));
        }
    }
    let expected = [
        "test: contents=read",
        "check: contents=read",
        "image: contents=read id-token=write packages=write",
        "chart: contents=read id-token=write packages=write",
        "page: contents=write packages=read",
    ];
    let mut expected = expected.map(str::to_owned).to_vec();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
}

#[test]
fn actions_are_pinned_by_commit_and_leave_no_token_behind() {
    let mut uses = 0;
    for path in workflows() {
        for (name, job) in jobs(&path) {
            for step in job["steps"].as_array().unwrap() {
                if let Some(script) = step["run"].as_str() {
                    assert!(
                        !script.contains("${{"),
                        "{name}: use a variable of the environment: {script}"
                    );
                    continue;
                }
                let action = step["uses"].as_str().unwrap();
                let (which, commit) = action.split_once('@').unwrap();
                assert!(
                    commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit()),
                    "{name}: {action}"
                );
                if which == "actions/checkout" {
                    assert_eq!(step["with"]["persist-credentials"], false, "{name}");
                }
                uses += 1;
            }
        }
    }
    assert!(uses >= 5, "{uses}");
}

#[test]
fn a_step_that_no_test_runs_says_so() {
    let mut steps = 0;
    for path in workflows() {
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let begins = line.starts_with("    - name:") || line.starts_with("    - run:");
            let own = lines[index..]
                .iter()
                .take(2)
                .any(|line| line.contains("run: cargo xtask"));
            if !begins || own {
                continue;
            }
            let above: Vec<&str> = lines[..index]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("    #"))
                .copied()
                .collect();
            let said = above.iter().any(|line| {
                line.contains("No test runs this step") || line.contains("Nothing tests this step")
            });
            assert!(said, "{}: {line}", path.display());
            steps += 1;
        }
    }
    assert!(steps >= 8, "{steps}");
}

#[test]
fn ci_is_the_test_command() {
    let jobs = jobs(&workflows()[0]);
    assert_eq!(jobs.len(), 1);
    let steps = jobs[0].1["steps"].as_array().unwrap();
    assert_eq!(steps.last().unwrap()["run"], "cargo xtask test");
}

/// The value behind `key = "` in the workspace's manifest.
fn workspace(key: &str) -> String {
    let manifest = read("Cargo.toml");
    let line = manifest
        .lines()
        .find(|line| line.starts_with(&format!("{key} = ")))
        .unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn one_version_of_rust_builds_everything() {
    let rust = workspace("rust-version");
    let docker =
        format!("FROM --platform=$BUILDPLATFORM docker.io/library/rust:{rust}-slim-bookworm AS build");
    assert!(
        read("operator/Dockerfile").lines().any(|line| line == docker),
        "{docker}"
    );
    for path in workflows() {
        let text = fs::read_to_string(&path).unwrap();
        for line in text
            .lines()
            .filter(|line| line.contains("rustup toolchain install"))
        {
            assert!(line.contains(&format!("install {rust} ")), "{line}");
        }
    }
}

#[test]
fn the_image_holds_one_program_that_is_not_root() {
    let dockerfile = read("operator/Dockerfile");
    let last = dockerfile.rfind("\nFROM ").unwrap();
    let lines: Vec<&str> = dockerfile[last..].lines().collect();
    let of = |word: &str| -> Vec<&str> {
        let prefix = format!("{word} ");
        lines
            .iter()
            .filter_map(|line| line.strip_prefix(&prefix))
            .collect()
    };
    let base = of("FROM")[0];
    let (image, digest) = base.split_once("@sha256:").unwrap();
    assert_eq!(image, "gcr.io/distroless/static:nonroot");
    assert!(
        digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit()),
        "{digest}"
    );
    assert_eq!(of("COPY"), ["--from=build /webinar-operator /webinar-operator"]);
    assert_eq!(of("USER"), ["65532:65532"]);
    assert_eq!(of("ENTRYPOINT"), ["[\"/webinar-operator\"]"]);
    assert_eq!(of("CMD"), ["[\"run\"]"]);
    assert!(of("RUN").is_empty() && of("ADD").is_empty());
    assert!(dockerfile.contains("cargo build --release --locked --target"));
}
