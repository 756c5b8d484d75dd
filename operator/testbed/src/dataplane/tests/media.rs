//! Where bytes go, and where they don't.

use super::super::detail::Detail;
use super::super::facts::{Ending, Role};
use super::super::options::DataPlaneOptions;
use super::super::publish::{Encoder, Picture, Publishing};
use super::scene::{SMALL, Scene, Shape, TICK};
use crate::crowd::{Crowd, Curve};

/// A scene with a picture and 60 viewers.
fn playing(publishing: Publishing) -> Scene {
    let mut scene = Scene::new(SMALL, DataPlaneOptions::default());
    let now = scene.now;
    scene.stage().publish(publishing, now);
    scene.come(Crowd::new(60, now).curve(Curve::at_once()));
    scene.run(60.0);
    let results = scene.results();
    assert_eq!((results.watching, results.joined), (60, 60), "{results:#?}");
    assert_eq!(scene.detail().fed(Role::Relay), 4);
    scene
}

fn inbound(scene: &mut Scene, slot: &str) -> f64 {
    let uid = scene.uid(slot);
    let servers = &scene.stage().servers;
    let place = servers.place(&uid).expect("it runs");
    servers
        .get(place)
        .and_then(|server| server.path)
        .map_or(0.0, |path| path.inbound)
}

fn parent<'a>(detail: &'a Detail, slot: &str) -> Option<&'a str> {
    detail.slot(slot).expect("it runs").parent.as_deref()
}

#[test]
fn every_relay_gets_what_the_encoder_sends() {
    let mut scene = playing(Publishing::Single);
    let before: Vec<f64> = ["sfu-0", "mid-1", "relay-3"]
        .map(|slot| inbound(&mut scene, slot))
        .to_vec();
    scene.run(8.0);
    for (slot, before) in ["sfu-0", "mid-1", "relay-3"].into_iter().zip(before) {
        assert_eq!(
            inbound(&mut scene, slot) - before,
            4_600_000.0,
            "{slot} in 8 s, in bytes"
        );
    }
    assert_eq!(inbound(&mut scene, "sfu-1"), 0.0, "nobody publishes to a standby");

    scene.stage().picture(Picture::AudioOnly);
    let before = inbound(&mut scene, "relay-3");
    scene.run(8.0);
    assert_eq!(inbound(&mut scene, "relay-3") - before, 3_000.0);
    assert_eq!(
        scene.results().frozen.viewer_seconds,
        0.0,
        "a voice is no frozen picture"
    );
}

#[test]
fn what_goes_out_is_what_comes_in_for_every_reader() {
    let mut scene = playing(Publishing::Single);
    let out = |scene: &mut Scene, slot: &str| {
        let uid = scene.uid(slot);
        let servers = &scene.stage().servers;
        let server = servers
            .get(servers.place(&uid).expect("it runs"))
            .expect("it runs");
        (server.path.expect("a stage").outbound, server.viewers)
    };
    let (before, viewers) = out(&mut scene, "relay-0");
    let (mid_before, _) = out(&mut scene, "mid-0");
    scene.run(8.0);
    assert!(viewers > 0, "some of 60 are on each of 4 relays");
    assert_eq!(
        out(&mut scene, "relay-0").0 - before,
        4_600_000.0 * viewers as f64
    );
    assert_eq!(out(&mut scene, "mid-0").0 - mid_before, 2.0 * 4_600_000.0);
}

#[test]
fn a_broken_tree_carries_nothing() {
    let mut scene = playing(Publishing::Single);
    scene.delete("mid-0");
    scene.run(1.0);
    let detail = scene.detail();
    for (slot, fed) in [
        ("relay-0", false),
        ("relay-1", true),
        ("relay-2", false),
        ("relay-3", true),
    ] {
        let relay = detail.slot(slot).expect("it runs");
        assert_eq!((relay.fed, relay.ready), (fed, fed), "{slot}");
        assert_eq!(
            relay.viewers == 0,
            !fed,
            "{slot} lost its source and so its viewers"
        );
    }
    let results = scene.results();
    assert!(
        results.dropped.by_server > 0 && results.dropped.by_pod_gone == 0,
        "{results:#?}"
    );
    scene.run(120.0);
    assert_eq!(
        scene.detail().fed(Role::Relay),
        2,
        "nobody stands in for a mid by himself"
    );

    // Its Service is pointed at the other one.
    scene.lead("mid-0", &["mid-1"]);
    let seconds = scene.until(6.0, |detail| detail.fed(Role::Relay) == 4);
    println!("relays of a lost mid receive again after {seconds} s");
    assert_eq!(parent(&scene.detail(), "relay-0"), Some("mid-1"));
}

#[test]
fn a_child_waits_before_it_tries_again() {
    let mut scene = Scene::new(SMALL, DataPlaneOptions::default());
    scene.run(1.0);
    let now = scene.now;
    scene.stage().publish(Publishing::Single, now);
    // Mids try every 5 s since the beginning, and so do relays.
    let seconds = scene.until(15.0, |detail| detail.fed(Role::Relay) == 4);
    assert!(
        (3.0..=10.0).contains(&seconds),
        "two levels of 5 s at most, not {seconds}"
    );
}

#[test]
fn a_single_encoder_follows_its_address_when_its_server_is_gone() {
    let mut scene = playing(Publishing::Single);
    scene.activate("sfu-1");
    scene.run(20.0);
    let detail = scene.detail();
    assert_eq!(
        detail.publishers[0].slot.as_deref(),
        Some("sfu-0"),
        "a connection stays where it is"
    );
    assert_eq!(parent(&detail, "mid-0"), Some("sfu-0"), "and so do children");

    scene.delete("sfu-0");
    let seconds = scene.until(20.0, |detail| detail.fed(Role::Relay) == 4);
    println!("after the end of the active SFU relays receive again after {seconds} s");
    assert!(
        (5.0..=10.5).contains(&seconds),
        "MediaMTX's 5 s once or twice: {seconds}"
    );
    assert_eq!(scene.detail().publishers[0].slot.as_deref(), Some("sfu-1"));
}

#[test]
fn a_fence_brings_the_picture_back_from_the_standby() {
    let mut scene = playing(Publishing::Dual);
    let slots = |detail: Detail| {
        detail
            .publishers
            .iter()
            .map(|p| p.slot.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        slots(scene.detail()),
        [Some("sfu-0".to_owned()), Some("sfu-1".to_owned())]
    );

    scene.stage().silence(Encoder::Primary);
    scene.run(10.0);
    let (stopped, now) = (scene.detail(), scene.now);
    assert_eq!(stopped.fed(Role::Relay), 0);
    let silence = now
        .duration_since(stopped.last_byte.expect("there was a picture"))
        .as_secs_f64();
    assert!((9.75..=10.25).contains(&silence), "silent for {silence} s");
    assert!(stopped.slot("sfu-1").expect("the standby").fed);
    assert!(
        stopped.slot("sfu-0").expect("it runs").ready,
        "the timeout is not over"
    );
    let frozen = scene.results().frozen;
    assert_eq!((frozen.viewer_seconds, frozen.longest_seconds), (600.0, 10.0));

    scene.activate("sfu-1");
    scene.delete("sfu-0");
    let seconds = scene.until(12.0, |detail| detail.fed(Role::Relay) == 4);
    println!("after a fence relays receive again after {seconds} s");
    scene.run(10.0);
    let (detail, results) = (scene.detail(), scene.results());
    assert_eq!(detail.active.as_deref(), Some("sfu-1"));
    assert_eq!(
        detail.publishers[0].slot, None,
        "a silent encoder doesn't come back"
    );
    assert_eq!((results.dropped.by_server, results.dropped.by_pod_gone), (60, 0));
    assert_eq!((results.rejoined, results.watching), (60, 60), "{results:#?}");
    let [outage] = detail.outages[..] else {
        panic!("one outage: {:#?}", detail.outages);
    };
    let until = outage.until.expect("it is over");
    let lasted = until.duration_since(outage.from).as_secs_f64();
    assert!((seconds + 9.75..=seconds + 10.5).contains(&lasted), "{lasted} s");
}

#[test]
fn after_a_fence_relays_come_just_after_their_mids_or_a_pause_later() {
    let wide = Shape {
        relays: 40,
        mids: 4,
        ..SMALL
    };
    let mut scene = Scene::new(wide, DataPlaneOptions::default());
    let now = scene.now;
    scene.stage().publish(Publishing::Dual, now);
    scene.run(20.0);
    scene.activate("sfu-1");
    scene.delete("sfu-0");
    scene.run(4.75);
    let detail = scene.detail();
    assert_eq!(detail.fed(Role::Mid) + detail.fed(Role::Relay), 0);
    scene.run(0.5);
    let detail = scene.detail();
    assert!(detail.fed(Role::Mid) > 0, "{detail:#?}");
    let early = detail.fed(Role::Relay);
    assert!((1..40).contains(&early), "{early} of 40 after 5 s");
    scene.run(4.25);
    assert_eq!(scene.detail().fed(Role::Relay), early, "the others pause");
    scene.run(0.75);
    assert_eq!(scene.detail().fed(Role::Relay), 40);
}

#[test]
fn children_of_a_parent_that_is_gone_without_a_word_wait_for_it() {
    for (ending, noticed) in [(Ending::Killed, 0.25), (Ending::WithMachine, 15.0)] {
        let mut scene = playing(Publishing::Single);
        scene.end("mid-0", ending);
        scene.lead("mid-0", &["mid-1"]);
        let relay = |scene: &mut Scene| {
            let detail = scene.detail();
            let relay = detail.slot("relay-0").expect("it runs");
            (relay.ready, relay.fed, relay.viewers > 0)
        };
        scene.run(noticed - 0.25);
        if ending == Ending::WithMachine {
            assert_eq!(relay(&mut scene), (true, false, true), "{ending:?}");
        }
        scene.run(0.25);
        assert_eq!(relay(&mut scene), (false, false, false), "{ending:?}");
        scene.run(4.5);
        assert!(!relay(&mut scene).0, "{ending:?}: it pauses");
        scene.run(0.75);
        assert_eq!(parent(&scene.detail(), "relay-0"), Some("mid-1"), "{ending:?}");
    }
}

#[test]
fn the_last_publisher_has_the_stage() {
    let mut scene = playing(Publishing::Single);
    // Both addresses lead to the same server.
    scene.lead("sfu-1", &["sfu-0"]);
    let before = inbound(&mut scene, "sfu-0");
    let now = scene.now;
    scene.stage().publish(Publishing::Dual, now);
    scene.run(0.25);
    let (detail, results) = (scene.detail(), scene.results());
    assert_eq!(
        (
            detail.publishers[0].slot.as_deref(),
            detail.publishers[1].slot.as_deref()
        ),
        (None, Some("sfu-0"))
    );
    assert_eq!(results.dropped.by_server, 60, "all readers are closed");
    assert!(inbound(&mut scene, "sfu-0") < before, "counters begin anew");
    scene.run(1.0);
    assert_eq!(
        scene.detail().publishers[0].slot.as_deref(),
        Some("sfu-0"),
        "the other one comes back, and replaces it in turn"
    );
}

#[test]
fn a_read_timeout_drops_viewers_and_is_told_apart() {
    let mut scene = playing(Publishing::Single);
    scene.stage().silence(Encoder::All);
    scene.run(29.5);
    assert_eq!(scene.results().dropped.total, 0);
    assert!(inbound(&mut scene, "sfu-0") > 0.0);
    scene.run(1.0);
    let (detail, results) = (scene.detail(), scene.results());
    assert_eq!((results.dropped.by_server, results.dropped.by_pod_gone), (60, 0));
    assert_eq!((results.watching, results.waiting), (0, 60));
    assert!(detail.servers.iter().all(|server| !server.ready), "{detail:#?}");
    assert_eq!(inbound(&mut scene, "sfu-0"), 0.0, "counters begin anew");
    assert_eq!(results.refused, 0, "a stage that is dark is no lack of seats");

    scene.run(30.0);
    let now = scene.now;
    scene.stage().resume(Encoder::All, now);
    scene.until(13.0, |detail| detail.fed(Role::Relay) == 4);
    scene.run(10.0);
    let results = scene.results();
    assert_eq!((results.rejoined, results.watching), (60, 60), "{results:#?}");
    assert!(
        (30.0..50.0).contains(&results.dropped.longest_away_seconds),
        "{results:#?}"
    );
}

#[test]
fn an_encoder_that_comes_back_in_time_costs_only_a_frozen_picture() {
    let mut scene = playing(Publishing::Single);
    scene.stage().silence(Encoder::All);
    scene.run(20.0);
    let now = scene.now;
    scene.stage().resume(Encoder::All, now);
    scene.run(60.0);
    let results = scene.results();
    assert_eq!(results.dropped.total, 0);
    assert_eq!(results.frozen.longest_seconds, 20.0);
}

#[test]
fn a_frozen_parent_starves_its_children_only() {
    let mut scene = playing(Publishing::Single);
    let now = scene.now;
    assert!(scene.stage().freeze("mid-0", true, now));
    assert!(!scene.stage().freeze("mid-7", true, now), "there is none");
    scene.run(14.75);
    assert_eq!(scene.detail().fed(Role::Relay), 2);
    assert_eq!(scene.results().dropped.total, 0, "it is not given up yet");
    scene.run(0.25);
    let detail = scene.detail();
    assert!(!detail.slot("relay-0").expect("it runs").ready);
    assert!(scene.results().dropped.by_server > 0);
    scene.run(30.0);
    assert_eq!(scene.detail().fed(Role::Relay), 2, "who hangs takes no children");

    // Their Service is pointed elsewhere, and the parent replaced.
    scene.lead("mid-0", &["mid-1"]);
    scene.delete("mid-0");
    scene.until(6.0, |detail| detail.fed(Role::Relay) == 4);
    scene.start("mid-0");
    scene.run(6.0);
    assert!(
        !scene.detail().slot("mid-0").expect("it runs").frozen,
        "the next pod is well"
    );
}

#[test]
fn a_relay_that_sends_nothing_freezes_its_viewers() {
    let mut scene = playing(Publishing::Single);
    let now = scene.now;
    assert!(scene.stage().freeze("relay-2", true, now));
    scene.run(12.0);
    let viewers = scene.detail().slot("relay-2").expect("it runs").viewers;
    let frozen = scene.results().frozen;
    assert_eq!(frozen.longest_seconds, 12.0);
    assert_eq!(frozen.viewer_seconds, 12.0 * viewers as f64);
    assert_eq!(scene.detail().outages, [], "one relay is no outage");
}

#[test]
fn an_encoder_that_swings_never_stops() {
    let mut scene = playing(Publishing::Single);
    scene.stage().picture(Picture::Swings);
    let mut seen = Vec::new();
    for _ in 0..40 {
        let before = inbound(&mut scene, "relay-1");
        scene.run(TICK.as_secs_f64());
        seen.push((inbound(&mut scene, "relay-1") - before) * 8.0 / TICK.as_secs_f64());
    }
    let (least, most) = (
        seen.iter().copied().fold(f64::MAX, f64::min),
        seen.iter().copied().fold(0.0, f64::max),
    );
    assert!((499_999.0..2_000_000.0).contains(&least), "{least} bit/s");
    assert!((6_000_000.0..8_000_001.0).contains(&most), "{most} bit/s");
    assert_eq!(scene.results().frozen.viewer_seconds, 0.0);
}

#[test]
fn dual_publishing_is_switched_without_a_break() {
    let mut scene = playing(Publishing::Single);
    for publishing in [Publishing::Dual, Publishing::Single, Publishing::Dual] {
        let now = scene.now;
        scene.stage().publish(publishing, now);
        scene.run(5.0);
    }
    assert!(scene.detail().slot("sfu-1").expect("the standby").fed);
    let results = scene.results();
    assert_eq!((results.dropped.total, results.frozen.longest_seconds), (0, 0.0));
}

#[test]
fn after_nobody_presents_nobody_misses_a_picture() {
    let mut scene = playing(Publishing::Single);
    scene.stage().leave(1.0);
    let now = scene.now;
    scene.stage().publish(Publishing::Nobody, now);
    scene.run(60.0);
    let (detail, results) = (scene.detail(), scene.results());
    assert_eq!(
        (results.left, results.dropped.total, results.watching),
        (60, 0, 0)
    );
    assert_eq!((results.frozen.longest_seconds, detail.outages.len()), (0.0, 0));
}

#[test]
fn in_a_room_viewers_are_on_the_sfu() {
    let room = Shape {
        sfus: 1,
        mids: 0,
        relays: 0,
        shards: 0,
        seats: 50,
    };
    let mut scene = Scene::new(room, DataPlaneOptions::default());
    scene.lead("viewers-0", &["sfu-0"]);
    let now = scene.now;
    scene.stage().publish(Publishing::Single, now);
    scene.come(Crowd::new(50, now).curve(Curve::steady(10.0)));
    scene.run(30.0);
    assert_eq!(scene.detail().slot("sfu-0").expect("it runs").viewers, 50);
    scene.delete("sfu-0");
    scene.run(5.0);
    let results = scene.results();
    assert_eq!((results.dropped.by_pod_gone, results.dropped.by_server), (50, 0));
}
