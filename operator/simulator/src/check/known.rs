//! What a decision was made from, as far as invariants need it.

use jiff::SignedDuration;
use webinar_plan::{Capacity, Input, Shape, Tier};

use crate::world::World;

/// Of one Webinar.
#[derive(Debug, Clone)]
pub struct Known {
    /// What one pod carries.
    pub capacity: Capacity,
    /// The shape of the run's tree, or of the one to come.
    pub shape: Option<Shape>,
    /// How far it may grow: as accepted, or as asked for while no run is under way.
    pub max_tier: Tier,
    /// The largest tier that was asked for so far.
    pub largest: Tier,
    /// Relays that people order.
    pub ordered: u32,
    /// How long a drain may take.
    pub drain_timeout: SignedDuration,
    /// All Webinars of the class together may have so many pods.
    pub shares: bool,
    /// Its pods can be asked who watches.
    pub asked: bool,
}

impl Known {
    /// Pods of a tier.
    pub fn pods(&self, tier: Tier) -> Option<webinar_plan::Counts> {
        Some(self.capacity.counts(tier, &self.shape()?))
    }

    /// The shape of its tree, if it can be served.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
            .clone()
            .or_else(|| self.capacity.shape(self.max_tier).ok())
    }

    /// Pods that it may ever have had, those in excess that were ordered included.
    pub fn most_pods(&self) -> u32 {
        let shapes = [self.shape(), self.capacity.shape(self.largest).ok()];
        let counts = shapes
            .into_iter()
            .flatten()
            .map(|shape| self.capacity.counts(self.largest, &shape).total());
        counts.max().unwrap_or(0) + self.ordered
    }
}

impl World {
    /// A decision is made from this.
    pub(crate) fn decides(&mut self, input: &Input) {
        let Ok(class) = &input.class else { return };
        let panelists = input
            .memory
            .as_ref()
            .map_or(input.spec.panelists, |m| m.accepted.spec.panelists);
        let before = self.checks.known.get(&input.webinar.uid);
        let accepted = input.memory.as_ref().map(|m| m.accepted.spec.max_tier);
        let active = input.memory.as_ref().filter(|m| m.active());
        let max_tier = active.map_or(input.spec.max_tier, |m| m.accepted.spec.max_tier);
        let largest = before
            .map(|k| k.largest)
            .into_iter()
            .chain(accepted)
            .fold(input.spec.max_tier, Tier::max);
        let ordered = input.orders.floor.as_ref().map_or(0, |f| f.relays);
        let known = Known {
            capacity: class.capacity(panelists),
            shape: active.map(|m| m.shape.clone()),
            max_tier,
            largest,
            ordered: ordered.max(before.map_or(0, |k| k.ordered)),
            drain_timeout: class.live.drain_timeout,
            shares: class.max_total_pods.is_some(),
            asked: class.attendance.is_some(),
        };
        self.checks.known.insert(input.webinar.uid.clone(), known);
    }
}
