//! Writes: in order, bounded, each naming the very object it means.

#[cfg(test)]
mod fake;
mod live;
mod pace;
mod refusal;
#[cfg(test)]
mod tests;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use json_patch::Patch as JsonPatch;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use webinar_api::{FIELD_MANAGER, labels};
use webinar_plan::{RemovalReason, Setback, SetbackKind};

use crate::build::prepare::{Changes, Named, Prepared, RevisionWrite};
use crate::client::call;
use crate::error::Error;
use crate::fair::Claimant;
use crate::limiter::Limiter;
use crate::ownership::{Owner, called, is_owned_by, is_owned_by_namesake};
use crate::recent::Kind;

use live::{holders, still_so, still_there};
pub(crate) use pace::Pace;
use refusal::{Answer, judge};

/// Pods written in one pass. A pass stays short, so that what happens meanwhile is seen soon.
const BATCH: usize = 200;

/// How much of an API server's sentence is shown.
const LONGEST_WORDS: usize = 300;

/// How long until a name that another owner has is tried again.
const RETRY_CONFLICT: SignedDuration = SignedDuration::from_secs(60);

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Pods that now exist and did not before.
    pub(crate) created: Vec<Pod>,
    /// Why pods were asked to go, one entry a pod.
    pub(crate) deleted: Vec<RemovalReason>,
    /// The newest version that was written of each kind.
    pub(crate) versions: Vec<(Kind, String)>,
    /// What the API server refused.
    pub(crate) setbacks: Vec<Setback>,
    /// There was more to do than one pass holds.
    pub(crate) unfinished: bool,
    /// How to go on with the next pass.
    pub(crate) pace: Pace,
}

/// Where and how fast to write.
pub(crate) struct Writer<'a> {
    pub(crate) client: &'a Client,
    pub(crate) limiter: &'a Limiter,
    pub(crate) owner: &'a Owner,
    pub(crate) now: Timestamp,
    claimant: Claimant,
    applied: Mutex<Applied>,
    refused: AtomicBool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(
        client: &'a Client,
        limiter: &'a Limiter,
        owner: &'a Owner,
        pace: Pace,
        start: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let applied = Applied {
            pace,
            ..Applied::default()
        };
        Self {
            client,
            limiter,
            owner,
            now,
            claimant: Claimant {
                party: owner.uid.clone(),
                start: start.unwrap_or(now),
            },
            applied: Mutex::new(applied),
            refused: AtomicBool::new(false),
        }
    }

    /// Carries out everything that was prepared: memory first, entry points before pods, pods before the
    /// entry points that are no longer needed.
    ///
    /// # Errors
    ///
    /// The first failure that is neither a refusal nor already in order. What was done until then is
    /// returned beside it.
    pub(crate) async fn act(self, prepared: Prepared) -> (Applied, Result<(), Error>) {
        let done = self.carry_out(prepared).await;
        (
            self.applied
                .into_inner()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
            done,
        )
    }

    async fn carry_out(&self, prepared: Prepared) -> Result<(), Error> {
        if prepared.is_empty() {
            return Ok(());
        }
        // What is remembered rules what comes: it is not decided by a spec of yesterday.
        match &prepared.revision {
            Some(_) => still_so(self.client, self.owner).await?,
            None => still_there(self.client, self.owner).await?,
        }
        let Prepared {
            revision,
            services,
            budgets,
            pods,
            cordon,
            disown,
            uncordon,
            delete,
            forget,
        } = prepared;
        if let Some(write) = revision {
            self.remember(write).await?;
        }
        self.keep(&services, Kind::Service).await?;
        self.keep(&budgets, Kind::Budget).await?;
        if self.refused.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut left = BATCH;
        let pods = self.not_held(batch(pods, &mut left, self)).await?;
        self.create_pods(pods).await?;
        if !(cordon.is_empty() && disown.is_empty() && delete.is_empty()) {
            // Nobody is hurt on the word of an old cache. Each pod's own version is compared by the API server as it is
            // written.
            still_so(self.client, self.owner).await?;
        }
        self.each(batch(cordon, &mut left, self), |(name, patch)| {
            self.patch_pod("cordon", name, patch)
        })
        .await?;
        self.each(batch(disown, &mut left, self), |(name, patch)| {
            self.patch_pod("declare lost", name, patch)
        })
        .await?;
        self.each(batch(uncordon, &mut left, self), |(name, patch)| {
            self.patch_pod("uncordon", name, patch)
        })
        .await?;
        self.each(batch(delete, &mut left, self), |(pod, why)| {
            self.delete_pod(pod, why)
        })
        .await?;
        self.remove(
            services.delete,
            Kind::Service,
            &self.api::<k8s_openapi::api::core::v1::Service>(),
        )
        .await?;
        self.remove(
            budgets.delete,
            Kind::Budget,
            &self.api::<k8s_openapi::api::policy::v1::PodDisruptionBudget>(),
        )
        .await?;
        self.remove(forget, Kind::Revision, &self.api::<ControllerRevision>())
            .await
    }

    fn api<K>(&self) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(self.client.clone(), &self.owner.namespace)
    }

    /// Does `f` for every item, many at once but begun in order, until one fails or is refused.
    async fn each<T, F>(&self, items: Vec<T>, f: impl Fn(T) -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<(), Error>>,
    {
        let mut work = stream::iter(items)
            .take_while(|_| std::future::ready(!self.refused.load(Ordering::Acquire)))
            .map(f)
            .buffered(BATCH);
        let mut outcome = Ok(());
        while let Some(done) = work.next().await {
            if let Err(error) = done
                && outcome.is_ok()
            {
                self.refused.store(true, Ordering::Release);
                outcome = Err(error);
            }
        }
        outcome
    }

    async fn remember(&self, write: RevisionWrite) -> Result<(), Error> {
        let api: Api<ControllerRevision> = self.api();
        match write {
            RevisionWrite::Create(revision) => self.create(&api, *revision, Kind::Revision).await.map(|_| ()),
            RevisionWrite::Annotate { name, patch } => {
                let what = || {
                    format!(
                        "remember the run in ControllerRevision {}/{name}",
                        self.owner.namespace
                    )
                };
                let _turn = self.limiter.turn(&self.claimant).await;
                let params = PatchParams {
                    field_manager: Some(FIELD_MANAGER.to_owned()),
                    ..PatchParams::default()
                };
                let stored = call(what, api.patch(&name, &params, &Patch::Merge(&patch))).await?;
                self.wrote(Kind::Revision, &stored);
                Ok(())
            }
        }
    }

    async fn keep<K>(&self, changes: &Changes<K>, kind: Kind) -> Result<(), Error>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let api: Api<K> = self.api();
        self.each(changes.create.clone(), |object| {
            let api = &api;
            async move { self.create(api, object, kind).await.map(|_| ()) }
        })
        .await?;
        self.each(changes.apply.clone(), |object| {
            let api = &api;
            async move {
                let name = object.name_any();
                let what = || format!("change {} {}/{name}", K::kind(&()), self.owner.namespace);
                let _turn = self.limiter.turn(&self.claimant).await;
                let stored = call(
                    what,
                    api.patch(
                        &name,
                        &PatchParams::apply(FIELD_MANAGER).force(),
                        &Patch::Apply(&object),
                    ),
                )
                .await?;
                self.wrote(kind, &stored);
                Ok(())
            }
        })
        .await
    }

    /// Creates an object. `None`: it was there already, or was refused.
    async fn create<K>(&self, api: &Api<K>, object: K, kind: Kind) -> Result<Option<K>, Error>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
    {
        let name = object.name_any();
        let what = || format!("create {} {}/{name}", K::kind(&()), self.owner.namespace);
        let answer = {
            let _turn = self.limiter.turn(&self.claimant).await;
            let params = PostParams {
                field_manager: Some(FIELD_MANAGER.to_owned()),
                ..PostParams::default()
            };
            call(what, api.create(&params, &object)).await
        };
        let error = match answer {
            Ok(stored) => {
                self.wrote(kind, &stored);
                return Ok(Some(stored));
            }
            Err(error) => error,
        };
        match error.answer() {
            Some(status) if status.is_already_exists() => {
                let found = call(
                    || format!("look at {} {}/{name}", K::kind(&()), self.owner.namespace),
                    api.get_opt(&name),
                )
                .await?;
                if let Some(found) = found {
                    self.exists(&object, &found, kind);
                }
                Ok(None)
            }
            Some(status) => match judge(status) {
                Answer::Stop => {
                    tracing::debug!(namespace = self.owner.namespace, "the namespace is going");
                    self.refused.store(true, Ordering::Release);
                    Ok(None)
                }
                Answer::SetBack(kind_of, first) => {
                    let wait = self.locked(|a| a.pace).wait(first);
                    self.set_back(Setback {
                        kind: kind_of,
                        object: called(&object),
                        message: status.message.chars().take(LONGEST_WORDS).collect(),
                        retry_at: self.now.saturating_add(wait).unwrap_or(self.now),
                    });
                    Ok(None)
                }
                Answer::Again => Err(error),
            },
            None => Err(error),
        }
    }

    /// A create was answered by `AlreadyExists`: done if it is ours, a conflict if it is another owner's.
    /// While one that is ours is still going, the next pass looks again.
    fn exists<K: Resource<DynamicType = ()>>(&self, wanted: &K, found: &K, kind: Kind) {
        let name = found.name_any();
        let ours = is_owned_by(found, self.owner);
        if ours {
            self.wrote(kind, found);
        }
        if !ours && !is_owned_by_namesake(found, self.owner) {
            let owner = found
                .owner_references()
                .first()
                .map_or_else(|| "no owner".to_owned(), |o| format!("{} {}", o.kind, o.name));
            self.set_back(Setback {
                kind: SetbackKind::Conflict,
                object: called(wanted),
                message: owner,
                retry_at: self.now.saturating_add(RETRY_CONFLICT).unwrap_or(self.now),
            });
        } else if wanted.labels().get(labels::SLOT) != found.labels().get(labels::SLOT) {
            tracing::warn!(namespace = %self.owner.namespace, %name, "a pod of ours has this name and another slot");
        }
    }

    /// Those of `pods` whose slots are empty now. What holds the others has yet to be seen in the cache.
    async fn not_held(&self, mut pods: Vec<Pod>) -> Result<Vec<Pod>, Error> {
        for holder in holders(self.client, self.owner, &pods).await? {
            let slot = holder.labels().get(labels::SLOT);
            pods.retain(|p| p.labels().get(labels::SLOT) != slot);
            self.wrote(Kind::Pod, &holder);
        }
        Ok(pods)
    }

    /// Few at first, twice as many after each success.
    async fn create_pods(&self, mut pods: Vec<Pod>) -> Result<(), Error> {
        while !pods.is_empty() && !self.refused.load(Ordering::Acquire) {
            let pace = self.locked(|a| a.pace);
            let later = pods.split_off(pace.at_once.min(pods.len()));
            let outcome = self.each(pods, |pod| self.create_pod(pod)).await;
            let refused = self.refused.load(Ordering::Acquire);
            self.locked(|a| a.pace = if refused { pace.slower() } else { pace.faster() });
            outcome?;
            pods = later;
        }
        Ok(())
    }

    async fn create_pod(&self, pod: Pod) -> Result<(), Error> {
        if let Some(stored) = self.create(&self.api(), pod, Kind::Pod).await? {
            self.locked(|a| a.created.push(stored));
        }
        Ok(())
    }

    async fn patch_pod(&self, verb: &str, name: String, patch: JsonPatch) -> Result<(), Error> {
        let api: Api<Pod> = self.api();
        let _turn = self.limiter.turn(&self.claimant).await;
        let what = || format!("{verb} Pod {}/{name}", self.owner.namespace);
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match call(what, api.patch(&name, &params, &Patch::Json::<()>(patch))).await {
            Ok(stored) => self.wrote(Kind::Pod, &stored),
            Err(error) if gone_or_other(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn delete_pod(&self, pod: Named, why: RemovalReason) -> Result<(), Error> {
        if self.delete(&self.api::<Pod>(), &pod, Kind::Pod).await? {
            self.locked(|a| a.deleted.push(why));
        }
        Ok(())
    }

    async fn remove<K>(&self, objects: Vec<Named>, kind: Kind, api: &Api<K>) -> Result<(), Error>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.each(objects, |object| async move {
            self.delete(api, &object, kind).await.map(|_| ())
        })
        .await
    }

    /// Deletes exactly the object with this UID. False: it was gone, or another has its name by now.
    async fn delete<K>(&self, api: &Api<K>, object: &Named, kind: Kind) -> Result<bool, Error>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let _turn = self.limiter.turn(&self.claimant).await;
        let what = || format!("delete {} {}/{}", K::kind(&()), self.owner.namespace, object.name);
        let uid = Preconditions {
            uid: Some(object.uid.clone()),
            resource_version: object.version.clone(),
        };
        let params = DeleteParams {
            preconditions: Some(uid),
            grace_period_seconds: object.grace,
            ..DeleteParams::default()
        };
        match call(what, api.delete(&object.name, &params)).await {
            Ok(answer) => {
                if let Some(stored) = answer.left() {
                    self.wrote(kind, &stored);
                }
                Ok(true)
            }
            Err(error) if gone_or_other(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn wrote<K: Resource>(&self, kind: Kind, stored: &K) {
        if let Some(version) = stored.meta().resource_version.clone() {
            self.locked(|a| a.versions.push((kind, version)));
        }
    }

    fn set_back(&self, setback: Setback) {
        self.refused.store(true, Ordering::Release);
        self.locked(|a| a.setbacks.push(setback));
    }

    fn locked<T>(&self, f: impl FnOnce(&mut Applied) -> T) -> T {
        f(&mut self
            .applied
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// Takes what still fits into this pass.
fn batch<T>(mut items: Vec<T>, left: &mut usize, writer: &Writer<'_>) -> Vec<T> {
    if items.len() > *left {
        items.truncate(*left);
        writer.locked(|a| a.unfinished = true);
    }
    *left -= items.len();
    items
}

/// The object has gone, or the name is another object's by now: looking again is all there is to do.
fn gone_or_other(error: &Error) -> bool {
    error
        .answer()
        .is_some_and(|s| s.is_not_found() || s.is_conflict() || s.is_invalid())
}
