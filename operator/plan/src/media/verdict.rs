//! What `MediaFlowing` says.

use jiff::Timestamp;

use super::failover::Switch;
use super::health::Health;
use super::stage::{Look, Stage};
use super::{incident, may_leave};
use crate::conditions::listed;
use crate::input::Memory;
use crate::output::{Condition, ConditionType, Truth};
use crate::reason::Reason;
use crate::view::View;

/// Whether media flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is read.
    Unread,
    /// Nobody can say.
    Unsure,
    /// It does.
    Flows,
    /// The presenters stopped near the planned end.
    Left,
    /// The active SFU receives nothing.
    Stopped(Reason),
    /// It does, and much of the tree behind it doesn't.
    Broken,
}

/// Judges, opens and closes incidents.
pub(super) fn judge(
    view: &View<'_>,
    stage: &Stage<'_>,
    switch: &Switch,
    health: &Health<'_>,
    memory: &mut Memory,
    was_stalled: bool,
) -> Verdict {
    if view.class.attendance.is_none() {
        return Verdict::Unread;
    }
    let now = view.input.now;
    let lasts = was_stalled || incident::open(memory).is_some();
    let down = matches!(stage.look, Look::Gone | Look::Stalled) || switch.helpless;
    // Back is what came back twice, and to an SFU that children can reach.
    let not_back = lasts && (!stage.flows_firmly() || switch.under_way);
    if stage.begun && (down || not_back) {
        if may_leave(view) {
            return Verdict::Left;
        }
        let cause = cause(view, stage, switch);
        let action = failed_over(view, memory).unwrap_or_default();
        incident::begin(memory, cause, stage.stopped_at(now), action);
        return Verdict::Stopped(cause);
    }
    let was_broken = incident::open(memory).is_some_and(|i| i.cause == Reason::UpstreamBroken);
    if health.upstream_fault(lasts) || (was_broken && !health.sees(view)) {
        incident::begin(
            memory,
            Reason::UpstreamBroken,
            health.last_byte(now),
            String::new(),
        );
        return Verdict::Broken;
    }
    let unseen = stage.look == Look::Still && stage.flow().is_none_or(|f| f.last_byte.is_none());
    if !stage.begun || unseen || matches!(stage.look, Look::Silent | Look::Gone) {
        return Verdict::Unsure;
    }
    if let Some(began) = incident::open(memory).map(|i| i.began) {
        let led = memory.failover.as_ref().is_some_and(|f| f.at >= began);
        let back = stage.flowing_since().filter(|t| !led && *t > began);
        incident::end(memory, back.unwrap_or(now));
    }
    Verdict::Flows
}

fn cause(view: &View<'_>, stage: &Stage<'_>, switch: &Switch) -> Reason {
    let fed = stage.standbys.iter().any(|s| s.since.is_some());
    if !view.memory.shape.room && (fed || switch.under_way || switch.just_done) {
        Reason::PublisherStalled
    } else {
        Reason::NoStandby
    }
}

/// What was done if a failover has just been decided.
fn failed_over(view: &View<'_>, memory: &Memory) -> Option<String> {
    let failover = memory.failover.as_ref().filter(|f| f.at == view.input.now)?;
    Some(format!(
        "sfu-{} took over at {}",
        failover.to,
        view.clock(failover.at)
    ))
}

impl Verdict {
    /// Media is not flowing.
    pub(super) fn stalled(self) -> bool {
        matches!(self, Self::Stopped(_) | Self::Broken)
    }

    pub(super) fn condition(
        self,
        view: &View<'_>,
        stage: &Stage<'_>,
        switch: &Switch,
        memory: &Memory,
    ) -> Condition {
        let began = incident::open(memory).map_or(view.input.now, |i| i.began);
        match self {
            Self::Unread => said(
                Truth::Unknown,
                Reason::NoSignal,
                format!(
                    "Class {} has no `attendance`, so nobody can say whether media flows. Set it to have presenters' media watched.",
                    view.class.name
                ),
            ),
            Self::Unsure => said(Truth::Unknown, Reason::NoSignal, unsure(view, stage)),
            Self::Flows => said(
                Truth::True,
                Reason::Flowing,
                format!("sfu-{} receives the presenters' media.", stage.active),
            ),
            Self::Left => {
                let end = view.clock(view.schedule.end);
                let since = stage.last_byte.map_or_else(String::new, |t| {
                    format!(" has received no media since {}", view.clock(t))
                });
                let text = format!(
                    "sfu-{}{}; the planned end is {end}, so the presenters are taken to have left.",
                    stage.active,
                    if since.is_empty() {
                        " receives no media"
                    } else {
                        &since
                    }
                );
                said(Truth::Unknown, Reason::PublisherLeft, text)
            }
            Self::Stopped(cause) => said(
                Truth::False,
                cause,
                stopped(view, stage, switch, memory, cause, began),
            ),
            Self::Broken => said(
                Truth::False,
                Reason::UpstreamBroken,
                format!(
                    "sfu-{} receives the presenters' media, but since {} much of the tree behind it receives hardly any. No pod is restarted for it. Look at the network between SFUs, mids and relays.",
                    stage.active,
                    view.clock(began)
                ),
            ),
        }
    }
}

fn unsure(view: &View<'_>, stage: &Stage<'_>) -> String {
    let active = format!("sfu-{}", stage.active);
    match (stage.look, stage.begun) {
        (Look::Gone, _) => format!("{active} is not there, so nobody can say whether media flows."),
        (Look::Silent, true) => format!(
            "{active} doesn't tell what it receives, so nobody can say whether media flows. Look at its pod and at the `attendance` of class {}.",
            view.class.name
        ),
        (Look::Silent, false) => {
            format!("{active} has not told yet what it receives, so nobody can say whether media flows.")
        }
        (_, false) => "No presenter has sent media since the event began.".to_owned(),
        (_, true) => format!("{active} has not told enough yet to say whether media flows."),
    }
}

fn stopped(
    view: &View<'_>,
    stage: &Stage<'_>,
    switch: &Switch,
    memory: &Memory,
    cause: Reason,
    began: Timestamp,
) -> String {
    let since = view.clock(began);
    let failover = memory
        .failover
        .as_ref()
        .filter(|_| switch.under_way || switch.just_done);
    if let Some(failover) = failover {
        return format!(
            "sfu-{} has received no media since {since}. sfu-{} took over at {}, at the same addresses; children and presenters reconnect to it.",
            failover.from,
            failover.to,
            view.clock(failover.at)
        );
    }
    let active = if stage.look == Look::Gone {
        format!(
            "sfu-{} is gone: no media has arrived since {since}.",
            stage.active
        )
    } else {
        format!("sfu-{} has received no media since {since}.", stage.active)
    };
    if cause == Reason::PublisherStalled {
        return match switch.next {
            Some((to, at)) => format!(
                "{active} sfu-{to} receives it and takes over at {}.",
                view.clock(at)
            ),
            None => format!("{active} A standby receives it and takes over if this lasts."),
        };
    }
    format!("{active} {}", advice(view))
}

/// What people can do when no standby has media either.
fn advice(view: &View<'_>) -> String {
    let name = &view.input.webinar.name;
    if view.memory.shape.room {
        return "A room has no standby. Ask the presenters to check their connection.".to_owned();
    }
    let sfus = view.memory.shape.sfus.min(3);
    if sfus < 2 {
        return "There is no standby. Ask the presenters to check their encoder.".to_owned();
    }
    let addresses: Vec<String> = (0..sfus).map(|i| format!("`{name}-sfu-{i}`")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    format!(
        "No standby receives any either, so nothing was changed. Ask the presenters to check their encoder; encoders that send twice, to two of {}, are taken over by themselves.",
        listed(&addresses)
    )
}

fn said(truth: Truth, reason: Reason, message: String) -> Condition {
    Condition {
        kind: ConditionType::MediaFlowing,
        truth,
        reason,
        message,
    }
}

/// What is said of a run that is not on air.
pub(crate) fn not_live() -> Condition {
    let text = "The event is not on air.".to_owned();
    said(Truth::Unknown, Reason::NotLive, text)
}
