//! Mids and relays that get less than others.

use jiff::Timestamp;
use webinar_plan::{Cordon, EntryKind, Parent, Plan, Reason, RemovalReason, Role, Slot, Tier, Truth, plan};

use crate::flow::{go, memory, sent_once, verdict};
use crate::world::{World, at, class, secs, spec};
use crate::{START, pod, relay};

fn starve(world: &mut World, relays: impl IntoIterator<Item = u32>) {
    for index in relays {
        let uid = world.uid_in(relay(index)).expect("a relay");
        world.on_stage().starved.insert(uid);
    }
}

fn cordoned(world: &World) -> Vec<Slot> {
    world.pods().filter(|p| !p.accepting).map(|p| p.slot).collect()
}

fn mid(index: u32) -> Slot {
    Slot::new(Role::Mid, index)
}

#[test]
fn of_fifteen_relays_one_may_be_taken_out_and_of_fewer_seats_than_the_tier_none() {
    let mut world = sent_once(Tier::K10);
    starve(&mut world, [3, 7, 9]);
    go(&mut world, 60);
    assert_eq!(cordoned(&world), [relay(3)]);
    let pods: Vec<Cordon> = world
        .pods()
        .filter(|p| !p.accepting)
        .map(|p| p.cordoned_for)
        .collect();
    assert_eq!(pods, [Cordon::Health]);

    let mut short = sent_once(Tier::K10);
    // Relays without which not a seat is to spare.
    short.hung = (10..15).map(relay).collect();
    for index in 10..13 {
        short.lose(relay(index), true);
    }
    go(&mut short, 10);
    assert!(short.plan().status.seats_ready < Some(10_000 + 900));
    starve(&mut short, [3]);
    go(&mut short, 60);
    assert_eq!(cordoned(&short), []);
}

#[test]
fn a_twentieth_of_a_shard_at_most_is_out_at_a_time() {
    let mut spared = class(15);
    spared.sizing.spares_percent = 20;
    let mut world = World::new(
        spared,
        spec(Tier::K100, Some(at(START))),
        at("2027-03-04T09:00:00Z"),
    );
    world.run_until(at(START) + secs(60), |_, _| {});
    world.on_stage().presenter = true;
    go(&mut world, 120);
    starve(&mut world, 0..12);
    go(&mut world, 120);
    let relays = world.alive(Role::Relay) as usize;
    assert!(relays > 140, "{relays}");
    assert_eq!(cordoned(&world).len(), 7);
    // With the usual spares it is the seats of the tier that end it.
    let mut world = sent_once(Tier::K100);
    starve(&mut world, 0..12);
    go(&mut world, 100);
    assert_eq!(cordoned(&world).len(), 4);
    assert_eq!(world.plan().status.seats_ready.map(|s| s / 1000), Some(100));
    assert_eq!(verdict(&world.plan()), (Truth::True, Reason::Flowing));
}

#[test]
fn a_third_of_the_relays_is_not_their_own_fault() {
    let mut world = sent_once(Tier::K10);
    starve(&mut world, 0..5);
    let plan = go(&mut world, 60);
    assert_eq!(verdict(&plan), (Truth::False, Reason::UpstreamBroken));
    assert_eq!(cordoned(&world), []);
    assert_eq!(memory(&world).incidents.latest[0].cause, Reason::UpstreamBroken);
    // It is not called off for one that comes back, and a restart doesn't end it.
    world.on_stage().starved.pop_first();
    let plan = go(&mut world, 20);
    assert_eq!(verdict(&plan), (Truth::False, Reason::UpstreamBroken));
    world.restart();
    let plan = go(&mut world, 60);
    assert_eq!(verdict(&plan), (Truth::False, Reason::UpstreamBroken));
    world.on_stage().starved.clear();
    let plan = go(&mut world, 30);
    assert_eq!(verdict(&plan), (Truth::True, Reason::Flowing));
    assert_eq!(memory(&world).incidents.total, 1);
}

#[test]
fn a_relay_that_is_well_for_half_a_minute_comes_back_and_not_before() {
    let mut world = sent_once(Tier::K10);
    starve(&mut world, [3]);
    go(&mut world, 60);
    assert_eq!(cordoned(&world), [relay(3)]);
    world.on_stage().starved.clear();
    let healed = world.now;
    go(&mut world, 28);
    assert_eq!(cordoned(&world), [relay(3)]);
    let mut back = None::<Timestamp>;
    world.run_until(healed + secs(60), |w, p| {
        if !p.uncordon.is_empty() {
            back = Some(w.now);
        }
    });
    let took = back.expect("it comes back").duration_since(healed).as_secs();
    assert!((30..=42).contains(&took), "{took} s");
    assert_eq!(cordoned(&world), []);
}

#[test]
fn a_relay_that_stays_out_has_a_substitute_after_two_minutes_that_stays() {
    let mut world = sent_once(Tier::K10);
    starve(&mut world, [3]);
    let mut out = None::<Timestamp>;
    let mut substitute = None::<Timestamp>;
    world.run_until(world.now + secs(400), |w, p| {
        if !p.cordon.is_empty() {
            out = Some(w.now);
        }
        if p.create.iter().any(|n| n.slot == relay(15)) {
            substitute = Some(w.now);
        }
        assert!(p.delete.is_empty());
    });
    assert_eq!(substitute.unwrap(), out.unwrap() + secs(120));
    assert_eq!(world.alive(Role::Relay), 16);
}

#[test]
fn what_just_began_and_has_not_reached_its_upstream_yet_is_left_alone() {
    let mut world = sent_once(Tier::K10);
    world.lose(relay(3), true);
    world.ready_after = secs(5);
    go(&mut world, 6);
    starve(&mut world, [3]);
    go(&mut world, 50);
    assert_eq!(cordoned(&world), []);
    go(&mut world, 60);
    assert_eq!(cordoned(&world), [relay(3)]);
}

#[test]
fn children_of_a_mid_that_is_gone_are_not_blamed_and_their_address_leads_to_the_emptiest_mid() {
    let mut world = sent_once(Tier::K100);
    world.ready_after = secs(600);
    world.lose(mid(1), true);
    go(&mut world, 1);
    let to = world.leads.mids[&1];
    assert_ne!(to, 1);
    let children = |mid: u32| {
        world
            .pods()
            .filter(|p| p.parent == Some(Parent::Mid(mid)))
            .count()
    };
    assert!((0..6).filter(|m| *m != 1).all(|m| children(m) >= children(to)));
    // Another is lost: its children go to another mid, and those of the first stay.
    let input_before = world.leads.mids.clone();
    let second = (0..6).find(|m| *m != 1 && *m != to).unwrap();
    world.lose(mid(second), true);
    go(&mut world, 60);
    assert_eq!(world.leads.mids[&1], input_before[&1]);
    let other = world.leads.mids[&second];
    assert!(other != to && other != second && other != 1);
    assert_eq!(cordoned(&world), []);
    // The stand-in is lost too.
    world.lose(mid(to), true);
    go(&mut world, 1);
    let new = world.leads.mids[&1];
    assert!(new != to && new != 1 && world.uid_in(mid(new)).is_some());
}

#[test]
fn without_room_for_all_children_no_mid_stands_in() {
    let mut world = sent_once(Tier::K100);
    world.lose(mid(1), true);
    world.kubelets();
    let mut input = world.input();
    let lead = |plan: &Plan| {
        let entries = plan.fixtures.as_ref().unwrap().entries.iter();
        entries
            .filter(|e| e.kind == EntryKind::Mid(1))
            .find_map(|e| e.slot)
    };
    assert_ne!(lead(&plan(&input)), Some(mid(1)));
    let sizing = &mut input.class.as_mut().unwrap().sizing;
    sizing.stage_kbps = 120_000;
    let most = input.class.as_ref().unwrap().capacity(10).mid_max;
    assert!((21..42).contains(&most), "{most}");
    assert_eq!(lead(&plan(&input)), Some(mid(1)));
}

#[test]
fn a_mid_that_is_at_fault_is_replaced_when_its_children_are_led_elsewhere_one_a_minute() {
    let mut world = sent_once(Tier::K100);
    world.ready_after = secs(20);
    for index in [1, 4] {
        let uid = world.uid_in(mid(index)).unwrap();
        world.on_stage().frozen.insert(uid);
    }
    let mut deleted = Vec::new();
    let mut elsewhere = Vec::new();
    world.run_until(world.now + secs(180), |w, p| {
        for removal in &p.delete {
            assert_ne!(w.leads.mids[&removal.slot.index], removal.slot.index);
            assert_eq!(removal.reason, RemovalReason::Replaced);
            deleted.push((w.now, removal.slot));
        }
        elsewhere.push(w.leads.mids.iter().filter(|(m, to)| m != to).count());
        assert!(p.cordon.is_empty(), "its children are not to blame");
    });
    let slots: Vec<Slot> = deleted.iter().map(|(_, s)| *s).collect();
    assert_eq!(slots, [mid(1), mid(4)]);
    assert!(deleted[1].0 >= deleted[0].0 + secs(60));
    assert!(elsewhere.contains(&2));
    assert!(
        world.leads.mids.iter().all(|(m, to)| m == to),
        "all lead home again"
    );
    assert_eq!(memory(&world).incidents.total, 0);
}

#[test]
fn a_relay_that_sends_a_few_viewers_little_is_not_judged() {
    let mut world = sent_once(Tier::K10);
    world.on_stage().viewers = 19;
    let uid = world.uid_in(relay(3)).unwrap();
    world.on_stage().frozen.insert(uid);
    go(&mut world, 120);
    assert_eq!(cordoned(&world), []);
    world.on_stage().viewers = 20;
    go(&mut world, 60);
    assert_eq!(cordoned(&world), [relay(3)]);
    // Without viewers nobody can say that it is well.
    world.on_stage().viewers = 0;
    world.run_until(world.now + secs(120), |_, p| assert!(p.uncordon.is_empty()));
    assert_eq!(cordoned(&world), [relay(3)]);
    world.on_stage().viewers = 5;
    world.on_stage().frozen.clear();
    go(&mut world, 60);
    assert_eq!(cordoned(&world), []);
}

#[test]
fn an_sfu_is_never_touched_for_its_children() {
    let mut world = sent_once(Tier::K100);
    let uid = world.uid_in(Slot::new(Role::Sfu, 0)).unwrap();
    world.on_stage().frozen.insert(uid);
    let plan = world.run_until(world.now + secs(600), |_, p| {
        assert!(p.delete.is_empty() && p.cordon.is_empty());
    });
    assert_eq!(verdict(&plan), (Truth::False, Reason::UpstreamBroken));
    assert_eq!(world.leads.ingest, Some(0));
    let mut input = world.input();
    pod(&mut input, relay(0)).ready = false;
    assert!(webinar_plan::plan(&input).delete.is_empty());
}

#[test]
fn a_relay_that_is_not_taken_out_as_the_run_is_suspended_is_not_told_of() {
    let mut world = sent_once(Tier::K10);
    world.orders.suspend = true;
    starve(&mut world, [3]);
    let mut told = Vec::new();
    let mut hear = |plan: &Plan| told.extend(plan.status.notices.iter().map(|n| n.subject.reason));
    world.run_until(world.now + secs(120), |_, plan| hear(plan));
    assert_eq!(cordoned(&world), []);
    world.orders.suspend = false;
    world.run_until(world.now + secs(60), |_, plan| hear(plan));
    assert_eq!(cordoned(&world), [relay(3)]);
    assert_eq!(told, [Reason::UpstreamBroken], "once, when it is done");
}
