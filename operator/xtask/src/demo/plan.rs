//! What the class promises for the tier, as its status tells.

use anyhow::{Context, Result, ensure};
use webinar_api::{Duration, Ramp, Tier, WebinarClass};

use super::counts::{Counts, grouped};

/// The fleet that the event will have.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) tier: Tier,
    /// The whole fleet, spares included.
    pub(super) planned: Counts,
    /// `None` for rooms, whose viewers are on the SFU.
    pub(super) viewers_per_relay: Option<usize>,
    imbalance_percent: usize,
    ramp: Ramp,
}

impl Plan {
    /// Reads it from a class that has judged itself.
    ///
    /// # Errors
    /// When the class is not accepted or can't serve the tier, with its message.
    pub(super) fn of(class: &WebinarClass, tier: Tier) -> Result<Self> {
        let status = class.status.as_ref().context("the operator has not judged it")?;
        let accepted = status
            .conditions
            .iter()
            .find(|c| c.type_ == "Accepted")
            .context("the operator has not judged it")?;
        ensure!(accepted.status == "True", "{}", accepted.message);
        let row = status
            .tiers
            .iter()
            .find(|row| row.tier == tier)
            .with_context(|| format!("it says nothing of {tier}"))?;
        ensure!(
            row.message.is_none(),
            "{}",
            row.message.as_deref().unwrap_or_default()
        );
        Ok(Self {
            tier,
            planned: Counts {
                sfu: count(row.sfu),
                mid: count(row.mid),
                relay: count(row.relay),
            },
            viewers_per_relay: status
                .viewers_per_relay
                .map(|viewers| count(Some(viewers)))
                .filter(|_| tier != Tier::Room),
            imbalance_percent: count(Some(class.spec.sizing.imbalance_percent)),
            ramp: class.spec.ramp.clone(),
        })
    }

    /// Pods that are created at once.
    pub(super) fn wave_size(&self) -> usize {
        count(Some(self.ramp.wave_size)).max(1)
    }

    /// The least of the fleet with which every seat is there: all but the spare relays.
    pub(super) fn needed(&self) -> Counts {
        let audience = self.tier.attendees() as usize * (100 + self.imbalance_percent);
        Counts {
            relay: self
                .viewers_per_relay
                .map_or(0, |viewers| audience.div_ceil(100 * viewers)),
            ..self.planned
        }
    }

    /// The most seats that these Ready pods can stand for.
    pub(super) fn seats(&self, ready: Counts) -> usize {
        let has_way = ready.sfu > 0 && (ready.mid > 0 || self.planned.mid == 0);
        let carried = match self.viewers_per_relay {
            _ if !has_way => 0,
            None => usize::MAX,
            Some(viewers) => ready.relay * viewers * 100 / (100 + self.imbalance_percent),
        };
        carried.min(self.tier.attendees() as usize)
    }

    /// What will be created, in a sentence.
    pub(super) fn sentence(&self) -> String {
        let viewers = self.viewers_per_relay.map_or_else(String::new, |viewers| {
            format!(", {} viewers planned on each relay", grouped(viewers))
        });
        format!(
            "{} pods: {}{viewers}",
            grouped(self.planned.total()),
            self.planned
        )
    }

    /// How the class's times differ from the defaults, in a sentence.
    pub(super) fn shortened(&self) -> String {
        let usual = Ramp::default();
        let Ramp {
            wave_size,
            wave_interval,
            safety_percent: _,
            ready_before,
            settle: _,
        } = &self.ramp;
        format!(
            "times are shortened: waves of {wave_size} every {wave_interval}, not {}; {} to settle, not {}; \
             ready {} ahead",
            usual.wave_interval,
            settle(&self.ramp),
            settle(&usual),
            ready_before.unwrap_or_default(),
        )
    }
}

/// From a pod's creation to its viewers.
fn settle(ramp: &Ramp) -> Duration {
    let parts = &ramp.settle;
    let parts = [
        parts.node_startup,
        parts.image_pull,
        parts.pod_startup,
        parts.upstream,
        parts.load_balancer,
    ];
    Duration::from_secs(parts.iter().map(|part| part.as_secs()).sum())
}

fn count(number: Option<i32>) -> usize {
    usize::try_from(number.unwrap_or(0)).unwrap_or(0)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::demo) fn million() -> Plan {
        Plan {
            tier: Tier::T1M,
            planned: Counts {
                sfu: 3,
                mid: 27,
                relay: 1212,
            },
            viewers_per_relay: Some(926),
            imbalance_percent: 10,
            ramp: Ramp::default(),
        }
    }

    fn room() -> Plan {
        Plan {
            tier: Tier::Room,
            planned: Counts {
                sfu: 1,
                ..Counts::default()
            },
            viewers_per_relay: None,
            ..million()
        }
    }

    #[test]
    fn spares_are_not_needed_for_the_seats() {
        assert_eq!(million().needed().relay, 1188);
        assert_eq!(room().needed(), room().planned);
    }

    #[test]
    fn seats_need_a_way_to_the_stage() {
        let plan = million();
        let with = |sfu, mid, relay| plan.seats(Counts { sfu, mid, relay });
        assert_eq!(with(3, 27, 1212), 1_000_000);
        assert_eq!(with(3, 27, 1188), 1_000_000);
        assert_eq!(with(3, 27, 1187), 999_238);
        assert_eq!(with(0, 27, 1212), 0);
        assert_eq!(with(3, 0, 1212), 0);
        assert_eq!(room().seats(room().planned), 50);
        assert_eq!(room().seats(Counts::default()), 0);
    }

    #[test]
    fn sentences() {
        assert_eq!(
            million().sentence(),
            "1,242 pods: 3 SFUs, 27 mids, 1,212 relays, 926 viewers planned on each relay"
        );
        assert!(
            million().shortened().contains("waves of 300 every 3m"),
            "{}",
            million().shortened()
        );
    }
}
