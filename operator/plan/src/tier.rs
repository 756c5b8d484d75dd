//! Attendees → SFU, mid and relay pods. Integers only, rounded as written.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::shard::ShardRule;
use crate::slot::{Role, Slot};

/// A booked audience size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// An ad-hoc meeting of up to 50 people, all on one SFU.
    Room,
    /// 10,000 people.
    K10,
    /// 50,000 people.
    K50,
    /// 100,000 people.
    K100,
    /// 250,000 people.
    K250,
    /// 500,000 people.
    K500,
    /// 1,000,000 people.
    M1,
}

impl Tier {
    /// Every tier, smallest first.
    pub const ALL: [Self; 7] = [
        Self::Room,
        Self::K10,
        Self::K50,
        Self::K100,
        Self::K250,
        Self::K500,
        Self::M1,
    ];

    /// How many people the tier is for.
    pub const fn attendees(self) -> u32 {
        match self {
            Self::Room => 50,
            Self::K10 => 10_000,
            Self::K50 => 50_000,
            Self::K100 => 100_000,
            Self::K250 => 250_000,
            Self::K500 => 500_000,
            Self::M1 => 1_000_000,
        }
    }

    /// The tier as users write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::K10 => "10k",
            Self::K50 => "50k",
            Self::K100 => "100k",
            Self::K250 => "250k",
            Self::K500 => "500k",
            Self::M1 => "1M",
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Tier {
    type Err = ();

    fn from_str(s: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|t| t.as_str() == s).ok_or(())
    }
}

/// A class's measured and assumed figures. See `WebinarClass.spec.sizing` for where each default comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizing {
    /// Downstream per viewer on the wire, kbit/s.
    pub viewer_kbps: u32,
    /// Packets per second to one viewer.
    pub viewer_pps: u32,
    /// Packets per second that one vCPU forwards (κ).
    pub pps_per_cpu: u32,
    /// Planned CPU use, percent.
    pub max_cpu_percent: u32,
    /// Network cap of a pod's machine, Mbit/s.
    pub egress_mbps: u32,
    /// Planned network use, percent.
    pub max_egress_percent: u32,
    /// What a pod may carry in need, percent of CPU and network.
    pub hard_percent: u32,
    /// Hard cap from experience.
    pub max_viewers_per_relay: Option<u32>,
    /// Uneven placement of viewers, percent.
    pub imbalance_percent: u32,
    /// Relays beyond the need, at least.
    pub spares_min: u32,
    /// Relays beyond the need, percent of the need, rounded up.
    pub spares_percent: u32,
    /// Children per parent we plan for.
    pub fan_out: u32,
    /// Packets per second of one copy of the stage.
    pub stage_pps: u32,
    /// Bitrate of one copy of the stage, kbit/s.
    pub stage_kbps: u32,
    /// Packets per second that one person on stage costs the SFU.
    pub pps_per_panelist: u32,
    /// SFUs per tier.
    pub sfu_counts: BTreeMap<Tier, u32>,
    /// Zones that counts are rounded to, at least 1.
    pub zones: u32,
    /// Hard stop for one Webinar.
    pub max_pods: u32,
}

impl Sizing {
    fn budget(&self, cpu_millis: u64, percent: u32) -> u64 {
        cpu_millis
            .saturating_mul(u64::from(self.pps_per_cpu))
            .saturating_mul(u64::from(percent))
            / 100_000
    }

    fn net(&self, percent: u32) -> u64 {
        (u64::from(self.egress_mbps) * 1000).saturating_mul(u64::from(percent)) / 100
    }

    fn viewers(&self, cpu_millis: u64, cpu_percent: u32, net_percent: u32) -> u32 {
        let by_cpu = self.budget(cpu_millis, cpu_percent) / u64::from(self.viewer_pps.max(1));
        let by_net = self.net(net_percent) / u64::from(self.viewer_kbps.max(1));
        let cap = self.max_viewers_per_relay.map_or(u64::MAX, u64::from);
        clamp(by_cpu.min(by_net).min(cap))
    }

    fn children(&self, cpu_millis: u64, cpu_percent: u32, net_percent: u32) -> u32 {
        let by_cpu = self.budget(cpu_millis, cpu_percent) / u64::from(self.stage_pps.max(1));
        let by_net = self.net(net_percent) / u64::from(self.stage_kbps.max(1));
        clamp(by_cpu.min(by_net))
    }

    fn whole_zones(&self, n: u64) -> u32 {
        let zones = u64::from(self.zones.max(1));
        clamp(n.div_ceil(zones).saturating_mul(zones))
    }
}

fn clamp(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// What one pod of each kind can carry, computed from a class and the people on stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    sizing: Sizing,
    sfu_millis: u64,
    panelists: u32,
    /// Planned viewers per relay (C). Absent in a class without a relay template.
    pub per_relay: Option<u32>,
    /// Viewers a relay may carry in need (hardC), which is `WEBINAR_MAX_VIEWERS`.
    pub hard_per_relay: u32,
    /// Children of one mid we plan for.
    pub mid_fan: u32,
    /// Children of one mid in need.
    pub mid_max: u32,
    /// Children the SFU can carry.
    pub stage_max: u32,
    /// Children of the SFU we plan for.
    pub stage_fan: u32,
}

impl Capacity {
    /// `sfu_millis` and `relay_millis` are the CPU requests of the templates' first containers.
    pub fn new(sizing: &Sizing, sfu_millis: u64, relay_millis: Option<u64>, panelists: u32) -> Self {
        let relay = relay_millis.unwrap_or(0);
        let planned = (sizing.max_cpu_percent, sizing.max_egress_percent);
        let hard = (sizing.hard_percent, sizing.hard_percent);
        let on_stage = u64::from(panelists) * u64::from(sizing.pps_per_panelist);
        let stage_cpu = sizing.budget(sfu_millis, planned.0).saturating_sub(on_stage)
            / u64::from(sizing.stage_pps.max(1));
        let stage_net = (sizing.net(planned.1) / u64::from(sizing.stage_kbps.max(1)))
            .saturating_sub(u64::from(panelists));
        let stage_max = clamp(stage_cpu.min(stage_net));
        Self {
            sizing: sizing.clone(),
            sfu_millis,
            panelists,
            per_relay: relay_millis.map(|cpu| sizing.viewers(cpu, planned.0, planned.1)),
            hard_per_relay: sizing.viewers(relay, hard.0, hard.1),
            mid_fan: sizing.children(relay, planned.0, planned.1).min(sizing.fan_out),
            mid_max: sizing.children(relay, hard.0, hard.1),
            stage_max,
            stage_fan: stage_max.min(sizing.fan_out),
        }
    }

    /// Relays for `viewers` people: those that carry them, spares, rounded up to whole zones.
    /// Zero when the class has no usable relay.
    pub fn relays(&self, viewers: u32) -> u32 {
        let Some(per_relay) = self.per_relay.filter(|c| *c > 0) else {
            return 0;
        };
        let carry = u64::from(self.carriers(viewers, per_relay));
        let spare = u64::from(self.sizing.spares_min)
            .max((carry * u64::from(self.sizing.spares_percent)).div_ceil(100));
        self.sizing.whole_zones(carry + spare)
    }

    /// Relays that carry `viewers` people, none to spare.
    fn carriers(&self, viewers: u32, per_relay: u32) -> u32 {
        let load = u64::from(viewers).saturating_mul(self.with_imbalance());
        clamp(load.div_ceil(100 * u64::from(per_relay)))
    }

    /// What 100 viewers count as, because they are never spread evenly.
    fn with_imbalance(&self) -> u64 {
        100 + u64::from(self.sizing.imbalance_percent)
    }

    fn mids(&self, relays: u32) -> u32 {
        let parents = u64::from(relays).div_ceil(u64::from(self.mid_fan.max(1)));
        self.sizing.whole_zones(parents + 1)
    }

    /// Pods for `tier` within a run's `shape`.
    pub fn counts(&self, tier: Tier, shape: &Shape) -> Counts {
        if shape.room {
            return Counts {
                sfu: shape.sfus,
                mid: 0,
                relay: 0,
            };
        }
        self.with_relays(self.relays(tier.attendees()), shape)
    }

    /// A fleet of `relay` relays within a run's `shape`.
    pub(crate) fn with_relays(&self, relay: u32, shape: &Shape) -> Counts {
        let mid = if shape.mids { self.mids(relay) } else { 0 };
        Counts {
            sfu: shape.sfus,
            mid,
            relay,
        }
    }

    /// The shape of a run that may grow to `max_tier`, or why that can't be served.
    pub fn shape(&self, max_tier: Tier) -> Result<Shape, Unservable> {
        let sfus = self.sizing.sfu_counts.get(&max_tier).copied().unwrap_or(1).max(1);
        let budget = self.sizing.budget(self.sfu_millis, self.sizing.max_cpu_percent);
        let on_stage = u64::from(self.panelists) * u64::from(self.sizing.pps_per_panelist);
        let shape = if max_tier == Tier::Room {
            let seats = u64::from(max_tier.attendees()) * u64::from(self.sizing.viewer_pps);
            if on_stage + seats > budget {
                return Err(Unservable::RoomTooSmall {
                    panelists: self.panelists,
                });
            }
            Shape {
                room: true,
                sfus,
                mids: false,
                shards: ShardRule::first(1),
            }
        } else {
            match self.per_relay {
                None => return Err(Unservable::NoRelayTemplate),
                Some(0) => return Err(Unservable::NoViewerFits),
                Some(_) => {}
            }
            if self.stage_fan < 1 {
                return Err(Unservable::StageTooSmall {
                    panelists: self.panelists,
                });
            }
            let relays = self.relays(max_tier.attendees());
            let mids = relays > self.stage_fan;
            if mids {
                if self.mid_fan < 1 {
                    return Err(Unservable::MidTooSmall);
                }
                let needed = self.mids(relays);
                if needed > self.stage_fan {
                    return Err(Unservable::TooManyMids {
                        needed,
                        feeds: self.stage_fan,
                    });
                }
            }
            let shards = clamp((u64::from(relays) * 105).div_ceil(100 * 240)).max(1);
            Shape {
                room: false,
                sfus,
                mids,
                shards: ShardRule::first(shards),
            }
        };
        let pods = self.counts(max_tier, &shape).total();
        if pods > self.sizing.max_pods {
            return Err(Unservable::TooManyPods {
                pods,
                max: self.sizing.max_pods,
            });
        }
        Ok(shape)
    }

    /// Seats that `carried` relays give at the planned load, at most `max_tier`'s.
    pub fn seats(&self, carried: u32, max_tier: Tier) -> u32 {
        self.seats_at(self.per_relay.unwrap_or(0), carried, max_tier)
    }

    /// Seats that `carried` relays give in need, at most `max_tier`'s.
    pub(crate) fn seats_in_need(&self, carried: u32, max_tier: Tier) -> u32 {
        self.seats_at(self.hard_per_relay, carried, max_tier)
    }

    fn seats_at(&self, per_relay: u32, carried: u32, max_tier: Tier) -> u32 {
        let load = u64::from(carried) * u64::from(per_relay);
        clamp(load.saturating_mul(100) / self.with_imbalance()).min(max_tier.attendees())
    }

    /// Zones that counts are rounded to.
    pub fn zones(&self) -> u32 {
        self.sizing.zones.max(1)
    }
}

/// Pods by role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Selective forwarding units.
    pub sfu: u32,
    /// Relays whose clients are relays.
    pub mid: u32,
    /// Relays that viewers connect to.
    pub relay: u32,
}

impl Counts {
    /// Pods of all roles.
    pub const fn total(self) -> u32 {
        self.sfu.saturating_add(self.mid).saturating_add(self.relay)
    }

    /// Pods of one role.
    pub const fn of(self, role: Role) -> u32 {
        match role {
            Role::Sfu => self.sfu,
            Role::Mid => self.mid,
            Role::Relay => self.relay,
        }
    }

    /// Every slot, in order of creation: SFUs, mids, relays.
    pub fn slots(self) -> impl Iterator<Item = Slot> {
        Role::ALL
            .into_iter()
            .flat_map(move |role| (0..self.of(role)).map(move |i| Slot::new(role, i)))
    }
}

/// What a run's fleet looks like, fixed from `maxTier` so that growth reaches every address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Everyone is on one SFU; there are no relays.
    pub room: bool,
    /// SFUs: one active, the others standing by.
    pub sfus: u32,
    /// Relays are fed by mids.
    pub mids: bool,
    /// How relay slots spread over viewers Services.
    pub shards: ShardRule,
}

impl Shape {
    /// This shape widened to hold `other` too, for slots from `from` on: nothing that exists moves.
    #[must_use]
    pub fn widened(&self, other: &Self, from: u32) -> Self {
        Self {
            room: self.room && other.room,
            sfus: self.sfus.max(other.sfus),
            mids: self.mids || other.mids,
            shards: self.shards.widened(other.shards.count(), from),
        }
    }
}

/// Why a tier can't be served by a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unservable {
    /// The class has no relay template, and the tier needs relays.
    NoRelayTemplate,
    /// Not one viewer fits on a relay.
    NoViewerFits,
    /// The SFU can't feed a single child beside the people on stage.
    StageTooSmall {
        /// People on stage.
        panelists: u32,
    },
    /// The SFU can't carry 50 viewers beside the people on stage.
    RoomTooSmall {
        /// People on stage.
        panelists: u32,
    },
    /// A mid can't feed a single relay.
    MidTooSmall,
    /// More mids than the SFU feeds.
    TooManyMids {
        /// Mids the tier needs.
        needed: u32,
        /// Children of the SFU the class plans for.
        feeds: u32,
    },
    /// More pods than the class allows for one Webinar.
    TooManyPods {
        /// Pods the tier needs.
        pods: u32,
        /// `maxPods` of the class.
        max: u32,
    },
    /// Above the class's `maxTier`.
    AboveClass {
        /// `maxTier` of the class.
        max: Tier,
    },
}

/// What is wrong with the tier and what to do, to be read after its name: `1M needs 54 mids, …`.
impl fmt::Display for Unservable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRelayTemplate => f.write_str("needs relays, and the class has no `templates.relay`"),
            Self::NoViewerFits => f.write_str(
                "needs relays that carry at least one viewer: use a relay template with more CPU or check `sizing.viewer`",
            ),
            Self::StageTooSmall { panelists } => write!(
                f,
                "needs an SFU that feeds at least one child beside {panelists} panelists: use an SFU template with more CPU or fewer panelists"
            ),
            Self::RoomTooSmall { panelists } => write!(
                f,
                "needs an SFU that carries 50 viewers beside {panelists} panelists: use an SFU template with more CPU or fewer panelists"
            ),
            Self::MidTooSmall => {
                f.write_str("needs mids that feed at least one relay: use a relay template with more CPU")
            }
            Self::TooManyMids { needed, feeds } => write!(
                f,
                "needs {needed} mids, the SFU feeds {feeds}: use a relay template with more CPU or raise fanOut"
            ),
            Self::TooManyPods { pods, max } => write!(
                f,
                "needs {pods} pods, the class allows {max}: raise `maxPods` or use a relay template with more CPU"
            ),
            Self::AboveClass { max } => write!(
                f,
                "is above the class's `maxTier` {max}: choose a smaller tier or another class"
            ),
        }
    }
}
