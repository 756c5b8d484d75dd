//! What people are told once about the media.

use jiff::{SignedDuration, Timestamp};

use super::State;
use super::cordon::Cordons;
use super::health::Health;
use super::incident;
use super::stage::{Look, Stage};
use super::verdict::Verdict;
use crate::conditions::listed;
use crate::input::{Memory, Pod, Subject};
use crate::output::Notice;
use crate::reason::Reason;
use crate::time::{after, counted};
use crate::view::View;

/// Presenters send far less than usual below this share of it, percent (media.md).
const DROPPED_BELOW: u64 = 10;

/// It is not told again for so long.
const DROPPED_AGAIN: SignedDuration = SignedDuration::from_mins(5);

/// How long after a failover it is told of.
const TOLD_FOR: SignedDuration = SignedDuration::from_secs(60);

/// Relays that a notice names; more are only counted.
const NAMED: usize = 3;

/// Everything that is to be told now.
pub(super) fn notices(
    view: &View<'_>,
    stage: &Stage<'_>,
    verdict: Verdict,
    health: &Health<'_>,
    cordons: &Cordons,
    replaced: Option<&Pod>,
    memory: &Memory,
    state: &mut State,
) -> Vec<Notice> {
    // What is held back is not told as done.
    let acts = !view.input.orders.suspend;
    let relays = [Reason::UpstreamBroken, Reason::EgressStalled];
    let relays = relays.into_iter().filter(|_| acts);
    let relays = relays.filter_map(|why| taken_out(view, cordons, why));
    [
        stopped(view, verdict, health, memory),
        failed_over(view, stage, memory),
        dropped(view, stage, state),
        replaced.filter(|_| acts).map(faulty),
    ]
    .into_iter()
    .flatten()
    .chain(relays)
    .filter(|notice| !view.input.recent.was_told(notice.subject))
    .collect()
}

fn about(reason: Reason, moment: Timestamp, text: String) -> Notice {
    Notice {
        subject: Subject { reason, moment },
        text,
    }
}

fn stopped(view: &View<'_>, verdict: Verdict, health: &Health<'_>, memory: &Memory) -> Option<Notice> {
    let began = incident::open(memory)?.began;
    let since = view.clock(began);
    let (reason, text) = match verdict {
        Verdict::Stopped(Reason::PublisherStalled) => (
            Reason::PublisherStalled,
            format!(
                "No media from the presenters since {since}. A standby takes over at the same addresses."
            ),
        ),
        Verdict::Stopped(reason) => (
            reason,
            format!(
                "No media from the presenters since {since}, and no standby receives any. Ask them to check their encoder."
            ),
        ),
        Verdict::Broken => {
            let broken = health.broken();
            (
                Reason::UpstreamBroken,
                format!(
                    "{broken} receive hardly any media since {since}, although the active SFU does. Look at the network between them."
                ),
            )
        }
        Verdict::Unread | Verdict::Unsure | Verdict::Flows | Verdict::Left => return None,
    };
    Some(about(reason, began, text))
}

fn failed_over(view: &View<'_>, stage: &Stage<'_>, memory: &Memory) -> Option<Notice> {
    let failover = memory.failover.as_ref().filter(|f| f.to == stage.active)?;
    let recent = after(failover.at, TOLD_FOR) > view.input.now;
    recent.then(|| {
        let text = format!(
            "sfu-{} is active now instead of sfu-{}, at the same addresses for presenters and viewers.",
            failover.to, failover.from
        );
        about(Reason::FailedOver, failover.at, text)
    })
}

fn dropped(view: &View<'_>, stage: &Stage<'_>, state: &mut State) -> Option<Notice> {
    let now = view.input.now;
    let low = stage
        .flow()
        .filter(|_| stage.look == Look::Flowing)
        .is_some_and(|flow| {
            let limit = u128::from(flow.usual.unwrap_or(0)) * u128::from(DROPPED_BELOW);
            let mut rates = flow.rates.iter();
            flow.rates.len() > 1 && rates.all(|rate| u128::from(*rate) * 100 < limit)
        });
    let told = state.dropped.filter(|t| after(*t, DROPPED_AGAIN) > now);
    state.dropped = if low { told.or(Some(now)) } else { told };
    let moment = state.dropped.filter(|_| low)?;
    let text = format!(
        "sfu-{} receives less than {DROPPED_BELOW} % of what is usual, as with a camera switched off or a still slide. Media flows.",
        stage.active
    );
    Some(about(Reason::InboundDropped, moment, text))
}

fn faulty(pod: &Pod) -> Notice {
    let text = format!(
        "The relays behind {} receive hardly any media, and those behind other mids do. They are led to another mid, and {} is replaced.",
        pod.slot, pod.slot
    );
    about(Reason::UpstreamBroken, pod.created, text)
}

fn taken_out(view: &View<'_>, cordons: &Cordons, why: Reason) -> Option<Notice> {
    let slots: Vec<&str> = cordons
        .why
        .iter()
        .filter(|(reason, _)| *reason == why)
        .map(|(_, slot)| slot.as_str())
        .collect();
    if slots.is_empty() {
        return None;
    }
    let more = slots.len().saturating_sub(NAMED);
    let more = (more > 0).then(|| counted(more as u32, "other"));
    let names: Vec<&str> = slots.iter().copied().take(NAMED).chain(more.as_deref()).collect();
    let names = listed(&names);
    let takes = if slots.len() == 1 { "it takes" } else { "they take" };
    let text = if why == Reason::EgressStalled {
        format!("Viewers get hardly any media from {names}: {takes} no new ones until that is over.")
    } else {
        format!("Hardly any media reaches {names}: {takes} no new viewers until that is over.")
    };
    Some(about(why, view.input.now, text))
}
