//! What may happen to an event on its way.

use proptest::prelude::*;
use proptest::sample::Index;
use webinar_plan::{Class, Floor, Slot, Spec, Tier};

use crate::world::{World, at, class, secs, spec};

/// A small class: 10k is 9 relays in waves of 5, and mids come early.
pub(crate) fn small_class() -> Class {
    let mut class = class(31);
    class.ramp.wave_size = 5;
    class.sizing.fan_out = 20;
    class
}

pub(crate) const CREATED: &str = "2027-03-04T09:00:00Z";
pub(crate) const START: &str = "2027-03-04T17:00:00Z";

/// Something that happens to an event.
#[derive(Debug, Clone)]
pub(crate) enum Accident {
    Nothing,
    /// Someone deletes a pod.
    Lose(Index, bool),
    /// A pod ends by itself.
    End(Index),
    /// A pod's node answers no more, or again.
    CutOff(Index, bool),
    /// A slot's pods don't become Ready.
    Hang(Index),
    /// The operator restarts.
    Restart,
    /// Nodes are full, or free again.
    Room(Option<u8>),
    /// A quota allows so many pods.
    Quota(Option<u8>),
    /// The event team edits the spec.
    Tier(Tier),
    MaxTier(Tier),
    Start(i64),
    Duration(i64),
    Overrun(i64),
    Suspend(bool),
    Override(u32, i64),
}

pub(crate) fn losses() -> impl Strategy<Value = Accident> {
    prop_oneof![
        3 => Just(Accident::Nothing),
        3 => (any::<Index>(), any::<bool>()).prop_map(|(i, b)| Accident::Lose(i, b)),
        1 => any::<Index>().prop_map(Accident::End),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(i, b)| Accident::CutOff(i, b)),
        1 => any::<Index>().prop_map(Accident::Hang),
        1 => Just(Accident::Restart),
        1 => proptest::option::of(0..20_u8).prop_map(Accident::Room),
        1 => proptest::option::of(0..20_u8).prop_map(Accident::Quota),
    ]
}

pub(crate) fn edits() -> impl Strategy<Value = Accident> {
    let tiers = vec![Tier::Room, Tier::K10, Tier::K50, Tier::K100, Tier::M1];
    prop_oneof![
        2 => prop::sample::select(tiers.clone()).prop_map(Accident::Tier),
        2 => prop::sample::select(tiers).prop_map(Accident::MaxTier),
        1 => (-7200..14_400_i64).prop_map(Accident::Start),
        1 => (60..10_000_i64).prop_map(Accident::Duration),
        1 => (0..10_000_i64).prop_map(Accident::Overrun),
        1 => any::<bool>().prop_map(Accident::Suspend),
        1 => (1..400_u32, 1..7200_i64).prop_map(|(n, s)| Accident::Override(n, s)),
    ]
}

/// When (seconds after the last one) and what.
pub(crate) fn story(
    accidents: impl Strategy<Value = Accident>,
    length: usize,
) -> impl Strategy<Value = Vec<(i64, Accident)>> {
    prop::collection::vec((1..5400_i64, accidents), 1..length)
}

pub(crate) fn happen(world: &mut World, accident: &Accident) {
    let some_slot = |world: &World, index: &Index| {
        let slots: Vec<Slot> = world.pods().filter(|p| p.alive()).map(|p| p.slot).collect();
        (!slots.is_empty()).then(|| *index.get(&slots))
    };
    let limit = |n: &Option<u8>| n.map_or(usize::MAX, usize::from);
    match accident {
        Accident::Nothing => {}
        Accident::Lose(index, at_once) => {
            if let Some(slot) = some_slot(world, index) {
                world.lose(slot, *at_once);
            }
        }
        Accident::End(index) => {
            if let Some(slot) = some_slot(world, index) {
                world.end(slot);
            }
        }
        Accident::CutOff(index, is) => {
            if let Some(slot) = some_slot(world, index) {
                world.cut_off(slot, *is);
            }
        }
        Accident::Hang(index) => {
            if let Some(slot) = some_slot(world, index) {
                world.hung.insert(slot);
                world.lose(slot, true);
            }
        }
        Accident::Restart => world.restart(),
        Accident::Room(n) => world.room = limit(n),
        Accident::Quota(n) => world.quota = limit(n),
        Accident::Tier(tier) => {
            world.spec.tier = *tier;
            world.spec.max_tier = world.spec.max_tier.max(*tier);
        }
        Accident::MaxTier(tier) => world.spec.max_tier = world.spec.tier.max(*tier),
        Accident::Start(offset) => world.spec.start = Some(at(START) + secs(*offset)),
        Accident::Duration(n) => world.spec.duration = secs(*n),
        Accident::Overrun(n) => world.spec.overrun = Some(secs(*n)),
        Accident::Override(relays, seconds) => {
            world.orders.floor = Some(Floor {
                relays: *relays,
                reason: "war room".to_owned(),
                until: world.now + secs(*seconds),
            });
        }
        Accident::Suspend(is) => world.orders.suspend = *is,
    }
}

pub(crate) fn event(tier: Tier) -> Spec {
    spec(tier, Some(at(START)))
}
