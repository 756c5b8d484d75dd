//! 06 conflict-storm: somebody else writes labels and annotations of everything all the time. Nobody fights.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::MissedTickBehavior;
use webinar_api::{Webinar, labels};
use webinar_testbed::audit::Records;
use webinar_testbed::wait::Stopwatch;

use crate::support::assertions::{first_names, nothing_was_replaced, verdict};
use crate::support::manifests::{CPU_15, class, steps, template_that_takes, webinar};
use crate::support::scene::{OPERATOR, Scene, Setting, story};
use crate::support::world::{Counts, Fleet};

const FLEET: Counts = [2, 3, 15];
const STORMY: &str = "stormy";
const CALM: &str = "calm";

/// A key of somebody else.
const KEY: &str = "weather.example.com/turn";

/// 50 writes a second.
const PAUSE: Duration = Duration::from_millis(20);
const AT_LEAST: Duration = Duration::from_secs(15);
const RAMP: Duration = Duration::from_secs(120);

#[test]
fn t06_a_second_writer_is_neither_fought_nor_overwritten() {
    story(Setting::proxied(6), async |scene| {
        scene.apply(&class("steps", &steps())).await?;
        // A simulated pod's delay begins anew with every write of the pod.
        for name in ["media-sfu", "media-relay"] {
            scene.apply(&template_that_takes("10ms", name, CPU_15)).await?;
        }
        scene.start_operator().await?;
        let moment = scene.mark().await?;
        for namespace in [STORMY, CALM] {
            scene.namespace(namespace).await?;
            scene
                .apply(&webinar(namespace, "event", "tier: 10k, className: steps"))
                .await?;
        }
        let stopwatch = Stopwatch::start();
        let mut storm = Storm::new(scene.control_plane.client());
        let fleet = tokio::select! {
            fleet = ramps(scene) => fleet?,
            Err(error) = storm.rage() => return Err(error),
        };
        let seconds = stopwatch.elapsed().as_secs_f32();
        println!(
            "{} writes of {} objects in {seconds:.1} s",
            storm.turn,
            storm.done.len()
        );
        // 20 pods, their Services, and the Webinar. A slow machine writes less often.
        ensure!(storm.turn > 100 && storm.done.len() > 20, "a mild storm");
        storm.nothing_is_lost().await?;

        let records = scene.since(moment).await?;
        nothing_was_replaced(&records, &fleet, STORMY, "event")?;
        first_names(scene, &fleet, STORMY, "event").await?;

        let (stormy, calm) = (writes(&records, STORMY), writes(&records, CALM));
        println!("the operator's writes in the storm: {stormy:?}\nand without: {calm:?}");
        for (what, times) in &stormy {
            let without = calm.get(what).copied().unwrap_or_default();
            ensure!(
                *times <= without + 10,
                "{what}: {times} times, and {without} without the storm"
            );
        }
        Ok(())
    });
}

/// Both fleets become complete, and are told to be, while the storm goes on.
async fn ramps(scene: &Scene) -> Result<Fleet> {
    let stopwatch = Stopwatch::start();
    for namespace in [CALM, STORMY] {
        scene
            .until(namespace, "event", "ready", RAMP, |s| {
                verdict(s, "CapacityReady").0 == "True"
            })
            .await?;
        Fleet::complete(scene, namespace, "event", FLEET, RAMP).await?;
        let seconds = stopwatch.elapsed().as_secs_f32();
        println!("{namespace}: complete after {seconds:.1} s");
    }
    tokio::time::sleep(AT_LEAST.saturating_sub(stopwatch.elapsed())).await;
    Fleet::of(scene, STORMY, "event").await
}

/// How often the operator did what in a namespace, with the answer's code.
fn writes(records: &Records, namespace: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for record in records.by(OPERATOR).filter(|r| r.namespace == namespace) {
        let what = format!(
            "{} {}/{} {}",
            record.verb, record.resource, record.subresource, record.code
        );
        *counts.entry(what).or_default() += 1;
    }
    counts
}

/// The second writer.
struct Storm {
    pods: Api<Pod>,
    services: Api<Service>,
    webinars: Api<Webinar>,
    turn: u64,
    /// The last turn of each object that was written.
    done: BTreeMap<(String, String), u64>,
}

impl Storm {
    fn new(client: Client) -> Self {
        Self {
            pods: Api::namespaced(client.clone(), STORMY),
            services: Api::namespaced(client.clone(), STORMY),
            webinars: Api::namespaced(client, STORMY),
            turn: 0,
            done: BTreeMap::new(),
        }
    }

    /// Goes on until it is dropped.
    async fn rage(&mut self) -> Result<()> {
        let mut ticks = tokio::time::interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let (pods, services) = (names(&self.pods).await?, names(&self.services).await?);
            for name in pods {
                ticks.tick().await;
                self.write(&self.pods.clone(), &name).await?;
            }
            for name in services {
                ticks.tick().await;
                self.write(&self.services.clone(), &name).await?;
            }
            ticks.tick().await;
            self.write(&self.webinars.clone(), "event").await?;
        }
    }

    async fn write<K>(&mut self, api: &Api<K>, name: &str) -> Result<()>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.turn += 1;
        let turn = BTreeMap::from([(KEY, self.turn.to_string())]);
        let patch = json!({"metadata": {"labels": turn, "annotations": turn}});
        api.patch_metadata(name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        self.done
            .insert((K::kind(&()).into_owned(), name.to_owned()), self.turn);
        Ok(())
    }

    async fn nothing_is_lost(&self) -> Result<()> {
        for ((kind, name), turn) in &self.done {
            let meta = match kind.as_str() {
                "Pod" => self.pods.get_metadata(name).await?.metadata,
                "Service" => self.services.get_metadata(name).await?.metadata,
                _ => self.webinars.get_metadata(name).await?.metadata,
            };
            for (what, map) in [("label", meta.labels), ("annotation", meta.annotations)] {
                let value = map.unwrap_or_default().remove(KEY);
                // The last write of all may have been done without an answer.
                let kept = value.as_ref().and_then(|v| v.parse().ok()) >= Some(*turn);
                ensure!(kept, "{what} of {kind} {name}: {value:?}, and not {turn}");
            }
        }
        Ok(())
    }
}

/// The names of everything of the Webinar.
async fn names<K>(api: &Api<K>) -> Result<Vec<String>>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let ours = ListParams::default().labels(&format!("{}=event", labels::WEBINAR));
    let found = api.list_metadata(&ours).await?;
    Ok(found.items.iter().map(kube::ResourceExt::name_any).collect())
}
