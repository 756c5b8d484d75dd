//! Between the replicas and the API server: what becomes of a call; and who of the replicas is to live.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::{REPLICAS, World};
use crate::scenario::{Watch, What};
use crate::server::Call;
use crate::time::Moment;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives after so many milliseconds, and the answer so many later.
    Fine(u64, u64),
    /// Nobody is there.
    Unreachable,
    /// It is refused.
    Refused(Refused),
    /// It is applied, and the connection breaks before the answer.
    AnswerLost(u64),
    /// Nothing ever comes of it.
    Lost,
    /// The replica dies before it was sent.
    DiesBefore,
    /// The replica dies when it was applied.
    DiesAfter(u64),
}

/// Why a call is refused without a look at the object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Not now: with this code.
    Code(u16),
    /// A policy refuses the pod.
    Policy,
    /// The webhook that has to be asked about the pod can't be.
    Webhook,
}

/// The network's own memory.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// Calls that arrived, by whom.
    pub(crate) calls: [u64; REPLICAS],
}

/// What is to become of replicas, and what their watches go through.
#[derive(Debug, Default)]
pub(crate) struct Replicas {
    /// Dead, or to die, until then.
    pub(crate) down: [Option<Moment>; REPLICAS],
    /// To be stopped in good order, and started again then.
    pub(crate) stopping: [Option<Moment>; REPLICAS],
    /// Told to stop: when that takes effect, and until when it is down then.
    pub(crate) ends: [Option<(u64, Moment)>; REPLICAS],
    /// Dies at a write: how many come before, whether it is applied, and for how many seconds.
    doomed: [Option<(u32, bool, u64)>; REPLICAS],
    /// Watches that tell nothing until then.
    held: BTreeMap<(usize, Watch), Moment>,
    /// Watches that broke, and how stale the list is.
    pub(crate) broken: BTreeMap<(usize, Watch), u64>,
    /// Milliseconds by which wall clocks are moved.
    pub(crate) moved: [Arc<AtomicI64>; REPLICAS],
}

impl Replicas {
    pub(super) fn kill(&mut self, replica: usize, until: Moment) {
        let replica = replica % REPLICAS;
        self.down[replica] = Some(until);
        self.doomed[replica] = None;
    }

    pub(super) fn stop(&mut self, replica: usize, until: Moment) {
        self.stopping[replica % REPLICAS] = Some(until);
    }

    pub(super) fn kill_at(&mut self, replica: usize, write: u32, applied: bool, lasts: u64) {
        self.doomed[replica % REPLICAS] = Some((write, applied, lasts));
    }

    pub(super) fn hold(&mut self, replica: usize, of: Watch, until: Moment) {
        self.held.insert((replica % REPLICAS, of), until);
    }

    /// Whatever is to befall anyone does not.
    pub(super) fn calm(&mut self, now: Moment) {
        self.down = self.down.map(|down| down.map(|until| until.min(now)));
        self.doomed = [None; REPLICAS];
        self.held.clear();
        for moved in &self.moved {
            moved.store(0, Ordering::Relaxed);
        }
    }

    /// It tells nothing now.
    pub(crate) fn held(&self, replica: usize, of: Watch, now: Moment) -> bool {
        self.held.get(&(replica, of)).is_some_and(|until| now < *until)
    }

    pub(super) fn break_watch(&mut self, replica: usize, of: Watch, stale: u64) {
        self.broken.insert((replica % REPLICAS, of), stale);
    }

    pub(super) fn jump(&mut self, replica: usize, by: i64) {
        self.moved[replica % REPLICAS].fetch_add(by * 1000, Ordering::Relaxed);
    }
}

impl World {
    /// What becomes of a replica's call.
    pub(crate) fn fate(&mut self, replica: usize, call: &Call) -> Fate {
        self.network.calls[replica] += 1;
        // Their names and times come from this machine's clock: nothing may depend on them.
        if call.path.starts_with("/apis/events.k8s.io/") {
            return Fate::Fine(1, 1);
        }
        let writes = call.method != http::Method::GET;
        let leases = call.path.starts_with("/apis/coordination.k8s.io/");
        if self.lasts(|w| matches!(w, What::Outage { .. }))
            || self.lasts(|w| matches!(w, What::Cut { replica: cut, .. } if cut % REPLICAS == replica))
        {
            self.cover.reach("fault met", "unreachable");
            return if self.rng.u8(0..4) == 0 {
                Fate::Lost
            } else {
                Fate::Unreachable
            };
        }
        let slowest = self.most(|w| match w {
            What::SlowCalls { millis, .. } => Some(*millis),
            _ => None,
        });
        let (there, back) = match slowest {
            Some(millis) => {
                self.cover.reach("fault met", "slow call");
                (self.rng.u64(1..=millis.max(1)), self.rng.u64(1..=millis.max(1)))
            }
            None => (self.rng.u64(1..=15), self.rng.u64(1..=15)),
        };
        if writes
            && !leases
            && let Some((left, applied, lasts)) = self.replicas.doomed[replica]
        {
            if left == 0 {
                self.replicas.kill(replica, self.now.after(lasts));
                let when = if applied {
                    "dies after a write"
                } else {
                    "dies before a write"
                };
                self.cover.reach("fault met", when);
                self.story.tell(self.now, &format!("operator-{replica}"), || {
                    format!("{when}: {} {}", call.method, call.path)
                });
                return if applied {
                    Fate::DiesAfter(there)
                } else {
                    Fate::DiesBefore
                };
            }
            self.replicas.doomed[replica] = Some((left - 1, applied, lasts));
        }
        let refusals = self.most(|w| match w {
            What::Refusals { code, percent, .. } => Some(u64::from(*percent) << 16 | u64::from(*code)),
            _ => None,
        });
        if let Some(found) = refusals
            && self.rng.u64(0..100) < found >> 16
        {
            let code = u16::try_from(found & 0xffff).unwrap_or(500);
            self.cover.reach("fault met", &format!("refused with {code}"));
            return Fate::Refused(Refused::Code(code));
        }
        if call.method == http::Method::POST && call.path.ends_with("/pods") {
            let denied = self.most(|w| match w {
                What::PodsRefused { webhook, .. } => Some(u64::from(*webhook)),
                _ => None,
            });
            if let Some(webhook) = denied {
                let (why, which) = if webhook == 1 {
                    (Refused::Webhook, "webhook fails")
                } else {
                    (Refused::Policy, "policy refuses")
                };
                self.cover.reach("fault met", which);
                return Fate::Refused(why);
            }
        }
        let percent = |which: fn(&What) -> Option<u64>| self.most(which).unwrap_or(0);
        let answers = percent(|w| match w {
            What::LostAnswers { percent, .. } => Some(u64::from(*percent)),
            _ => None,
        });
        let calls = percent(|w| match w {
            What::LostCalls { percent, .. } => Some(u64::from(*percent)),
            _ => None,
        });
        if writes && self.rng.u64(0..100) < answers {
            self.cover.reach("fault met", "answer lost");
            return Fate::AnswerLost(there);
        }
        if calls > 0 && self.rng.u64(0..100) < calls {
            self.cover.reach("fault met", "call lost");
            return Fate::Lost;
        }
        Fate::Fine(there, back)
    }

    /// The largest figure of what lasts.
    fn most(&self, figure: impl Fn(&What) -> Option<u64>) -> Option<u64> {
        let happenings = &self.scenario.happenings;
        let lasting = self.lasting.iter().filter_map(|i| happenings.get(*i));
        lasting.filter_map(|h| figure(&h.what)).max()
    }
}
