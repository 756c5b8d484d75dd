//! A million viewers.

use std::time::Duration;

use super::super::facts::Role;
use super::super::options::DataPlaneOptions;
use super::super::publish::{Encoder, Publishing};
use super::scene::{Scene, Shape};
use crate::crowd::{Crowd, Curve};
use crate::wait::Stopwatch;

const MILLION: Shape = Shape {
    sfus: 3,
    mids: 27,
    relays: 1_212,
    shards: 6,
    seats: 1_353,
};

/// Prints what the ticks cost; times are measured here, not tested.
#[test]
fn a_million_viewers_over_1212_relays() {
    let mut scene = Scene::new(MILLION, DataPlaneOptions::default());
    let now = scene.now;
    scene.stage().publish(Publishing::Dual, now);
    scene.run(15.0);

    let start = scene.now + Duration::from_secs(20 * 60);
    scene.come(Crowd::new(700_000, start));
    let rush = scene.now + Duration::from_secs(36 * 60);
    scene.come(Crowd::new(300_000, rush).curve(Curve::at_once()));
    let told = |scene: &mut Scene, what: &str, ticks: u32| {
        let stopwatch = Stopwatch::start();
        scene.run(f64::from(ticks) * 0.25);
        let each = stopwatch.elapsed() / ticks;
        println!(
            "{what}: {each:?} per tick, {:.1} % of a core at 4 per second",
            each.as_secs_f64() * 400.0
        );
    };
    told(&mut scene, "arriving", 36 * 60 * 4 - 1);
    told(&mut scene, "300,000 at once", 1);
    told(&mut scene, "watching", 60);
    let results = scene.results();
    assert_eq!(
        results.summary(),
        "1,000,000 joined, 0 refused, 0 dropped, peak 1,000,000"
    );

    scene.stage().silence(Encoder::Primary);
    scene.run(10.0);
    scene.activate("sfu-1");
    told(&mut scene, "a fence", 1);
    scene.delete("sfu-0");
    told(&mut scene, "everybody rejoins", 120 * 4);
    let (detail, results) = (scene.detail(), scene.results());
    assert_eq!(detail.fed(Role::Relay), 1_212);
    assert_eq!(
        (results.dropped.by_server, results.rejoined),
        (1_000_000, 1_000_000)
    );
    let away = results.dropped.longest_away_seconds;
    println!("all were back after {away:.0} s: {}", results.summary());
    assert!(
        (82.0..=110.0).contains(&away),
        "1M at 10 joins per second and relay is 83 s, not {away}"
    );
}
