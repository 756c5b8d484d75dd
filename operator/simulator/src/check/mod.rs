//! What must never happen, and what must come about: the invariants.

mod bounds;
mod fair;
mod fleet;
mod known;
mod settled;
mod start;
mod viewers;

use std::collections::BTreeMap;
use std::fmt;

use http::Method;

use crate::hash;
use crate::server::{Answer, Call};
use crate::time::{Moment, SECOND};
use crate::world::{Key, World};

pub(crate) use fleet::is_ready;
pub use known::Known;
pub use settled::{QUIET, SETTLED};

/// What a world promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// I1: once nothing goes wrong and nobody changes anything, the fleet is as it should be, and then nothing is written.
    Settles,
    /// I2: no pod with viewers is deleted before the run drains and the pod's drain has reached its deadline.
    Viewers,
    /// I3: once what is Ready is enough, nothing that the operator does makes it too little.
    Seats,
    /// I4: everything is Ready at the start whenever that was possible.
    Start,
    /// I5: creates, writes and pods are bounded.
    Bounds,
    /// I6: no Webinar waits long for its turn because of others.
    Fair,
    /// At most one replica leads.
    OneLeader,
    /// Nothing is written to what is not a Webinar's own.
    Own,
    /// No pass panics.
    Panics,
}

impl Invariant {
    /// As tests and people name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Settles => "I1 settles",
            Self::Viewers => "I2 viewers",
            Self::Seats => "I3 seats",
            Self::Start => "I4 start",
            Self::Bounds => "I5 bounds",
            Self::Fair => "I6 fair",
            Self::OneLeader => "one leader",
            Self::Own => "own objects",
            Self::Panics => "no panic",
        }
    }
}

/// What was broken, when, and how that shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What.
    pub invariant: Invariant,
    /// When.
    pub at: Moment,
    /// How it shows.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} broken at {}: {}",
            self.invariant.as_str(),
            self.at,
            self.text
        )
    }
}

/// What is kept to judge by.
#[derive(Debug, Default)]
pub struct Checks {
    /// The first thing that was broken.
    pub violation: Option<Violation>,
    /// Until when something was wrong last.
    trouble: Moment,
    /// When people last changed a Webinar.
    edited: BTreeMap<Key, Moment>,
    /// What decisions about Webinars are made from, by UID.
    known: BTreeMap<String, Known>,
    /// When pods of a Webinar were created lately, by its UID.
    creates: BTreeMap<String, Vec<Moment>>,
    /// The latest minute in which something about a Webinar was counted, and how often.
    counts: BTreeMap<(Key, bounds::Counted), (u64, u32)>,
    /// The last write that was no lease and no Event.
    last_write: Option<(Moment, String)>,
    starts: BTreeMap<Key, start::Promise>,
}

impl Checks {
    /// The first violation stands.
    pub fn broken(&mut self, invariant: Invariant, at: Moment, text: String) {
        self.violation.get_or_insert(Violation { invariant, at, text });
    }

    /// Something goes wrong, for so many seconds.
    pub fn trouble(&mut self, now: Moment, lasts: u64) {
        self.trouble = self.trouble.max(now.after(lasts));
    }

    /// People have changed a Webinar.
    pub fn edited(&mut self, webinar: &Key, now: Moment) {
        self.edited.insert(webinar.clone(), now);
    }
}

/// What was there before a write.
pub struct Before {
    pod: Option<viewers::Judged>,
}

/// A call's namespace, plural and name, of one that has them.
pub(crate) fn target(path: &str) -> Option<(&str, &str, Option<&str>)> {
    let (_, rest) = path.split_once("/namespaces/")?;
    let mut parts = rest.split('/');
    let (namespace, plural, name) = (parts.next()?, parts.next()?, parts.next());
    Some((namespace, plural, name.filter(|n| !n.is_empty())))
}

impl World {
    /// A replica's call is about to be applied.
    pub(crate) fn before(&self, call: &Call) -> Before {
        let writes = matches!(call.method, Method::DELETE | Method::PATCH);
        let pod = target(&call.path).filter(|(_, plural, _)| writes && *plural == "pods");
        let pod = pod.and_then(|(namespace, _, name)| self.judged(namespace, name?));
        Before { pod }
    }

    /// It was applied, or refused.
    pub(crate) fn after(&mut self, replica: usize, call: &Call, before: &Before, answer: &Answer) {
        if call.method == Method::GET || call.path.starts_with("/apis/coordination.k8s.io/") {
            return;
        }
        let plural = target(&call.path).map_or("", |(_, plural, _)| plural);
        let who = format!("{} {plural} {}", call.method, answer.code);
        if plural != "events" {
            let line = format!("{} {who} {}", self.now.0, call.path);
            self.digest = hash::more(self.digest, &line);
        }
        self.cover.reach("answer", &who);
        let now = self.now;
        self.story.tell(now, &format!("operator-{replica}"), || {
            format!("{} {} → {}{}", call.method, call.path, answer.code, said(answer))
        });
        self.count_write(call, answer);
        if plural == "events" {
            let reason = answer.body["reason"].as_str().unwrap_or_default();
            self.cover.reach("event", reason);
        }
        if answer.code >= 300 || plural == "events" {
            return;
        }
        self.checks.last_write = Some((now, format!("{} {}", call.method, call.path)));
        if let Some(pod) = &before.pod {
            self.judge_pod(call, pod);
        }
        if call.method == Method::POST && plural == "pods" {
            self.judge_create(&answer.body);
        }
    }

    /// So many seconds have passed since anything was wrong or this Webinar was changed.
    fn undisturbed(&self, webinar: &Key) -> u64 {
        let edited = self.checks.edited.get(webinar).copied().unwrap_or_default();
        let since = self.checks.trouble.max(edited);
        self.now.0.saturating_sub(since.0) / SECOND
    }
}

fn said(answer: &Answer) -> String {
    match answer.body["message"].as_str() {
        Some(message) if answer.code >= 400 => format!(" {message}"),
        _ => String::new(),
    }
}
