//! `cargo xtask calibrate`: what one media server carries, measured with real viewers, and the class values that follow.
//!
//! It is a task and no part of the operator: it needs a WebRTC stack and an administrator's view of the nodes, and the
//! operator's image and permissions stay without both.

mod children;
mod judge;
mod measure;
mod usage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};

use crate::{build, repository};
pub(crate) use judge::{Capacity, Figures};
pub(crate) use measure::{Plan, Setup};

/// What to measure. The event must be on air, with a picture, on media servers as the MediaMTX preset has them, and this machine
/// must reach the pods.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An administrator's kubeconfig: it must be allowed to ask nodes for their figures (`nodes/proxy`).
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: PathBuf,

    /// The relay to load, as NAMESPACE/POD: one that nobody else watches, and that takes as many viewers as the largest step.
    #[arg(long, value_name = "NAMESPACE/POD")]
    relay: Name,

    /// The SFU to load with children, as NAMESPACE/POD. It takes ffmpeg. Without it children are not measured.
    #[arg(long, value_name = "NAMESPACE/POD")]
    sfu: Option<Name>,

    /// Numbers of viewers, one step each.
    #[arg(long, value_delimiter = ',', value_parser = number, default_values_t = [25, 50, 100, 150, 200])]
    viewers: Vec<usize>,

    /// Numbers of children, one step each.
    #[arg(long, value_delimiter = ',', value_parser = number, default_values_t = [4, 8, 16])]
    children: Vec<usize>,

    /// How long a step is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(20..=600))]
    seconds: u64,
}

fn number(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=10_000) => Ok(number),
        _ => Err("not a number from 1 to 10000".to_owned()),
    }
}

/// A pod of a namespace.
#[derive(Debug, Clone)]
struct Name {
    namespace: String,
    pod: String,
}

impl std::str::FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((namespace, pod)) if !namespace.is_empty() && !pod.is_empty() && !pod.contains('/') => {
                Ok(Self {
                    namespace: namespace.to_owned(),
                    pod: pod.to_owned(),
                })
            }
            _ => Err("not like NAMESPACE/POD".to_owned()),
        }
    }
}

/// Measures, and prints the steps and the class values.
///
/// # Errors
/// When the cluster or a pod can't be reached, or no step is valid.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("starting a runtime")?;
    runtime.block_on(async {
        let client = webinar_testbed::client(&args.kubeconfig).await?;
        let directory: PathBuf = repository::root()
            .join("target/calibrate")
            .join(std::process::id().to_string());
        std::fs::create_dir_all(&directory).with_context(|| format!("creating {}", directory.display()))?;
        let setup = Setup {
            viewers: build::viewers().await?,
            directory,
            relay: find(&client, &args.relay).await?,
            sfu: match &args.sfu {
                Some(sfu) => Some(find(&client, sfu).await?),
                None => None,
            },
            client,
        };
        let plan = Plan {
            viewers: args.viewers.clone(),
            children: args.children.clone(),
            lasting: Duration::from_secs(args.seconds),
        };
        let figures = setup.run(&plan).await?;
        println!("\n{figures}");
        ensure!(figures.kappa().is_some(), "no step is valid");
        Ok(ExitCode::SUCCESS)
    })
}

async fn find(client: &Client, name: &Name) -> Result<Pod> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), &name.namespace);
    let pod = pods.get(&name.pod).await?;
    ensure!(
        pod.status.as_ref().is_some_and(|status| status.pod_ip.is_some()),
        "{}/{} has no address",
        name.namespace,
        name.pod
    );
    Ok(pod)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_named_with_their_namespace() {
        let name: Name = "events/talk-relay-0-abcde".parse().expect("a pod");
        assert_eq!(
            (name.namespace.as_str(), name.pod.as_str()),
            ("events", "talk-relay-0-abcde")
        );
        for other in ["talk-relay-0", "/talk", "events/", "a/b/c"] {
            assert!(other.parse::<Name>().is_err(), "{other}");
        }
        assert_eq!(number("25"), Ok(25));
        assert!(["0", "-1", "10001", "x"].iter().all(|text| number(text).is_err()));
    }
}
