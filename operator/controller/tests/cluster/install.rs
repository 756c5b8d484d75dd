//! What a platform team does with the chart, on a cluster whose namespaces are `restricted`.

use anyhow::{Context as _, Result, ensure};
use kube::{Api, ResourceExt as _};
use webinar_api::labels::ALLOW_DELETE;
use webinar_api::{GROUP, Phase, WebinarClass};
use webinar_testbed::wait::eventually;

use crate::support::assertions::{allowed, nothing_was_deleted, nothing_was_written, verdict};
use crate::support::manifests::{OPERATOR_NAMESPACE, webinar};
use crate::support::release::{Helm, NAME, chart};
use crate::support::scene::{SOON, Scene, Setting, in_seconds, story};
use crate::support::shell::Shell;
use crate::support::world::{Counts, Fleet};

/// Of 10,000 people with the preset's sizes.
const FLEET: Counts = [2, 0, 15];

async fn restricted(scene: &Scene, namespaces: &[&str]) -> Result<()> {
    for name in namespaces {
        scene
            .apply(&format!(
                "{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, labels: \
                 {{pod-security.kubernetes.io/enforce: restricted}}}}}}"
            ))
            .await?;
    }
    Ok(())
}

fn setting() -> Setting {
    Setting {
        admission_plugins: vec!["OwnerReferencesPermissionEnforcement".to_owned()],
        ..Setting::bare(3)
    }
}

/// An event for 10,000 people, on air.
async fn on_air(scene: &Scene) -> Result<Fleet> {
    // As soon as possible would be a quarter of an hour.
    let spec = format!("tier: 10k, startTime: '{}'", in_seconds(0));
    scene.apply(&webinar("events", "live", &spec)).await?;
    scene
        .until("events", "live", "on air", SOON, |s| s.phase == Some(Phase::Live))
        .await?;
    Fleet::complete(scene, "events", "live", FLEET, SOON).await
}

/// The event goes on with the pods that it had.
async fn goes_on(scene: &Scene, before: &Fleet) -> Result<()> {
    let now = Fleet::complete(scene, "events", "live", FLEET, SOON).await?;
    ensure!(now.uids() == before.uids(), "pods were replaced");
    Ok(())
}

/// Deletes a Webinar that may be on air.
async fn remove(scene: &Scene, namespace: &str, name: &str) -> Result<()> {
    let which = format!("webinar -n {namespace} {name}");
    let allow = format!("annotate {which} {ALLOW_DELETE}=true");
    scene.kubectl(&allow).await?;
    scene.kubectl(&format!("delete {which}")).await?;
    Ok(())
}

async fn class_uid(scene: &Scene) -> Result<String> {
    let classes: Api<WebinarClass> = Api::all(scene.control_plane.client());
    classes.get("standard").await?.uid().context("no UID")
}

/// The block of a text from the line that begins with `first` to the line `EOF`.
fn block<'a>(text: &'a str, first: &str) -> Result<&'a str> {
    let start = text
        .find(first)
        .with_context(|| format!("no {first:?} in {text}"))?;
    let end = text[start..].find("\nEOF\n").context("no end")?;
    Ok(&text[start..start + end + 5])
}

#[test]
fn a_release_lives_from_its_install_to_its_reinstall() {
    story(setting(), async |scene| {
        restricted(scene, &[OPERATOR_NAMESPACE, "events"]).await?;
        let helm = Helm::new().await?;
        helm.deploy(scene, "install", &[]).await?;
        let notes = helm.run(scene, "get notes", &[]).await?;
        let shell = Shell::open(&scene.control_plane, "notes").await?;
        let said = shell.run("NOTES.txt", block(&notes, "kubectl apply")?).await?;
        ensure!(
            said == "webinar.webinar-operator.io/first-event created\n",
            "{said}"
        );
        scene
            .until("default", "first-event", "accepted", SOON, |s| {
                verdict(s, "Ready").0 == "True"
            })
            .await?;
        let tested = helm.test(scene).await?;
        println!("{tested}");
        ensure!(tested.contains("the operator works"), "{tested}");
        let left = scene.webinars(OPERATOR_NAMESPACE).get_opt("smoke-test").await?;
        ensure!(left.is_none(), "the test's event is there");

        let before = on_air(scene).await?;
        let class = class_uid(scene).await?;
        let moment = scene.mark().await?;
        let changed = ["--set=replicaCount=3,operator.maxInFlight=32,class.spec.maxTotalPods=5000"];
        helm.deploy(scene, "upgrade", &changed).await?;
        ensure!(class_uid(scene).await? == class, "the class was made anew");
        let classes: Api<WebinarClass> = Api::all(scene.control_plane.client());
        let upgraded = classes.get("standard").await?;
        ensure!(upgraded.spec.max_total_pods == Some(5_000), "{:?}", upgraded.spec);
        ensure!(
            !upgraded.annotations().contains_key("helm.sh/hook"),
            "{:?}",
            upgraded.annotations()
        );
        let deployed = scene
            .kubectl("get deployment -n webinar-system webinar-operator -o jsonpath={.spec.replicas}")
            .await?;
        ensure!(deployed == "3", "{deployed} replicas");
        goes_on(scene, &before).await?;

        scene.refusing = true;
        helm.run(scene, "uninstall", &[]).await?;
        scene.stop_operator().await?;
        let crds = scene.kubectl("get crd -o name").await?;
        ensure!(crds.lines().count() == 2, "{crds}");
        ensure!(scene.webinars("events").get_opt("live").await?.is_some());
        goes_on(scene, &before).await?;
        for gone in [
            "webinarclass,validatingadmissionpolicy,priorityclass -o name".to_owned(),
            format!(
                "all,podtemplate,serviceaccount,role,poddisruptionbudget -l app.kubernetes.io/instance={NAME} -n {OPERATOR_NAMESPACE} -o name"
            ),
        ] {
            eventually("the end of the release's objects", SOON, async || {
                let left = scene.kubectl(&format!("get {gone}")).await?;
                let left: Vec<&str> = left.lines().filter(|line| !line.contains("/system-")).collect();
                ensure!(left.is_empty(), "{left:?}");
                Ok(())
            })
            .await?;
        }

        helm.deploy(scene, "install", &[]).await?;
        scene
            .until("events", "live", "looked after again", SOON, |s| {
                verdict(s, "Ready").0 == "True" && verdict(s, "CapacityReady").0 == "True"
            })
            .await?;
        goes_on(scene, &before).await?;
        nothing_was_deleted(&scene.since(moment).await?, "events")?;

        // As its README says for who wants everything gone.
        for (namespace, name) in [("default", "first-event"), ("events", "live")] {
            remove(scene, namespace, name).await?;
        }
        helm.run(scene, "uninstall", &[]).await?;
        shell.run("README.md", DEFINITIONS).await?;
        Ok(())
    });
}

const DEFINITIONS: &str =
    "kubectl delete crd webinars.webinar-operator.io webinarclasses.webinar-operator.io";

/// What the stories here type, as Helm is called by [`Helm::run`].
#[test]
fn the_chart_tells_to_type_what_is_tried_here() {
    let readme = std::fs::read_to_string(chart().join("README.md")).expect("the chart's README");
    let tried = [
        "helm install webinar-operator charts/webinar-operator --namespace webinar-system --create-namespace",
        "helm test webinar-operator --namespace webinar-system",
        "helm upgrade webinar-operator charts/webinar-operator --namespace webinar-system",
        "helm uninstall webinar-operator --namespace webinar-system",
        DEFINITIONS,
    ];
    let told: Vec<&str> = readme
        .split("```sh\n")
        .skip(1)
        .flat_map(|rest| rest.split("```").next().unwrap_or_default().lines())
        .collect();
    assert_eq!(told, tried);
}

/// Those that were not run with their servers are at least what the API server takes, in pods that a `restricted` namespace
/// takes.
#[test]
fn every_preset_is_taken_by_a_restricted_namespace() {
    story(setting(), async |scene| {
        restricted(scene, &[OPERATOR_NAMESPACE, "events"]).await?;
        let helm = Helm::new().await?;
        helm.deploy(scene, "install", &["--set=preset=none"]).await?;
        let chart = chart().display().to_string();
        for preset in ["mediamtx", "livekit", "generic", "moq"] {
            let values = format!(
                "--set=preset={preset},class.name={preset},class.image=registry.example/media:1,\
                 smokeTest.className={preset},smokeTest.namespace=events"
            );
            helm.run(scene, "upgrade", &[&chart, "--wait", &values]).await?;
            let spec = format!("tier: room, className: {preset}");
            scene.apply(&webinar("events", preset, &spec)).await?;
            Fleet::complete(scene, "events", preset, [1, 0, 0], SOON).await?;
            remove(scene, "events", preset).await?;
        }
        Ok(())
    });
}

/// The chart as it was before it had policies, a schema and a test: there is no release yet that could be upgraded.
const EARLIER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/cluster/recorded/webinar-operator-0.0.1.tgz"
);

#[test]
fn an_earlier_release_is_upgraded_with_an_event_on_air() {
    story(setting(), async |scene| {
        restricted(scene, &[OPERATOR_NAMESPACE, "events"]).await?;
        let helm = Helm::new().await?;
        // Its class could not come together with its definition.
        helm.deploy_from(scene, "install", EARLIER, &["--set=preset=none"])
            .await?;
        helm.deploy_from(scene, "upgrade", EARLIER, &["--set=preset=mediamtx"])
            .await?;
        let before = on_air(scene).await?;
        let class = class_uid(scene).await?;
        let moment = scene.mark().await?;
        helm.deploy(scene, "upgrade", &[]).await?;
        ensure!(class_uid(scene).await? == class, "the class was made anew");
        let policies = scene.kubectl("get validatingadmissionpolicy -o name").await?;
        ensure!(policies.lines().count() == 3, "{policies}");
        goes_on(scene, &before).await?;
        nothing_was_deleted(&scene.since(moment).await?, "events")
    });
}

#[test]
fn a_release_for_some_namespaces_sees_nothing_elsewhere() {
    story(setting(), async |scene| {
        restricted(scene, &[OPERATOR_NAMESPACE, "here", "elsewhere"]).await?;
        let helm = Helm::new().await?;
        helm.deploy(scene, "install", &["--set=watchNamespaces={here}"])
            .await?;
        let moment = scene.mark().await?;
        for namespace in ["elsewhere", "here"] {
            scene.apply(&webinar(namespace, "event", "tier: 10k")).await?;
        }
        Fleet::complete(scene, "here", "event", FLEET, SOON).await?;
        let tested = helm.test(scene).await?;
        ensure!(
            tested.contains("here/smoke-test and its pods are gone"),
            "{tested}"
        );
        let status = scene.status("elsewhere", "event").await?;
        ensure!(status.conditions.is_empty(), "{status:?}");
        let records = scene.since(moment).await?;
        nothing_was_written(&records, "elsewhere")?;
        for (verb, group, resource) in [
            ("list", GROUP, "webinars"),
            ("list", "", "pods"),
            ("create", "", "pods"),
            ("create", "", "services"),
        ] {
            for (namespace, expected) in [("here", true), ("elsewhere", false), ("", false)] {
                let may = allowed(scene, verb, group, resource, namespace).await?;
                ensure!(may == expected, "may {verb} {resource} in {namespace:?}: {may}");
            }
        }
        // Never upgraded, so its class is still what the hook made.
        scene.refusing = true;
        helm.run(scene, "uninstall", &[]).await?;
        let left = scene.kubectl("get webinarclass -o name").await?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    });
}
