//! The Lua in `examples/argocd/` on objects of the real control plane, which `cluster/kstatus.rs` has recorded.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod judges;

use std::fs;

use judges::{MOMENTS, health, recorded, repository, run_lua, script};
use serde_json::{Value, json};

fn status_of(object: &Value) -> String {
    health(object).unwrap().0
}

fn conditions(object: &mut Value) -> &mut Vec<Value> {
    object["status"]["conditions"].as_array_mut().unwrap()
}

fn condition<'a>(object: &'a mut Value, kind: &str) -> &'a mut Value {
    conditions(object).iter_mut().find(|c| c["type"] == kind).unwrap()
}

#[test]
fn every_moment_has_the_health_that_the_table_says() {
    for moment in MOMENTS {
        let (status, message) = health(&recorded(moment.name).unwrap()).unwrap();
        assert_eq!(status, moment.health, "{}: {message}", moment.name);
        assert!(
            message.len() > 20 && message.ends_with('.'),
            "{}: {message:?}",
            moment.name
        );
    }
}

#[test]
fn a_degraded_event_says_what_the_operator_says() {
    for (name, kind) in [
        ("seats-missing", "Ready"),
        ("needs-a-person", "Stalled"),
        ("live", "Ready"),
    ] {
        let mut object = recorded(name).unwrap();
        let (_, message) = health(&object).unwrap();
        assert_eq!(message, condition(&mut object, kind)["message"], "{name}");
    }
}

#[test]
fn what_later_versions_may_say_is_taken_well() {
    let mut object = recorded("live").unwrap();
    object["status"]["weather"] = json!({"sunny": true, "since": null});
    conditions(&mut object).insert(0, json!({"type": "Weather", "status": "False", "reason": "Rain"}));
    condition(&mut object, "Ready")["reason"] = json!("OnTour");
    assert_eq!(status_of(&object), "Healthy");
    condition(&mut object, "Ready")["status"] = json!("Unknown");
    assert_eq!(status_of(&object), "Progressing");
    condition(&mut object, "Ready")["status"] = json!("False");
    assert_eq!(status_of(&object), "Degraded");
}

#[test]
fn without_conditions_nobody_is_called_healthy() {
    for name in ["live", "class-accepted"] {
        let mut object = recorded(name).unwrap();
        object["status"]["conditions"] = json!([]);
        assert_eq!(status_of(&object), "Progressing", "{name}");
        object["status"]["conditions"] = Value::Null;
        assert_eq!(status_of(&object), "Progressing", "{name}");
        object["status"] = Value::Null;
        assert_eq!(status_of(&object), "Progressing", "{name}");
    }
}

#[test]
fn an_earlier_generation_speaks_for_nothing() {
    for name in [
        "live",
        "seats-missing",
        "needs-a-person",
        "suspended",
        "class-accepted",
        "class-not-accepted",
    ] {
        let mut object = recorded(name).unwrap();
        let next = object["metadata"]["generation"].as_i64().unwrap() + 1;
        object["metadata"]["generation"] = json!(next);
        assert_eq!(status_of(&object), "Progressing", "{name}");
    }
}

#[test]
fn a_refusal_is_shown_of_a_suspended_event_too() {
    let mut object = recorded("needs-a-person").unwrap();
    object["spec"]["suspend"] = json!(true);
    assert_eq!(status_of(&object), "Degraded");
}

#[test]
fn stalled_goes_before_whatever_else_is_said() {
    let mut object = recorded("needs-a-person").unwrap();
    condition(&mut object, "Ready")["status"] = json!("Unknown");
    assert_eq!(status_of(&object), "Degraded");
    condition(&mut object, "Stalled")["status"] = json!("False");
    assert_eq!(status_of(&object), "Progressing");
}

#[test]
fn what_goes_is_on_its_way_even_if_the_operator_has_seen_that() {
    for (name, going) in [
        ("live", true),
        ("needs-a-person", true),
        ("class-accepted", true),
        ("live", false),
    ] {
        let mut object = recorded(name).unwrap();
        if going {
            object["metadata"]["deletionTimestamp"] = json!("2027-01-01T00:00:00Z");
        }
        assert_eq!(status_of(&object) == "Progressing", going, "{name}");
    }
}

#[test]
fn the_one_action_that_changes_something_is_offered() {
    let discovery = script("Webinar/actions/discovery.lua").unwrap();
    let offers = |object: &Value| run_lua(&discovery, object).unwrap();
    let running = json!({"suspend": {"disabled": false}, "resume": {"disabled": true}});
    let halted = json!({"suspend": {"disabled": true}, "resume": {"disabled": false}});
    let mut live = recorded("live").unwrap();
    assert_eq!(offers(&live), running);
    assert_eq!(offers(&recorded("suspended").unwrap()), halted);
    live["spec"].as_object_mut().unwrap().remove("suspend");
    assert_eq!(offers(&live), running);
}

#[test]
fn actions_change_nothing_but_suspend() {
    for (moment, action, suspend) in [("live", "suspend", true), ("suspended", "resume", false)] {
        let mut object = recorded(moment).unwrap();
        let script = script(&format!("Webinar/actions/{action}/action.lua")).unwrap();
        let after = run_lua(&script, &object).unwrap();
        object["spec"]["suspend"] = json!(suspend);
        assert_eq!(after["spec"], object["spec"], "{action}");
        assert_eq!(after["metadata"], object["metadata"], "{action}");
    }
}

#[test]
fn scripts_run_without_the_libraries_that_argocd_leaves_out() {
    let answer = run_lua(
        "return { a = string == nil, b = io == nil, c = math == nil }",
        &json!({}),
    )
    .unwrap();
    assert_eq!(answer, json!({"a": true, "b": true, "c": true}));
    assert!(run_lua("return string.format('%d', 1)", &json!({})).is_err());
}

#[test]
fn the_config_map_holds_the_same_lua() {
    let text = fs::read_to_string(repository().join("examples/argocd/argocd-cm.yaml")).unwrap();
    let map: Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(map["kind"], "ConfigMap");
    assert_eq!(map["metadata"]["name"], "argocd-cm");
    let data = map["data"].as_object().unwrap();
    for kind in ["Webinar", "WebinarClass"] {
        let key = format!("resource.customizations.health.webinar-operator.io_{kind}");
        assert_eq!(
            data[&key],
            script(&format!("{kind}/health.lua")).unwrap(),
            "{key}"
        );
    }
    let actions = data["resource.customizations.actions.webinar-operator.io_Webinar"]
        .as_str()
        .unwrap();
    let actions: Value = serde_saphyr::from_str(actions).unwrap();
    assert_eq!(
        actions["discovery.lua"],
        script("Webinar/actions/discovery.lua").unwrap()
    );
    let definitions = actions["definitions"].as_array().unwrap();
    assert_eq!(definitions.len(), 2);
    for definition in definitions {
        let name = definition["name"].as_str().unwrap();
        let file = format!("Webinar/actions/{name}/action.lua");
        assert_eq!(definition["action.lua"], script(&file).unwrap(), "{name}");
    }
    assert_eq!(data.len(), 3, "{:?}", data.keys());
}

#[test]
fn the_applications_name_what_they_need() {
    for (name, namespace) in [("application", "events"), ("operator", "webinar-system")] {
        let path = repository().join(format!("examples/argocd/{name}.yaml"));
        let app: Value = serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(
            (&app["apiVersion"], &app["kind"]),
            (&json!("argoproj.io/v1alpha1"), &json!("Application"))
        );
        assert_eq!(app["spec"]["destination"]["namespace"], namespace);
        // Pruning deletes events.
        assert_eq!(app["spec"]["syncPolicy"]["automated"]["prune"], false);
    }
}
