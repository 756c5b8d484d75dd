//! How relays spread over viewers Services.

/// Which viewers Service a relay slot belongs to. A slot's shard never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardRule(Vec<(u32, u32)>);

impl ShardRule {
    /// `count` shards for every slot.
    pub fn first(count: u32) -> Self {
        Self(vec![(0, count.max(1))])
    }

    /// Reads back [`ShardRule::steps`]. Refused unless it starts at slot 0 and rises.
    pub fn from_steps(steps: Vec<(u32, u32)>) -> Option<Self> {
        let rises = steps.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1);
        let starts = steps
            .first()
            .is_some_and(|(from, count)| *from == 0 && *count > 0);
        (rises && starts).then_some(Self(steps))
    }

    /// Pairs of the first slot and the number of shards from there on.
    pub fn steps(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Viewers Services there are.
    pub fn count(&self) -> u32 {
        self.0.last().map_or(1, |(_, count)| *count)
    }

    /// The shards of the first `relays` relay slots: each shard has relays in every zone.
    pub fn of_slots(&self, relays: u32, zones: u32) -> Vec<u32> {
        let zones = zones.max(1);
        let groups = self.of_groups(relays.div_ceil(zones), zones);
        (0..relays).map(|i| groups[(i / zones) as usize]).collect()
    }

    /// The shards of the first `groups` groups of one slot per zone.
    ///
    /// Each group goes to the shard that has the fewest, the lowest on ties: that is group mod count until
    /// shards are added, and afterwards fills the new ones before it goes round all of them. Going round at
    /// once would put more than 250 relays into the old ones.
    fn of_groups(&self, groups: u32, zones: u32) -> Vec<u32> {
        let mut filled = vec![0_u32; self.count() as usize];
        let shard_of = |group: u32| {
            let first_slot = group.saturating_mul(zones);
            let step = self.0.iter().rev().find(|(from, _)| *from <= first_slot);
            let open = step.map_or(1, |(_, count)| *count) as usize;
            let shard = (0..open).min_by_key(|s| (filled[*s], *s)).unwrap_or(0);
            filled[shard] += 1;
            shard as u32
        };
        (0..groups).map(shard_of).collect()
    }

    pub(crate) fn widened(&self, count: u32, from: u32) -> Self {
        let mut steps = self.0.clone();
        if count > self.count() {
            steps.retain(|(first, _)| *first < from);
            steps.push((from, count));
        }
        Self(steps)
    }
}
