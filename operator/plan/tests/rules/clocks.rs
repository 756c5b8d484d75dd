//! Clocks that differ: nothing is given back before both say that it is time.

use jiff::SignedDuration;
use webinar_plan::{
    ConditionType, Cordon, Floor, Input, MOST_SKEW, Phase, Plan, Reading, Reason, Release, RemovalReason,
    Tier, plan,
};

use crate::audience::everyone_tells;
use crate::world::secs;
use crate::{pod, relay, said, world_at};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// One minute before everything is given back at the latest.
fn nearly_over() -> Input {
    let mut world = world_at(Tier::K10, 10_740);
    world.reconcile(|_, _| {});
    let input = world.input();
    assert_eq!(plan(&input).status.phase, Some(Phase::Overrun));
    input
}

/// The API server's clock jumps, and this machine's does not.
fn server_jumps(input: &mut Input, by: SignedDuration) {
    input.now += by;
    input.skew -= by;
}

fn gives_back(plan: &Plan) -> bool {
    let draining = plan.memory.as_ref().is_some_and(|m| m.draining_since.is_some());
    draining || !plan.cordon.is_empty() || !plan.delete.is_empty()
}

fn skew_is_told(plan: &Plan) -> bool {
    plan.status
        .notices
        .iter()
        .any(|n| n.subject.reason == Reason::ClockSkew)
}

#[test]
fn a_jump_of_the_api_servers_clock_ends_no_event() {
    for jump in [SignedDuration::from_mins(10), HOUR] {
        let mut input = nearly_over();
        server_jumps(&mut input, jump);
        let told = plan(&input);
        assert!(!gives_back(&told), "{told:?}");
        assert_eq!(told.status.phase, Some(Phase::Overrun));
        assert!(skew_is_told(&told));
        let ready = said(&told, ConditionType::Ready);
        assert!(ready.message.contains("clocks"), "{}", ready.message);
        assert!(told.next_wake.is_some_and(|t| t <= input.now + secs(30)));
        // Both say so.
        input.now += secs(60);
        assert_eq!(plan(&input).status.phase, Some(Phase::Draining));
        // And without the other clock it would have ended: what is tested can fail.
        let mut blind = nearly_over();
        blind.now += jump;
        assert!(gives_back(&plan(&blind)));
    }
}

#[test]
fn a_jump_of_the_operators_clock_ends_no_event() {
    for jump in [
        -HOUR,
        SignedDuration::from_mins(-10),
        SignedDuration::from_mins(10),
        HOUR,
    ] {
        let mut input = nearly_over();
        input.skew = jump;
        let told = plan(&input);
        assert!(!gives_back(&told) && skew_is_told(&told), "{jump}");
        // A clock that is ahead changes nothing else: times are the API server's.
        input.now += secs(60);
        assert_eq!(gives_back(&plan(&input)), jump.is_positive(), "{jump}");
    }
}

#[test]
fn clocks_that_hardly_differ_agree() {
    let mut input = nearly_over();
    input.now += secs(60);
    for (skew, agree) in [
        (-MOST_SKEW, true),
        (MOST_SKEW, true),
        (-MOST_SKEW - secs(1), false),
    ] {
        input.skew = skew;
        assert_eq!(gives_back(&plan(&input)), agree, "{skew}");
        assert_eq!(skew_is_told(&plan(&input)), !agree, "{skew}");
    }
}

#[test]
fn skew_is_told_once_in_a_run() {
    let mut input = nearly_over();
    input.skew = HOUR;
    let told = plan(&input);
    for notice in &told.status.notices {
        input
            .recent
            .told
            .insert(notice.subject.reason, notice.subject.moment);
    }
    let again = plan(&input);
    assert!(!skew_is_told(&again));
    let message = &said(&again, ConditionType::Ready).message;
    assert!(message.contains("clocks"), "{message}");
}

#[test]
fn a_drain_under_way_keeps_its_deadline() {
    let mut input = nearly_over();
    input.now += secs(60);
    let draining = plan(&input);
    input.memory.clone_from(&draining.memory);
    for drain in &draining.cordon {
        let pod = input
            .pods
            .iter_mut()
            .find(|p| p.uid == drain.uid)
            .expect("the pod");
        (pod.accepting, pod.drain_started) = (false, Some(drain.started));
    }
    server_jumps(&mut input, HOUR);
    assert!(plan(&input).delete.is_empty());
    input.now += secs(599);
    assert!(plan(&input).delete.is_empty());
    input.now += secs(1);
    let delete = plan(&input).delete;
    assert!(
        !delete.is_empty() && delete.iter().all(|r| r.reason == RemovalReason::Overdue),
        "{delete:?}"
    );
}

#[test]
fn lost_pods_have_the_time_of_a_drain_on_both_clocks() {
    let mut input = world_at(Tier::K10, 60).input();
    let now = input.now;
    let lost = pod(&mut input, relay(2));
    (lost.lost, lost.accepting, lost.drain_started) = (true, false, Some(now));
    lost.cut_off = true;
    server_jumps(&mut input, HOUR);
    assert!(plan(&input).delete.is_empty());
    input.now += secs(600);
    assert_eq!(plan(&input).delete.len(), 1);
}

#[test]
fn floor_and_override_hold_until_both_clocks_say_otherwise() {
    let desired = |input: &Input| {
        let plan = plan(input);
        plan.status.pools.iter().map(|p| p.desired).sum::<u32>()
    };
    let mut input = world_at(Tier::K10, 60).input();
    everyone_tells(&mut input, Reading::Value(1));
    let full = desired(&input);
    input.orders.release = Release::AfterPeak;
    let mut ahead = input.clone();
    server_jumps(&mut ahead, SignedDuration::from_mins(20));
    everyone_tells(&mut ahead, Reading::Value(1));
    assert_eq!(desired(&ahead), full);
    ahead.skew = SignedDuration::ZERO;
    assert!(desired(&ahead) < full, "the floor after the start is over");

    let mut ordered = world_at(Tier::K10, 60).input();
    ordered.orders.floor = Some(Floor {
        relays: 20,
        reason: "rehearsal".to_owned(),
        until: ordered.now + secs(60),
    });
    let more = desired(&ordered);
    assert!(more > full);
    server_jumps(&mut ordered, SignedDuration::from_mins(10));
    assert_eq!(desired(&ordered), more);
    ordered.skew = SignedDuration::ZERO;
    assert_eq!(desired(&ordered), full);
}

#[test]
fn nothing_shrinks_while_the_api_servers_clock_is_ahead() {
    let mut world = world_at(Tier::K10, 1200);
    world.orders.release = Release::AfterPeak;
    let mut input = world.input();
    everyone_tells(&mut input, Reading::Value(0));
    let started = input.now - secs(10);
    let cordoned = pod(&mut input, relay(7));
    (cordoned.accepting, cordoned.drain_started) = (false, Some(started));
    cordoned.cordoned_for = Cordon::Shrink;
    assert_eq!(plan(&input).delete.len(), 1);
    input.skew = -HOUR;
    assert!(!gives_back(&plan(&input)));
}
