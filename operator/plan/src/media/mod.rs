//! Whether media flows, and what is done when it doesn't.
//!
//! Judged on air only, from what the pods answered. Everything here either says something, or leads an address of the
//! stage elsewhere, or takes one relay out of its entry point. No pod is deleted for a stall, apart from the SFU that was
//! left behind (the fence) and a mid that feeds nobody.

mod cordon;
mod failover;
mod health;
mod incident;
mod notice;
mod stage;
mod stand_in;
mod verdict;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::input::{Cordon, Memory, Pod};
use crate::output::{Condition, Drain, Entry, EntryKind, Fixtures, MediaFigures, Named, Notice};
use crate::phase::Phase;
use crate::removal::{Removal, RemovalReason};
use crate::slot::{Role, Slot};
use crate::time::{after, before};
use crate::view::View;

use failover::Switch;
use health::Health;
use stage::Stage;
use stand_in::StandIns;

pub(crate) use cordon::unwell_at;
pub(crate) use verdict::not_live;

/// So near the planned end presenters who stop have left (timeline.md).
const MAY_LEAVE: SignedDuration = SignedDuration::from_mins(5);

/// What was measured of media lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// Media is not flowing, as far as was told last.
    stalled: bool,
    /// Some SFU has received media in this event.
    begun: bool,
    /// When a byte was last seen at an active SFU.
    last_byte: Option<Timestamp>,
    /// Since when the active SFU has not been Ready, has received nothing, and could be replaced; with its UID.
    helpless: Option<(String, Timestamp)>,
    /// The failover that is under way, by its instant, and since when the presenters' address has shown it.
    shown: Option<(Timestamp, Timestamp)>,
    /// When the presenters were last seen to send far less than usual.
    dropped: Option<Timestamp>,
    /// Relays that send their viewers hardly any: since which answer, by UID.
    mute: BTreeMap<String, Timestamp>,
    /// Relays that were taken out for their health and are well: since which answer, by UID.
    well: BTreeMap<String, Timestamp>,
}

impl State {
    /// Media is not flowing: capacity is not lowered.
    pub(crate) fn stalled(&self) -> bool {
        self.stalled
    }
}

/// What follows from the state of the media.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) state: State,
    /// The run's memory with incidents and failover as they are now.
    pub(crate) memory: Memory,
    pub(crate) condition: Condition,
    pub(crate) notices: Vec<Notice>,
    pub(crate) figures: MediaFigures,
    pub(crate) cordon: Vec<Drain>,
    pub(crate) uncordon: Vec<Named>,
    pub(crate) delete: Vec<Removal>,
    wakes: Vec<Timestamp>,
    ingest: Option<u32>,
    stand_ins: StandIns,
}

impl Media {
    /// When something of this changes by itself.
    pub(crate) fn wake(&self) -> Timestamp {
        self.wakes.iter().copied().min().unwrap_or(Timestamp::MAX)
    }

    /// Services with the stage's selectors as they must be now.
    pub(crate) fn lead(&self, mut fixtures: Fixtures) -> Fixtures {
        for entry in &mut fixtures.entries {
            match entry.kind {
                EntryKind::Ingest => {
                    let to = self.ingest.map(|sfu| Slot::new(Role::Sfu, sfu));
                    entry.slot = to.or(entry.slot);
                }
                EntryKind::Mid(mid) => {
                    let to = self.stand_ins.of(mid).map(|mid| Slot::new(Role::Mid, mid));
                    entry.slot = to.or(entry.slot);
                }
                EntryKind::Origin | EntryKind::Sfu(_) | EntryKind::Viewers(_) => {}
            }
        }
        fixtures
    }
}

/// A Service of the stage: it follows the SFUs and mids there are, suspended or not.
pub(crate) fn of_the_stage(entry: &Entry) -> bool {
    matches!(
        entry.kind,
        EntryKind::Ingest | EntryKind::Origin | EntryKind::Mid(_)
    )
}

/// A relay that was taken out of its entry point for its health: it comes back when it is well.
pub(crate) fn kept_out(view: &View<'_>, pod: &Pod) -> bool {
    view.phase.on_air() && pod.drain_started.is_some() && pod.cordoned_for == Cordon::Health
}

/// Judges the media of a run that holds its capacity.
pub(crate) fn judge(view: &View<'_>) -> Media {
    if view.phase.on_air() {
        return on_air(view);
    }
    let stand_ins = if view.phase == Phase::Armed {
        StandIns::new(view, &[])
    } else {
        StandIns::default()
    };
    Media {
        state: State::default(),
        memory: view.memory.clone(),
        condition: not_live(),
        notices: Vec::new(),
        figures: MediaFigures::default(),
        cordon: Vec::new(),
        uncordon: Vec::new(),
        delete: Vec::new(),
        wakes: Vec::new(),
        ingest: None,
        stand_ins,
    }
}

fn on_air(view: &View<'_>) -> Media {
    let mut state = view.input.recent.watch.media.clone();
    let mut memory = view.memory.clone();
    let stage = Stage::new(view, &mut state);
    let switch = Switch::new(view, &stage, &mut state, &mut memory);
    let mut health = Health::new(view, &stage, &memory);
    let verdict = verdict::judge(view, &stage, &switch, &health, &mut memory, state.stalled());
    state.stalled = verdict.stalled();
    if !stage.flows_firmly() || verdict.stalled() {
        health.acts_on_nothing();
    }
    let stand_ins = StandIns::new(view, &health.faulty_mids);
    let cordons = cordon::judge(view, &health, &mut state);
    let replaced = health.replaced_mid(view);
    let notices = notice::notices(
        view, &stage, verdict, &health, &cordons, replaced, &memory, &mut state,
    );
    let leaves = stage.begun.then(|| before(view.schedule.end, MAY_LEAVE));
    let delete = switch
        .fence
        .iter()
        .cloned()
        .chain(replaced.map(|pod| Removal::of(pod, RemovalReason::Replaced)))
        .collect();
    let wakes = stage.wakes.iter().chain(&switch.wakes).chain(&health.wakes);
    let wakes = wakes.copied().chain(leaves).filter(|t| *t > view.input.now);
    Media {
        condition: verdict.condition(view, &stage, &switch, &memory),
        notices,
        figures: MediaFigures {
            inbound: stage.inbound(),
            last_byte: stage.last_byte,
            failovers: u32::from(switch.begins),
        },
        cordon: cordons.cordon,
        uncordon: cordons.uncordon,
        delete,
        wakes: wakes.collect(),
        ingest: switch.ingest,
        stand_ins,
        state,
        memory,
    }
}

/// The planned end is near or past: presenters who stop have left.
fn may_leave(view: &View<'_>) -> bool {
    before(view.schedule.end, MAY_LEAVE) <= view.input.surely()
}

/// `limit` after `t` has come.
fn over(view: &View<'_>, t: Timestamp, limit: SignedDuration) -> bool {
    after(t, limit) <= view.input.now
}
