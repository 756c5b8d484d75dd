//! People with few rights, and the policies of the chart that stand between them and others.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicy;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, ResourceExt as _};
use webinar_testbed::wait::eventually;

use super::scene::{SOON, Scene};

/// The policies of the chart: file and name.
const POLICIES: [(&str, &str); 3] = [
    ("delete-protection", "webinar-operator-delete-protection"),
    ("class-use", "webinar-operator-class-use"),
    ("ownership", "webinar-operator-ownership"),
];

/// A client that acts as `user`, who has no more rights than the user's bindings give.
pub(crate) async fn client_as(scene: &Scene, user: &str) -> Result<Client> {
    let kubeconfig = Kubeconfig::read_from(scene.control_plane.kubeconfig())?;
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
    config.auth_info.impersonate = Some(user.to_owned());
    config.default_retry = false;
    Ok(Client::try_from(config)?)
}

/// Installs the chart's policies, and waits until the API server has compiled and checked them.
pub(crate) async fn install_policies(scene: &Scene) -> Result<()> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../charts/webinar-operator/files/policies");
    let policies: Api<ValidatingAdmissionPolicy> = Api::all(scene.control_plane.client());
    for (file, name) in POLICIES {
        let path = files.join(format!("{file}.yaml"));
        let yaml = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        scene.apply(&yaml).await?;
        eventually(&format!("{name} to be checked"), SOON, async || {
            let policy = policies.get(name).await?;
            let status = policy.status.clone().unwrap_or_default();
            ensure!(
                status.observed_generation == policy.metadata.generation,
                "{status:?}"
            );
            let checked = status.type_checking.with_context(|| policy.name_any())?;
            let warnings = checked.expression_warnings.unwrap_or_default();
            ensure!(warnings.is_empty(), "{warnings:#?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// What the API server said when it refused, in its own words.
pub(crate) fn refusal<T>(what: &str, outcome: Result<T, kube::Error>) -> Result<String> {
    match outcome {
        Ok(_) => anyhow::bail!("{what} was accepted"),
        Err(kube::Error::Api(status)) => Ok(status.message),
        Err(error) => Err(error).with_context(|| what.to_owned()),
    }
}

/// Waits until a request that a policy has to refuse is refused in these words: a policy takes a moment to be in force.
pub(crate) async fn in_force<T>(
    what: &str,
    said: &str,
    mut request: impl AsyncFnMut() -> Result<T, kube::Error>,
) -> Result<()> {
    eventually(what, Duration::from_secs(30), async || {
        let words = refusal(what, request().await)?;
        ensure!(words.contains(said), "{words}");
        Ok(())
    })
    .await
}
