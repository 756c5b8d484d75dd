//! What every definition must be.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};
use webinar_api::{Webinar, WebinarClass, WebinarClassSpec, WebinarSpec, crd_yaml, crds};

fn definitions() -> Vec<Value> {
    crds()
        .iter()
        .map(|crd| serde_json::to_value(crd).unwrap())
        .collect()
}

fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Calls `visit` with every schema in the tree and its path.
fn walk(schema: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), visit);
    }
    for keyword in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(keyword) {
            walk(inner, &format!("{path}[]"), visit);
        }
    }
}

fn walk_all(visit: &mut dyn FnMut(&str, &Value)) {
    for definition in definitions() {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        walk(schema(&definition), &kind, visit);
    }
}

#[test]
fn definitions_are_small() {
    for definition in definitions() {
        let size = definition.to_string().len();
        assert!(size < 40_000, "{}: {size} bytes", definition["metadata"]["name"]);
    }
}

#[test]
fn yaml_is_stable_and_says_the_same() {
    for crd in crds() {
        let yaml = crd_yaml(&crd).unwrap();
        assert_eq!(yaml, crd_yaml(&crd).unwrap());
        let read: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition =
            serde_saphyr::from_str(&yaml).unwrap();
        assert_eq!(read, crd);
    }
}

#[test]
fn nothing_may_be_null() {
    walk_all(&mut |path, schema| assert_ne!(schema.get("nullable"), Some(&json!(true)), "{path}"));
}

#[test]
fn every_field_is_described_in_our_words() {
    walk_all(&mut |path, schema| {
        let description = schema["description"].as_str();
        // Items of a list of strings and values of a map are described by their field.
        assert!(
            path.ends_with("[]") || description.is_some(),
            "{path} has no description"
        );
        let leaked = ["metav1", "time.Time", "Auto-generated", "apimachinery"];
        let text = description.unwrap_or_default();
        assert!(!leaked.iter().any(|word| text.contains(word)), "{path}: {text}");
    });
}

#[test]
fn every_number_in_a_spec_is_bounded() {
    walk_all(&mut |path, schema| {
        if path.contains(".spec") && schema["type"] == "integer" {
            assert!(
                schema["minimum"].is_number() && schema["maximum"].is_number(),
                "{path}"
            );
            assert_eq!(schema["format"], "int32", "{path}");
        }
    });
}

#[test]
fn every_string_near_a_rule_has_a_longest_length() {
    walk_all(&mut |path, schema| {
        // The API server bounds `metadata` itself.
        if schema.get("x-kubernetes-validations").is_none() || !path.contains('.') {
            return;
        }
        let mut visit = |path: &str, schema: &Value| {
            let mapped = path.ends_with(".annotations[]");
            if schema["type"] == "string" && !mapped {
                assert!(schema["maxLength"].is_number(), "{path}");
            }
            if schema["type"] == "array" {
                assert!(schema["maxItems"].is_number(), "{path}");
            }
        };
        walk(schema, path, &mut visit);
    });
}

#[test]
fn a_rule_says_what_must_hold_and_names_the_field() {
    let mut rules = 0;
    walk_all(&mut |path, schema| {
        for rule in schema["x-kubernetes-validations"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let message = rule["message"].as_str().unwrap();
            assert!(
                message.starts_with('`') && message.contains(" must "),
                "{path}: {message}"
            );
            rules += 1;
        }
    });
    assert!(rules > 20, "only {rules} rules");
}

#[test]
fn a_fresh_object_is_never_mistaken_for_ready() {
    for definition in definitions() {
        let status = &schema(&definition)["properties"]["status"];
        assert_eq!(status["default"], json!({"observedGeneration": -1}));
    }
}

#[test]
fn default_columns_fit_a_terminal() {
    for definition in definitions() {
        let columns = definition["spec"]["versions"][0]["additionalPrinterColumns"]
            .as_array()
            .unwrap();
        let wide = |column: &&Value| column["priority"].as_i64().unwrap_or(0) == 0;
        assert!(columns.iter().filter(wide).count() <= 5);
    }
}

/// What the API server fills in and what serde fills in must be the same, whatever part is left out.
#[test]
fn schema_defaults_equal_serde_defaults() {
    let definitions = definitions();
    let webinar = json!({"metadata": {"name": "a"}, "spec": {"tier": "100k"}});
    let filled = kube::core::cel::apply_defaults(schema(&definitions[0]), &webinar);
    let by_serde: WebinarSpec = serde_json::from_value(webinar["spec"].clone()).unwrap();
    assert_eq!(filled["spec"], json!(by_serde));
    assert_eq!(Webinar::new("a", by_serde).status, None);

    let full = json!({"templates": {"sfu": "s", "relay": "r"}});
    let full: WebinarClassSpec = serde_json::from_value(full).unwrap();
    let full = json!(WebinarClass::new("a", full).spec);
    let mut partial = vec![full.clone()];
    remove_one_by_one(&full, &mut Vec::new(), &mut partial);
    assert!(partial.len() > 60, "only {} variants", partial.len());
    for spec in partial {
        let object = json!({"metadata": {"name": "a"}, "spec": spec});
        let filled = kube::core::cel::apply_defaults(schema(&definitions[1]), &object);
        let by_serde: WebinarClassSpec = serde_json::from_value(spec).unwrap();
        assert_eq!(filled["spec"], json!(by_serde), "{object}");
        assert_eq!(filled["spec"], full, "{object}");
    }
}

/// Every variant of `root` with one field left out, templates excepted.
fn remove_one_by_one(root: &Value, path: &mut Vec<String>, found: &mut Vec<Value>) {
    let at = path.iter().fold(root, |value, name| &value[name]);
    for name in at.as_object().into_iter().flatten().map(|(name, _)| name.clone()) {
        if path.is_empty() && name == "templates" {
            continue;
        }
        let mut without = root.clone();
        let parent = path.iter().fold(&mut without, |value, name| &mut value[name]);
        parent.as_object_mut().unwrap().remove(&name);
        found.push(without);
        path.push(name);
        remove_one_by_one(root, path, found);
        path.pop();
    }
}
