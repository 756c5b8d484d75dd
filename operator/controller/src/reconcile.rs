//! One pass over one Webinar, as a table of contents.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::core::DeserializeGuard;
use tracing::Instrument as _;
use webinar_api::Webinar;

use crate::act::Writer;
use crate::build::{prepare, revision};
use crate::context::Context;
use crate::error::Error;
use crate::worth::Worth;
use crate::{report, status, telemetry, validate};

/// How soon to look again when our own writes aren't visible yet, or more is to be written.
const SOON: Duration = Duration::from_millis(100);

/// How long until the next look, if nothing changes before. None: only when something changes.
pub(crate) type Next = Option<Duration>;

/// One pass, with its span.
pub(crate) async fn reconcile(
    guarded: Arc<DeserializeGuard<Webinar>>,
    context: Arc<Context>,
) -> Result<Next, Error> {
    let span = telemetry::begin(guarded.as_ref());
    let done = pass(guarded, context).instrument(span.clone()).await;
    telemetry::end(&span, done.as_ref().err());
    done
}

/// observe → validate → plan → build → act → status → report.
async fn pass(guarded: Arc<DeserializeGuard<Webinar>>, context: Arc<Context>) -> Result<Next, Error> {
    if !context.leadership.holds() {
        // The beginning of a term makes everyone look again.
        return Ok(None);
    }
    let Some((webinar, owner)) = context.readable(&guarded).await else {
        return Ok(None);
    };
    if let Some(wait) = context.left_alone(&owner) {
        return Ok(Some(wait));
    }
    let Some(seen) = context.look(&owner) else {
        return Ok(Some(SOON));
    };
    let now = context.clock.now();

    let mut validated = validate::validate(webinar, &owner, &seen, now);
    validated.input.skew = context.clock.skew();
    validated.input.recent = context.recall(&validated.input);
    validated.input.signals = context.hear(&owner);
    let plan = (context.decide)(&validated.input);
    context.follow(&owner, &seen, &validated, &plan);
    telemetry::decided(plan.status.phase);

    let prepared = prepare::prepare(&owner, &seen, validated.pinned.as_ref(), &plan)?;
    let writer = Writer::new(
        &context.client,
        &context.limiter,
        &owner,
        context.pace(&owner, &plan),
        plan.status.schedule.as_ref().map(|s| s.start),
        now,
    );
    let (applied, acted) = writer.act(prepared).await;
    context.remember(&owner, &plan, &applied, now);
    acted?;

    let revision = revision::shown(&owner, &seen, plan.memory.as_ref(), validated.pinned.as_ref());
    let status = status::compose(webinar, &owner, &plan.status, revision, &applied, now);
    let wake = match context.worth(&owner, webinar, &status, &plan.status, now) {
        Worth::Nothing => plan.next_wake,
        Worth::Later(then) => Some(plan.next_wake.map_or(then, |wake| wake.min(then))),
        Worth::Now => {
            if report::write_status(&context.client, &owner, webinar, &status).await? {
                context.spoke(&owner, &plan, now);
                report::tell(
                    &context.recorder,
                    webinar,
                    webinar.status.as_ref(),
                    &status,
                    &plan.status.notices,
                )
                .await;
            }
            plan.next_wake
        }
    };
    let shows = context.done(&owner, &validated.input, &plan);
    // A refusal changes what there is to say.
    Ok(if applied.unfinished || !applied.setbacks.is_empty() {
        Some(SOON)
    } else {
        at(wake.into_iter().chain(shows).min(), context.clock.now())
    })
}

/// Timers can't wait for years; an event that far ahead is looked at once a day, which writes nothing.
const FAR: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks again at `wake`, or when something changes.
fn at(wake: Option<Timestamp>, now: Timestamp) -> Next {
    let wait = Duration::try_from(wake?.duration_since(now)).unwrap_or(Duration::ZERO);
    Some(wait.clamp(SOON, FAR))
}
