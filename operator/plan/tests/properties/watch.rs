//! What must hold of every plan, whatever happens.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use webinar_plan::{ConditionType, Counts, Parent, Phase, Plan, Role, Slot, Tier};

use crate::world::World;

/// Past its end a fleet may be smaller than booked: a process that has just begun waits a minute for answers.
fn waits_for_answers(world: &World, plan: &Plan) -> bool {
    let began = world.began.unwrap_or(world.now);
    plan.status.phase == Some(Phase::Overrun) && world.now < began + SignedDuration::from_secs(60)
}

/// Follows every plan of a life and checks what must hold whatever happens.
#[derive(Default)]
pub(crate) struct Watch {
    pub(crate) phase: Option<Phase>,
    pub(crate) run: u32,
    pub(crate) desired: u32,
    pub(crate) overridden: bool,
    pub(crate) tier: Option<Tier>,
}

impl Watch {
    pub(crate) fn see(&mut self, world: &World, plan: &Plan) {
        self.wakes_in_time(world, plan);
        Self::removes_only_what_it_may(world, plan);
        Self::creates_only_what_it_may(world, plan);
        Self::feeds_within_limits(world, plan);
        Self::speaks_in_sentences(plan);
        Self::does_nothing_while_suspended(world, plan);
        Self::fills_the_floor(world, plan);
        let status = &plan.status;
        if status.run != self.run {
            assert!(
                status.run == self.run + 1,
                "run {} after {}",
                status.run,
                self.run
            );
            (self.run, self.desired, self.tier) = (status.run, 0, None);
        }
        if status.phase.is_some_and(Phase::holds_capacity) {
            let desired = status.pools.iter().map(|p| p.desired).sum();
            let tier = plan.memory.as_ref().map(|m| m.accepted.spec.tier);
            let lowered = tier < self.tier;
            self.tier = tier;
            // What an override asked for is no longer asked for when it is over.
            assert!(
                desired >= self.desired || self.overridden || lowered || waits_for_answers(world, plan),
                "target fell from {} to {desired}",
                self.desired
            );
            self.desired = desired;
            self.overridden = world.orders.floor.as_ref().is_some_and(|f| world.now < f.until);
        }
        self.phase = status.phase;
    }

    fn wakes_in_time(&self, world: &World, plan: &Plan) {
        let now = world.now;
        let Some(phase) = plan.status.phase else {
            return;
        };
        let wake = plan.next_wake;
        assert!(wake.is_none_or(|t| t > now), "{phase}: woken in the past");
        match phase {
            Phase::Finished | Phase::Expired => {
                // Something is left to do only if a pod turned up again or the next start has waited.
                let last = plan.memory.as_ref();
                let served = last.filter(|m| m.live_since.is_some()).map(|m| m.accepted.start);
                let waits = world.spec.start != served;
                assert!(wake.is_none() || waits || world.pods().next().is_some());
            }
            Phase::Scheduled if world.orders.suspend => assert!(wake.is_some()),
            Phase::Scheduled => {
                assert_eq!(wake, plan.status.schedule.as_ref().map(|s| s.ramp));
            }
            Phase::Ramping | Phase::Armed | Phase::Live | Phase::Overrun | Phase::Draining => {
                let soon = wake.is_some_and(|t| t <= now + SignedDuration::from_mins(5));
                assert!(soon, "{phase}: next look at {wake:?}");
            }
        }
    }

    fn removes_only_what_it_may(world: &World, plan: &Plan) {
        let phase = plan.status.phase;
        let giving_back = matches!(phase, Some(Phase::Draining | Phase::Finished));
        assert!(giving_back || plan.cordon.is_empty(), "cordons in {phase:?}");
        for removal in &plan.delete {
            let pod = world
                .pods()
                .find(|p| p.uid == removal.uid)
                .expect("a pod that exists");
            assert_eq!((&pod.name, pod.slot), (&removal.name, removal.slot));
            let drained = pod
                .drain_started
                .is_some_and(|t| world.now >= t + SignedDuration::from_mins(10));
            let leaf = pod.slot.role == Role::Relay;
            let fine =
                pod.ended || !pod.was_ready || (pod.lost && drained) || (giving_back && (drained || !leaf));
            assert!(fine, "deletes {} in {phase:?}", pod.name);
            if giving_back && !leaf {
                let child = |p: &&webinar_plan::Pod| p.parent == Some(Parent::Mid(pod.slot.index));
                let named = pod.slot.role == Role::Mid && world.pods().any(|p| child(&p));
                assert!(!named, "deletes {} under its children", pod.name);
            }
        }
    }

    /// On air every slot of the accepted tier has a pod or gets one by this plan, and keeps it.
    fn fills_the_floor(world: &World, plan: &Plan) {
        let (Some(memory), Ok(class)) = (&plan.memory, &world.class) else {
            return;
        };
        let held = plan.status.phase.is_some_and(Phase::on_air) && !waits_for_answers(world, plan);
        let refused = !world.recent.setbacks.is_empty();
        // After a raise the tree may have no place for every new mid.
        let raised = memory.accepted.base != Counts::default();
        if !held || refused || raised || world.orders.suspend {
            return;
        }
        let capacity = class.capacity(memory.accepted.spec.panelists);
        let floor = capacity.counts(memory.accepted.spec.tier, &memory.shape);
        let taken = |uid: &str| plan.delete.iter().any(|r| r.uid == uid);
        // An SFU or mid that never became Ready makes room for its next try.
        let kept = world
            .pods()
            .filter(|p| p.alive() && !(p.was_ready && taken(&p.uid)))
            .map(|p| p.slot);
        let there: BTreeSet<Slot> = kept.chain(plan.create.iter().map(|p| p.slot)).collect();
        for slot in floor.slots() {
            assert!(
                there.contains(&slot),
                "{slot} is empty in {:?}",
                plan.status.phase
            );
        }
    }

    fn creates_only_what_it_may(world: &World, plan: &Plan) {
        let live = world.slots();
        let mut names = BTreeSet::new();
        for new in &plan.create {
            assert!(plan.status.phase.is_some_and(Phase::holds_capacity));
            assert!(!live.contains_key(&new.slot), "{} is taken", new.slot);
            assert!(names.insert(&new.name), "{} is created twice", new.name);
            assert!(
                world.pods().all(|p| p.name != new.name),
                "{} still exists",
                new.name
            );
        }
    }

    fn feeds_within_limits(world: &World, plan: &Plan) {
        let (Some(memory), Ok(class)) = (&plan.memory, &world.class) else {
            return;
        };
        let capacity = class.capacity(memory.accepted.spec.panelists);
        let live = world.slots();
        let old = live.values().filter_map(|p| Some((p.slot, p.parent?)));
        let new = plan.create.iter().filter_map(|p| Some((p.slot, p.parent?)));
        let mut children = BTreeMap::<Parent, u32>::new();
        for (_, parent) in old.chain(new) {
            *children.entry(parent).or_default() += 1;
        }
        for (parent, n) in children {
            let limit = match parent {
                Parent::Origin => capacity.stage_max,
                Parent::Mid(_) => capacity.mid_max,
            };
            assert!(n <= limit, "{parent:?} feeds {n}, its limit is {limit}");
        }
        let exists = |slot| live.contains_key(&slot) || plan.create.iter().any(|p| p.slot == slot);
        for new in &plan.create {
            if let Some(Parent::Mid(mid)) = new.parent {
                assert!(exists(Slot::new(Role::Mid, mid)), "{} has no parent", new.slot);
                assert!(!new.fallbacks.contains(&mid));
            }
        }
    }

    fn does_nothing_while_suspended(world: &World, plan: &Plan) {
        if world.orders.suspend {
            assert!(plan.create.is_empty() && plan.cordon.is_empty() && plan.delete.is_empty());
            assert!(plan.uncordon.is_empty() && plan.forget.is_empty() && plan.fixtures.is_none());
            let begun = world.memory.as_ref().map(|m| (m.run, m.finished_at));
            assert_eq!(plan.memory.as_ref().map(|m| (m.run, m.finished_at)), begun);
        }
    }

    fn speaks_in_sentences(plan: &Plan) {
        for condition in &plan.status.conditions {
            let text = &condition.message;
            assert!(text.ends_with('.') && !text.contains(".."), "{text:?}");
            assert!(!text.contains("  ") && !text.contains("of 1 pods"), "{text:?}");
        }
        let types: Vec<ConditionType> = plan.status.conditions.iter().map(|c| c.kind).collect();
        let once: BTreeSet<ConditionType> = types.iter().copied().collect();
        assert_eq!(types.len(), once.len(), "a condition is told twice");
    }
}
