//! The numbers of a run: pods by role, relays by address, and what stands beside them.

use crate::admission::{admission, attended, joins, taking};
use crate::entry::{budgets, entries};
use crate::output::{Address, Entry, EntryKind, Fixtures, Pool, Status};
use crate::seats::Fleet;
use crate::slot::Role;
use crate::tier::Counts;
use crate::tree::Parent;
use crate::view::{View, active_sfu};

/// Slots that have an address: those of the tier, and mids of a larger one that are there or are named.
fn addressed(view: &View<'_>) -> Counts {
    let target = view.waves.target();
    let mids = view.input.pods.iter().filter(|p| p.run == view.memory.run);
    let mids = mids.filter_map(|p| match (p.slot.role, p.parent) {
        (Role::Mid, _) => Some(p.slot.index),
        (_, Some(Parent::Mid(index))) => Some(index),
        _ => None,
    });
    let there = mids.max().map_or(0, |index| index + 1);
    Counts {
        mid: target.mid.max(view.planned.mid).max(there),
        ..target
    }
}

/// Services and budgets that must stand.
pub(crate) fn fixtures(view: &View<'_>) -> Fixtures {
    let target = addressed(view);
    let budgets = if view.class.budgets {
        budgets(view.memory, view.planned)
    } else {
        Vec::new()
    };
    Fixtures {
        entries: entries(view.memory, target, active_sfu(view.input)),
        budgets,
    }
}

/// The numbers of a run; the verdicts are for the caller to add.
pub(crate) fn status(view: &View<'_>, desired: Counts, seats_desired: u32) -> Status {
    let entries = entries(view.memory, addressed(view), active_sfu(view.input));
    let status = Status {
        phase: Some(view.phase),
        run: view.memory.run,
        tier: Some(view.size.tier),
        pools: pools(view.fleet, desired),
        seats_desired: Some(seats_desired),
        seats_ready: Some(view.seats()),
        attendance: attended(view),
        admission: Some(admission(view)),
        addresses: addresses(view, &entries),
        ..Status::silent()
    };
    status.with_schedule(view.schedule.clone())
}

fn pools(fleet: &Fleet<'_>, desired: Counts) -> Vec<Pool> {
    Role::ALL
        .into_iter()
        .map(|role| Pool {
            role,
            desired: desired.of(role),
            created: fleet.count(role, |_| true),
            ready: fleet.count(role, |p| p.ready && p.accepting),
            draining: fleet.count(role, |p| p.drain_started.is_some()),
        })
        .collect()
}

/// Pods that take viewers, per address; origin and mids are addresses of ours, not of people.
fn addresses(view: &View<'_>, entries: &[Entry]) -> Vec<Address> {
    let memory = view.memory;
    let relays: Vec<u32> = taking(view).map(|slot| slot.index).collect();
    let highest = relays.iter().max().map_or(0, |i| i + 1);
    let shards = memory.shape.shards.of_slots(highest, view.capacity.zones());
    let behind = |shard| relays.iter().filter(|i| shards[**i as usize] == shard).count() as u32;
    entries
        .iter()
        .filter_map(|entry| match entry.kind {
            EntryKind::Viewers(shard) => Some(Address {
                kind: entry.kind,
                relays: behind(shard),
                joins_per_second: Some(joins(view, behind(shard))),
            }),
            EntryKind::Ingest | EntryKind::Sfu(_) => Some(Address {
                kind: entry.kind,
                relays: 0,
                joins_per_second: None,
            }),
            EntryKind::Origin | EntryKind::Mid(_) => None,
        })
        .collect()
}
