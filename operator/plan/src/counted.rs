//! What people are told of who is watching.

use crate::audience::{Verdict, beyond_belief};
use crate::conditions::condition;
use crate::follow::shrinking;
use crate::output::{Condition, ConditionType, Truth};
use crate::reason::Reason;
use crate::time::{after, counted, grouped, is_are, people};
use crate::view::View;

/// Whether the audience is counted, and what becomes of capacity if it isn't.
pub(crate) fn counting(view: &View<'_>) -> Condition {
    let kind = ConditionType::AttendanceKnown;
    let attendance = view.attendance;
    if !view.phase.on_air() && attendance.verdict != Verdict::Known {
        let text = "Viewers need not be counted before the start, nor once capacity is being given back.";
        return condition(kind, Truth::Unknown, Reason::NotLive, text);
    }
    let told = attendance.pods.values().filter(|p| p.lately.is_some()).count() as u32;
    let all = attendance.pods.len() as u32;
    let noun = if view.memory.shape.room { "SFU" } else { "relay" };
    let have = if all == 1 { "has" } else { "have" };
    let pods = format!("{} of {} {have}", grouped(told), counted(all, noun));
    match attendance.verdict {
        Verdict::Known => condition(kind, Truth::True, Reason::Fresh, fresh(view, &pods)),
        Verdict::Stale => condition(kind, Truth::False, Reason::Stale, stale(view, &pods)),
        Verdict::Implausible { drop_since } => {
            let text = drop_since.map_or_else(|| absurd(view, &pods), |since| dropped(view, since));
            condition(kind, Truth::False, Reason::Implausible, text)
        }
    }
}

fn fresh(view: &View<'_>, pods: &str) -> String {
    let absurd = view.attendance.pods.values().filter(|p| p.absurd).count() as u32;
    let also = match absurd {
        0 => String::new(),
        n => format!(
            " {} numbers that can't be; they count with what they told before.",
            tell(n, if view.memory.shape.room { "SFU" } else { "relay" })
        ),
    };
    format!("{pods} told lately who is watching.{also}")
}

fn stale(view: &View<'_>, pods: &str) -> String {
    if view.class.attendance.is_none() {
        return "The class has no `attendance`: nobody can say who is watching, and nothing is lowered for it."
            .to_owned();
    }
    let last = last_known(view);
    format!(
        "{pods} told lately who is watching, too few to know.{last} Nothing is lowered until they answer: look at the pods' metrics and at what lies between them and the operator."
    )
}

fn absurd(view: &View<'_>, pods: &str) -> String {
    let n = view.attendance.pods.values().filter(|p| p.absurd).count() as u32;
    let noun = if view.memory.shape.room { "SFU" } else { "relay" };
    format!(
        "{pods} told lately who is watching; {} numbers that can't be, such as more than {} viewers.{} Nothing is lowered for it: look at the pods' metrics and at the class's `attendance`.",
        tell(n, noun),
        grouped(beyond_belief(view.memory, view.capacity)),
        last_known(view)
    )
}

fn dropped(view: &View<'_>, since: jiff::Timestamp) -> String {
    let attendance = view.attendance;
    let believed = attendance.viewers.unwrap_or(0);
    format!(
        "Since {} the pods tell of {} after {}. That is believed when they have said so for 60 seconds, from {} on; until then nothing is lowered.",
        view.clock(since),
        people(attendance.reported),
        grouped(believed),
        view.clock(after(since, jiff::SignedDuration::from_secs(60)))
    )
}

fn tell(n: u32, noun: &str) -> String {
    format!("{} {}", counted(n, noun), if n == 1 { "tells" } else { "tell" })
}

fn last_known(view: &View<'_>) -> String {
    let attendance = view.attendance;
    match (attendance.viewers, attendance.observed) {
        (Some(viewers), Some(at)) => {
            format!(
                " {} {} counted last, at {}.",
                people(viewers),
                was_were(viewers),
                view.clock(at)
            )
        }
        _ => String::new(),
    }
}

const fn was_were(n: u32) -> &'static str {
    if n == 1 { "was" } else { "were" }
}

/// What has happened with the audience, to be read after a sentence. Nothing before it was counted.
pub(crate) fn attended(view: &View<'_>) -> String {
    let Some(viewers) = view.attendance.viewers else {
        return String::new();
    };
    let seats = grouped(view.seats());
    let mut text = format!(
        " {} {} watching, {seats} seats are Ready.",
        people(viewers),
        is_are(viewers)
    );
    if view.memory.shape.room {
        return text;
    }
    let (booked, wanted) = (view.waves.target().relay, view.size.wanted.relay);
    if wanted > booked && view.size.grown > booked {
        text += &format!(
            " The event has grown from {} to {} by itself.",
            counted(booked, "relay"),
            grouped(view.size.grown)
        );
    }
    let going = view.fleet.occupants().filter(|p| shrinking(p)).count() as u32;
    if going > 0 {
        text += &format!(
            " {} {} no new viewers and {} when empty.",
            counted(going, "relay"),
            if going == 1 { "takes" } else { "take" },
            if going == 1 { "goes" } else { "go" }
        );
    }
    text
}
