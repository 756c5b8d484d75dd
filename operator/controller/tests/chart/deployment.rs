//! The operator's Deployment.

use serde_json::json;

use crate::helm::{Objects, refusal, render};

#[test]
fn the_operator_starts_with_what_the_binary_takes() {
    let objects = render(&[]);
    let args = objects.args();
    assert_eq!(args[0], "run");
    // The binary itself reads them: an argument that it doesn't know ends it with its usage.
    let mut asked = std::process::Command::new(env!("CARGO_BIN_EXE_webinar-operator"));
    let done = asked.args(&args).arg("--help").output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let mut wrong = std::process::Command::new(env!("CARGO_BIN_EXE_webinar-operator"));
    let done = wrong
        .args(&args)
        .args(["--no-such-flag", "--help"])
        .output()
        .unwrap();
    assert_eq!(done.status.code(), Some(2));
}

#[test]
fn values_reach_the_command_line() {
    let objects = render(&[
        r#"operator={"maxCreatesPerSecond":7,"maxInFlight":3,"scrapeProxy":"http://proxy:3128","logFormat":"text",
            "logFilter":"debug","leaseDuration":"30s","renewDeadline":"20s","retryPeriod":"1s"}"#,
        r#"watchNamespaces=["a","b"]"#,
    ]);
    assert_eq!(
        objects.args(),
        [
            "run",
            "--watch-namespace=a",
            "--watch-namespace=b",
            "--max-creates-per-second=7",
            "--max-in-flight=3",
            "--lease-duration=30s",
            "--renew-deadline=20s",
            "--retry-period=1s",
            "--log-format=text",
            "--log-filter=debug",
            "--scrape-proxy=http://proxy:3128",
        ]
    );
}

#[test]
fn a_large_rate_is_not_written_with_an_exponent() {
    let objects = render(&["operator.maxCreatesPerSecond=10000"]);
    assert!(
        objects.args().contains(&"--max-creates-per-second=10000"),
        "{:?}",
        objects.args()
    );
    assert!(refusal(&["operator.maxCreatesPerSecond=10001"]).contains("/operator/maxCreatesPerSecond"));
}

#[test]
fn pod_and_namespace_are_told_by_the_cluster() {
    let objects = render(&[]);
    let env = |objects: &Objects| objects.pod()["containers"][0]["env"].clone();
    let field =
        |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}});
    let told = json!([
        field("POD_NAME", "metadata.name"),
        field("POD_NAMESPACE", "metadata.namespace")
    ]);
    assert_eq!(env(&objects), told);
    let more =
        render(&[r#"operator.extraEnv=[{"name":"OTEL_EXPORTER_OTLP_ENDPOINT","value":"http://otel:4318"}]"#]);
    let collector = json!({"name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://otel:4318"});
    assert_eq!(env(&more).as_array().unwrap().last(), Some(&collector));
}

#[test]
fn a_digest_wins_over_a_tag() {
    let image = |values: &[&str]| {
        render(values).pod()["containers"][0]["image"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let version = env!("CARGO_PKG_VERSION");
    let repository = "ghcr.io/webinar-operator/webinar-operator";
    assert_eq!(image(&[]), format!("{repository}:{version}"));
    assert_eq!(image(&[r#"image.tag="edge""#]), format!("{repository}:edge"));
    let digest = format!("sha256:{}", "0".repeat(64));
    let value = format!(r#"image={{"tag":"edge","digest":"{digest}"}}"#);
    assert_eq!(image(&[&value]), format!("{repository}@{digest}"));
}

#[test]
fn the_pod_has_no_power_that_it_does_not_need() {
    let objects = render(&[]);
    let pod = objects.pod();
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(
        pod["containers"][0]["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        })
    );
    for absent in ["hostNetwork", "hostPID", "volumes"] {
        assert!(pod[absent].is_null(), "{absent}");
    }
}

#[test]
fn what_the_platform_adds_is_there() {
    let objects = render(&[
        r#"nodeSelector={"pool":"system"}"#,
        r#"tolerations=[{"key":"system","operator":"Exists"}]"#,
        r#"affinity={"nodeAffinity":{}}"#,
        r#"imagePullSecrets=[{"name":"registry"}]"#,
        r#"podLabels={"team":"live"}"#,
        r#"podAnnotations={"note":"x"}"#,
        r#"resources={"limits":{"memory":"1Gi"}}"#,
    ]);
    let template = &objects.one("Deployment", "webinar-operator")["spec"]["template"];
    assert_eq!(template["metadata"]["labels"]["team"], "live");
    assert_eq!(template["metadata"]["annotations"], json!({"note": "x"}));
    for pod in [
        objects.pod(),
        &objects.one("Pod", "webinar-operator-smoke-test")["spec"],
    ] {
        assert_eq!(pod["nodeSelector"], json!({"pool": "system"}));
        assert_eq!(pod["tolerations"][0]["key"], "system");
        assert_eq!(pod["affinity"], json!({"nodeAffinity": {}}));
        assert_eq!(pod["imagePullSecrets"], json!([{"name": "registry"}]));
        let resources = &pod["containers"][0]["resources"];
        assert_eq!(resources["limits"]["memory"], "1Gi");
        assert_eq!(resources["requests"]["cpu"], "100m");
    }
}
