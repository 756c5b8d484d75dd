//! The tables of the sizing and timeline designs, row by row.

mod world;

use jiff::{SignedDuration, Timestamp};
use webinar_plan::{
    Class, Counts, Role, Schedule, Settle, Slot, Tier, Unservable, incarnation, lead, servable,
};
use world::{at, class, secs, spec};

fn counts(class: &Class, tier: Tier) -> (Counts, u32) {
    let (capacity, shape) = servable(&spec(tier, None), class).expect("servable");
    (capacity.counts(tier, &shape), shape.shards.count())
}

#[test]
fn fifteen_cpus() {
    let class = class(15);
    let capacity = class.capacity(10);
    assert_eq!(capacity.per_relay, Some(926));
    assert_eq!(capacity.hard_per_relay, 1353);
    assert_eq!((capacity.stage_max, capacity.stage_fan), (144, 50));
    assert_eq!((capacity.mid_fan, capacity.mid_max), (50, 221));
    // Tier, relays that carry, spares, relays, mids, SFUs, pods, shards.
    let rows = [
        (Tier::K10, 12, 2, 15, 0, 2, 17, 1),
        (Tier::K50, 60, 2, 63, 3, 2, 68, 1),
        (Tier::K100, 119, 3, 123, 6, 3, 132, 1),
        (Tier::K250, 297, 6, 303, 9, 3, 315, 2),
        (Tier::K500, 594, 12, 606, 15, 3, 624, 3),
        (Tier::M1, 1188, 24, 1212, 27, 3, 1242, 6),
    ];
    for (tier, carry, spare, relay, mid, sfu, pods, shards) in rows {
        let found = counts(&class, tier);
        assert_eq!(found, (Counts { sfu, mid, relay }, shards), "{tier}");
        assert_eq!(found.0.total(), pods, "{tier}");
        // The smallest number of relays that gives every seat is what the table calls n.
        let seats = |relays| capacity.seats(relays, tier);
        assert_eq!(seats(carry), tier.attendees(), "{tier}");
        assert!(seats(carry - 1) < tier.attendees(), "{tier}");
        assert!(relay >= carry + spare && relay < carry + spare + 3, "{tier}");
    }
    let room = counts(&class, Tier::Room);
    assert_eq!(
        room,
        (
            Counts {
                sfu: 1,
                mid: 0,
                relay: 0
            },
            1
        )
    );
}

#[test]
fn thirty_one_cpus() {
    let class = class(31);
    assert_eq!(class.capacity(10).per_relay, Some(1914));
    let rows = [
        (Tier::K10, 9, 0, 2),
        (Tier::K50, 33, 0, 2),
        (Tier::K100, 60, 3, 3),
        (Tier::K250, 147, 6, 3),
        (Tier::K500, 294, 9, 3),
        (Tier::M1, 588, 15, 3),
    ];
    for (tier, relay, mid, sfu) in rows {
        assert_eq!(counts(&class, tier).0, Counts { sfu, mid, relay }, "{tier}");
    }
}

#[test]
fn seven_cpus() {
    let class = class(7);
    let capacity = class.capacity(10);
    assert_eq!((capacity.per_relay, capacity.mid_max), (Some(432), 103));
    let half = Counts {
        sfu: 3,
        mid: 30,
        relay: 1302,
    };
    assert_eq!(counts(&class, Tier::K500).0, half);
    let refusal = servable(&spec(Tier::M1, None), &class).unwrap_err();
    assert_eq!(
        refusal,
        Unservable::TooManyMids {
            needed: 54,
            feeds: 50
        }
    );
    assert_eq!(
        refusal.to_string(),
        "needs 54 mids, the SFU feeds 50: use a relay template with more CPU or raise fanOut"
    );
}

#[test]
fn tiers_that_a_class_does_not_have_are_refused_by_name_and_number() {
    let say = |class: &Class, tier| servable(&spec(tier, None), class).unwrap_err().to_string();
    let mut rooms_only = class(15);
    rooms_only.cpu.relay_millis = None;
    assert!(servable(&spec(Tier::Room, None), &rooms_only).is_ok());
    assert_eq!(
        say(&rooms_only, Tier::K10),
        "needs relays, and the class has no `templates.relay`"
    );
    let mut few = class(15);
    few.sizing.max_pods = 1241;
    assert!(servable(&spec(Tier::K500, None), &few).is_ok());
    assert!(say(&few, Tier::M1).starts_with("needs 1242 pods, the class allows 1241: "));
    few.max_tier = Tier::K250;
    assert!(say(&few, Tier::K500).starts_with("is above the class's `maxTier` 250k: "));
    assert!(say(&class(0), Tier::K10).starts_with("needs relays that carry at least one viewer: "));
    let mut crowded = class(15);
    crowded.cpu.sfu_millis = 700;
    assert!(say(&crowded, Tier::Room).contains("50 viewers beside 10 panelists"));
    assert!(say(&crowded, Tier::K10).contains("at least one child beside 10 panelists"));
    let mut heavy = class(15);
    heavy.sizing.stage_kbps = 5_000_000;
    heavy.sizing.egress_mbps = 5000;
    assert!(say(&heavy, Tier::K10).contains("at least one child"));
}

#[test]
fn a_room_is_servable_up_to_the_sfus_budget() {
    // 10 panelists · 940 + 50 · 200 = 19,400 packets/s; one CPU has 19,000 · 65 % = 12,350.
    let mut class = class(15);
    class.cpu.sfu_millis = 1571;
    assert!(servable(&spec(Tier::Room, None), &class).is_ok());
    class.cpu.sfu_millis = 1570;
    assert!(servable(&spec(Tier::Room, None), &class).is_err());
}

#[test]
fn a_growing_event_has_mids_from_its_first_pod() {
    let mut growing = spec(Tier::K10, None);
    growing.max_tier = Tier::M1;
    let (capacity, shape) = servable(&growing, &class(15)).unwrap();
    let first = capacity.counts(Tier::K10, &shape);
    assert_eq!(
        first,
        Counts {
            sfu: 3,
            mid: 3,
            relay: 15
        }
    );
    assert_eq!(shape.shards.count(), 6);
    assert_eq!(capacity.counts(Tier::M1, &shape).total(), 1242);
}

#[test]
fn leads() {
    let class = class(15);
    let rows = [
        (Tier::Room, 98),
        (Tier::K10, 878),
        (Tier::K50, 878),
        (Tier::K100, 878),
        (Tier::K250, 1148),
        (Tier::K500, 1418),
        (Tier::M1, 1958),
    ];
    for (tier, seconds) in rows {
        let pods = counts(&class, tier).0.total();
        assert_eq!(lead(&class, tier, tier, pods), secs(seconds), "{tier}");
    }
}

#[test]
fn a_lead_counts_fractions_and_is_rounded_up() {
    let mut class = class(15);
    class.ramp.wave_interval = SignedDuration::from_millis(1500);
    class.ramp.settle = Settle {
        node_startup: SignedDuration::ZERO,
        image_pull: SignedDuration::ZERO,
        pod_startup: SignedDuration::from_nanos(1),
        upstream: SignedDuration::ZERO,
        load_balancer: SignedDuration::ZERO,
    };
    // Two waves of 1.5 s and a nanosecond, times 1.5: 4.5 s and a little.
    assert_eq!(lead(&class, Tier::K250, Tier::K250, 315), secs(5));
    class.ramp.safety_percent = 100;
    assert_eq!(lead(&class, Tier::K250, Tier::K250, 315), secs(4));
}

fn schedule(tier: Tier, start: Option<Timestamp>, class: &Class) -> Schedule {
    let created = at("2027-03-01T09:00:00Z");
    let pods = counts(class, tier).0.total();
    Schedule::new(
        "events/q3-keynote",
        &spec(tier, start),
        class,
        pods,
        created,
        None,
    )
}

#[test]
fn boundaries_of_a_scheduled_event() {
    let start = at("2027-03-04T17:00:00Z");
    let million = schedule(Tier::M1, Some(start), &class(15));
    // Computed apart from this code: the first 8 bytes of SHA-256("events/q3-keynote") mod 180.
    assert_eq!(million.jitter, secs(179));
    assert_eq!(million.ready_by, at("2027-03-04T16:45:00Z"));
    assert_eq!(million.ramp, million.ready_by - secs(1958) - million.jitter);
    assert_eq!(million.floor_until, at("2027-03-04T17:15:00Z"));
    assert_eq!(million.end, at("2027-03-04T18:00:00Z"));
    assert_eq!(million.release, at("2027-03-04T20:00:00Z"));
    let small = schedule(Tier::K100, Some(start), &class(15));
    assert_eq!(small.ready_by, at("2027-03-04T16:50:00Z"));
    let room = schedule(Tier::Room, Some(start), &class(15));
    assert_eq!((room.ready_by, room.jitter), (start, secs(0)));
    assert_eq!(room.ramp, start - secs(98));
}

#[test]
fn boundaries_of_an_event_without_a_start() {
    let created = at("2027-03-01T09:00:00Z");
    let soon = schedule(Tier::K100, None, &class(15));
    assert_eq!((soon.ramp, soon.start), (created, created + secs(878)));
    assert_eq!((soon.ready_by, soon.jitter), (soon.start, secs(0)));
    let room = schedule(Tier::Room, None, &class(15));
    assert_eq!((room.ramp, room.start), (created, created));
}

#[test]
fn the_webinars_own_times_beat_the_classes() {
    let start = at("2027-03-04T17:00:00Z");
    let mut class = class(15);
    class.ramp.ready_before = Some(SignedDuration::from_mins(30));
    assert_eq!(
        schedule(Tier::M1, Some(start), &class).ready_by,
        at("2027-03-04T16:30:00Z")
    );
    let mut own = spec(Tier::M1, Some(start));
    own.ready_before = Some(SignedDuration::from_mins(5));
    own.overrun = Some(SignedDuration::ZERO);
    let found = Schedule::new("events/a", &own, &class, 1242, start, None);
    assert_eq!(found.ready_by, at("2027-03-04T16:55:00Z"));
    assert_eq!(found.release, found.end);
}

#[test]
fn jitter_spreads_events_of_one_start_over_a_wave() {
    let start = Some(at("2027-03-04T17:00:00Z"));
    let class = class(15);
    let jitter = |i: u32| {
        let key = format!("events/webinar-{i}");
        Schedule::new(
            &key,
            &spec(Tier::K10, start),
            &class,
            17,
            at("2027-01-01T00:00:00Z"),
            None,
        )
        .jitter
    };
    let all: std::collections::BTreeSet<_> = (0..100).map(jitter).collect();
    assert!(all.iter().all(|j| *j >= secs(0) && *j < secs(180)));
    assert!(
        all.len() > 60,
        "only {} different seconds for 100 events",
        all.len()
    );
}

#[test]
fn the_demo_class_of_the_first_run() {
    let mut class = class(15);
    class.ramp.wave_interval = secs(15);
    class.ramp.ready_before = Some(secs(30));
    class.ramp.settle = Settle {
        node_startup: secs(0),
        image_pull: secs(0),
        pod_startup: secs(12),
        upstream: secs(5),
        load_balancer: secs(3),
    };
    let demo = schedule(Tier::M1, Some(at("2027-03-04T17:00:00Z")), &class);
    assert_eq!(demo.lead, secs(143));
    assert_eq!(demo.jitter, secs(14));
    // The shortest start that isn't compressed: lead, ready-before and the largest jitter.
    assert_eq!(demo.lead + secs(30) + secs(14), secs(187));
}

#[test]
fn incarnations() {
    // Computed apart from this code, with another language's SHA-256.
    let slot = Slot::new(Role::Relay, 17);
    assert_eq!(incarnation("2f6c1f5e", 1, slot, None), "r6mpk");
    assert_eq!(incarnation("2f6c1f5e", 2, slot, Some("uid-9")), "kmi67");
}
