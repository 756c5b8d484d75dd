//! Events of a class that share so many pods.

use webinar_plan::{ConditionType, Floor, Memory, Neighbour, Phase, Reason, Tier, neighbour};

use crate::world::{World, at, class, secs, spec};
use crate::{START, said};

const CREATED: &str = "2027-03-04T09:00:00Z";

/// An event without a start, beside one that has all the pods.
fn crowded_out() -> World {
    let mut class = class(15);
    class.max_total_pods = Some(100);
    let mut world = World::new(class, spec(Tier::K10, None), at(CREATED));
    world.neighbours = vec![Neighbour {
        key: "events/other".to_owned(),
        start: at(CREATED),
        pods: 90,
        begun: true,
    }];
    world
}

#[test]
fn an_event_without_a_start_that_waits_says_the_same_at_every_look() {
    let mut world = crowded_out();
    let first = world.plan();
    assert_eq!(first.status.phase, Some(Phase::Scheduled));
    assert_eq!(
        said(&first, ConditionType::CapacityAtRisk).reason,
        Reason::QuotaExceeded
    );
    for _ in 0..3 {
        world.apply(&world.plan());
        world.now += secs(30);
        assert_eq!(world.plan().status, first.status);
    }
    world.neighbours.clear();
    assert_eq!(world.plan().create.len(), 17);
}

#[test]
fn a_run_that_was_given_back_before_its_start_needs_its_pods_again() {
    let class = class(15);
    let now = at("2027-03-04T12:00:00Z");
    let event = spec(Tier::K10, Some(at(START)));
    let mut world = World::new(class.clone(), event.clone(), at(CREATED));
    world.run_until(at(START) - secs(600), |_, _| {});
    let over = Memory {
        finished_at: Some(now),
        ..world.memory.clone().expect("a run")
    };
    let needed = |last: &Memory| {
        let found = neighbour(
            "events/event".to_owned(),
            &event,
            at(CREATED),
            Some(last),
            &class,
            now,
        );
        found.map(|n| (n.pods, n.begun))
    };
    assert_eq!(needed(&over), Some((17, false)));
    let served = Memory {
        live_since: Some(at(START)),
        ..over
    };
    assert_eq!(needed(&served), None);
}

#[test]
fn what_others_need_is_not_taken_for_an_override_and_more_room_holds_at_once() {
    let mut world = World::new(class(15), spec(Tier::K10, Some(at(START))), at(CREATED));
    world.run_until(at(START) - secs(60), |_, _| {});
    let planned = world.plan().status.pools[2].desired;
    let neighbour = |begun, start: &str| Neighbour {
        key: "events/other".to_owned(),
        start: at(start),
        pods: 60,
        begun,
    };
    world.orders.floor = Some(Floor {
        relays: planned + 100,
        reason: "they keep coming".to_owned(),
        until: at(START) + secs(600),
    });
    let mut desired = |limit, neighbour| {
        if let Ok(class) = &mut world.class {
            class.max_total_pods = limit;
        }
        world.neighbours = vec![neighbour];
        world.plan().status.pools[2].desired
    };
    let others = 2;
    assert_eq!(desired(None, neighbour(true, START)), planned + 100);
    assert_eq!(desired(Some(100), neighbour(true, START)), 40 - others);
    assert_eq!(desired(Some(100), neighbour(false, CREATED)), 40 - others);
    assert_eq!(
        desired(Some(100), neighbour(false, "2027-03-05T00:00:00Z")),
        100 - others
    );
    assert_eq!(desired(Some(60), neighbour(true, START)), planned);
}
