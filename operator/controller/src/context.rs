//! What every reconcile shares: the client, the caches, and what is known of the last minutes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::core::DeserializeGuard;
use kube::runtime::events::Recorder;
use kube::{Client, ResourceExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use webinar_api::{Webinar, WebinarStatus};
use webinar_plan::{Input, Plan, Recent, Signal};

use crate::act::{Applied, Pace};
use crate::clock::Clock;
use crate::error::{Error, UNREADABLE};
use crate::leader::Leadership;
use crate::limiter::Limiter;
use crate::metrics::{Metrics, Window};
use crate::observe::{Caches, Seen};
use crate::ownership::Owner;
use crate::pulse::Pulse;
use crate::recent::Recollection;
use crate::report;
use crate::ruling;
use crate::scrape::{Assignment, Scraper};
use crate::validate::Validated;
use crate::watch::Touched;
use crate::worth::{self, Worth};

/// Longest wait between two tries of a reconcile that fails.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// What turns an input into a plan: [`webinar_plan::plan`] in every operator that serves anyone.
pub type Decide = Arc<dyn Fn(&Input) -> Plan + Send + Sync>;

/// Everything a reconcile needs.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) clock: Clock,
    pub(crate) decide: Decide,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) recorder: Recorder,
    pub(crate) caches: Caches,
    pub(crate) metrics: Metrics,
    pub(crate) recollection: Arc<Recollection>,
    pub(crate) leadership: Leadership,
    pub(crate) pulse: Pulse,
    pub(crate) scraper: Arc<Scraper>,
    /// Makes one of the scope's Webinars look again.
    pub(crate) touch: mpsc::Sender<Touched>,
}

impl Context {
    /// The Webinar, if it can be read and was stored. One that can't be read is told of once for each version.
    pub(crate) async fn readable<'a>(
        &self,
        guarded: &'a DeserializeGuard<Webinar>,
    ) -> Option<(&'a Webinar, Owner)> {
        let invalid = match &guarded.0 {
            Ok(webinar) => return Owner::of(webinar).map(|owner| (webinar, owner)),
            Err(invalid) => invalid,
        };
        let (uid, version) = (guarded.uid()?, guarded.resource_version());
        let news = self.recollection.with(&uid, |known| {
            std::mem::replace(&mut known.unreadable, version.clone()) != version
        });
        if news {
            let (name, namespace) = (guarded.name_any(), guarded.namespace().unwrap_or_default());
            tracing::error!(namespace, name, error = %invalid.error, "this Webinar can't be read and is left alone");
            self.metrics.failed(UNREADABLE);
            report::unreadable(&self.recorder, &invalid.metadata, &invalid.error).await;
        }
        None
    }

    /// How much longer the API server wants to be left alone: it is overloaded. What watches tell meanwhile makes a pass
    /// no more urgent.
    pub(crate) fn left_alone(&self, owner: &Owner) -> Option<Duration> {
        let until = self.recollection.with(&owner.uid, |known| known.alone_until)?;
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then_some(left)
    }

    /// What belongs to the Webinar. `None` while the caches are older than our own last write.
    pub(crate) fn look(&self, owner: &Owner) -> Option<Seen> {
        let current = self
            .recollection
            .with(&owner.uid, |known| self.caches.show_own_writes(known));
        let mut seen = current.then(|| self.caches.look(owner))?;
        let newest = seen.revisions.first();
        seen.pinned = newest.map(|r| self.recollection.with(&owner.uid, |known| known.pinned(r)));
        Some(seen)
    }

    /// What a decision may know of the past.
    pub(crate) fn recall(&self, input: &Input) -> Recent {
        let run = input.memory.as_ref().map_or(0, |m| m.run);
        self.recollection.with(&input.webinar.uid, |known| {
            known.recall(self.leadership.begun(), run, &input.pods)
        })
    }

    /// What its pods say of audience and media.
    pub(crate) fn hear(&self, owner: &Owner) -> BTreeMap<String, Signal> {
        self.scraper.signals(&owner.uid)
    }

    /// Has the pods of a run under way asked from now on.
    pub(crate) fn follow(&self, owner: &Owner, seen: &Seen, validated: &Validated, plan: &Plan) {
        let assignment = || {
            let run = plan.memory.as_ref().filter(|m| m.active())?.run;
            let pinned = validated.pinned.as_ref()?;
            let class = validated.input.class.as_ref().ok()?;
            let attendance = ruling::attendance(pinned, &seen.platform)?;
            Assignment::of(seen, run, attendance, &class.stall)
        };
        self.scraper.follow(owner, assignment(), &self.touch);
    }

    /// How fast its pods may be created.
    pub(crate) fn pace(&self, owner: &Owner, plan: &Plan) -> Pace {
        let pace = self.recollection.with(&owner.uid, |known| known.pace);
        if plan.slow_start { pace.anew() } else { pace }
    }

    /// Takes note of what was written and refused. A refusal stands until its next try.
    pub(crate) fn remember(&self, owner: &Owner, plan: &Plan, applied: &Applied, now: Timestamp) {
        self.metrics.wrote(applied.created.len(), &applied.deleted);
        self.recollection.with(&owner.uid, |known| {
            for (kind, version) in &applied.versions {
                if let Some(mark) = self.caches.progress(*kind).mark(version) {
                    let newest = known.written.entry(*kind).or_insert(mark);
                    *newest = (*newest).max(mark);
                }
            }
            known.alarm = plan.alarm;
            known.watch.clone_from(&plan.watch);
            known.pace = applied.pace;
            known.setbacks.retain(|s| s.retry_at > now);
            known.setbacks.extend(applied.setbacks.iter().cloned());
        });
    }

    /// Whether the status is worth a write. One that says nothing never is; what is told once comes with one.
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
        if !said.notices.is_empty() {
            return Worth::Now;
        }
        let written = self.recollection.with(&owner.uid, |known| known.status_written);
        worth::worth(webinar.status.as_ref(), new, written, now)
    }

    /// Takes note of a status that was written.
    pub(crate) fn spoke(&self, owner: &Owner, plan: &Plan, now: Timestamp) {
        self.recollection.with(&owner.uid, |known| {
            known.status_written = Some(now);
            let subjects = plan.status.notices.iter().map(|n| n.subject);
            known.told.extend(subjects.map(|s| (s.reason, s.moment)));
        });
        let Plan {
            memory: _,
            forget: _,
            fixtures: _,
            waits: _,
            reroute,
            create,
            slow_start: _,
            cordon,
            disown,
            uncordon,
            delete,
            status,
            alarm: _,
            watch: _,
            next_wake,
        } = plan;
        tracing::info!(
            namespace = owner.namespace,
            webinar = owner.name,
            run = status.run,
            phase = status.phase.map_or("", webinar_plan::Phase::as_str),
            creates = create.len(),
            reroutes = reroute.len(),
            cordons = cordon.len(),
            disowns = disown.len(),
            uncordons = uncordon.len(),
            deletes = delete.len(),
            next_wake = next_wake.map(tracing::field::display),
            "{}",
            status.conditions.first().map_or("", |c| c.message.as_str()),
        );
    }

    /// Takes note of a pass that went through. Says when the Webinar's series are to come or go, if that is to come.
    pub(crate) fn done(&self, owner: &Owner, input: &Input, plan: &Plan) -> Option<Timestamp> {
        self.recollection.with(&owner.uid, |known| known.failures = 0);
        let window = Window::of(input, plan);
        let (namespace, name) = (&owner.namespace, &owner.name);
        if window.is_some_and(|w| w.holds(input.now)) && self.leadership.holds() {
            self.metrics.show(namespace, name, &plan.status);
        } else {
            self.metrics.forget(namespace, name);
        }
        window.and_then(|w| w.changes(input.now))
    }
}

/// Later each time, so that an object that keeps failing leaves room for the others.
pub(crate) fn try_again(uid: Option<&str>, error: &Error, context: &Context) -> Duration {
    context.metrics.failed(error.kind());
    let asked = error.retry_after().min(MAX_BACKOFF);
    let failures = context.recollection.with(uid.unwrap_or_default(), |known| {
        known.failures = known.failures.saturating_add(1);
        if !asked.is_zero() {
            known.alone_until = Some(Instant::now() + asked);
        }
        known.failures
    });
    let wait = Duration::from_millis(500).saturating_mul(1 << failures.min(7));
    wait.max(asked).min(MAX_BACKOFF)
}
