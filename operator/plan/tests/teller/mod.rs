//! How a story's snapshot is written: what each plan adds to the one before.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::Timestamp;
use webinar_plan::{ConditionType, EntryKind, Plan, Reason, Role, Slot, Truth};

use crate::world::World;

/// Writes down what changes from one plan to the next.
#[derive(Default)]
pub(crate) struct Teller {
    pub(crate) text: String,
    time: Option<Timestamp>,
    said: BTreeMap<&'static str, String>,
    judged: BTreeMap<ConditionType, (Truth, Reason, String)>,
}

impl Teller {
    pub(crate) fn line(&mut self, now: Timestamp, line: &str) {
        if self.time != Some(now) {
            self.time = Some(now);
            writeln!(self.text, "{}", clock(now)).expect("memory");
        }
        writeln!(self.text, "  {line}").expect("memory");
    }

    /// Says `what` when it is news.
    fn news(&mut self, now: Timestamp, what: &'static str, text: String) {
        if self.said.get(what) != Some(&text) {
            self.line(now, &format!("{what}: {text}"));
            self.said.insert(what, text);
        }
    }

    pub(crate) fn hear(&mut self, world: &World, plan: &Plan) {
        let now = world.now;
        let status = &plan.status;
        let phase = status.phase.map_or("none", |p| p.as_str());
        self.news(now, "phase", format!("{phase}, run {}", status.run));
        if let Some(s) = &status.schedule {
            let text = format!(
                "ramp {}, ready by {}, start {}, end {}, release {}",
                clock(s.ramp),
                clock(s.ready_by),
                clock(s.start),
                clock(s.end),
                clock(s.release)
            );
            self.news(now, "boundaries", text);
        }
        self.conditions(world, plan);
        for notice in &status.notices {
            self.line(now, &format!("event: {}: {}", notice.subject.reason, notice.text));
        }
        if let Some(outcome) = status.outcome {
            let ready = outcome.ready_at.map_or("never".to_owned(), clock);
            let lead = outcome
                .lead
                .map_or(String::new(), |l| format!(", {} s before the start", l.as_secs()));
            let peak = outcome
                .peak
                .map_or(String::new(), |n| format!(", at most {n} people"));
            self.news(now, "outcome", format!("complete {ready}{lead}{peak}"));
        }
        if let Some(fixtures) = &plan.fixtures {
            let services = fixtures.entries.iter().map(|e| e.kind.to_string());
            self.news(now, "services", ranges(services));
            let budgets = fixtures.budgets.iter();
            let budgets: Vec<String> = budgets
                .map(|b| format!("{} of {} must stay", b.min_available, b.role))
                .collect();
            self.news(now, "budgets", or_none(budgets.join(", ")));
        }
        self.addresses(now, plan);
        let slot_of = |uid: &str| world.pods().find(|p| p.uid == uid).expect("a pod").slot;
        let create: Vec<Slot> = plan.create.iter().map(|p| p.slot).collect();
        let cordon: Vec<Slot> = plan.cordon.iter().map(|d| slot_of(&d.uid)).collect();
        let disown: Vec<Slot> = plan.disown.iter().map(|d| slot_of(&d.uid)).collect();
        let delete: Vec<Slot> = plan.delete.iter().map(|r| r.slot).collect();
        let uncordon: Vec<Slot> = plan.uncordon.iter().map(|n| slot_of(&n.uid)).collect();
        let lists = [
            ("create", create),
            ("cordon", cordon),
            ("declare lost", disown),
            ("un-cordon", uncordon),
            ("delete", delete),
        ];
        for (what, slots) in lists {
            if !slots.is_empty() {
                let n = slots.len();
                let list = ranges(slots.iter().map(Slot::to_string));
                self.line(now, &format!("{what} {n}: {list}"));
            }
        }
        if let Some(tier) = status.tier.filter(|_| world.crowd.is_some()) {
            self.news(now, "tier in effect", tier.to_string());
        }
        if let Some(admission) = status.admission.filter(|_| world.crowd.is_some()) {
            let open = if admission.open { "open" } else { "closed" };
            let seats = admission.max_attendees;
            self.news(
                now,
                "admission",
                format!(
                    "{open} for {seats} in all, {} a second",
                    admission.joins_per_second
                ),
            );
        }
        let wake = plan.next_wake.map_or("never".to_owned(), clock);
        if self.time == Some(now)
            && plan.create.is_empty()
            && plan.cordon.is_empty()
            && plan.delete.is_empty()
        {
            self.news(now, "next look", wake);
        }
    }

    /// Where the stage's addresses lead, from the first time on that it isn't where they led in the beginning.
    fn addresses(&mut self, now: Timestamp, plan: &Plan) {
        let entries = plan.fixtures.iter().flat_map(|f| &f.entries).chain(&plan.reroute);
        let mut elsewhere = Vec::new();
        for entry in entries {
            let usual = match entry.kind {
                EntryKind::Ingest | EntryKind::Origin => Slot::new(Role::Sfu, 0),
                EntryKind::Mid(mid) => Slot::new(Role::Mid, mid),
                EntryKind::Sfu(_) | EntryKind::Viewers(_) => continue,
            };
            let slot = entry.slot.expect("a slot");
            if slot != usual {
                elsewhere.push(format!("{} to {slot}", entry.kind));
            }
        }
        let what = "addresses led elsewhere";
        if !elsewhere.is_empty() || self.said.contains_key(what) {
            self.news(now, what, or_none(elsewhere.join(", ")));
        }
    }

    fn conditions(&mut self, world: &World, plan: &Plan) {
        let now = world.now;
        let judged: BTreeMap<ConditionType, (Truth, Reason, String)> = plan
            .status
            .conditions
            .iter()
            .map(|c| (c.kind, (c.truth, c.reason, c.message.clone())))
            .collect();
        // Where people are counted, a number that moves is no news.
        let told = |verdict: &(Truth, Reason, String)| {
            let text = if world.crowd.is_some() {
                verdict.2.replace(|c: char| c.is_ascii_digit() || c == ',', "")
            } else {
                verdict.2.clone()
            };
            (verdict.0, verdict.1, text)
        };
        for (kind, verdict) in &judged {
            if self.judged.get(kind).map(told) != Some(told(verdict)) {
                let (truth, reason, message) = verdict;
                let (kind, truth) = (kind.as_str(), truth.as_str());
                self.line(now, &format!("{kind}={truth} {reason}: {message}"));
            }
        }
        let gone: Vec<ConditionType> = self
            .judged
            .keys()
            .filter(|k| !judged.contains_key(k))
            .copied()
            .collect();
        for kind in gone {
            self.line(now, &format!("{} is no longer said", kind.as_str()));
        }
        self.judged = judged;
    }
}

fn clock(t: Timestamp) -> String {
    t.strftime("%F %H:%M:%SZ").to_string()
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}

/// `relay-0 … relay-269, relay-300`: runs of numbered names, rising or falling, as first and last.
fn ranges(names: impl Iterator<Item = String>) -> String {
    let mut runs: Vec<(String, String)> = Vec::new();
    let number = |name: &str| {
        let (kind, index) = name.rsplit_once('-')?;
        Some((kind.to_owned(), index.parse::<i64>().ok()?))
    };
    for name in names {
        let follows = runs
            .last()
            .is_some_and(|(_, last)| match (number(last), number(&name)) {
                (Some((a, i)), Some((b, j))) => a == b && (j - i).abs() == 1,
                _ => false,
            });
        match runs.last_mut().filter(|_| follows) {
            Some(run) => run.1 = name,
            None => runs.push((name.clone(), name)),
        }
    }
    let texts = runs.into_iter().map(|(first, last)| {
        if first == last {
            first
        } else {
            format!("{first} … {last}")
        }
    });
    or_none(texts.collect::<Vec<_>>().join(", "))
}
