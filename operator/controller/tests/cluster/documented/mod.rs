//! Commands in documents work as they stand, in their order, for who has a clone and a cluster.

mod blocks;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use webinar_api::labels::ALLOW_DELETE;
use webinar_api::{Phase, Tier, Webinar, WebinarClass};
use webinar_testbed::wait::{Stopwatch, eventually};

use self::blocks::{Block, Document, documents};
use crate::support::release;
use crate::support::scene::{SOON, Scene, Setting, now, story};
use crate::support::shell::{Shell, root};

/// The event that documents speak of.
const EVENT: &str = "q3-keynote";

/// For the end of an edit.
const SETTLED: Duration = Duration::from_secs(10);

/// Before the event is on air.
const ON_AIR: Duration = Duration::from_secs(90);

#[test]
fn commands_in_documents_work() {
    story(Setting::bare(9), async |scene| {
        let mut documents = documents(&root())?;
        let (readme, installation) = installation(&mut documents)?;
        let shell = Shell::open(&scene.control_plane, "installation").await?;
        shell
            .run(&installation.place(&readme), &installation.commands)
            .await?;
        release::start(scene).await?;
        class_accepted(scene).await?;
        let mut run = 0;
        for document in &documents {
            let todo: Vec<&Block> = document.blocks.iter().filter(|b| b.unrun.is_none()).collect();
            if todo.is_empty() {
                continue;
            }
            on_air(scene).await.with_context(|| document.path.clone())?;
            let stopwatch = Stopwatch::start();
            let shell = Shell::open(&scene.control_plane, &document.path.replace('/', ".")).await?;
            for block in &todo {
                shell.run(&block.place(&document.path), &block.commands).await?;
            }
            run += todo.len();
            println!(
                "{}: {} blocks in {:.1} s",
                document.path,
                todo.len(),
                stopwatch.elapsed().as_secs_f32()
            );
        }
        ensure!(run > 20, "only {run} blocks were found");
        Ok(())
    });
}

/// The README's own way to install from a clone, taken out of its place: the world is set up with it.
fn installation(documents: &mut [Document]) -> Result<(String, Block)> {
    let readme = documents.first_mut().context("no README")?;
    let installs = |block: &Block| {
        let commands = &block.commands;
        block.unrun.is_none() && (commands.contains("helm install") || commands.contains("apply -f crds/"))
    };
    let at = readme.blocks.iter().position(installs);
    let block = readme
        .blocks
        .remove(at.context("README.md says nowhere how to install")?);
    Ok((readme.path.clone(), block))
}

async fn class_accepted(scene: &Scene) -> Result<()> {
    let classes: Api<WebinarClass> = Api::all(scene.control_plane.client());
    eventually("a class that is accepted", SOON, async || {
        let class = classes.get("standard").await?;
        let status = class.status.context("no status")?;
        let accepted = status.conditions.iter().any(|c| c.status == "True");
        ensure!(accepted, "{:?}", status.conditions);
        Ok(())
    })
    .await
}

/// The event is on air with every seat Ready, whatever earlier documents did to it.
async fn on_air(scene: &Scene) -> Result<()> {
    let webinars: Api<Webinar> = Api::default_namespaced(scene.control_plane.client());
    let on_air = async |deadline| {
        eventually("an event on air", deadline, async || {
            let webinar = webinars.get(EVENT).await?;
            ensure!(is_on_air(&webinar), "{:?}", webinar.status);
            Ok(())
        })
        .await
    };
    if webinars.get_opt(EVENT).await?.is_some() {
        // The operator may still have to look at an edit.
        if on_air(SETTLED).await.is_ok() {
            return Ok(());
        }
        let allow = serde_json::json!({"metadata": {"annotations": {ALLOW_DELETE: "true"}}});
        webinars
            .patch(EVENT, &PatchParams::default(), &Patch::Merge(allow))
            .await?;
        webinars.delete(EVENT, &DeleteParams::default()).await?;
        eventually("the end of the event before", SOON, async || {
            let left = webinars.get_opt(EVENT).await?;
            ensure!(left.is_none(), "it is there");
            Ok(())
        })
        .await?;
    }
    let began = now() - jiff::SignedDuration::from_secs(60);
    scene
        .apply(&format!(
            "apiVersion: webinar-operator.io/v1alpha1\nkind: Webinar\nmetadata: {{name: {EVENT}, namespace: default}}\n\
             spec: {{tier: 10k, startTime: \"{}\", duration: 24h}}\n",
            began.strftime("%FT%TZ")
        ))
        .await?;
    on_air(ON_AIR).await
}

fn is_on_air(webinar: &Webinar) -> bool {
    let Some(status) = &webinar.status else {
        return false;
    };
    let ready = |c: &&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition| c.type_ == "CapacityReady";
    webinar.metadata.deletion_timestamp.is_none()
        && webinar.spec.tier == Tier::T10k
        && status.phase == Some(Phase::Live)
        && status.observed_generation == webinar.metadata.generation
        && status
            .conditions
            .iter()
            .find(ready)
            .is_some_and(|c| c.status == "True")
}
