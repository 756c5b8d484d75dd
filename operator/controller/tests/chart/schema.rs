//! Values that are refused, and how.

use serde_json::Value;

use crate::helm::{read, refusal, render};

fn schema() -> Value {
    serde_json::from_str(&read("values.schema.json")).unwrap()
}

/// The schema of a value, with references followed.
fn of<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => root.pointer(&reference[1..]).unwrap(),
        None => schema,
    }
}

/// Calls with the path and schema of each value of `values.yaml`.
fn walk(
    path: &str,
    value: &Value,
    schema: &Value,
    root: &Value,
    each: &mut impl FnMut(&str, &Value, &Value),
) {
    let schema = of(schema, root);
    each(path, value, schema);
    if let (Some(values), Some(properties)) = (value.as_object(), schema["properties"].as_object()) {
        let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<Vec<_>>();
        let optional = ["limits", "requests"];
        for key in keys(properties) {
            assert!(
                values.contains_key(&key)
                    || values.is_empty()
                    || optional.contains(&&*key)
                    || key == "global",
                "{path}/{key} is in the schema alone"
            );
        }
        for (key, value) in values {
            let below = properties
                .get(key)
                .unwrap_or_else(|| panic!("{path}/{key} is not in the schema"));
            walk(&format!("{path}/{key}"), value, below, root, each);
        }
    }
}

#[test]
fn it_knows_every_value_and_no_other() {
    let schema = schema();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let mut seen = 0;
    walk("", &values, &schema, &schema, &mut |path, _, schema| {
        seen += 1;
        let said = ["type", "enum", "anyOf"]
            .iter()
            .any(|key| !schema[*key].is_null());
        assert!(said, "{path}: anything goes");
    });
    assert!(seen > 80, "{seen}");
}

/// Where anything may stand: what Kubernetes itself checks.
const FREE: [&str; 6] = [
    "/podSecurityContext",
    "/class/spec",
    "/class/sfu/pod",
    "/class/sfu/container",
    "/class/relay/pod",
    "/class/relay/container",
];

#[test]
fn a_misspelt_value_is_refused_wherever_it_stands() {
    let schema = schema();
    let values: Value = serde_saphyr::from_str(&read("values.yaml")).unwrap();
    let mut places = Vec::new();
    walk("", &values, &schema, &schema, &mut |path, value, schema| {
        if value.is_object() && schema["additionalProperties"] != Value::Bool(false) {
            let of_texts = schema["additionalProperties"].is_object();
            assert!(of_texts || FREE.contains(&path), "{path} takes any key");
        } else if value.is_object() {
            places.push(path.trim_start_matches('/').replace('/', "."));
        }
    });
    assert!(places.len() > 20, "{places:?}");
    for place in places {
        let key = if place.is_empty() {
            "mispelt".to_owned()
        } else {
            format!("{place}.mispelt")
        };
        let said = refusal(&[&format!("{key}=true")]);
        let at = format!("at '{}'", place_of(&place));
        assert!(
            said.contains("additional properties 'mispelt' not allowed") && said.contains(&at),
            "{place}: {said}"
        );
    }
}

fn place_of(place: &str) -> String {
    if place.is_empty() {
        String::new()
    } else {
        format!("/{}", place.replace('.', "/"))
    }
}

#[test]
fn a_value_of_another_type_is_refused() {
    for (value, at) in [
        (r#"replicaCount="two""#, "/replicaCount"),
        ("replicaCount=0", "/replicaCount"),
        (r#"crds.keep="yes""#, "/crds/keep"),
        ("image.tag=1.0", "/image/tag"),
        (r#"image.repository="ghcr.io/a/b:1""#, "/image/repository"),
        (r#"image.digest="sha256:abc""#, "/image/digest"),
        (r#"image.pullPolicy="always""#, "/image/pullPolicy"),
        (r#"imagePullSecrets=["registry"]"#, "/imagePullSecrets/0"),
        ("operator.leaseDuration=15", "/operator/leaseDuration"),
        (r#"operator.leaseDuration="15""#, "/operator/leaseDuration"),
        (r#"operator.scrapeProxy="proxy:3128""#, "/operator/scrapeProxy"),
        (r#"operator.logFormat="xml""#, "/operator/logFormat"),
        (r#"preset="janus""#, "/preset"),
        (r#"class.name="Standard""#, "/class/name"),
        (
            r#"resources={"limits":{"memory":"half"}}"#,
            "/resources/limits/memory",
        ),
        (
            r#"tolerations=[{"key":"a","operator":"Is"}]"#,
            "/tolerations/0/operator",
        ),
        (r#"podLabels={"a":"b c"}"#, "/podLabels/a"),
        (r#"nameOverride="1""#, "/nameOverride"),
        ("priorityClass.value=2000000000", "/priorityClass/value"),
        (r#"metrics.runbookBase="runbooks""#, "/metrics/runbookBase"),
        (
            r#"metrics.serviceMonitor.interval="often""#,
            "/metrics/serviceMonitor/interval",
        ),
        (r#"networkPolicy.from=[{"pods":{}}]"#, "/networkPolicy/from/0"),
        (r#"smokeTest.timeout="""#, "/smokeTest/timeout"),
        (r#"policies.classUse="off""#, "/policies/classUse"),
        (r#"extraObjects=[1]"#, "/extraObjects/0"),
    ] {
        let said = refusal(&[value]);
        assert!(said.contains(&format!("at '{at}'")), "{value}: {said}");
    }
}

#[test]
fn labels_that_the_chart_sets_are_refused() {
    for value in ["commonLabels", "podLabels"] {
        let said = refusal(&[&format!(r#"{value}={{"app.kubernetes.io/name":"x"}}"#)]);
        assert!(
            said.contains("invalid propertyName 'app.kubernetes.io/name'"),
            "{said}"
        );
    }
}

#[test]
fn as_a_part_of_another_chart_it_is_given_global_values() {
    render(&[r#"global={"registry":"x"}"#]);
}

#[test]
fn the_examples_for_gitops_have_values_of_this_chart() {
    let read = |path: &str| -> Vec<Value> {
        let file = crate::helm::chart().join("../../examples").join(path);
        serde_saphyr::from_multiple(&std::fs::read_to_string(file).unwrap()).unwrap()
    };
    let argocd = read("argocd/operator.yaml");
    let flux = read("flux/operator.yaml");
    let values = argocd
        .iter()
        .filter_map(|object| object.pointer("/spec/source/helm/valuesObject"))
        .chain(flux.iter().filter_map(|object| object.pointer("/spec/values")));
    let mut tried = 0;
    for values in values {
        let set: Vec<String> = values
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        render(&set.iter().map(String::as_str).collect::<Vec<_>>());
        tried += 1;
    }
    assert_eq!(tried, 2);
}
