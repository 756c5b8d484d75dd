//! Wiring: client, caches, controllers, HTTP, signals.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::ControllerRevision;
use k8s_openapi::api::core::v1::{Pod, PodTemplate, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::core::DeserializeGuard;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Action};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, Client, Resource, ResourceExt as _};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webinar_api::{FIELD_MANAGER, Webinar, WebinarClass, WebinarStatus};
use webinar_plan::{Input, Plan, Recent};

use crate::act::Applied;
use crate::build::Owner;
use crate::cli::RunArgs;
use crate::clock::Clock;
use crate::error::Error;
use crate::http::{Shown, serve};
use crate::limiter::Limiter;
use crate::metrics::Metrics;
use crate::observe::{Caches, Seen};
use crate::recent::Recollection;
use crate::status::{self, Worth};
use crate::throttle::throttle;
use crate::watch::{self, Touched, everything, ours, watch as keep};
use crate::{class, client, reconcile};

/// Reconciles under way at once.
const CONCURRENCY: u16 = 16;

/// One reconcile a second for each Webinar, however much its pods change.
const THROTTLE: Duration = Duration::from_secs(1);

/// Changes that wait for the throttle.
const QUEUE: usize = 1_024;

/// What has gone is forgotten this often.
const TIDY_UP: Duration = Duration::from_secs(60);

/// Longest wait between two tries of a reconcile that fails.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// Everything a reconcile needs.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) recorder: Recorder,
    pub(crate) caches: Caches,
    metrics: Metrics,
    recollection: Arc<Recollection>,
}

impl Context {
    /// The Webinar, if it can be read and was stored.
    pub(crate) fn readable<'a>(
        &self,
        guarded: &'a DeserializeGuard<Webinar>,
    ) -> Option<(&'a Webinar, Owner)> {
        match &guarded.0 {
            Ok(webinar) => Owner::of(webinar).map(|owner| (webinar, owner)),
            Err(invalid) => {
                let (name, namespace) = (guarded.name_any(), guarded.namespace().unwrap_or_default());
                tracing::error!(namespace, name, error = %invalid.error, "this Webinar can't be read and is left alone");
                self.metrics.failed("undecodable");
                None
            }
        }
    }

    /// What belongs to the Webinar. `None` while the caches are older than our own last write.
    pub(crate) fn look(&self, owner: &Owner) -> Option<Seen> {
        let current = self
            .recollection
            .with(&owner.uid, |known| self.caches.show_own_writes(known));
        current.then(|| self.caches.look(&owner.namespace, &owner.uid))
    }

    /// What a decision may know of the past.
    pub(crate) fn recall(&self, input: &Input) -> Recent {
        let run = input.memory.as_ref().map_or(0, |m| m.run);
        self.recollection
            .with(&input.webinar.uid, |known| known.recall(run, &input.pods))
    }

    /// Takes note of what was written and refused. A refusal stands until its next try.
    pub(crate) fn remember(&self, owner: &Owner, applied: &Applied, now: Timestamp) {
        self.metrics
            .wrote(applied.created.len() as u64, applied.deleted as u64);
        self.recollection.with(&owner.uid, |known| {
            for (kind, version) in &applied.versions {
                if let Some(mark) = self.caches.progress(*kind).mark(version) {
                    let newest = known.written.entry(*kind).or_insert(mark);
                    *newest = (*newest).max(mark);
                }
            }
            known.setbacks.retain(|s| s.retry_at > now);
            known.setbacks.extend(applied.setbacks.iter().cloned());
        });
    }

    /// Whether the status is worth a write. One that says nothing never is.
    pub(crate) fn worth(
        &self,
        owner: &Owner,
        webinar: &Webinar,
        new: &WebinarStatus,
        said: &webinar_plan::Status,
        now: Timestamp,
    ) -> Worth {
        if said.conditions.is_empty() {
            return Worth::Nothing;
        }
        let written = self.recollection.with(&owner.uid, |known| known.status_written);
        status::worth(webinar.status.as_ref(), new, written, now)
    }

    /// Takes note of a status that was written.
    pub(crate) fn spoke(&self, owner: &Owner, plan: &Plan, now: Timestamp) {
        self.recollection
            .with(&owner.uid, |known| known.status_written = Some(now));
        let Plan {
            memory: _,
            forget: _,
            fixtures: _,
            create,
            cordon,
            uncordon,
            delete,
            status,
            next_wake,
        } = plan;
        tracing::info!(
            namespace = owner.namespace,
            webinar = owner.name,
            run = status.run,
            phase = status.phase.map_or("", webinar_plan::Phase::as_str),
            creates = create.len(),
            cordons = cordon.len(),
            uncordons = uncordon.len(),
            deletes = delete.len(),
            next_wake = next_wake.map(tracing::field::display),
            "{}",
            status.conditions.first().map_or("", |c| c.message.as_str()),
        );
    }

    /// Takes note of a pass that went through.
    pub(crate) fn done(&self, owner: &Owner, plan: &Plan) {
        self.metrics.show(&owner.namespace, &owner.name, &plan.status);
        self.recollection.with(&owner.uid, |known| known.failures = 0);
    }
}

/// Runs the operator until it is told to stop.
///
/// # Errors
///
/// The cluster's configuration can't be read, or the HTTP address can't be listened on. An unreachable API
/// server is no error: the operator waits for it.
pub(crate) fn run(args: RunArgs) -> anyhow::Result<()> {
    // A provider that is installed already serves as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(run_until_stopped(args))
}

async fn run_until_stopped(args: RunArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let (metrics, registry, reconcile_seconds) = Metrics::new();
    let client = client::connect(&args, &metrics).await?;
    let shown = Arc::new(Shown {
        registry,
        synced: false.into(),
    });
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    tasks.spawn(serve(args.listen, Arc::clone(&shown), stop.clone()));

    let limiter = Arc::new(Limiter::new(args.max_creates_per_second, args.max_in_flight));
    let recollection = Arc::new(Recollection::default());
    let scopes: Vec<Option<String>> = match args.watch_namespaces.as_slice() {
        [] => vec![None],
        some => some
            .iter()
            .cloned()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(Some)
            .collect(),
    };
    let mut filled = Vec::new();
    // Classes are the same in every scope: the first one judges them.
    let (class_changed, class_changes) = mpsc::channel(1);
    let mut class_changes = Some(class_changes);
    for scope in scopes {
        let (caches, touched) = fill(&client, scope.as_deref(), &args.operator_namespace, &mut tasks);
        let context = Arc::new(Context {
            client: client.clone(),
            clock: Clock,
            limiter: Arc::clone(&limiter),
            recorder: Recorder::new(client.clone(), Reporter::from(FIELD_MANAGER)),
            caches: caches.clone(),
            metrics: metrics.clone(),
            recollection: Arc::clone(&recollection),
        });
        if let Some(changes) = class_changes.take() {
            tasks.spawn(judge_classes(Arc::clone(&context), changes, stop.clone()));
        }
        let triggers = Triggers {
            touched,
            class_changed: class_changed.clone(),
        };
        tasks.spawn(keep_webinars(
            scope,
            context,
            triggers,
            reconcile_seconds.clone(),
            stop.clone(),
        ));
        filled.push(caches);
    }
    tasks.spawn(async move {
        futures::future::join_all(filled.iter().map(Caches::filled)).await;
        shown.synced.store(true, Ordering::Relaxed);
        tracing::info!("every cache is filled");
        std::future::pending().await
    });
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %args.listen, "webinar-operator runs");

    let ended = tokio::select! {
        () = told_to_stop() => Ok(()),
        Some(ended) = tasks.join_next() => ended.map_err(anyhow::Error::from).flatten(),
    };
    stop.cancel();
    tracing::info!("webinar-operator stops");
    ended
}

/// Begins to fill the caches of one scope.
fn fill(
    client: &Client,
    scope: Option<&str>,
    operator_namespace: &str,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> (Caches, mpsc::Receiver<Touched>) {
    let (send, touched) = mpsc::channel(QUEUE);
    let (pods, a) = keep::<Pod>(
        api(client, scope),
        ours(),
        watch::trim_pod,
        watch::owner,
        send.clone(),
    );
    let (services, b) = keep::<Service>(
        api(client, scope),
        ours(),
        watch::trim,
        watch::owner,
        send.clone(),
    );
    let (budgets, c) = keep::<PodDisruptionBudget>(
        api(client, scope),
        ours(),
        watch::trim,
        watch::owner,
        send.clone(),
    );
    let (revisions, d) = keep::<ControllerRevision>(
        api(client, scope),
        ours(),
        watch::trim,
        watch::owner,
        send.clone(),
    );
    let (classes, e) = keep::<WebinarClass>(
        Api::all(client.clone()),
        everything(),
        watch::trim,
        watch::everyone,
        send.clone(),
    );
    let (templates, f) = keep::<PodTemplate>(
        Api::namespaced(client.clone(), operator_namespace),
        everything(),
        watch::trim,
        watch::everyone,
        send,
    );
    tasks.spawn(async move {
        tokio::select! { () = a => {}, () = b => {}, () = c => {}, () = d => {}, () = e => {}, () = f => {} }
        anyhow::bail!("the caches are no longer filled")
    });
    (
        Caches {
            pods,
            services,
            budgets,
            revisions,
            classes,
            templates,
        },
        touched,
    )
}

fn api<K>(client: &Client, scope: Option<&str>) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
{
    match scope {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    }
}

/// What makes a scope look again.
struct Triggers {
    touched: mpsc::Receiver<Touched>,
    class_changed: mpsc::Sender<()>,
}

async fn keep_webinars(
    scope: Option<String>,
    context: Arc<Context>,
    triggers: Triggers,
    seconds: Histogram,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    context.caches.filled().await;
    let webinars: Api<DeserializeGuard<Webinar>> = api(&context.client, scope.as_deref());
    let controller = Controller::new(webinars, everything())
        .with_config(controller::Config::default().concurrency(CONCURRENCY));
    let store = controller.store();
    let all = store.clone();
    let Triggers {
        touched,
        class_changed,
    } = triggers;
    let triggers = throttle(touched, THROTTLE).flat_map(move |touched| {
        let concerned = match touched.reference() {
            Some(one) => vec![one],
            None => {
                // A full queue holds a signal already.
                let _ = class_changed.try_send(());
                all.state()
                    .iter()
                    .map(|w| ObjectRef::from_obj(w.as_ref()))
                    .collect()
            }
        };
        futures::stream::iter(concerned)
    });
    let tidy_up = tidy_up(Arc::clone(&context), store);
    let run = controller
        .reconcile_on(triggers)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            move |webinar, context| {
                let seconds = seconds.clone();
                async move {
                    let begun = tokio::time::Instant::now();
                    let done = reconcile::reconcile(webinar, context).await;
                    seconds.observe(begun.elapsed().as_secs_f64());
                    done
                }
            },
            |webinar, error, context: Arc<Context>| try_again(webinar.uid().as_deref(), error, &context),
            Arc::clone(&context),
        )
        .for_each(|done| async move {
            match done {
                // A Webinar that is gone, and what it leaves behind is still going.
                Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
                Err(error) => report_failure(&error),
            }
        });
    tokio::select! {
        () = run => Ok(()),
        () = tidy_up => Ok(()),
    }
}

async fn judge_classes(
    context: Arc<Context>,
    changed: mpsc::Receiver<()>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    context.caches.filled().await;
    let api: Api<WebinarClass> = Api::all(context.client.clone());
    let changes = futures::stream::unfold(changed, |mut changed| async move {
        changed.recv().await.map(|()| ((), changed))
    });
    Controller::new(api, everything())
        .reconcile_all_on(changes)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            class::reconcile,
            |class, error, context| try_again(class.uid().as_deref(), error, &context),
            context,
        )
        .for_each(|done| async move {
            if let Err(error) = done {
                report_failure(&error);
            }
        })
        .await;
    Ok(())
}

/// Later each time, so that an object that keeps failing leaves room for the others.
fn try_again(uid: Option<&str>, error: &Error, context: &Context) -> Action {
    context.metrics.failed(error.kind());
    let failures = context.recollection.with(uid.unwrap_or_default(), |known| {
        known.failures = known.failures.saturating_add(1);
        known.failures
    });
    let wait = Duration::from_millis(500).saturating_mul(1 << failures.min(7));
    Action::requeue(wait.min(MAX_BACKOFF))
}

fn report_failure(error: &dyn std::error::Error) {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        // Some errors tell their cause, some don't.
        let said = inner.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = inner.source();
    }
    tracing::warn!(error = text, "trying again");
}

/// Forgets Webinars that are gone: what is known of them, and their series.
async fn tidy_up(context: Arc<Context>, store: Store<DeserializeGuard<Webinar>>) {
    let mut shown: HashSet<(String, String)> = HashSet::new();
    loop {
        tokio::time::sleep(TIDY_UP).await;
        let here = store.state();
        context
            .recollection
            .keep(&here.iter().filter_map(|w| w.uid()).collect());
        let names = here
            .iter()
            .map(|w| (w.namespace().unwrap_or_default(), w.name_any()))
            .collect();
        for (namespace, name) in shown.difference(&names) {
            context.metrics.forget(namespace, name);
        }
        shown = names;
    }
}

async fn told_to_stop() {
    let interrupted = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut terminated) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        else {
            let _ = interrupted.await;
            return;
        };
        tokio::select! {
            _ = interrupted => {}
            _ = terminated.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupted.await;
    }
}
