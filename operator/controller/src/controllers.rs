//! The two controllers: one for Webinars in each scope, one for WebinarClasses.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::Controller;
use kube::runtime::controller::{self, Action};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Api, ResourceExt as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use webinar_api::{Webinar, WebinarClass};

use crate::context::{Context, try_again};
use crate::error::Error;
use crate::fair::{Claimant, Order};
use crate::reconcile::Next;
use crate::throttle::throttle;
use crate::turns::Turns;
use crate::watch::{Touched, everything, scoped};
use crate::{class, convert, reconcile};

/// Passes under way at once: those that write wait most of their time.
pub(crate) const AT_ONCE: usize = 16;

/// One reconcile a second for each Webinar, however much its pods change.
const THROTTLE: Duration = Duration::from_secs(1);

/// What has gone is forgotten this often.
const TIDY_UP: Duration = Duration::from_secs(60);

/// What makes a scope look again.
pub(crate) struct Triggers {
    pub(crate) touched: mpsc::Receiver<Touched>,
    pub(crate) class_changed: mpsc::Sender<()>,
}

pub(crate) async fn keep_webinars(
    scope: Option<String>,
    context: Arc<Context>,
    triggers: Triggers,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    context.caches.filled().await;
    let webinars: Api<DeserializeGuard<Webinar>> = scoped(&context.client, scope.as_deref());
    let controller = Controller::new(webinars, everything());
    let (turns, called) = Turns::new(
        AT_ONCE,
        Order::Turns,
        context.pulse.clone(),
        context.metrics.queue(),
    );
    let store = controller.store();
    // One scope has one controller, so it is empty until now.
    let _ = context.caches.webinars.set(store.clone());
    let all = store.clone();
    let Triggers {
        touched,
        class_changed,
    } = triggers;
    // A new leader has not looked at anything yet.
    let begun = context.leadership.terms().map(|()| Touched::All);
    let called = futures::stream::unfold(called, |mut called| async move {
        called.recv().await.map(|who| (who, called))
    });
    let touched = futures::stream::select(throttle(touched, THROTTLE), begun);
    let touched = futures::stream::select(touched, called);
    let triggers = touched.flat_map(move |touched| {
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
    let tidy_up = tidy_up(scope, Arc::clone(&context), store);
    let told = Arc::clone(&turns);
    let run = controller
        .reconcile_on(triggers)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            move |webinar, context| {
                let turns = Arc::clone(&turns);
                async move { look(webinar, context, &turns).await.map(action) }
            },
            |webinar, error, context: Arc<Context>| {
                Action::requeue(try_again(webinar.uid().as_deref(), error, &context))
            },
            Arc::clone(&context),
        )
        .for_each(move |done| {
            match &done {
                Ok(_) => {}
                // A Webinar that is gone, and what it leaves behind is still going.
                Err(controller::Error::ObjectNotFound(gone)) => told.gone(&Touched::Webinar {
                    namespace: gone.namespace.clone().unwrap_or_default(),
                    name: gone.name.clone(),
                }),
                Err(error) => report_failure(error),
            }
            std::future::ready(())
        });
    tokio::select! {
        () = run => Ok(()),
        () = tidy_up => Ok(()),
    }
}

/// A pass over a Webinar whose turn it is. Who has to wait is called when it is.
pub(crate) async fn look(
    webinar: Arc<DeserializeGuard<Webinar>>,
    context: Arc<Context>,
    turns: &Arc<Turns>,
) -> Result<Next, Error> {
    let (by, who) = claim(&webinar);
    let Some(_turn) = turns.claim(by, who) else {
        return Ok(None);
    };
    let metrics = context.metrics.clone();
    let begun = tokio::time::Instant::now();
    let done = unharmed(&webinar, reconcile::reconcile(Arc::clone(&webinar), context)).await;
    metrics.passed(begun.elapsed().as_secs_f64());
    done
}

fn action(next: Next) -> Action {
    next.map_or_else(Action::await_change, Action::requeue)
}

/// A pass that panics is one that failed: it would end the process, and with it the passes over all other Webinars.
async fn unharmed(
    webinar: &DeserializeGuard<Webinar>,
    pass: impl Future<Output = Result<Next, Error>>,
) -> Result<Next, Error> {
    // Nothing is left half done: what passes share is behind locks that are taken for a moment, and read when poisoned.
    let done = AssertUnwindSafe(pass).catch_unwind().await;
    done.unwrap_or_else(|_| {
        let what = format!(
            "{}/{}",
            webinar.namespace().unwrap_or_default(),
            webinar.name_any()
        );
        Err(Error::Panicked { what })
    })
}

/// Who wants to be looked at: namespaces take turns.
fn claim(webinar: &DeserializeGuard<Webinar>) -> (Claimant, Touched) {
    let (namespace, name) = (webinar.namespace().unwrap_or_default(), webinar.name_any());
    let start = webinar.0.as_ref().ok().and_then(|w| convert::spec(&w.spec).start);
    let created = || webinar.creation_timestamp().map(|t| t.0);
    let by = Claimant {
        party: namespace.clone(),
        start: start.or_else(created).unwrap_or(Timestamp::MAX),
    };
    (by, Touched::Webinar { namespace, name })
}

pub(crate) async fn judge_classes(
    context: Arc<Context>,
    changed: mpsc::Receiver<()>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    context.caches.filled().await;
    let api: Api<WebinarClass> = Api::all(context.client.clone());
    let changes = futures::stream::unfold(changed, |mut changed| async move {
        changed.recv().await.map(|()| ((), changed))
    });
    let changes = futures::stream::select(changes.boxed(), context.leadership.terms());
    Controller::new(api, everything())
        .reconcile_all_on(changes)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            class::reconcile,
            |class, error, context| Action::requeue(try_again(class.uid().as_deref(), error, &context)),
            context,
        )
        .for_each(|done| async move {
            match done {
                // A class that is gone needs no judgement.
                Ok(_) | Err(controller::Error::ObjectNotFound(_)) => {}
                Err(error) => report_failure(&error),
            }
        })
        .await;
    Ok(())
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
async fn tidy_up(scope: Option<String>, context: Arc<Context>, store: Store<DeserializeGuard<Webinar>>) {
    let beat = context.pulse.begin("no Webinar was looked for", 3 * TIDY_UP);
    loop {
        tokio::time::sleep(TIDY_UP).await;
        beat.again();
        let here = store.state();
        let uids = here.iter().filter_map(|w| w.uid()).collect();
        context.recollection.keep(&uids);
        context.scraper.keep(scope.as_deref(), &uids);
        let names: HashSet<(String, String)> = here
            .iter()
            .map(|w| (w.namespace().unwrap_or_default(), w.name_any()))
            .collect();
        context.metrics.keep(scope.as_deref(), &names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pass_that_panics_is_one_that_failed() {
        let webinar = serde_json::json!({"metadata": {"namespace": "events", "name": "event"}, "spec": {"tier": "10k"}});
        let webinar: DeserializeGuard<Webinar> = serde_json::from_value(webinar).expect("a Webinar");
        let fine = unharmed(&webinar, async { Ok(None) }).await;
        assert_eq!(fine.expect("the next look"), None);
        let broken = unharmed(&webinar, async { panic!("a mistake") }).await;
        assert_eq!(
            broken.expect_err("a failure").to_string(),
            "a pass over Webinar events/event panicked"
        );
    }
}
