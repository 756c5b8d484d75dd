//! Wiring: client, caches, controllers, HTTP, signals.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use webinar_api::FIELD_MANAGER;

use crate::cli::RunArgs;
use crate::client;
use crate::clock::Clock;
use crate::context::Context;
use crate::controllers::{Triggers, judge_classes, keep_webinars};
use crate::http::{Shown, serve};
use crate::leader::{Leadership, campaign};
use crate::limiter::Limiter;
use crate::metrics::Metrics;
use crate::observe::{Caches, Fillers};
use crate::pulse::Pulse;
use crate::recent::Recollection;
use crate::scrape::Scraper;
use crate::watch::{self, Touched, everything, ours, scoped, selectable, watch as keep};

/// Changes that wait for the throttle.
pub(crate) const QUEUE: usize = 1_024;

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
    let (metrics, registry) = Metrics::new();
    let leadership = Leadership::default();
    if let Some(file) = &args.clock_offset_file {
        tracing::warn!(file = %file.display(), "this machine's clock is moved by a file, as only tests want it");
    }
    let clock = Clock::new(args.clock_offset_file.clone());
    let candidate = args.candidate()?;
    let patience = candidate.timings.renew_deadline;
    let client = client::connect(&args, &clock, &metrics, &leadership).await?;
    let pulse = Pulse::default();
    let shown = Arc::new(Shown {
        registry,
        synced: false.into(),
        pulse: pulse.clone(),
    });
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    tasks.spawn(serve(args.listen, Arc::clone(&shown), stop.clone()));

    let campaign = tokio::spawn(campaign(
        Api::namespaced(client.clone(), &args.operator_namespace),
        candidate,
        clock.clone(),
        leadership.clone(),
        metrics.clone(),
        pulse.clone(),
        stop.clone(),
    ));

    let limiter = Arc::new(Limiter::new(args.max_creates_per_second, args.max_in_flight));
    let proxy = args.scrape_proxy.as_ref();
    let scraper = Arc::new(Scraper::new(
        proxy,
        clock.clone(),
        leadership.clone(),
        metrics.clone(),
    ));
    let asking = Arc::clone(&scraper).run(pulse.clone(), stop.clone());
    tasks.spawn(async move {
        asking.await;
        Ok(())
    });
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
        let (caches, touch, touched) = fill(&client, scope.as_deref(), &args.operator_namespace, &mut tasks);
        let context = Arc::new(Context {
            client: client.clone(),
            clock: clock.clone(),
            decide: Arc::new(webinar_plan::plan),
            limiter: Arc::clone(&limiter),
            recorder: Recorder::new(client.clone(), Reporter::from(FIELD_MANAGER)),
            caches: caches.clone(),
            metrics: metrics.clone(),
            // Each scope forgets what it no longer sees.
            recollection: Arc::new(Recollection::default()),
            leadership: leadership.clone(),
            pulse: pulse.clone(),
            scraper: Arc::clone(&scraper),
            touch,
        });
        if let Some(changes) = class_changes.take() {
            tasks.spawn(judge_classes(Arc::clone(&context), changes, stop.clone()));
        }
        let triggers = Triggers {
            touched,
            class_changed: class_changed.clone(),
        };
        tasks.spawn(keep_webinars(scope, context, triggers, stop.clone()));
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
    // Whoever leads next need not wait until the lease expires.
    if tokio::time::timeout(patience, campaign).await.is_err() {
        tracing::debug!("the lease was not given back in time");
    }
    tracing::info!("webinar-operator stops");
    ended
}

/// Begins to fill the caches of one scope.
fn fill(
    client: &Client,
    scope: Option<&str>,
    operator_namespace: &str,
    tasks: &mut JoinSet<anyhow::Result<()>>,
) -> (Caches, mpsc::Sender<Touched>, mpsc::Receiver<Touched>) {
    let (send, touched) = mpsc::channel(QUEUE);
    let (caches, fillers) = Caches::new();
    let Fillers {
        pods,
        services,
        slices,
        budgets,
        revisions,
        classes,
        templates,
    } = fillers;
    let templates_of = Api::namespaced(client.clone(), operator_namespace);
    let a = keep(scoped(client, scope), selectable(), pods, send.clone());
    let b = keep(scoped(client, scope), ours(), services, send.clone());
    let c = keep(scoped(client, scope), ours(), budgets, send.clone());
    let d = keep(scoped(client, scope), ours(), revisions, send.clone());
    let e = keep(Api::all(client.clone()), everything(), classes, send.clone());
    let f = keep(templates_of, everything(), templates, send.clone());
    let g = keep(scoped(client, scope), watch::stage(), slices, send.clone());
    tasks.spawn(async move {
        tokio::select! { () = a => {}, () = b => {}, () = c => {}, () = d => {}, () = e => {}, () = f => {}, () = g => {} }
        anyhow::bail!("the caches are no longer filled")
    });
    (caches, send, touched)
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
