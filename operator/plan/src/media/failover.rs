//! Another SFU behind the same addresses.
//!
//! The decision is in the run's memory before anything else is done. Then the presenters' address is led to the standby:
//! its selector is the record of who is active, and everything else follows it. When the endpoints show that, the SFU that
//! was left behind is deleted, because established connections would stay on it. A process that dies in between leaves
//! all that the next one needs to go on.

use jiff::{SignedDuration, Timestamp};

use super::stage::{Look, Stage, Standby, receives};
use super::{State, incident, over};
use crate::input::{Failover, Memory, Pod};
use crate::removal::{Removal, RemovalReason};
use crate::slot::{Role, Slot};
use crate::time::after;
use crate::view::View;

/// Between two changes of the active SFU (media.md).
const NOT_AGAIN_FOR: SignedDuration = SignedDuration::from_secs(60);

/// How long the endpoints of both addresses are waited for (media.md).
const ROUTED_AFTER: SignedDuration = SignedDuration::from_secs(5);

/// How long an active SFU may be neither Ready nor fed (media.md).
const HELPLESS_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// How long presenters and children may take to reconnect to the SFU that took over.
const ON_THE_WAY: SignedDuration = SignedDuration::from_secs(15);

/// What is fenced is meant to lose its connections: its shutdown is not waited for.
const FENCE_GRACE: SignedDuration = SignedDuration::from_secs(5);

/// What becomes of the active SFU.
#[derive(Debug, Default)]
pub(super) struct Switch {
    /// The SFU that the presenters' address must select. Absent: as it is.
    pub(super) ingest: Option<u32>,
    /// The SFU that was left behind, when it is time.
    pub(super) fence: Option<Removal>,
    /// A failover begins now.
    pub(super) begins: bool,
    /// One is not yet done.
    pub(super) under_way: bool,
    /// One was done so shortly ago that presenters and children may still be on their way.
    pub(super) just_done: bool,
    /// The active SFU is neither Ready nor fed, and that long enough.
    pub(super) helpless: bool,
    /// Who would take over, and when.
    pub(super) next: Option<(u32, Timestamp)>,
    pub(super) wakes: Vec<Timestamp>,
}

impl Switch {
    pub(super) fn new(view: &View<'_>, stage: &Stage<'_>, state: &mut State, memory: &mut Memory) -> Self {
        let mut switch = Self::default();
        if memory.shape.room {
            return switch;
        }
        switch.helpless = switch.note_helpless(view, stage, state);
        if let Some(failover) = memory.failover.as_mut() {
            switch.go_on(view, stage, state, failover);
        }
        if !switch.under_way {
            switch.decide(view, stage, memory);
        }
        switch
    }

    /// Takes note of since when the active SFU could be replaced for not being Ready.
    fn note_helpless(&mut self, view: &View<'_>, stage: &Stage<'_>, state: &mut State) -> bool {
        let down = |p: &&Pod| !p.ready && !receives(view, p);
        let pod = stage.pod.filter(down).filter(|_| !stage.standbys.is_empty());
        state.helpless = pod.map(|pod| {
            let known = state.helpless.take().filter(|(uid, _)| *uid == pod.uid);
            known.unwrap_or_else(|| (pod.uid.clone(), view.input.now))
        });
        let since = state.helpless.as_ref().map(|(_, t)| *t);
        self.wakes.extend(since.map(|t| after(t, HELPLESS_AFTER)));
        since.is_some_and(|t| over(view, t, HELPLESS_AFTER))
    }

    /// Goes on with what was decided before.
    fn go_on(&mut self, view: &View<'_>, stage: &Stage<'_>, state: &mut State, failover: &mut Failover) {
        let recent = !over(view, failover.at, NOT_AGAIN_FOR);
        let fence = Slot::new(Role::Sfu, failover.from);
        let left = view.fleet.occupant(fence).filter(|p| p.uid == failover.fence);
        if stage.active == failover.from {
            // Not yet written, or not yet seen.
            if failover.to != failover.from && (recent || left.is_some()) {
                self.ingest = Some(failover.to);
                self.under_way = true;
                self.wakes.push(after(failover.at, NOT_AGAIN_FOR));
            }
            return;
        }
        self.just_done = !over(view, failover.at, ON_THE_WAY);
        self.wakes.push(after(failover.at, ON_THE_WAY));
        let Some(left) = left else {
            failover.fence.clear();
            return;
        };
        self.under_way = true;
        // With nobody to take over, cutting connections would help nobody. After a minute it may be another one's turn.
        let Some(now_active) = stage.pod.filter(|p| p.ready) else {
            self.under_way = recent;
            self.wakes.push(after(failover.at, NOT_AGAIN_FOR));
            return;
        };
        let shown = state.shown.filter(|(at, _)| *at == failover.at);
        let (_, shown) = *state.shown.insert(shown.unwrap_or((failover.at, view.input.now)));
        let routes = &view.input.routes;
        let leads = [&routes.ingest, &routes.origin]
            .into_iter()
            .all(|uids| uids.contains(&now_active.uid) && !uids.contains(&left.uid));
        if leads || over(view, shown, ROUTED_AFTER) {
            self.fence = Some(Removal {
                grace: Some(FENCE_GRACE),
                ..Removal::of(left, RemovalReason::Fenced)
            });
        } else {
            self.wakes.push(after(shown, ROUTED_AFTER));
        }
    }

    /// Decides whether a standby takes over now.
    fn decide(&mut self, view: &View<'_>, stage: &Stage<'_>, memory: &mut Memory) {
        let now = view.input.now;
        let fed = |s: &&Standby<'_>| s.since.is_some();
        let longest_fed = stage
            .standbys
            .iter()
            .filter(fed)
            .min_by_key(|s| (s.since, s.pod.slot));
        let lost = stage.look == Look::Gone || self.helpless;
        let (to, from_then) = if lost {
            // No one is worse than the one that is gone.
            match longest_fed.or(stage.standbys.first()) {
                Some(standby) => (standby, Timestamp::MIN),
                None => return,
            }
        } else if stage.look == Look::Stalled
            && let Some((standby, since)) = longest_fed.and_then(|s| Some((s, s.since?)))
        {
            (standby, after(since, view.class.stall.standby_after))
        } else {
            return;
        };
        let last = memory.failover.as_ref().map(|f| after(f.at, NOT_AGAIN_FOR));
        let due = from_then.max(last.unwrap_or(Timestamp::MIN));
        let to = to.pod.slot.index;
        self.next = Some((to, due));
        if due > now {
            self.wakes.push(due);
            return;
        }
        // One that never was Ready has no connections, one whose node doesn't answer can't be asked to end them.
        let left = stage.pod.filter(|p| p.was_ready && !p.cut_off);
        memory.failover = Some(Failover {
            at: now,
            from: stage.active,
            to,
            fence: left.map_or_else(String::new, |p| p.uid.clone()),
        });
        (self.ingest, self.begins, self.under_way) = (Some(to), true, true);
        self.wakes.push(after(now, ROUTED_AFTER));
        incident::act(memory, &format!("sfu-{to} took over at {}", view.clock(now)));
    }
}
