//! Another SFU behind the same addresses, step by step.

use std::collections::BTreeSet;

use jiff::Timestamp;
use webinar_plan::{EntryKind, Failover, Plan, Reason, RemovalReason, Role, Slot, Tier, Truth, plan};

use crate::flow::{SFU, go, memory, sent_once, sent_twice, verdict};
use crate::pod;
use crate::world::{World, secs};

fn leads(plan: &Plan, kind: EntryKind) -> Slot {
    let entries = plan.fixtures.iter().flat_map(|f| &f.entries).chain(&plan.reroute);
    let entry = entries.into_iter().find(|e| e.kind == kind);
    entry.and_then(|e| e.slot).expect("a Service with a slot")
}

fn sfu(index: u32) -> Slot {
    Slot::new(Role::Sfu, index)
}

/// Stops the active encoder and goes to the plan that decides.
fn decided(world: &mut World) -> Plan {
    world.on_stage().sending.remove(&0);
    for _ in 0..40 {
        world.now += secs(1);
        world.kubelets();
        let plan = world.plan();
        if plan.status.media.failovers == 1 {
            return plan;
        }
        world.apply(&plan);
    }
    panic!("no failover in 40 s");
}

#[test]
fn each_step_follows_only_when_the_one_before_shows() {
    let mut world = sent_twice(Tier::K10);
    let old = world.uid_in(SFU).unwrap();
    let stuck = world.routes();
    let first = decided(&mut world);
    let at = world.now;
    let failover = Failover {
        at,
        from: 0,
        to: 1,
        fence: old.clone(),
    };
    assert_eq!(first.memory.as_ref().unwrap().failover.as_ref(), Some(&failover));
    assert_eq!(leads(&first, EntryKind::Ingest), sfu(1));
    assert_eq!(leads(&first, EntryKind::Origin), sfu(0));
    assert!(first.delete.is_empty());
    world.apply(&first);
    world.stage.stuck_routes = Some(stuck);
    // Ingest is the record: origin follows it, and the fence waits for the endpoints of both.
    let second = world.plan();
    assert_eq!(leads(&second, EntryKind::Origin), sfu(1));
    assert!(second.delete.is_empty());
    assert_eq!(
        second.next_wake,
        Some(second.next_wake.unwrap().min(at + secs(5)))
    );
    world.apply(&second);
    let mut half = world.input();
    half.routes.ingest = BTreeSet::from([world.uid_in(sfu(1)).unwrap()]);
    assert!(plan(&half).delete.is_empty(), "origin still leads to the old one");
    half.routes.origin = BTreeSet::from([world.uid_in(sfu(1)).unwrap()]);
    let fence = plan(&half).delete;
    assert_eq!(fence.len(), 1);
    assert_eq!((&fence[0].uid, fence[0].slot), (&old, SFU));
    assert_eq!(fence[0].reason, RemovalReason::Fenced);
    // If they never show it, five seconds are enough.
    world.now = at + secs(5);
    assert_eq!(world.plan().delete.len(), 1);
    world.now = at + secs(4);
    assert!(world.plan().delete.is_empty());
    world.stage.stuck_routes = None;
    let third = world.plan();
    world.apply(&third);
    let after = world.plan();
    assert_eq!(memory_of(&after).fence, "", "it is on its way out");
    assert!(after.delete.is_empty());
    assert_eq!(after.create.len(), 1, "its slot is filled anew");
    assert_eq!(verdict(&after), (Truth::True, Reason::Flowing));
}

fn memory_of(plan: &Plan) -> &Failover {
    let memory = plan.memory.as_ref().expect("a run");
    memory.failover.as_ref().expect("a failover")
}

#[test]
fn only_the_very_pod_that_was_left_behind_is_fenced() {
    let mut world = sent_twice(Tier::K10);
    let first = decided(&mut world);
    world.apply(&first);
    // Someone else has replaced it meanwhile.
    let mut input = world.input();
    pod(&mut input, SFU).uid = "another".to_owned();
    input.now += secs(6);
    let plan = plan(&input);
    assert!(plan.delete.is_empty());
    assert_eq!(memory_of(&plan).fence, "");
}

#[test]
fn nothing_is_fenced_while_nobody_ready_has_taken_over() {
    let mut world = sent_twice(Tier::K10);
    let first = decided(&mut world);
    world.apply(&first);
    let mut input = world.input();
    input.now += secs(30);
    pod(&mut input, sfu(1)).ready = false;
    assert!(plan(&input).delete.is_empty());
    pod(&mut input, sfu(1)).ready = true;
    input.recent.watch = plan(&input).watch;
    input.now += secs(5);
    assert_eq!(plan(&input).delete.len(), 1);
}

#[test]
fn when_the_one_that_took_over_is_lost_too_another_has_its_turn_after_a_minute() {
    let mut world = sent_twice(Tier::K100);
    let first = decided(&mut world);
    let at = world.now;
    world.apply(&first);
    world.stage.stuck_routes = Some(world.routes());
    world.hung.insert(sfu(1));
    world.lose(sfu(1), true);
    world.run_until(at + secs(59), |_, p| assert!(p.delete.is_empty()));
    assert_eq!(world.leads.ingest, Some(1));
    world.run_until(at + secs(60), |_, _| {});
    assert_ne!(world.leads.ingest, Some(1));
}

#[test]
fn a_standby_takes_over_only_with_ten_seconds_of_media() {
    let mut world = sent_once(Tier::K10);
    world.on_stage().presenter = false;
    let plan = go(&mut world, 30);
    assert_eq!(verdict(&plan), (Truth::False, Reason::NoStandby));
    assert_eq!(memory(&world).failover, None);
    world.on_stage().sending = [1].into();
    let mut seen = None;
    let mut taken = None;
    world.run_until(world.now + secs(30), |w, p| {
        let since = w.signals.values().filter_map(|s| s.inbound.flowing_since).min();
        seen = seen.or(since);
        if p.status.media.failovers == 1 {
            taken = Some(w.now);
        }
        if since.is_some() && taken.is_none() {
            assert_eq!(verdict(p), (Truth::False, Reason::PublisherStalled));
        }
    });
    let flowing_since: Timestamp = seen.expect("media at the standby");
    assert_eq!(taken, Some(flowing_since + secs(10)));
}

#[test]
fn at_most_one_failover_a_minute_and_no_way_back_by_itself() {
    let mut world = sent_twice(Tier::K10);
    let first = decided(&mut world);
    let at = world.now;
    world.apply(&first);
    world.on_stage().sending = [0, 1].into();
    // The slot that was fenced is Ready again after 70 s; before that another pod in it is to be had.
    world.ready_after = secs(5);
    go(&mut world, 30);
    assert_eq!(world.leads.ingest, Some(1), "both receive media");
    world.on_stage().sending = [0].into();
    world.run_until(at + secs(59), |_, _| {});
    assert_eq!(world.leads.ingest, Some(1));
    world.run_until(at + secs(60), |_, _| {});
    assert_eq!((world.leads.ingest, world.leads.origin), (Some(0), Some(0)));
    world.on_stage().sending = [0, 1].into();
    go(&mut world, 600);
    assert_eq!(world.leads.ingest, Some(0));
}

#[test]
fn a_lost_active_sfu_is_replaced_at_once_by_one_with_media_first() {
    // Three SFUs: the third receives media.
    let mut world = sent_once(Tier::K100);
    world.on_stage().sending = [2].into();
    go(&mut world, 4);
    world.lose(SFU, true);
    world.kubelets();
    let plan = world.plan();
    assert_eq!(leads(&plan, EntryKind::Ingest), sfu(2));
    assert_eq!(memory_of(&plan).fence, "", "there is nothing to fence");
    assert_eq!(plan.create.len(), 1);
    world.on_stage().sending.clear();
    let mut cut = sent_once(Tier::K100);
    cut.cut_off(SFU, true);
    cut.kubelets();
    assert_eq!(leads(&cut.plan(), EntryKind::Ingest), sfu(1));
}

#[test]
fn an_active_sfu_that_is_neither_ready_nor_fed_has_ten_seconds() {
    let world = sent_once(Tier::K10);
    let old = world.uid_in(SFU).unwrap();
    let mut input = world.input();
    pod(&mut input, SFU).ready = false;
    let fed = plan(&input);
    assert_eq!(fed.status.media.failovers, 0);
    input.signals.remove(&old);
    let unfed = plan(&input);
    assert_eq!(unfed.status.media.failovers, 0);
    input.recent.watch = unfed.watch.clone();
    input.now += secs(9);
    let still = plan(&input);
    assert_eq!(
        (still.status.media.failovers, still.next_wake),
        (0, Some(input.now + secs(1)))
    );
    input.now += secs(1);
    let over = plan(&input);
    assert_eq!(over.status.media.failovers, 1);
    assert_eq!(memory_of(&over).fence, old);
    // Ready or fed in between: the time begins anew.
    pod(&mut input, SFU).ready = true;
    input.recent.watch = plan(&input).watch;
    pod(&mut input, SFU).ready = false;
    assert_eq!(plan(&input).status.media.failovers, 0);
}

#[test]
fn a_room_never_fails_over() {
    let mut world = sent_once(Tier::Room);
    world.on_stage().presenter = false;
    let plan = go(&mut world, 60);
    assert_eq!(verdict(&plan), (Truth::False, Reason::NoStandby));
    world.lose(SFU, false);
    go(&mut world, 60);
    assert_eq!(
        (memory(&world).failover.clone(), world.leads.ingest),
        (None, Some(0))
    );
}

#[test]
fn what_was_decided_and_not_yet_written_is_written_by_the_next_process_at_once() {
    let mut world = sent_twice(Tier::K10);
    let first = decided(&mut world);
    die_after(&mut world, &first, 1);
    world.restart();
    let next = world.plan();
    assert_eq!(leads(&next, EntryKind::Ingest), sfu(1));
    assert_eq!(next.status.media.failovers, 0, "it is the same one");
    assert_eq!(memory_of(&next), memory_of(&first));
    // Nor does it wait for what it was decided upon: a minute on, and with the encoder back.
    let mut late = world.input();
    late.now += secs(90);
    assert_eq!(leads(&plan(&late), EntryKind::Ingest), sfu(1));
}

#[test]
fn a_room_with_an_sfu_to_spare_keeps_the_one_that_has_its_viewers() {
    let mut input = sent_once(Tier::Room).input();
    let mut spare = pod(&mut input, SFU).clone();
    (spare.uid, spare.name, spare.slot) = ("spare".to_owned(), "spare".to_owned(), sfu(1));
    input.pods.push(spare);
    pod(&mut input, SFU).ended = true;
    let plan = plan(&input);
    assert_eq!(
        (leads(&plan, EntryKind::Ingest), plan.status.media.failovers),
        (SFU, 0)
    );
}

#[test]
fn suspended_a_failover_runs_with_its_fence_and_nothing_else() {
    let mut world = sent_twice(Tier::K10);
    world.orders.suspend = true;
    let first = decided(&mut world);
    assert!(first.fixtures.is_none());
    assert_eq!(leads(&first, EntryKind::Ingest), sfu(1));
    let kinds: Vec<EntryKind> = first.reroute.iter().map(|e| e.kind).collect();
    assert_eq!(kinds, [EntryKind::Ingest, EntryKind::Origin]);
    world.apply(&first);
    world.lose(Slot::new(Role::Relay, 3), true);
    world.kubelets();
    let second = world.plan();
    world.apply(&second);
    let third = world.plan();
    assert_eq!(third.delete.len(), 1);
    assert!(third.create.is_empty());
    world.apply(&third);
    assert!(world.plan().delete.is_empty() && world.plan().create.is_empty());
}

/// Does so much of a plan: nothing, its memory, the presenters' address too, all addresses too, all.
fn die_after(world: &mut World, plan: &Plan, steps: u32) {
    let mut done = Plan {
        fixtures: None,
        reroute: Vec::new(),
        create: Vec::new(),
        delete: Vec::new(),
        cordon: Vec::new(),
        uncordon: Vec::new(),
        disown: Vec::new(),
        ..plan.clone()
    };
    let entries = plan.fixtures.iter().flat_map(|f| &f.entries).cloned();
    match steps {
        0 => return,
        1 => {}
        2 => done.reroute = entries.filter(|e| e.kind == EntryKind::Ingest).collect(),
        3 => done.reroute = entries.filter(|e| e.slot.is_some()).collect(),
        _ => done = plan.clone(),
    }
    world.apply(&done);
}

#[test]
fn a_failover_that_is_interrupted_anywhere_ends_like_one_that_is_not() {
    let end = |world: &mut World| {
        go(world, 130);
        let failover = memory(world).failover.clone().expect("a failover");
        let incidents = &memory(world).incidents;
        (
            (failover.from, failover.to, failover.fence),
            (world.leads.ingest, world.leads.origin),
            world.slots().keys().copied().collect::<Vec<_>>(),
            (
                incidents.total,
                incidents.latest.iter().all(|i| i.ended.is_some()),
            ),
            verdict(&world.plan()),
        )
    };
    let mut whole = sent_twice(Tier::K10);
    let old = whole.uid_in(SFU).unwrap();
    let first = decided(&mut whole);
    whole.apply(&first);
    let wanted = end(&mut whole);
    assert_ne!(whole.uid_in(SFU).unwrap(), old, "it was fenced");
    assert_eq!(wanted.1, (Some(1), Some(1)));
    assert_eq!(wanted.3, (1, true));
    for plans in 0..4 {
        for steps in 0..=4 {
            for pause in [0, 70] {
                let mut world = sent_twice(Tier::K10);
                let old = world.uid_in(SFU).unwrap();
                let mut plan = decided(&mut world);
                for _ in 0..plans {
                    world.apply(&plan);
                    plan = world.plan();
                }
                die_after(&mut world, &plan, steps);
                world.down = true;
                let until = world.now + secs(pause);
                world.run_until(until, |_, _| {});
                world.down = false;
                world.restart();
                assert_eq!(
                    end(&mut world),
                    wanted,
                    "after {plans} plans, {steps} steps, {pause} s"
                );
                assert_ne!(world.uid_in(SFU).unwrap(), old, "it was fenced");
            }
        }
    }
}
