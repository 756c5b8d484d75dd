//! Will seats be missing, how many, and why.

use jiff::{SignedDuration, Timestamp};

use crate::fleet::missing;
use crate::input::{Class, Memory, Pod, Recent, SetbackKind};
use crate::phase::Phase;
use crate::ramp::Waves;
use crate::reason::Reason;
use crate::seats::Fleet;
use crate::slot::{Role, Slot};
use crate::tier::Capacity;
use crate::time::{after, clock, grouped};
use crate::timeline::Schedule;

/// How long a pod may be later than expected, or in trouble, before it counts as missing.
pub(crate) const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Seats that will be missing at the start, or are missing on air.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Risk {
    pub(crate) seats: u32,
    pub(crate) cause: Reason,
    pub(crate) message: String,
}

/// What the judgement is made from.
pub(crate) struct View<'a> {
    pub(crate) now: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) memory: &'a Memory,
    pub(crate) class: &'a Class,
    pub(crate) capacity: &'a Capacity,
    pub(crate) fleet: &'a Fleet<'a>,
    pub(crate) waves: &'a Waves,
    pub(crate) schedule: &'a Schedule,
    pub(crate) recent: &'a Recent,
    pub(crate) unfed: u32,
}

impl View<'_> {
    /// Seats missing at the start (or now, on air) and the cause that holds.
    pub(crate) fn risk(&self) -> Option<Risk> {
        let wanted = self.memory.accepted.spec.tier.attendees();
        let there = if self.phase.on_air() {
            self.fleet.seats(self.memory, self.capacity)
        } else {
            self.expected_seats()
        };
        let seats = wanted.saturating_sub(there);
        (seats > 0).then(|| {
            let (cause, message) = self.cause();
            let when = if self.phase.on_air() {
                format!("{} of {} seats are missing.", grouped(seats), grouped(wanted))
            } else {
                let start = clock(self.schedule.start, self.now);
                format!(
                    "{} of {} seats will be missing at {start}.",
                    grouped(seats),
                    grouped(wanted)
                )
            };
            Risk {
                seats,
                cause,
                message: format!("{} {when} {}", self.pods_sentence(), message),
            }
        })
    }

    /// `1,180 of 1,242 pods are Ready.`
    pub(crate) fn pods_sentence(&self) -> String {
        let target = self.waves.target();
        let ready = self
            .fleet
            .occupants()
            .filter(|p| p.ready && p.slot.index < target.of(p.slot.role))
            .count() as u32;
        format!(
            "{} of {} pods are Ready.",
            grouped(ready),
            grouped(target.total())
        )
    }

    fn expected_seats(&self) -> u32 {
        let target = self.waves.target();
        let late = missing(self.fleet, target)
            .filter(|slot| !self.on_time(*slot))
            .collect::<Vec<_>>();
        if self.memory.shape.room {
            let sfu = Slot::new(Role::Sfu, 0);
            let up = self
                .fleet
                .occupant(sfu)
                .map_or(!late.contains(&sfu), |p| self.expected(p));
            return if up {
                self.memory.accepted.spec.tier.attendees()
            } else {
                0
            };
        }
        // A missing mid takes the relays with it that it would have fed.
        let mids_late = late.iter().filter(|s| s.role == Role::Mid).count() as u32;
        let starved = mids_late.saturating_sub(1) * target.relay.checked_div(target.mid).unwrap_or(0);
        let relays_coming = missing(self.fleet, target)
            .filter(|s| s.role == Role::Relay)
            .count()
            .saturating_sub(late.iter().filter(|s| s.role == Role::Relay).count())
            as u32;
        let sfu_coming = missing(self.fleet, target).any(|s| s.role == Role::Sfu && !late.contains(&s));
        let up = self.fleet.carrying_if(|p| self.expected(p));
        let here = if up == 0 && sfu_coming {
            self.fleet.count(Role::Relay, |p| self.expected(p))
        } else {
            up
        };
        let carried = (here + relays_coming)
            .saturating_sub(self.unfed)
            .saturating_sub(starved);
        self.capacity.seats(carried, self.memory.accepted.spec.max_tier)
    }

    /// A pod that isn't created yet will be Ready before the start.
    fn on_time(&self, slot: Slot) -> bool {
        if self.blocked(self.now) {
            return false;
        }
        let created = self.waves.due(slot).max(self.now);
        after(created, self.settle()) <= self.schedule.start
    }

    /// A pod that exists is Ready or still within its expected time.
    fn expected(&self, pod: &Pod) -> bool {
        if pod.ready {
            return true;
        }
        let troubled = pod
            .trouble
            .as_ref()
            .is_some_and(|t| after(t.since, PATIENCE) <= self.now);
        let expected_at = after(pod.created, self.settle());
        !troubled && after(expected_at, PATIENCE) > self.now && expected_at <= self.schedule.start
    }

    fn settle(&self) -> SignedDuration {
        let settle = &self.class.ramp.settle;
        if self.memory.shape.room {
            settle.image_pull.saturating_add(settle.pod_startup)
        } else {
            settle.total()
        }
    }

    fn blocked(&self, now: Timestamp) -> bool {
        self.recent.setbacks.iter().any(|s| s.retry_at > now)
    }

    fn cause(&self) -> (Reason, String) {
        if let Some(setback) = self.recent.setbacks.first() {
            let missing = grouped(missing(self.fleet, self.waves.target()).count() as u32);
            let said = &setback.message;
            return match setback.kind {
                SetbackKind::Quota => (
                    Reason::QuotaExceeded,
                    format!("The quota refuses {missing} pods: {said}. Raise the ResourceQuota."),
                ),
                SetbackKind::Rejected | SetbackKind::Conflict => (
                    Reason::PodsRejected,
                    format!(
                        "The API server refuses {missing} pods: {said}. Change the template or the policy."
                    ),
                ),
            };
        }
        for reason in [Reason::Unschedulable, Reason::ImagePull] {
            let in_trouble = |p: &Pod| p.trouble.as_ref().is_some_and(|t| t.reason == reason);
            let Some(first) = self.fleet.occupants().find(|p| !p.ready && in_trouble(p)) else {
                continue;
            };
            let pods = self
                .fleet
                .occupants()
                .filter(|p| !p.ready && in_trouble(p))
                .count() as u32;
            let said = first.trouble.as_ref().map_or("", |t| t.message.as_str());
            let n = grouped(pods);
            let text = if reason == Reason::Unschedulable {
                let cpu = self.class.cpu.relay_millis.unwrap_or(self.class.cpu.sfu_millis);
                format!(
                    "{n} pods are unschedulable ({said}). Add {n} machines with {} free CPUs.",
                    cores(cpu)
                )
            } else {
                format!("{n} pods can't pull their image ({said}). Check the image and its registry.")
            };
            return (reason, text);
        }
        if self.unfed > 0 {
            let n = grouped(self.unfed);
            let text = format!(
                "{n} relays can't be fed by the tree this run began with. Start the next run with this tier."
            );
            return (Reason::RampBehind, text);
        }
        if self.phase.on_air() && self.memory.ready_at.is_some() {
            return (Reason::PodsLost, "Replacements are being created.".to_owned());
        }
        let late = missing(self.fleet, self.waves.target()).any(|slot| !self.on_time(slot));
        let short = self.schedule.start < after(self.memory.accepted.since, self.schedule.lead);
        if late || short {
            let text = "There is less time than the ramp needs; everything is created as fast as allowed.";
            return (Reason::TooLate, text.to_owned());
        }
        let text =
            "Pods take longer to become Ready than the class expects. Look at the pods that are not Ready.";
        (Reason::RampBehind, text.to_owned())
    }
}

fn cores(millis: u64) -> String {
    if millis.is_multiple_of(1000) {
        (millis / 1000).to_string()
    } else {
        format!("{}m", millis)
    }
}
