//! Whether media flows: what is said, when, and what never is.

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{
    ConditionType, Input, Memory, Plan, Reading, Reason, Role, Sample, Slot, Source, Tier, Track, Truth, plan,
};

use crate::world::{World, at, secs};
use crate::{START, said, world_at};

pub(crate) const SFU: Slot = Slot::new(Role::Sfu, 0);

pub(crate) fn verdict(plan: &Plan) -> (Truth, Reason) {
    let flowing = said(plan, ConditionType::MediaFlowing);
    (flowing.truth, flowing.reason)
}

pub(crate) fn go(world: &mut World, seconds: i64) -> Plan {
    world.run_until(world.now + secs(seconds), |_, _| {})
}

/// A world on air for a few minutes, with both encoders of a presenter.
pub(crate) fn sent_twice(tier: Tier) -> World {
    let mut world = world_at(tier, 60);
    world.on_stage().sending = [0, 1].into();
    go(&mut world, 120);
    world
}

/// A world on air for a few minutes, with one presenter at the one address.
pub(crate) fn sent_once(tier: Tier) -> World {
    let mut world = world_at(tier, 60);
    world.on_stage().presenter = true;
    go(&mut world, 120);
    world
}

pub(crate) fn memory(world: &World) -> &Memory {
    world.memory.as_ref().expect("a run")
}

#[test]
fn without_attendance_in_its_class_nobody_can_say() {
    let mut world = sent_once(Tier::K10);
    let mut input = world.input();
    input.class.as_mut().unwrap().attendance = None;
    let blind = plan(&input);
    assert_eq!(verdict(&blind), (Truth::Unknown, Reason::NoSignal));
    let text = &said(&blind, ConditionType::MediaFlowing).message;
    assert!(text.contains("has no `attendance`"), "{text}");
    world.on_stage().presenter = false;
    go(&mut world, 60);
    let mut input = world.input();
    input.class.as_mut().unwrap().attendance = None;
    assert_eq!(verdict(&plan(&input)), (Truth::Unknown, Reason::NoSignal));
}

#[test]
fn a_silent_sfu_is_not_a_stalled_one() {
    let mut world = sent_once(Tier::K10);
    let uid = world.uid_in(SFU).unwrap();
    world.on_stage().silent.insert(uid.clone());
    let answered = world.signals[&uid].answered;
    let plan = world.run_until(answered + secs(20) - SignedDuration::from_millis(1), |_, _| {});
    assert_eq!(verdict(&plan), (Truth::True, Reason::Flowing));
    let plan = world.run_until(answered + secs(20), |_, _| {});
    assert_eq!(verdict(&plan), (Truth::Unknown, Reason::NoSignal));
    assert_eq!(plan.status.media.inbound, None);
    go(&mut world, 600);
    assert_eq!(memory(&world).incidents.total, 0);
    assert_eq!(memory(&world).failover, None);
}

#[test]
fn an_incident_has_its_beginning_its_end_and_its_cause_and_only_the_latest_are_kept() {
    let mut world = sent_once(Tier::K10);
    for n in 1..=12_u32 {
        world.on_stage().presenter = false;
        let stopped = world.now;
        let plan = go(&mut world, 30);
        assert_eq!(verdict(&plan), (Truth::False, Reason::NoStandby));
        let latest = memory(&world).incidents.latest.last().unwrap().clone();
        assert_eq!((latest.cause, latest.ended), (Reason::NoStandby, None));
        assert!(latest.began >= stopped - secs(2) && latest.began <= stopped + secs(2));
        world.on_stage().presenter = true;
        let back = world.now;
        go(&mut world, 10);
        let incidents = &memory(&world).incidents;
        assert_eq!(incidents.total, n);
        assert_eq!(incidents.latest.len(), n.min(10) as usize);
        let ended = incidents.latest.last().unwrap().ended.unwrap();
        assert!(ended >= back && ended <= back + secs(4), "{ended} after {back}");
    }
}

#[test]
fn one_answer_with_media_does_not_end_an_incident_and_a_restart_neither_ends_nor_doubles_it() {
    let mut world = sent_once(Tier::K10);
    world.on_stage().presenter = false;
    go(&mut world, 30);
    world.restart();
    let plan = go(&mut world, 1);
    assert_eq!(verdict(&plan), (Truth::False, Reason::NoStandby));
    go(&mut world, 30);
    assert_eq!(memory(&world).incidents.total, 1);
    // One burst of bytes in one answer.
    world.on_stage().presenter = true;
    let next = world.stage.next_answers().unwrap();
    let plan = world.run_until(next, |_, _| {});
    world.on_stage().presenter = false;
    assert_eq!(verdict(&plan), (Truth::False, Reason::NoStandby));
    let plan = go(&mut world, 30);
    assert_eq!(verdict(&plan), (Truth::False, Reason::NoStandby));
    assert_eq!(memory(&world).incidents.total, 1);
    assert_eq!(memory(&world).incidents.latest[0].ended, None);
}

#[test]
fn a_stall_is_told_once_with_the_instant_of_the_last_byte() {
    let mut world = sent_once(Tier::K10);
    world.on_stage().presenter = false;
    let mut told = Vec::new();
    world.run_until(world.now + secs(300), |_, p| {
        told.extend(p.status.notices.iter().map(|n| n.subject));
    });
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].reason, Reason::NoStandby);
    assert_eq!(told[0].moment, memory(&world).incidents.latest[0].began);
}

#[test]
fn near_the_planned_end_presenters_have_left_and_a_stall_before_goes_on_until_then() {
    let mut world = sent_once(Tier::K10);
    world.run_until(at(START) + secs(54 * 60), |_, _| {});
    world.on_stage().presenter = false;
    let plan = go(&mut world, 30);
    assert_eq!(verdict(&plan), (Truth::False, Reason::NoStandby));
    let plan = world.run_until(at(START) + secs(55 * 60), |_, _| {});
    assert_eq!(verdict(&plan), (Truth::Unknown, Reason::PublisherLeft));
    assert_eq!(memory(&world).incidents.total, 1);
    let plan = world.run_until(at(START) + secs(3600), |_, _| {});
    assert_eq!(verdict(&plan), (Truth::Unknown, Reason::PublisherLeft));
}

#[test]
fn figures_of_a_prometheus_server_are_as_old_as_its_interval() {
    let mut world = sent_once(Tier::K10);
    let interval = secs(15);
    // Nothing new for as long as that is no silence.
    let mut input = world.input();
    input.class.as_mut().unwrap().attendance = Some(Source::Prometheus { interval });
    let answered = world.signals[&world.uid_in(SFU).unwrap()].answered;
    input.now = answered + secs(34);
    let told = plan(&input);
    assert_eq!(
        (verdict(&told).0, told.next_wake),
        (Truth::True, Some(answered + secs(35)))
    );
    input.now = answered + secs(35);
    assert_eq!(verdict(&plan(&input)), (Truth::Unknown, Reason::NoSignal));
    world.on_stage().presenter = false;
    go(&mut world, 30);
    let mut input = world.input();
    input.memory.as_mut().unwrap().incidents = webinar_plan::Incidents::default();
    input.recent.watch = webinar_plan::Watch::default();
    input.class.as_mut().unwrap().attendance = Some(Source::Prometheus { interval });
    let uid = world.uid_in(SFU).unwrap();
    let flow = world.signals[&uid].inbound.clone();
    let due = flow.last_byte.unwrap() + interval + secs(8);
    input.now = due - secs(1);
    assert_eq!(verdict(&plan(&input)).0, Truth::True);
    input.now = due;
    assert_eq!(verdict(&plan(&input)).0, Truth::False);
}

/// Plays answers of both SFUs to the planner, as a controller would.
struct Broadcast {
    input: Input,
    tracks: [Track; 2],
    uids: [String; 2],
    false_alarms: u32,
    looks: u32,
    first_alarm: Option<Timestamp>,
}

impl Broadcast {
    fn new() -> Self {
        let world = world_at(Tier::K10, 1);
        let uids = [0, 1].map(|i| world.uid_in(Slot::new(Role::Sfu, i)).expect("an SFU"));
        Self {
            input: world.input(),
            tracks: [Track::default(), Track::default()],
            uids,
            false_alarms: 0,
            looks: 0,
            first_alarm: None,
        }
    }

    fn answer(&mut self, sfu: usize, now: Timestamp, bytes_in: Reading) {
        let stall = self.input.class.as_ref().expect("a class").stall.clone();
        let sample = Sample {
            at: now,
            viewers: Reading::Value(0),
            bytes_in,
            bytes_out: Reading::Value(0),
        };
        self.tracks[sfu].take(sample, &stall);
        let signal = self.tracks[sfu].signal().expect("an answer");
        self.input.signals.insert(self.uids[sfu].clone(), signal);
    }

    /// Looks now, and whenever it is asked to before `until`.
    fn look(&mut self, now: Timestamp, until: Timestamp) {
        let mut now = now;
        while now < until {
            self.input.now = now;
            let found = plan(&self.input);
            self.looks += 1;
            if verdict(&found).0 == Truth::False {
                self.false_alarms += 1;
                self.first_alarm.get_or_insert(now);
            }
            self.input.recent.watch = found.watch;
            self.input.memory = found.memory;
            now = found.next_wake.expect("an event on air");
        }
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }
}

#[test]
fn an_hour_of_normal_broadcasting_raises_no_alarm() {
    let (mut hours, mut looks, mut resets, mut lost) = (0, 0, 0, 0);
    for seed in 0..10 {
        let mut dice = Dice(seed);
        let mut show = Broadcast::new();
        // The planned end is an hour away; what comes near it is judged otherwise.
        show.input.spec.duration = SignedDuration::from_hours(3);
        let (mut bytes, mut kbit, mut left) = (0_u64, 3_000_u64, 0_u64);
        for n in 0..1800 {
            if left == 0 {
                // A talking head, a muted microphone beside a still slide, a film.
                kbit = [3_000, 3, 8_000, 40, 600][dice.below(5) as usize];
                left = 5 + dice.below(120);
            }
            left -= 1;
            // Bitrates swing by 30 % to either side.
            bytes += kbit * 1000 / 8 * 2 * (70 + dice.below(61)) / 100;
            if dice.below(300) == 0 {
                bytes = dice.below(2_000);
                resets += 1;
                // What is counted anew may be less than a whole interval's.
            }
            let now = at(START) + secs(2 * n) + SignedDuration::from_millis(dice.below(150) as i64);
            let next = at(START) + secs(2 * n + 2);
            if dice.below(40) == 0 {
                lost += 1;
            } else {
                show.answer(0, now, Reading::Value(bytes));
            }
            show.answer(1, now, Reading::Missing);
            show.look(now, next);
        }
        hours += 1;
        looks += show.looks;
        assert_eq!(show.false_alarms, 0, "hour {seed}");
    }
    println!("{hours} hours, {looks} looks, {resets} counters reset, {lost} answers lost: 0 stall alarms");
}

#[test]
fn a_stop_is_seen_within_twelve_seconds_of_the_last_byte() {
    let mut worst = SignedDuration::ZERO;
    let mut best = secs(60);
    for phase in 0..40 {
        let mut show = Broadcast::new();
        // Three megabits per second until the presenter stops somewhere between two answers.
        let stop = at(START) + secs(100) + SignedDuration::from_millis(50 * phase);
        for n in 0..65 {
            let now = at(START) + secs(2 * n) + secs(1);
            let sent = now.min(stop).duration_since(at(START)).as_millis();
            show.answer(0, now, Reading::Value(sent as u64 * 375));
            show.answer(1, now, Reading::Missing);
            show.look(now, now + secs(2));
        }
        let took = show.first_alarm.expect("an alarm").duration_since(stop);
        worst = worst.max(took);
        best = best.min(took);
    }
    println!("from the last byte to the verdict: {best:#} to {worst:#}");
    assert!(worst <= secs(12), "{worst:#}");
    assert!(best >= secs(8), "{best:#}");
}
