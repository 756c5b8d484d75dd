//! Relays beyond the tier: those that an override asks for.

use jiff::Timestamp;

use crate::input::{Class, Floor, Memory, Orders};
use crate::tier::Counts;

/// Endpoints that one viewers Service may have.
const RELAYS_PER_SHARD: u32 = 250;

/// The override that holds now.
pub(crate) fn floor(orders: &Orders, now: Timestamp) -> Option<&Floor> {
    orders.floor.as_ref().filter(|floor| now < floor.until)
}

/// Relays there may be beside the other pods of `target`: within `maxPods`, and at every address no more
/// than it can hold.
pub(crate) fn ceiling(class: &Class, memory: &Memory, target: Counts) -> u32 {
    if memory.shape.room {
        return 0;
    }
    let others = target.sfu.saturating_add(target.mid);
    let addresses = memory.shape.shards.count().saturating_mul(RELAYS_PER_SHARD);
    class.sizing.max_pods.saturating_sub(others).min(addresses)
}

/// `target` with the relays that the override in force asks for.
pub(crate) fn raised(target: Counts, floor: Option<&Floor>, ceiling: u32) -> Counts {
    let asked = floor.map_or(0, |floor| floor.relays.min(ceiling));
    Counts {
        relay: target.relay.max(asked),
        ..target
    }
}
