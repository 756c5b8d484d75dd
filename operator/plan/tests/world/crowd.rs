//! People who watch, and what the pods say of them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{Flow, Reading, Role, Signal, Slot};

use super::World;

/// What one viewer takes, bits per second.
const VIEWER: u64 = 1_500_000;

/// Of the viewers on a relay that takes no new ones, so many of a thousand leave and come again with each answer.
const RESTLESS: u64 = 50;

/// Everyone who watches, and how the pods tell of it.
#[derive(Debug, Clone)]
pub struct Crowd {
    /// People who watch, if nothing is in their way, from when on and until when that number is reached.
    from: (Timestamp, u64),
    to: (Timestamp, u64),
    /// By the UID of the pod they are on.
    on: BTreeMap<String, u64>,
    /// Pods answer so often.
    pub every: SignedDuration,
    answered: Option<Timestamp>,
    /// Slots that don't answer.
    pub silent: BTreeSet<Slot>,
    /// What slots say instead of the truth.
    pub lies: BTreeMap<Slot, Reading>,
}

impl Crowd {
    pub fn new(now: Timestamp) -> Self {
        Self {
            from: (now, 0),
            to: (now, 0),
            on: BTreeMap::new(),
            every: SignedDuration::from_secs(5),
            answered: None,
            silent: BTreeSet::new(),
            lies: BTreeMap::new(),
        }
    }

    /// From now on their number moves to `people` within `time`.
    pub fn become_many(&mut self, people: u64, now: Timestamp, time: SignedDuration) {
        self.from = (now, self.people(now));
        self.to = (now + time, people);
    }

    /// How many want to watch.
    pub fn people(&self, now: Timestamp) -> u64 {
        let ((from, before), (to, after)) = (self.from, self.to);
        let all = to.duration_since(from).as_secs();
        let gone = now.duration_since(from).as_secs();
        if gone >= all {
            return after;
        }
        let share =
            |n: u64, part: i64| n * u64::try_from(part).unwrap_or(0) / u64::try_from(all).unwrap_or(1);
        share(after, gone) + share(before, all - gone)
    }

    /// People who are watching through a pod.
    pub fn watching(&self, uid: &str) -> u64 {
        self.on.get(uid).copied().unwrap_or(0)
    }

    /// When pods answer next.
    pub fn next(&self, now: Timestamp) -> Timestamp {
        self.answered.map_or(now, |t| t + self.every)
    }
}

impl World {
    /// Lets people come and go, and the pods tell of it, if it is time.
    pub fn crowd_answers(&mut self) {
        let Some(mut crowd) = self.crowd.take() else {
            return;
        };
        if crowd.next(self.now) <= self.now {
            self.move_people(&mut crowd);
            self.tell(&crowd);
            crowd.answered = Some(self.now);
        }
        self.crowd = Some(crowd);
    }

    fn move_people(&mut self, crowd: &mut Crowd) {
        let room = self.memory.as_ref().is_some_and(|m| m.shape.room);
        let role = if room { Role::Sfu } else { Role::Relay };
        let serving = |p: &&webinar_plan::Pod| p.slot.role == role && !p.ended && p.ready;
        let there: BTreeSet<String> = self.pods().filter(serving).map(|p| p.uid.clone()).collect();
        crowd.on.retain(|uid, _| there.contains(uid));
        let open: Vec<String> = self
            .pods()
            .filter(serving)
            .filter(|p| p.accepting && p.alive())
            .map(|p| p.uid.clone())
            .collect();
        for (uid, n) in &mut crowd.on {
            if !open.contains(uid) {
                *n -= (*n * RESTLESS).div_ceil(1000);
            }
        }
        let wanted = crowd.people(self.now);
        let now: u64 = crowd.on.values().sum();
        if wanted < now {
            // They leave everywhere alike; what the division leaves over goes from the first.
            for n in crowd.on.values_mut() {
                *n = *n * wanted / now;
            }
        }
        let missing = wanted.saturating_sub(crowd.on.values().sum());
        if open.is_empty() {
            return;
        }
        let (each, rest) = (missing / open.len() as u64, missing % open.len() as u64);
        for (uid, i) in open.iter().zip(0..) {
            *crowd.on.entry(uid.clone()).or_default() += each + u64::from(i < rest);
        }
    }

    fn tell(&mut self, crowd: &Crowd) {
        let running = self.pods().filter(|p| p.ready && !p.ended && !p.cut_off);
        let answers: Vec<(String, Signal)> = running
            .filter(|p| !crowd.silent.contains(&p.slot))
            .map(|p| {
                let n = crowd.watching(&p.uid);
                let signal = Signal {
                    answered: self.now,
                    viewers: crowd.lies.get(&p.slot).copied().unwrap_or(Reading::Value(n)),
                    inbound: Flow::default(),
                    outbound: Flow {
                        rates: vec![n * VIEWER],
                        ..Flow::default()
                    },
                };
                (p.uid.clone(), signal)
            })
            .collect();
        self.signals.extend(answers);
        let uids: BTreeSet<String> = self.pods().map(|p| p.uid.clone()).collect();
        self.signals.retain(|uid, _| uids.contains(uid));
    }
}
