//! Services and budgets: the addresses of an event and what evictions must leave of it.

use crate::input::Memory;
use crate::output::{Budget, Entry, EntryKind};
use crate::slot::{Role, Slot};
use crate::tier::Counts;

/// Every Service of a run. All of them exist from the ramp on, so growth reaches every address.
pub(crate) fn entries(memory: &Memory, target: Counts, active_sfu: u32) -> Vec<Entry> {
    let active = Slot::new(Role::Sfu, active_sfu);
    let at = |kind, slot| Entry {
        kind,
        slot: Some(slot),
    };
    let mut out = vec![at(EntryKind::Ingest, active)];
    if memory.shape.room {
        out.push(at(EntryKind::Viewers(0), active));
        return out;
    }
    out.push(at(EntryKind::Origin, active));
    out.extend((0..target.sfu).map(|i| at(EntryKind::Sfu(i), Slot::new(Role::Sfu, i))));
    out.extend((0..target.mid).map(|i| at(EntryKind::Mid(i), Slot::new(Role::Mid, i))));
    out.extend((0..memory.shape.shards.count()).map(|i| Entry {
        kind: EntryKind::Viewers(i),
        slot: None,
    }));
    out
}

/// One budget per role: `planned − max(1, 2 %)`, and 1 for a room, whose only pod has viewers.
pub(crate) fn budgets(memory: &Memory, target: Counts) -> Vec<Budget> {
    Role::ALL
        .into_iter()
        .filter(|role| target.of(*role) > 0)
        .map(|role| {
            let planned = target.of(role);
            let min_available = if memory.shape.room {
                1
            } else {
                planned.saturating_sub((planned / 50).max(1))
            };
            Budget { role, min_available }
        })
        .collect()
}
