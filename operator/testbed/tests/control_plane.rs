//! The control plane itself: it starts, behaves like a cluster, records writes, and leaves nothing behind.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use webinar_testbed::audit::Writes;
use webinar_testbed::process::is_alive;
use webinar_testbed::tools::Tool;
use webinar_testbed::wait::{Stopwatch, eventually};
use webinar_testbed::{ControlPlane, NodeShape, OperatorProcess, Options, client, write_kubeconfig};

const SOON: Duration = Duration::from_secs(30);
const MAKER: &str = "system:serviceaccount:stage:maker";

const MAKER_YAML: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: stage}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: maker, namespace: stage}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: maker, namespace: stage}
rules:
- {apiGroups: [''], resources: [pods], verbs: [create, get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: maker, namespace: stage}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: maker}
subjects:
- {kind: ServiceAccount, name: maker, namespace: stage}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: props.example.com}
spec:
  group: example.com
  names: {kind: Prop, plural: props, singular: prop}
  scope: Namespaced
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: example.com/v1
kind: Prop
metadata: {name: curtain, namespace: stage}
";

fn pod(name: &str, labels: &serde_json::Value, annotations: &serde_json::Value) -> Result<Pod> {
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"containers": [{"name": "main", "image": "example.com/image:1"}]},
    }))?)
}

async fn ready(pods: &Api<Pod>, name: &str) -> Result<Pod> {
    eventually(&format!("pod {name} to be ready"), SOON, async || {
        let pod = pods.get(name).await?;
        let status = pod.status.as_ref().context("no status")?;
        let ready = status
            .conditions
            .iter()
            .flatten()
            .any(|c| c.type_ == "Ready" && c.status == "True");
        ensure!(ready, "{status:?}");
        Ok(pod)
    })
    .await
}

async fn waiting_for(pods: &Api<Pod>, name: &str, reason: &str) -> Result<()> {
    eventually(&format!("pod {name} to be in {reason}"), SOON, async || {
        let pod = pods.get(name).await?;
        let status = pod.status.context("no status")?;
        let reasons: Vec<String> = status
            .container_statuses
            .into_iter()
            .flatten()
            .filter_map(|container| container.state?.waiting?.reason)
            .collect();
        ensure!(reasons == [reason], "{reasons:?}");
        Ok(())
    })
    .await
}

async fn gone(pods: &Api<Pod>, name: &str) -> Result<()> {
    eventually(&format!("the end of pod {name}"), SOON, async || {
        match pods.get_opt(name).await? {
            None => Ok(()),
            Some(pod) => bail!("{:?}", pod.metadata.deletion_timestamp),
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_of_ones_own() -> Result<()> {
    let stopwatch = Stopwatch::start();
    let options = Options {
        admission_plugins: vec!["OwnerReferencesPermissionEnforcement".to_owned()],
        ..Options::default()
    };
    let mut control_plane = ControlPlane::start(options).await?;
    println!("control plane up after {:?}", stopwatch.elapsed());

    let names = control_plane.create_nodes(&NodeShape::default()).await?;
    println!("6 nodes ready after {:?}", stopwatch.elapsed());
    ensure!(
        names.first().is_some_and(|name| name == "node-0000") && names.len() == 6,
        "{names:?}"
    );

    let applied = control_plane.apply_yaml(MAKER_YAML).await?;
    ensure!(applied.len() == 6, "{applied:?}");
    let maker = client(&control_plane.service_account_kubeconfig("stage", "maker").await?).await?;

    a_pod_comes_up_and_is_recorded(&control_plane, &maker).await?;
    pods_fail_as_told(&control_plane).await?;
    zones_come_and_go(&control_plane).await?;
    an_outage_is_survived(&mut control_plane).await?;
    the_past_stays_as_it_was(&mut control_plane).await?;

    let mut sleeper = OperatorProcess::spawn(
        std::path::Path::new("/bin/sleep"),
        ["600"],
        [("NO", "THING")],
        control_plane.work_dir().join("sleep.log"),
    )?;
    // A process that has just begun has next to nothing yet.
    eventually("memory of the sleeper", Duration::from_secs(10), async || {
        let usage = sleeper.usage()?;
        ensure!(
            usage.rss > 100_000 && usage.peak_rss >= usage.rss && usage.cpu_seconds < 1.0,
            "{usage:?}"
        );
        Ok(())
    })
    .await?;
    let mut pids = control_plane.pids();
    pids.push(("sleep", sleeper.pid()));
    ensure!(pids.iter().all(|(_, pid)| is_alive(*pid)), "{pids:?}");
    let directory = control_plane.work_dir().to_owned();
    drop(sleeper);
    drop(control_plane);
    let left: Vec<_> = pids.iter().filter(|(_, pid)| is_alive(*pid)).collect();
    ensure!(left.is_empty(), "still running: {left:?}");
    ensure!(!directory.exists(), "{} is left", directory.display());
    Ok(())
}

async fn a_pod_comes_up_and_is_recorded(control_plane: &ControlPlane, maker: &Client) -> Result<()> {
    let before = control_plane.audit().now()?;
    let pods: Api<Pod> = Api::namespaced(maker.clone(), "stage");
    pods.create(&PostParams::default(), &pod("first", &json!({}), &json!({}))?)
        .await?;
    let first = ready(&pods, "first").await?;
    let status = first.status.context("no status")?;
    let ip: std::net::Ipv4Addr = status.pod_ip.context("no IP")?.parse()?;
    ensure!(
        ip.octets()[0] == 10 && (64..68).contains(&ip.octets()[1]),
        "{ip} is not in 10.64.0.0/14"
    );
    ensure!(
        status
            .container_statuses
            .iter()
            .flatten()
            .all(|c| c.ready && c.state.is_some()),
        "no containers"
    );
    let volumes = first.spec.context("no spec")?.volumes.unwrap_or_default();
    ensure!(
        volumes.iter().any(|volume| volume.projected.is_some()),
        "no token is mounted: {volumes:?}"
    );

    let refused = pods
        .delete("first", &DeleteParams::default())
        .await
        .expect_err("maker may not delete");
    ensure!(
        matches!(&refused, kube::Error::Api(status) if status.code == 403),
        "{refused}"
    );
    let wanted = Writes {
        create: 1,
        refused: 1,
        ..Writes::default()
    };
    eventually("the maker's records", SOON, async || {
        let writes = control_plane.audit().since(before)?.writes_by(MAKER);
        ensure!(writes == wanted, "{writes:?}");
        Ok(())
    })
    .await?;
    let records = control_plane.audit().since(before)?;
    let created = records.by(MAKER).next().context("no record")?;
    ensure!(
        (created.name.as_str(), created.namespace.as_str(), created.code) == ("first", "stage", 201),
        "{created:?}"
    );
    ensure!(
        records.writes_by("kwok").status >= 2,
        "{:?}",
        records.writes_by("kwok")
    );

    let said = control_plane
        .kubectl(["auth", "can-i", "delete", "pods", "-n", "stage"])
        .await?;
    ensure!(said.trim() == "yes", "{said}");
    control_plane
        .kubectl(["delete", "pod", "first", "-n", "stage", "--timeout=20s"])
        .await?;
    gone(&pods, "first").await
}

async fn pods_fail_as_told(control_plane: &ControlPlane) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(control_plane.client(), "stage");
    let slow = json!({
        "pod-ready.stage.kwok.x-k8s.io/delay": "30m",
        "pod-delete.stage.kwok.x-k8s.io/delay": "30m",
    });
    let label = |name: &str| json!({format!("{name}.stage.kwok.x-k8s.io"): "true"});
    let create = PostParams::default();
    pods.create(&create, &pod("slow", &json!({}), &slow)?).await?;
    pods.create(
        &create,
        &pod("unpulled", &label("pod-image-pull-failed"), &json!({}))?,
    )
    .await?;
    pods.create(
        &create,
        &pod("failed", &label("pod-container-running-failed"), &json!({}))?,
    )
    .await?;

    waiting_for(&pods, "unpulled", "ImagePullBackOff").await?;
    eventually("a failed pod", SOON, async || {
        let status = pods.get("failed").await?.status.context("no status")?;
        ensure!(status.phase.as_deref() == Some("Failed"), "{status:?}");
        Ok(())
    })
    .await?;
    waiting_for(&pods, "slow", "ContainerCreating").await?;

    for name in ["slow", "unpulled", "failed"] {
        pods.delete(name, &DeleteParams::default()).await?;
    }
    gone(&pods, "unpulled").await?;
    gone(&pods, "failed").await?;
    ensure!(
        pods.get_opt("slow").await?.is_some(),
        "it takes half an hour to end"
    );
    pods.delete("slow", &DeleteParams::default().grace_period(0))
        .await?;
    gone(&pods, "slow").await
}

async fn zones_come_and_go(control_plane: &ControlPlane) -> Result<()> {
    ensure!(
        control_plane.lose_zone("zone-b").await? == ["node-0001", "node-0004"],
        "zones take turns"
    );
    eventually("the loss of zone-b", SOON, async || {
        let said = control_plane
            .kubectl(["get", "node", "node-0001", "-o", "jsonpath={.spec.taints[*].key}"])
            .await?;
        ensure!(said.contains("node.kubernetes.io/unreachable"), "{said}");
        Ok(())
    })
    .await?;
    control_plane.heal_zone("zone-b").await?;
    control_plane.remove_zone("zone-c").await?;
    let broken = NodeShape {
        count: 1,
        pulls: false,
        zones: vec!["zone-x".to_owned()],
        ..NodeShape::default()
    };
    ensure!(
        control_plane.create_nodes(&broken).await? == ["no-pull-0000"],
        "a name of its own"
    );
    let more = control_plane
        .create_nodes(&NodeShape {
            count: 2,
            ..NodeShape::default()
        })
        .await?;
    ensure!(more == ["node-0005", "node-0006"], "the names go on: {more:?}");

    let pods: Api<Pod> = Api::namespaced(control_plane.client(), "stage");
    let mut stuck = pod("stuck", &json!({}), &json!({}))?;
    stuck.spec.as_mut().context("no spec")?.node_selector =
        Some([("topology.kubernetes.io/zone".to_owned(), "zone-x".to_owned())].into());
    pods.create(&PostParams::default(), &stuck).await?;
    waiting_for(&pods, "stuck", "ImagePullBackOff").await
}

async fn an_outage_is_survived(control_plane: &mut ControlPlane) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(control_plane.client(), "stage");
    control_plane.kill(Tool::ApiServer)?;
    ensure!(pods.get("stuck").await.is_err(), "the API server is down");
    control_plane.restart(Tool::ApiServer).await?;
    pods.create(&PostParams::default(), &pod("after", &json!({}), &json!({}))?)
        .await?;
    ready(&pods, "after").await?;
    Ok(())
}

async fn the_past_stays_as_it_was(control_plane: &mut ControlPlane) -> Result<()> {
    let stopwatch = Stopwatch::start();
    let past = control_plane.freeze().await?;
    println!("the past is up after {:?}", stopwatch.elapsed());
    let now: Api<Pod> = Api::namespaced(control_plane.client(), "stage");
    let then: Api<Pod> = Api::namespaced(past.client(), "stage");
    let before = now.get("after").await?;
    now.delete("after", &DeleteParams::default()).await?;
    gone(&now, "after").await?;
    ensure!(then.get("after").await? == before, "another pod");

    // Who has a token for the one API server is let in by the other.
    let token = control_plane.service_account_token("stage", "maker").await?;
    let file = control_plane.work_dir().join("maker-then.kubeconfig");
    write_kubeconfig(&file, past.server(), &past.ca(), &token)?;
    let maker: Api<Pod> = Api::namespaced(client(&file).await?, "stage");
    ensure!(maker.get("after").await? == before, "another pod");
    Ok(())
}
