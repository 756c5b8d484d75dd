//! Will seats be missing, how many, and why.

use jiff::Timestamp;

use crate::admission::lost_relays;
use crate::fleet::Creation;
use crate::input::{Pod, PodTrouble, SetbackKind};
use crate::lost::{Outlook, outlook};
use crate::reason::Reason;
use crate::slot::Role;
use crate::time::{after, counted, grouped, is_are, later, people};
use crate::view::{PATIENCE, View};

/// Seats that will be missing at the start, or are missing on air.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Risk {
    pub(crate) cause: Reason,
    pub(crate) message: String,
}

/// What holds seats back.
struct Cause {
    reason: Reason,
    /// Continues `1,180 of 1,242 pods are Ready; `.
    why: String,
    /// What is or must be done: a whole sentence.
    next: String,
}

/// Seats that will be missing at the start (on air: that are missing) and the cause that holds.
pub(crate) fn risk(view: &View<'_>, creation: &Creation) -> Option<Risk> {
    let wanted = view.wanted();
    let looks_ahead = !view.phase.on_air() || starts_when_ready(view);
    let there = if looks_ahead {
        seats_at_start(view, creation)
    } else {
        view.seats()
    };
    let missing = wanted.saturating_sub(there);
    if missing == 0 {
        return above_ceiling(view);
    }
    let verb = if view.phase.on_air() {
        "are missing".to_owned()
    } else {
        format!("will be missing at {}", view.clock(view.schedule.start))
    };
    let Cause { reason, why, next } = cause(view, creation);
    Some(Risk {
        cause: reason,
        message: format!(
            "{}; {why}. {} of {} seats {verb}. {next}",
            view.pods_are_ready(),
            grouped(missing),
            grouped(wanted)
        ),
    })
}

/// More people come than the event may grow for.
fn above_ceiling(view: &View<'_>) -> Option<Risk> {
    let viewers = view.attendance.viewers?;
    let (seats, max) = (view.seats(), view.memory.accepted.spec.max_tier);
    let nearly_all = u64::from(viewers) * 100 > u64::from(max.attendees()) * 95;
    let used_up = view.size.capped && viewers >= seats;
    if !nearly_all && !used_up {
        return None;
    }
    let next = if view.memory.shape.room {
        "A room can't grow: use a larger tier for the next run.".to_owned()
    } else if seats < max.attendees() {
        "The class has no more pods for this event: raise `maxPods` or `maxTotalPods` of the class."
            .to_owned()
    } else {
        format!(
            "Raise `maxTier`, or let nobody in beyond {} people.",
            grouped(seats)
        )
    };
    Some(Risk {
        cause: Reason::AboveCeiling,
        message: format!(
            "{} {} watching, and there are {} seats with a `maxTier` of {max}. {next}",
            people(viewers),
            is_are(viewers),
            grouped(seats)
        ),
    })
}

/// Seats there will be at the start if every pod that may still come in time does.
///
/// A relay counts only if its whole path to the stage is there too.
fn seats_at_start(view: &View<'_>, creation: &Creation) -> u32 {
    let mut up = view.fleet.up(|pod| expected(view, pod));
    if view.input.recent.setbacks.is_empty() {
        let due = |slot| view.waves.due(slot).max(view.input.now);
        let in_time = creation
            .coming
            .iter()
            .filter(|(slot, _)| !later(after(due(*slot), view.settle()), deadline(view)));
        up.extend(in_time.copied());
    }
    view.seats_of(&up)
}

/// An event without a start time begins as soon as it is ready, so it is never too late.
fn starts_when_ready(view: &View<'_>) -> bool {
    view.memory.accepted.spec.start.is_none() && view.memory.ready_at.is_none()
}

fn deadline(view: &View<'_>) -> Timestamp {
    if starts_when_ready(view) {
        Timestamp::MAX
    } else {
        view.schedule.start
    }
}

/// A pod that exists is Ready, or may still be by the start.
fn expected(view: &View<'_>, pod: &Pod) -> bool {
    pod.ready
        || (trouble(view, pod).is_none()
            && !behind(view, pod)
            && !later(view.expected_at(pod), deadline(view)))
}

/// What has kept a pod from becoming Ready for longer than our patience.
fn trouble<'a>(view: &View<'_>, pod: &'a Pod) -> Option<&'a PodTrouble> {
    let trouble = pod.trouble.as_ref().filter(|_| !pod.ready)?;
    (view.patience_ends(trouble) <= view.input.now).then_some(trouble)
}

/// A pod takes longer than the class says.
fn behind(view: &View<'_>, pod: &Pod) -> bool {
    !pod.ready && after(view.expected_at(pod), PATIENCE) <= view.input.now
}

fn cause(view: &View<'_>, creation: &Creation) -> Cause {
    refused(view, creation)
        .or_else(|| in_trouble(view, Reason::Unschedulable))
        .or_else(|| in_trouble(view, Reason::ImagePull))
        .or_else(|| unfed(creation))
        .or_else(|| lost(view))
        .or_else(|| slow(view))
        .unwrap_or_else(|| too_late(view))
}

fn refused(view: &View<'_>, creation: &Creation) -> Option<Cause> {
    let setback = view.input.recent.setbacks.first()?;
    let pods = counted(creation.coming.len() as u32, "pod");
    let said = setback.message.trim_end_matches('.');
    let (reason, who, next) = match setback.kind {
        SetbackKind::Quota => (
            Reason::QuotaExceeded,
            "a quota refuses",
            "Raise the ResourceQuota.",
        ),
        SetbackKind::Rejected => (
            Reason::PodsRejected,
            "the API server refuses",
            "Change the PodTemplate or the policy that refuses it.",
        ),
        SetbackKind::Unasked => (
            Reason::PodsRejected,
            "an admission webhook fails for",
            "Repair the webhook or remove it; creating is tried again by itself.",
        ),
        SetbackKind::Conflict => (
            Reason::PodsRejected,
            "an object of another owner is in the way of",
            "Rename the Webinar or remove that object.",
        ),
    };
    Some(Cause {
        reason,
        why: format!("{who} {pods} ({said})"),
        next: next.to_owned(),
    })
}

/// Planned pods are in trouble. That a substitute has no machine is not what seats wait for.
fn in_trouble(view: &View<'_>, reason: Reason) -> Option<Cause> {
    let pods: Vec<(&Pod, &PodTrouble)> = view
        .fleet
        .occupants()
        .filter(|p| view.size.holds(p.slot))
        .filter_map(|p| Some((p, trouble(view, p)?)))
        .filter(|(_, t)| t.reason == reason)
        .collect();
    let said = pods.first()?.1.message.trim_end_matches('.');
    let n = pods.len() as u32;
    let what = counted(n, common_name(pods.iter().map(|(p, _)| p.slot.role)));
    let (why, next) = if reason == Reason::Unschedulable {
        let cpu = pods.iter().map(|(p, _)| cpu_millis(view, p.slot.role)).max();
        (
            format!("{what} {} unschedulable ({said})", is_are(n)),
            format!(
                "Add {} with {} free CPUs.",
                counted(n, "machine"),
                cores(cpu.unwrap_or(0))
            ),
        )
    } else {
        (
            format!("{what} can't pull the image ({said})"),
            "Check the image's name and its registry.".to_owned(),
        )
    };
    Some(Cause { reason, why, next })
}

fn unfed(creation: &Creation) -> Option<Cause> {
    let n = Some(creation.unfed).filter(|n| *n > 0)?;
    Some(Cause {
        reason: Reason::RampBehind,
        why: format!(
            "{} can't be fed, because every parent in the tree that this run began with is full",
            counted(n, "pod")
        ),
        next: "Start the next run with this tier as its `maxTier`.".to_owned(),
    })
}

/// Pods that were there are not Ready any more: the size in force was complete once, or what is not Ready
/// is older than the last raise.
fn lost(view: &View<'_>) -> Option<Cause> {
    let accepted = &view.memory.accepted;
    let complete_at = view.memory.ready_at?;
    let down = |limit: u32, role: Role| {
        let target = view.waves.target().of(role).min(limit);
        target.saturating_sub(view.fleet.count(role, |p| p.ready && p.slot.index < target))
    };
    let of = |role| {
        let all = if accepted.since <= complete_at {
            u32::MAX
        } else {
            accepted.base.of(role)
        };
        down(all, role)
    };
    let n = if view.size.loose {
        of(Role::Sfu) + of(Role::Mid) + lost_relays(view)
    } else {
        Role::ALL.into_iter().map(of).sum::<u32>()
    };
    (n > 0).then(|| Cause {
        reason: Reason::PodsLost,
        why: format!(
            "{} {} lost",
            counted(n, "pod"),
            if n == 1 { "was" } else { "were" }
        ),
        next: match outlook(view) {
            Outlook::Replaced => "Replacements are being created.",
            Outlook::Awaited => {
                "Nodes have just stopped answering: replacements are created unless they come back soon."
            }
            Outlook::Kept => {
                "So many nodes at once don't answer that their pods are kept in their places: look at the nodes and at what connects them to the control plane."
            }
        }
        .to_owned(),
    })
}

fn slow(view: &View<'_>) -> Option<Cause> {
    let n = view.fleet.occupants().filter(|p| behind(view, p)).count() as u32;
    (n > 0).then(|| Cause {
        reason: Reason::RampBehind,
        why: format!(
            "{} {} longer than the {} seconds that the class expects",
            counted(n, "pod"),
            if n == 1 { "takes" } else { "take" },
            view.settle().as_secs()
        ),
        next: "Look at the pods that are not Ready.".to_owned(),
    })
}

fn too_late(view: &View<'_>) -> Cause {
    let advice = if view.phase.on_air() {
        ""
    } else {
        " Move `startTime` there, or let the audience in later."
    };
    Cause {
        reason: Reason::TooLate,
        why: "there is less time than the ramp needs".to_owned(),
        next: format!(
            "Every seat is expected at {}.{advice}",
            view.clock(view.all_expected_at())
        ),
    }
}

/// What to call pods of these roles together.
fn common_name(mut roles: impl Iterator<Item = Role>) -> &'static str {
    let first = roles.next();
    if roles.any(|r| Some(r) != first) {
        return "pod";
    }
    match first {
        Some(Role::Sfu) => "SFU",
        Some(Role::Mid) => "mid",
        Some(Role::Relay) => "relay",
        None => "pod",
    }
}

fn cpu_millis(view: &View<'_>, role: Role) -> u64 {
    let cpu = view.class.cpu;
    match role {
        Role::Sfu => cpu.sfu_millis,
        Role::Mid | Role::Relay => cpu.relay_millis.unwrap_or(cpu.sfu_millis),
    }
}

/// `15`, or `7.5`: CPUs as people write them.
fn cores(millis: u64) -> String {
    let (whole, rest) = (millis / 1000, millis % 1000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:03}").trim_end_matches('0').to_owned()
}
