//! One manifest planned: pods, boundaries, waves, what they cost, and what to beware of.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::PodTemplateSpec;
use webinar_plan as plan;
use webinar_plan::{Counts, Reason};

use super::contract::{Aside, Note, Outline, Peak, Pods, Schedule, Wave};
use super::manifests::Given;
use crate::convert;
use crate::memory::Pinned;
use crate::observe::Platform;
use crate::ownership::Owner;
use crate::quantity::{bytes, millicores};
use crate::ruling::today;

/// What machines are like, for the bill.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Machines {
    /// CPUs of one machine.
    pub(crate) cpu: u32,
}

/// Plans one manifest as of `now`.
pub(crate) fn outline(given: &Given, platform: &Platform, machines: Machines, now: Timestamp) -> Outline {
    let refused = |reason: &str, message: String| Outline {
        name: given.name.clone(),
        namespace: given.namespace.clone(),
        tier: given.webinar.as_ref().ok().map(|w| w.spec.tier.to_string()),
        seats: 0,
        viewers_per_relay: None,
        pods: None,
        schedule: None,
        waves: None,
        peak: None,
        egress_mbps: 0,
        warnings: Vec::new(),
        refused: Some(Note {
            reason: reason.to_owned(),
            message,
        }),
        aside: None,
    };
    let Some((webinar, owner)) = given.readable() else {
        let why = given.webinar.as_ref().err().cloned().unwrap_or_default();
        return refused("Invalid", why);
    };
    let (pinned, class) = match today(webinar, platform) {
        Ok(ruling) => ruling,
        Err(finding) => return refused(finding.reason.as_str(), finding.message),
    };
    let spec = convert::spec(&webinar.spec);
    match plan::servable(&spec, &class) {
        Ok((capacity, shape)) => {
            let created = webinar.metadata.creation_timestamp.as_ref().map_or(now, |t| t.0);
            Served {
                owner: &owner,
                spec: &spec,
                pinned: &pinned,
                class: &class,
                capacity,
                shape,
                created,
                now,
            }
            .outline(machines)
        }
        Err(why) => refused(
            Reason::TierNotAllowed.as_str(),
            format!("Class {} can't serve it: it {why}.", class.name),
        ),
    }
}

/// Everything that was found out about a manifest that can be served.
struct Served<'a> {
    owner: &'a Owner,
    spec: &'a plan::Spec,
    pinned: &'a Pinned,
    class: &'a plan::Class,
    capacity: plan::Capacity,
    shape: plan::Shape,
    created: Timestamp,
    now: Timestamp,
}

impl Served<'_> {
    fn outline(&self, machines: Machines) -> Outline {
        let target = self.capacity.counts(self.spec.tier, &self.shape);
        let key = format!("{}/{}", self.owner.namespace, self.owner.name);
        let schedule = plan::Schedule::new(&key, self.spec, self.class, target.total(), self.created, None);
        let waves = plan::Waves::new(
            &self.class.ramp.of(&self.shape),
            &schedule,
            self.now,
            Counts::default(),
            target,
        );
        let list = waves.list();
        let cost = Cost::of(self.pinned, target);
        let attendees = self.spec.tier.attendees();
        let egress_mbps = u64::from(attendees) * u64::from(self.class.sizing.viewer_kbps) / 1000;
        let seconds = u64::try_from(self.spec.duration.as_secs()).unwrap_or(0);
        Outline {
            name: self.owner.name.clone(),
            namespace: self.owner.namespace.clone(),
            tier: Some(self.spec.tier.to_string()),
            seats: self.seats(target.relay),
            viewers_per_relay: self.capacity.per_relay.filter(|_| !self.shape.room),
            pods: Some(pods(target)),
            waves: Some(
                list.iter()
                    .map(|w| Wave {
                        time: w.time,
                        pods: pods(w.pods),
                    })
                    .collect(),
            ),
            peak: Some(Peak {
                cpu_millicores: cost.cpu_millis(),
                memory_bytes: cost.memory(),
            }),
            egress_mbps,
            warnings: self.too_late(&schedule, &list).into_iter().collect(),
            refused: None,
            aside: Some(Aside {
                floor_until: schedule.floor_until,
                settle: self.settle(),
                machines: cost.machines(machines),
                vcpu_hours: cost.vcpu_hours(&list, schedule.end),
                egress_gb: egress_mbps.saturating_mul(seconds) / 8_000,
                services: self.services(target),
                attendees,
                seats_from: self.seats_from(&list),
            }),
            schedule: Some(Schedule {
                ramp_time: schedule.ramp,
                ready_by_time: schedule.ready_by,
                start_time: schedule.start,
                end_time: schedule.end,
                release_time: schedule.release,
                lead_seconds: schedule.lead.as_secs(),
                jitter_seconds: schedule.jitter.as_secs(),
            }),
        }
    }

    fn settle(&self) -> SignedDuration {
        self.class.ramp.settle.of(&self.shape)
    }

    fn seats(&self, relays: u32) -> u32 {
        if self.shape.room {
            self.spec.tier.attendees()
        } else {
            self.capacity.seats(relays, self.spec.max_tier)
        }
    }

    /// Seats grow as each wave has settled.
    fn seats_from(&self, waves: &[plan::Wave]) -> Vec<(Timestamp, u32)> {
        let mut relays = 0;
        let step = |wave: &plan::Wave| {
            relays += wave.pods.relay;
            (wave.time + self.settle(), self.seats(relays))
        };
        waves.iter().map(step).collect()
    }

    /// Seats that will be missing at the start, as seen from now.
    fn too_late(&self, schedule: &plan::Schedule, waves: &[plan::Wave]) -> Option<Note> {
        self.spec.start?;
        if self.now >= schedule.end {
            let message = "The event has ended; nothing will be created.".to_owned();
            return Some(Note {
                reason: Reason::Expired.as_str().to_owned(),
                message,
            });
        }
        let ready = |w: &&plan::Wave| w.time + self.settle() <= schedule.start;
        let in_time: Vec<&plan::Wave> = waves.iter().filter(ready).collect();
        let relays = in_time.iter().map(|w| w.pods.relay).sum();
        let sfus: u32 = in_time.iter().map(|w| w.pods.sfu).sum();
        let seats = if sfus == 0 { 0 } else { self.seats(relays) };
        let missing = self.spec.tier.attendees().saturating_sub(seats);
        (missing > 0).then(|| Note {
            reason: Reason::TooLate.as_str().to_owned(),
            message: format!(
                "{missing} of {} seats will be missing at the start: the ramp needs {} s and {} s are left.",
                self.spec.tier.attendees(),
                schedule.lead.as_secs(),
                schedule.start.duration_since(self.now).as_secs().max(0)
            ),
        })
    }

    fn services(&self, target: Counts) -> u32 {
        // ingest and viewers-0; beside mids and relays also origin and one per SFU and mid.
        if self.shape.room {
            2
        } else {
            2 + target.sfu + target.mid + self.shape.shards.count()
        }
    }
}

fn pods(counts: Counts) -> Pods {
    Pods {
        sfu: counts.sfu,
        mid: counts.mid,
        relay: counts.relay,
    }
}

/// What pods request, over all their containers.
struct Cost {
    sfu: Request,
    relay: Request,
    counts: Counts,
}

#[derive(Clone, Copy, Default)]
struct Request {
    cpu_millis: u64,
    memory: u64,
}

impl Cost {
    fn of(pinned: &Pinned, counts: Counts) -> Self {
        let relay = pinned.relay.as_ref().map(request).unwrap_or_default();
        Self {
            sfu: request(&pinned.sfu),
            relay,
            counts,
        }
    }

    fn sum(&self, of: impl Fn(Request) -> u64) -> u64 {
        let relays = u64::from(self.counts.mid) + u64::from(self.counts.relay);
        of(self.sfu) * u64::from(self.counts.sfu) + of(self.relay) * relays
    }

    fn cpu_millis(&self) -> u64 {
        self.sum(|r| r.cpu_millis)
    }

    fn memory(&self) -> u64 {
        self.sum(|r| r.memory)
    }

    /// Machines when each holds as many pods of one kind as fit by CPU. Nothing when a pod fits on none.
    fn machines(&self, machines: Machines) -> Option<u64> {
        let of = |request: Request, pods: u64| {
            if pods == 0 {
                return Some(0);
            }
            let fit = (u64::from(machines.cpu) * 1000).checked_div(request.cpu_millis)?;
            (fit > 0).then(|| pods.div_ceil(fit))
        };
        let relays = u64::from(self.counts.mid) + u64::from(self.counts.relay);
        Some(of(self.sfu, u64::from(self.counts.sfu))? + of(self.relay, relays)?)
    }

    /// From each wave to the planned end, rounded up to whole hours.
    fn vcpu_hours(&self, waves: &[plan::Wave], end: Timestamp) -> u64 {
        let milli_seconds: u128 = waves
            .iter()
            .map(|w| {
                let held = u128::try_from(end.duration_since(w.time).as_secs()).unwrap_or(0);
                let wave = Self {
                    counts: w.pods,
                    sfu: self.sfu,
                    relay: self.relay,
                };
                held * u128::from(wave.cpu_millis())
            })
            .sum();
        u64::try_from(milli_seconds.div_ceil(3_600_000)).unwrap_or(u64::MAX)
    }
}

/// What one pod requests: containers together, or its largest init container if that is more.
fn request(template: &PodTemplateSpec) -> Request {
    let Some(spec) = &template.spec else {
        return Request::default();
    };
    let of = |c: &k8s_openapi::api::core::v1::Container| {
        let requests = c.resources.as_ref().and_then(|r| r.requests.as_ref());
        let get = |key: &str| requests.and_then(|r| r.get(key));
        Request {
            cpu_millis: get("cpu").and_then(millicores).unwrap_or(0),
            memory: get("memory").and_then(bytes).unwrap_or(0),
        }
    };
    let together = spec
        .containers
        .iter()
        .map(of)
        .fold(Request::default(), |a, b| Request {
            cpu_millis: a.cpu_millis.saturating_add(b.cpu_millis),
            memory: a.memory.saturating_add(b.memory),
        });
    spec.init_containers
        .iter()
        .flatten()
        .map(of)
        .fold(together, |a, b| Request {
            cpu_millis: a.cpu_millis.max(b.cpu_millis),
            memory: a.memory.max(b.memory),
        })
}
