//! The policies of the API server.

use crate::helm::render;

const ALL: [&str; 3] = [
    "webinar-operator-class-use",
    "webinar-operator-delete-protection",
    "webinar-operator-ownership",
];

#[test]
fn each_has_a_binding_that_denies() {
    let objects = render(&[]);
    assert_eq!(objects.names("ValidatingAdmissionPolicy"), ALL);
    assert_eq!(objects.names("ValidatingAdmissionPolicyBinding"), ALL);
    for name in ALL {
        let binding = &objects.one("ValidatingAdmissionPolicyBinding", name)["spec"];
        assert_eq!(binding["policyName"], name);
        assert_eq!(binding["validationActions"], serde_json::json!(["Deny"]));
        let policy = &objects.one("ValidatingAdmissionPolicy", name)["spec"];
        assert_eq!(policy["failurePolicy"], "Fail");
    }
}

#[test]
fn each_can_be_switched_off_alone() {
    for (value, name) in [
        ("classUse", ALL[0]),
        ("deleteProtection", ALL[1]),
        ("ownership", ALL[2]),
    ] {
        let objects = render(&[&format!("policies.{value}.enabled=false")]);
        for kind in ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] {
            let left: Vec<&str> = ALL.into_iter().filter(|other| *other != name).collect();
            assert_eq!(objects.names(kind), left, "without {value}");
        }
    }
}
