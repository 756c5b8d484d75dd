//! Whether a PodTemplate can be used for media pods. The API server accepts all that is refused here.

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec, Volume};

use crate::quantity::millicores;

/// What the operator needs to know of a usable template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usable {
    /// CPU request of the first container, in millicores.
    pub(crate) cpu_millis: u64,
}

/// Checks a template. The error is a sentence that names the field and what is allowed.
pub(crate) fn check(
    template: &PodTemplateSpec,
    topology_key: &str,
    allow_credentials: bool,
) -> Result<Usable, String> {
    let spec = template.spec.as_ref().ok_or("it has no `template.spec`")?;
    metadata(template)?;
    pod_fields(spec, topology_key)?;
    if !allow_credentials {
        credentials(spec)?;
    }
    for container in containers(spec) {
        if let Some(env) = container
            .env
            .iter()
            .flatten()
            .find(|e| e.name.starts_with("WEBINAR_"))
        {
            return Err(format!(
                "container `{}` sets `{}`: names that begin with `WEBINAR_` are the operator's",
                container.name, env.name
            ));
        }
    }
    let first = spec.containers.first().ok_or("it has no containers")?;
    if first.ports.iter().flatten().next().is_none() {
        return Err(format!(
            "container `{}` declares no `ports`: Services are made from them",
            first.name
        ));
    }
    cpu_request(first).map(|cpu_millis| Usable { cpu_millis })
}

fn cpu_request(first: &Container) -> Result<u64, String> {
    let requests = first.resources.as_ref().and_then(|r| r.requests.as_ref());
    let cpu = requests.and_then(|r| r.get("cpu")).ok_or_else(|| {
        format!(
            "container `{}` has no `resources.requests.cpu`: capacity is computed from it",
            first.name
        )
    })?;
    match millicores(cpu) {
        Some(millis) if millis > 0 => Ok(millis),
        _ => Err(format!(
            "container `{}` has `resources.requests.cpu: {}`: it must be a CPU quantity above zero",
            first.name, cpu.0
        )),
    }
}

fn metadata(template: &PodTemplateSpec) -> Result<(), String> {
    let Some(meta) = &template.metadata else {
        return Ok(());
    };
    let set = [
        ("name", meta.name.is_some() || meta.generate_name.is_some()),
        ("namespace", meta.namespace.is_some()),
        (
            "ownerReferences",
            meta.owner_references.as_ref().is_some_and(|o| !o.is_empty()),
        ),
        (
            "finalizers",
            meta.finalizers.as_ref().is_some_and(|f| !f.is_empty()),
        ),
    ];
    refuse_set("template.metadata", &set)
}

fn pod_fields(spec: &PodSpec, topology_key: &str) -> Result<(), String> {
    let set = [
        ("hostname", spec.hostname.is_some()),
        ("subdomain", spec.subdomain.is_some()),
        ("nodeName", spec.node_name.is_some()),
        ("activeDeadlineSeconds", spec.active_deadline_seconds.is_some()),
        (
            "schedulingGates",
            spec.scheduling_gates.as_ref().is_some_and(|g| !g.is_empty()),
        ),
        ("setHostnameAsFQDN", spec.set_hostname_as_fqdn == Some(true)),
    ];
    refuse_set("template.spec", &set)?;
    if let Some(policy) = spec.restart_policy.as_deref().filter(|p| *p != "Always") {
        return Err(format!(
            "`template.spec.restartPolicy` is {policy}: it must be Always"
        ));
    }
    if spec
        .topology_spread_constraints
        .iter()
        .flatten()
        .any(|c| c.topology_key == topology_key)
    {
        return Err(format!(
            "`template.spec.topologySpreadConstraints` uses `{topology_key}`: the operator spreads over that key itself"
        ));
    }
    let dns = spec.dns_policy.as_deref();
    if spec.host_network == Some(true) && dns != Some("ClusterFirstWithHostNet") {
        return Err("`template.spec.hostNetwork` needs `dnsPolicy: ClusterFirstWithHostNet`, or upstream names can't be resolved".to_owned());
    }
    Ok(())
}

fn credentials(spec: &PodSpec) -> Result<(), String> {
    if let Some(volume) = spec.volumes.iter().flatten().find(|v| mounts_credentials(v)) {
        return Err(format!(
            "volume `{}` holds a Secret or a token: only a class with `allowCredentials: true` may mount it",
            volume.name
        ));
    }
    for container in containers(spec) {
        let from_secret = container
            .env_from
            .iter()
            .flatten()
            .any(|e| e.secret_ref.is_some())
            || container
                .env
                .iter()
                .flatten()
                .any(|e| e.value_from.as_ref().is_some_and(|v| v.secret_key_ref.is_some()));
        if from_secret {
            return Err(format!(
                "container `{}` reads a Secret: only a class with `allowCredentials: true` may",
                container.name
            ));
        }
    }
    Ok(())
}

fn mounts_credentials(volume: &Volume) -> bool {
    let projected = volume.projected.iter().flat_map(|p| p.sources.iter().flatten());
    volume.secret.is_some()
        || projected
            .into_iter()
            .any(|s| s.secret.is_some() || s.service_account_token.is_some())
}

/// Init containers and containers.
pub(crate) fn containers(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    spec.init_containers.iter().flatten().chain(&spec.containers)
}

fn refuse_set(path: &str, fields: &[(&str, bool)]) -> Result<(), String> {
    match fields.iter().find(|(_, set)| *set) {
        Some((field, _)) => Err(format!("`{path}.{field}` is set: that field is the operator's")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(spec: &str) -> PodTemplateSpec {
        serde_saphyr::from_str(spec).unwrap()
    }

    fn verdict(extra: &str) -> Result<Usable, String> {
        let base = "
spec:
  containers:
  - name: media
    image: media
    ports: [{containerPort: 8554}]
    resources: {requests: {cpu: '15'}}
";
        check(
            &template(&format!("{base}{extra}")),
            "topology.kubernetes.io/zone",
            false,
        )
    }

    #[test]
    fn a_plain_template_is_usable() {
        assert_eq!(verdict(""), Ok(Usable { cpu_millis: 15_000 }));
    }

    #[test]
    fn what_the_operator_owns_is_refused_by_name() {
        for (extra, named) in [
            ("  hostname: a\n", "hostname"),
            ("  subdomain: a\n", "subdomain"),
            ("  nodeName: a\n", "nodeName"),
            ("  activeDeadlineSeconds: 5\n", "activeDeadlineSeconds"),
            ("  schedulingGates: [{name: a}]\n", "schedulingGates"),
            ("  setHostnameAsFQDN: true\n", "setHostnameAsFQDN"),
            ("  restartPolicy: Never\n", "restartPolicy"),
            ("  hostNetwork: true\n", "hostNetwork"),
            (
                "  topologySpreadConstraints: [{maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}]\n",
                "topologySpreadConstraints",
            ),
            ("  volumes: [{name: v, secret: {secretName: s}}]\n", "volume `v`"),
            (
                "  volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]\n",
                "volume `v`",
            ),
            (
                "  initContainers: [{name: i, envFrom: [{secretRef: {name: s}}]}]\n",
                "container `i`",
            ),
            (
                "  initContainers: [{name: i, env: [{name: WEBINAR_ROLE, value: x}]}]\n",
                "WEBINAR_ROLE",
            ),
            ("metadata: {name: a}\n", "template.metadata.name"),
            ("metadata: {finalizers: [a/b]}\n", "template.metadata.finalizers"),
        ] {
            let said = verdict(extra).unwrap_err();
            assert!(said.contains(named), "{extra}: {said}");
        }
    }

    #[test]
    fn capacity_needs_a_cpu_request() {
        let without = template("spec: {containers: [{name: media, ports: [{containerPort: 1}]}]}");
        let said = check(&without, "zone", false).unwrap_err();
        assert!(said.contains("`media` has no `resources.requests.cpu`"), "{said}");
    }
}
