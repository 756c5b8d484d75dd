//! Who gets in, who waits, who is thrown out.

use std::time::Duration;

use super::super::facts::{Ending, Role};
use super::super::options::DataPlaneOptions;
use super::super::publish::Publishing;
use super::scene::{SMALL, Scene, Shape, dawn};
use crate::crowd::{Crowd, Curve};

/// A picture on all relays.
fn lit(shape: Shape, options: DataPlaneOptions) -> Scene {
    let mut scene = Scene::new(shape, options);
    let now = scene.now;
    scene.stage().publish(Publishing::Single, now);
    scene.run(15.0);
    scene
}

const ROOMY: Shape = Shape { seats: 400, ..SMALL };

#[test]
fn a_crowd_that_comes_on_time_gets_in() {
    let mut scene = lit(ROOMY, DataPlaneOptions::default());
    let start = dawn() + Duration::from_secs(21 * 60);
    scene.come(Crowd::new(1_000, start));
    scene.run(6.0 * 60.0);
    let at_t15 = scene.results().watching;
    assert!(
        (29..=33).contains(&at_t15),
        "3 % are there 15 minutes early: {at_t15}"
    );
    scene.run(31.0 * 60.0);
    let results = scene.results();
    assert_eq!(
        results.summary(),
        "1,000 joined, 0 refused, 0 dropped, peak 1,000"
    );
    assert_eq!((results.arrived, results.audience), (1_000, 1_000));
    assert_eq!((results.seats.most, results.seats.wasted), (1_600, 600));
    assert_eq!(results.waited.viewers, 0);
}

#[test]
fn a_scaled_crowd_comes_faster() {
    let mut scene = lit(ROOMY, DataPlaneOptions::default().faster(20.0));
    let start = scene.now + Duration::from_secs(60);
    scene.come(Crowd::new(1_000, start).scale(20.0));
    scene.run(60.0 - 0.5);
    let arrived = scene.results().arrived;
    assert!(
        (570..=600).contains(&arrived),
        "60 % come by the start: {arrived}"
    );
    scene.run(46.0);
    assert_eq!(scene.results().joined, 1_000);
}

#[test]
fn viewers_without_seats_are_refused_and_wait() {
    let mut scene = lit(SMALL, DataPlaneOptions::default());
    let now = scene.now;
    scene.come(Crowd::new(130, now).curve(Curve::at_once()));
    scene.run(120.0);
    let results = scene.results();
    assert_eq!(
        (results.watching, results.waiting, results.joined),
        (100, 30, 100),
        "{results:#?}"
    );
    assert!(
        results.waited.viewers >= 30 && results.waited.viewers < 130,
        "{:?}",
        results.waited
    );
    assert!(results.waited.max_seconds >= 119.0);
    // Every 2 s.
    let attempts = results.refused as f64 / 30.0;
    assert!(
        (60.0..=63.0).contains(&attempts),
        "{attempts} attempts each in two minutes"
    );
    let full = scene.detail();
    assert!(
        full.servers.iter().all(|server| server.viewers <= 25),
        "{full:#?}"
    );

    // A relay more.
    scene.start("relay-4");
    scene.lead("viewers-0", &["relay-0", "relay-2", "relay-4"]);
    scene.run(1.5);
    assert!(scene.results().waiting > 5, "some find it full once more");
    scene.run(60.0);
    let results = scene.results();
    assert_eq!((results.watching, results.waiting, results.peak), (125, 5, 125));
    assert!(results.waited.total_seconds > 25.0 * 120.0);
}

#[test]
fn without_an_address_everybody_is_refused() {
    let mut scene = lit(SMALL, DataPlaneOptions::default());
    scene.lead("viewers-0", &[]);
    scene.lead("viewers-1", &[]);
    let now = scene.now;
    scene.come(Crowd::new(10, now).curve(Curve::at_once()));
    scene.run(3.0);
    let results = scene.results();
    assert_eq!((results.joined, results.waited.viewers), (0, 10));
    assert_eq!(results.refused, 20, "at once and 2 s later: {results:#?}");
}

#[test]
fn early_viewers_are_turned_away_until_there_is_a_picture() {
    let mut scene = Scene::new(ROOMY, DataPlaneOptions::default());
    let now = scene.now;
    scene.come(Crowd::new(80, now).curve(Curve::at_once()));
    scene.run(60.0);
    let results = scene.results();
    assert_eq!((results.watching, results.waiting), (0, 80), "{results:#?}");
    assert_eq!(results.refused, 0, "there are seats");
    let now = scene.now;
    scene.stage().publish(Publishing::Single, now);
    scene.until(15.0, |detail| detail.fed(Role::Relay) == 4);
    scene.run(2.5);
    let results = scene.results();
    assert_eq!((results.watching, results.dropped.total), (80, 0), "{results:#?}");
}

/// A relay with viewers of 1,000, and how many.
fn watched_relay(scene: &mut Scene) -> u64 {
    let now = scene.now;
    scene.come(Crowd::new(1_000, now).curve(Curve::at_once()));
    scene.run(1.0);
    scene.detail().slot("relay-1").expect("it runs").viewers
}

#[test]
fn viewers_of_a_relay_that_ends_silently_notice_late() {
    for (ending, first) in [
        (Ending::Orderly, 2.0),
        (Ending::Killed, 17.5),
        (Ending::WithMachine, 17.5),
    ] {
        let mut scene = lit(ROOMY, DataPlaneOptions::default());
        let lost = watched_relay(&mut scene);
        scene.end("relay-1", ending);
        scene.lead("viewers-1", &["relay-3"]);
        scene.run(first - 0.25);
        let results = scene.results();
        assert_eq!(
            (results.dropped.by_pod_gone, results.rejoined),
            (lost, 0),
            "{ending:?}"
        );
        scene.run(0.5);
        assert!(scene.results().rejoined > 0, "{ending:?}: {:#?}", scene.results());
    }
}

#[test]
fn time_outs_are_as_long_in_a_faster_world() {
    let mut scene = lit(ROOMY, DataPlaneOptions::default().faster(80.0));
    let lost = watched_relay(&mut scene);
    scene.end("relay-1", Ending::WithMachine);
    scene.lead("viewers-1", &["relay-3"]);
    scene.run(15.25);
    assert_eq!(scene.results().rejoined, 0);
    scene.run(1.0);
    assert_eq!(scene.results().rejoined, lost);
}

#[test]
fn viewers_of_a_relay_that_hangs_find_another() {
    let mut scene = lit(ROOMY, DataPlaneOptions::default());
    let left_alone = watched_relay(&mut scene);
    let now = scene.now;
    assert!(scene.stage().freeze("relay-1", true, now));
    scene.run(15.0);
    assert_eq!(scene.results().watching, 1_000);
    assert_eq!(scene.results().frozen.viewer_seconds, 15.0 * left_alone as f64);
    scene.run(30.0);
    let results = scene.results();
    assert_eq!(
        (results.dropped.by_server, results.watching),
        (left_alone, 1_000),
        "{results:#?}"
    );
    assert_eq!(scene.detail().slot("relay-1").expect("it runs").viewers, 0);

    let now = scene.now;
    scene.stage().freeze("relay-1", false, now);
    scene.run(20.0);
    assert!(scene.detail().slot("relay-1").expect("it runs").fed);
}

#[test]
fn who_vanishes_without_a_word_keeps_the_seat_for_a_while() {
    let mut scene = lit(SMALL, DataPlaneOptions::default());
    let now = scene.now;
    scene.come(Crowd::new(100, now).curve(Curve::at_once()));
    scene.run(60.0);
    let sessions = |scene: &mut Scene| {
        let servers = &scene.stage().servers;
        servers.iter().map(|(_, server)| server.sessions()).sum::<u64>()
    };
    assert_eq!(scene.results().watching, 100);
    let now = scene.now;
    scene.stage().vanish(0.4, now);
    scene.come(Crowd::new(10, now).curve(Curve::at_once()));
    scene.run(28.75);
    let results = scene.results();
    assert_eq!((results.watching, results.left, results.joined), (60, 40, 100));
    assert_eq!(sessions(&mut scene), 100, "all are counted still");
    assert_eq!(results.waiting, 10, "there is no seat for others: {results:#?}");
    scene.run(10.0);
    assert_eq!((sessions(&mut scene), scene.results().watching), (70, 70));
}

#[test]
fn who_loses_a_relay_comes_back_at_a_bounded_rate() {
    let mut scene = lit(ROOMY, DataPlaneOptions::default());
    let now = scene.now;
    scene.come(Crowd::new(1_000, now).curve(Curve::at_once()));
    scene.run(1.0);
    let lost = scene.detail().slot("relay-1").expect("it runs").viewers;
    assert!(lost > 150, "{lost} of 1,000 on one of four");
    scene.delete("relay-1");
    scene.lead("viewers-1", &["relay-3"]);
    scene.run(2.0 + 3.0);
    let results = scene.results();
    assert_eq!((results.dropped.by_pod_gone, results.dropped.total), (lost, lost));
    // Three relays, 10 per second each.
    assert!(
        (85..=125).contains(&results.rejoined),
        "{} in 3 s after the pause",
        results.rejoined
    );
    assert_eq!(results.joined, 1_000, "nobody is counted twice");
    scene.run(120.0);
    let results = scene.results();
    assert_eq!((results.rejoined, results.watching), (lost, 1_000));
    let expected = 2.0 + lost as f64 / 30.0;
    assert!(
        (expected - 2.0..60.0).contains(&results.dropped.longest_away_seconds),
        "{results:#?}"
    );
}

#[test]
fn an_endpoint_whose_pod_is_gone_gives_no_answer() {
    let mut scene = lit(SMALL, DataPlaneOptions::default());
    scene.delete("relay-0");
    let now = scene.now;
    scene.come(Crowd::new(40, now).curve(Curve::at_once()));
    scene.run(0.5);
    let results = scene.results();
    assert!(results.unanswered > 0 && results.refused == 0, "{results:#?}");
    scene.run(30.0);
    assert_eq!(scene.results().joined, 40, "they try elsewhere");
}

#[test]
fn what_a_new_list_does_not_name_is_gone() {
    let mut scene = lit(SMALL, DataPlaneOptions::default());
    let now = scene.now;
    scene.come(Crowd::new(60, now).curve(Curve::at_once()));
    scene.run(5.0);
    let viewers = scene.detail().slot("relay-3").expect("it runs").viewers;
    assert!(viewers > 0);
    let kept = scene
        .detail()
        .servers
        .into_iter()
        .filter(|server| server.slot != "relay-3");
    let kept = kept.map(|server| server.uid).collect();
    scene.model.pods_are(&kept, now);
    scene.run(0.5);
    assert!(scene.detail().slot("relay-3").is_none());
    assert_eq!(scene.results().dropped.by_pod_gone, viewers);

    scene.model.slices_are(
        &["keynote-viewers-1-x7x7x".to_owned()]
            .map(|name| ("stage".to_owned(), name))
            .into(),
    );
    let now = scene.now;
    scene.come(Crowd::new(30, now).curve(Curve::at_once()));
    let before = scene.detail().slot("relay-0").expect("it runs").viewers;
    scene.run(20.0);
    assert_eq!(
        scene.detail().slot("relay-0").expect("it runs").viewers,
        before,
        "no address leads there"
    );
}

#[test]
fn sessions_never_move() {
    let mut scene = lit(SMALL, DataPlaneOptions::default());
    let now = scene.now;
    scene.come(Crowd::new(60, now).curve(Curve::at_once()));
    scene.run(5.0);
    let viewers = |scene: &mut Scene| {
        let relays = ["relay-0", "relay-1", "relay-2", "relay-3"];
        relays.map(|slot| scene.detail().slot(slot).expect("it runs").viewers)
    };
    let before = viewers(&mut scene);
    assert!(before[2] > 0 && before[2] < 25, "{before:?}");
    // A cordoned relay keeps its viewers, and gets no new ones.
    scene.lead("viewers-0", &["relay-0"]);
    let now = scene.now;
    scene.come(Crowd::new(10, now).curve(Curve::at_once()));
    scene.run(60.0);
    let after = viewers(&mut scene);
    assert!(before.iter().zip(&after).all(|(before, after)| after >= before));
    assert_eq!(before[2], after[2]);
    assert_eq!(after.iter().sum::<u64>(), 70);
}

#[test]
fn viewers_leave_by_share_by_rate_and_all_together() {
    let mut scene = lit(ROOMY, DataPlaneOptions::default());
    let now = scene.now;
    scene.come(Crowd::new(1_000, now).curve(Curve::at_once()));
    scene.run(5.0);
    scene.stage().leave(0.25);
    let results = scene.results();
    assert_eq!((results.watching, results.left), (750, 250));
    scene.stage().leave_at(10.0);
    scene.run(10.0);
    scene.stage().leave_at(0.0);
    scene.run(10.0);
    assert_eq!(scene.results().watching, 650);

    // A second wave, on its way when everybody goes.
    let now = scene.now;
    scene.come(Crowd::new(500, now).curve(Curve::steady(10.0)));
    scene.run(5.0);
    assert_eq!(scene.results().watching, 900);
    scene.stage().leave(1.0);
    scene.run(20.0);
    let results = scene.results();
    assert_eq!((results.watching, results.waiting, results.left), (0, 0, 1_250));
    assert_eq!(
        (results.peak, results.joined, results.dropped.total),
        (1_000, 1_250, 0)
    );
}

#[test]
fn one_seed_makes_one_story() {
    let story = |seed| {
        let mut scene = lit(
            SMALL,
            DataPlaneOptions {
                seed,
                ..DataPlaneOptions::default()
            },
        );
        let now = scene.now;
        scene.come(Crowd::new(120, now).curve(Curve::steady(20.0)));
        scene.run(30.0);
        scene.delete("relay-2");
        scene.run(60.0);
        (scene.results(), scene.detail())
    };
    assert_eq!(story(7), story(7));
    assert_ne!(story(7), story(8), "seeds differ");
}
