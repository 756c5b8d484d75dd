//! `webinar-operator plan`, as people and pipelines use it: the real program, no cluster.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const NOW: &str = "2027-01-01T00:00:00Z";

fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn plan(args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_webinar-operator"))
        .arg("plan")
        .args(args)
        .current_dir(repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn webinar(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: webinar-operator.io/v1alpha1\nkind: Webinar\nmetadata: {{name: {name}}}\nspec: {spec}\n"
    )
}

fn json(manifest: &str) -> (Value, Option<i32>) {
    let done = plan(&["-f", "-", "-o", "json", "--now", NOW], manifest);
    (serde_json::from_slice(&done.stdout).unwrap(), done.status.code())
}

#[test]
fn every_example_is_planned() {
    let done = plan(&["-f", "examples", "--now", NOW, "-o", "json"], "");
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    let webinars = report["webinars"].as_array().unwrap();
    let mut tiers: Vec<&str> = webinars.iter().map(|w| w["tier"].as_str().unwrap()).collect();
    tiers.sort_unstable();
    tiers.dedup();
    assert_eq!(tiers, ["100k", "10k", "1M", "250k", "500k", "50k", "room"]);
    for webinar in webinars {
        assert_eq!(webinar["refused"], Value::Null, "{webinar}");
        assert_eq!(webinar["warnings"], Value::Array(Vec::new()), "{webinar}");
    }
}

#[test]
fn the_table_for_a_million() {
    let done = plan(&["-f", "examples/webinar-1m.yaml", "--now", NOW], "");
    insta::assert_snapshot!(text(&done.stdout));
}

#[test]
fn the_contract() {
    let two = format!(
        "{}---\n{}",
        webinar(
            "talk",
            "{tier: 50k, startTime: '2027-03-04T18:00:00+01:00', duration: 90m}"
        ),
        webinar("room", "{tier: room, startTime: '2027-03-04T17:00:00Z'}"),
    );
    let (report, code) = json(&two);
    assert_eq!(code, Some(0));
    insta::assert_snapshot!(serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn yaml_says_the_same_as_json() {
    let manifest = webinar("talk", "{tier: 10k, startTime: '2027-03-04T17:00:00Z'}");
    let (report, _) = json(&manifest);
    let yaml = plan(&["-f", "-", "-o", "yaml", "--now", NOW], &manifest);
    let yaml: Value = serde_saphyr::from_str(&text(&yaml.stdout)).unwrap();
    assert_eq!(yaml, report);
}

#[test]
fn what_is_refused_says_why_and_does_not_hide_its_neighbours() {
    let manifests = [
        webinar("good", "{tier: 10k, startTime: '2027-03-04T17:00:00Z'}"),
        webinar("case", "{tier: 1m}"),
        webinar("small", "{tier: 100k, maxTier: 10k}"),
        webinar("nowhere", "{tier: 10k, className: missing}"),
    ];
    let (report, code) = json(&manifests.join("---\n"));
    assert_eq!(code, Some(1));
    let refused = |i: usize| report["webinars"][i]["refused"].clone();
    assert_eq!(refused(0), Value::Null);
    assert_eq!(report["webinars"][0]["pods"]["relay"], 15);
    for (i, reason, said) in [
        (
            1,
            "Invalid",
            "must be one of room, 10k, 50k, 100k, 250k, 500k, 1M",
        ),
        (2, "Invalid", "`maxTier` must not be below `tier`"),
        (3, "ClassNotFound", "There is no WebinarClass `missing`"),
    ] {
        assert_eq!(refused(i)["reason"], reason);
        assert!(
            refused(i)["message"].as_str().unwrap().contains(said),
            "{}",
            refused(i)
        );
        for field in ["pods", "schedule", "waves", "peak"] {
            assert_eq!(report["webinars"][i][field], Value::Null);
        }
    }
}

#[test]
fn too_late_counts_the_seats() {
    let manifest = webinar("late", "{tier: 1M, startTime: '2027-01-01T00:05:00Z'}");
    let (report, code) = json(&manifest);
    assert_eq!(code, Some(0));
    let warning = &report["webinars"][0]["warnings"][0];
    assert_eq!(warning["reason"], "TooLate");
    assert!(
        warning["message"]
            .as_str()
            .unwrap()
            .contains("seats will be missing"),
        "{warning}"
    );

    let (report, _) = json(&webinar("past", "{tier: 10k, startTime: '2026-12-01T00:00:00Z'}"));
    assert_eq!(report["webinars"][0]["warnings"][0]["reason"], "Expired");
}

#[test]
fn ramps_that_overlap_are_told_and_added_up() {
    let spec = "{tier: 250k, startTime: '2027-03-04T17:00:00Z'}";
    let (report, _) = json(&format!("{}---\n{}", webinar("a", spec), webinar("b", spec)));
    assert_eq!(report["combined"]["peakPods"], 630);
    for (own, other) in [(0, "default/b"), (1, "default/a")] {
        let warning = &report["webinars"][own]["warnings"][0];
        assert_eq!(warning["reason"], "RampsOverlap");
        assert!(warning["message"].as_str().unwrap().contains(other), "{warning}");
    }
}

#[test]
fn what_cannot_be_read_is_a_usage_error() {
    for (args, stdin, said) in [
        (&["-f", "missing.yaml"][..], "", "missing.yaml"),
        (&["-f", "-"][..], "a: [", "standard input"),
        (&["-f", "-"][..], "kind: ConfigMap", "there is no Webinar"),
        (&[][..], "", "--filename"),
    ] {
        let done = plan(args, stdin);
        assert_eq!(done.status.code(), Some(2), "{args:?}");
        assert!(
            text(&done.stderr).contains(said),
            "{args:?}: {}",
            text(&done.stderr)
        );
        assert!(done.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn the_picture_shows_every_event_and_every_boundary() {
    let two = format!(
        "{}---\n{}",
        webinar("first", "{tier: 1M, startTime: '2027-03-04T17:00:00Z'}"),
        webinar("second", "{tier: 10k, startTime: '2027-03-05T17:00:00Z'}"),
    );
    let done = plan(&["-f", "-", "-o", "svg", "--now", NOW], &two);
    let svg = text(&done.stdout);
    assert!(svg.starts_with("<svg xmlns=") && svg.trim_end().ends_with("</svg>"));
    assert!(svg.contains("prefers-color-scheme: dark"));
    for shown in [
        "default/first",
        "default/second",
        "ramp",
        "ready by",
        "start",
        "floor until",
        "end",
    ] {
        assert!(svg.contains(&format!(">{shown}<")), "{shown}");
    }
    assert_eq!(svg.matches("class=\"crowd\"").count(), 2);
}

#[test]
fn the_documented_example_is_what_is_printed() {
    let document = std::fs::read_to_string(repository().join("operator/docs/plan-json.md")).unwrap();
    let shown = document
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let shown: Value = serde_json::from_str(shown).unwrap();
    let (printed, _) = json(&webinar("talk", "{tier: 10k, startTime: '2027-03-04T17:00:00Z'}"));
    assert_eq!(printed, shown);
}
