//! What Prometheus and Grafana are given.

use serde_json::{Value, json};

use crate::helm::{Objects, read, refusal, render};

#[test]
fn nothing_of_the_prometheus_operator_is_needed() {
    let objects = render(&[]);
    for kind in ["ServiceMonitor", "PodMonitor", "PrometheusRule"] {
        assert!(objects.all(kind).is_empty(), "{kind}");
    }
    assert_eq!(objects.names("Service"), ["webinar-operator-metrics"]);
    let none = render(&["metrics.service.enabled=false"]);
    assert!(none.all("Service").is_empty());
}

fn selects(objects: &Objects, selector: &Value, labels: &Value) {
    let selector = selector.as_object().unwrap();
    assert!(!selector.is_empty() && !objects.0.is_empty());
    for (key, value) in selector {
        assert_eq!(labels.get(key), Some(value), "{key}");
    }
}

#[test]
fn the_service_monitor_finds_the_service_and_that_the_pods() {
    let objects =
        render(&[r#"metrics.serviceMonitor={"enabled":true,"interval":"30s","labels":{"release":"prom"}}"#]);
    let monitor = objects.one("ServiceMonitor", "webinar-operator");
    assert_eq!(monitor["metadata"]["labels"]["release"], "prom");
    let endpoint = &monitor["spec"]["endpoints"][0];
    assert_eq!(endpoint["interval"], "30s");
    // The label `namespace` is the Webinar's.
    assert_eq!(endpoint["honorLabels"], true);
    let service = objects.one("Service", "webinar-operator-metrics");
    selects(
        &objects,
        &monitor["spec"]["selector"]["matchLabels"],
        &service["metadata"]["labels"],
    );
    assert_eq!(endpoint["port"], service["spec"]["ports"][0]["name"]);
    let pods = &objects.one("Deployment", "webinar-operator")["spec"]["template"];
    selects(
        &objects,
        &service["spec"]["selector"],
        &pods["metadata"]["labels"],
    );
    assert_eq!(
        service["spec"]["ports"][0]["targetPort"],
        pods["spec"]["containers"][0]["ports"][0]["name"]
    );
}

#[test]
fn the_pod_monitor_finds_the_pods() {
    let objects = render(&["metrics.podMonitor.enabled=true"]);
    let monitor = &objects.one("PodMonitor", "webinar-operator")["spec"];
    let pods = &objects.one("Deployment", "webinar-operator")["spec"]["template"];
    selects(
        &objects,
        &monitor["selector"]["matchLabels"],
        &pods["metadata"]["labels"],
    );
    assert_eq!(monitor["podMetricsEndpoints"][0]["honorLabels"], true);
}

#[test]
fn contradictions_are_refused() {
    let both = refusal(&[
        "metrics.serviceMonitor.enabled=true",
        "metrics.podMonitor.enabled=true",
    ]);
    assert!(both.contains("every series would be there twice"), "{both}");
    let alone = refusal(&[
        "metrics.serviceMonitor.enabled=true",
        "metrics.service.enabled=false",
    ]);
    assert!(alone.contains("needs metrics.service.enabled"), "{alone}");
}

#[test]
fn alerts_are_those_that_promtool_tests_and_lead_to_their_runbooks() {
    let objects = render(&[
        r#"metrics.prometheusRule={"enabled":true,"labels":{"release":"prom"}}"#,
        r#"metrics.runbookBase="https://wiki.example/books""#,
    ]);
    let rule = objects.one("PrometheusRule", "webinar-operator");
    assert_eq!(rule["metadata"]["labels"]["release"], "prom");
    let mut file: Value = serde_saphyr::from_str(&read("files/alerts.yaml")).unwrap();
    let mut alerts = 0;
    for group in file["groups"].as_array_mut().unwrap() {
        for alert in group["rules"].as_array_mut().unwrap() {
            let name = alert["alert"].as_str().unwrap().to_owned();
            let url = format!("https://wiki.example/books/{name}.md");
            alert["annotations"]["runbook_url"] = json!(url);
            alerts += 1;
        }
    }
    assert_eq!(alerts, 8);
    assert_eq!(rule["spec"]["groups"], file["groups"]);
}

#[test]
fn dashboards_are_those_of_the_chart() {
    let objects = render(&[
        r#"metrics.dashboards={"enabled":true,"labels":{"grafana":"yes"},"annotations":{"folder":"Events"}}"#,
        r#"metrics.runbookBase="https://wiki.example/books""#,
    ]);
    let map = objects.one("ConfigMap", "webinar-operator-dashboards");
    assert_eq!(map["metadata"]["labels"]["grafana"], "yes");
    assert_eq!(map["metadata"]["annotations"], json!({"folder": "Events"}));
    let files = map["data"].as_object().unwrap();
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["webinar.json", "webinars.json"]);
    for (name, text) in files {
        let text = text.as_str().unwrap();
        let file = read(&format!("files/dashboards/{name}"));
        let file = file.replace(r#""url": "runbooks/"#, r#""url": "https://wiki.example/books/"#);
        assert_eq!(text.trim_end(), file.trim_end());
        assert!(
            !text.contains(r#""runbooks/"#) && text.contains("https://wiki.example/books/"),
            "{name}"
        );
    }
}
