//! What a scraper gets over HTTP.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::dialect::Dialect;
use super::super::handle::{DataPlane, Shared};
use super::super::lie::{Lie, Target};
use super::super::model::Model;
use super::super::options::DataPlaneOptions;
use super::super::publish::Publishing;
use super::super::{Event, Role};
use super::scene::{SMALL, Scene};
use crate::crowd::{Crowd, Curve};
use crate::wait::within;

const SOON: Duration = Duration::from_secs(10);

/// A served model with a picture and 60 viewers, and addresses by slot.
async fn served() -> (DataPlane, Event, impl Fn(&str) -> String) {
    let mut scene = Scene::new(SMALL, DataPlaneOptions::default());
    let now = scene.now;
    scene.stage().publish(Publishing::Single, now);
    scene.come(Crowd::new(60, now).curve(Curve::at_once()));
    scene.run(60.0);
    let shared = Shared::new(DataPlaneOptions::default());
    shared.with(|model: &mut Model| *model = scene.model);
    let plane = DataPlane::serve(shared).await.expect("a free port");
    let event = plane.event("stage", "keynote");
    let servers = event.detail().servers;
    let address = move |slot: &str| {
        // The scene numbers UIDs and addresses alike.
        let server = servers
            .iter()
            .find(|server| server.slot == slot)
            .expect("it runs");
        let number: u32 = server.uid.trim_start_matches("uid-").parse().expect("a number");
        std::net::Ipv4Addr::from_bits(0x0a40_0000 + number).to_string()
    };
    (plane, event, address)
}

async fn ask(plane: &DataPlane, url: &str) -> Result<TcpStream> {
    let proxy = plane.proxy_url();
    let mut stream = TcpStream::connect(proxy.trim_start_matches("http://")).await?;
    let request = format!("GET {url} HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    Ok(stream)
}

/// Status and body.
async fn get(plane: &DataPlane, url: &str) -> Result<(u16, String)> {
    within("a scrape", SOON, async {
        let mut answer = Vec::new();
        ask(plane, url).await?.read_to_end(&mut answer).await?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        if status == 200 {
            ensure!(head.contains("text/plain; version=0.0.4"), "{head}");
        }
        Ok((status, body.to_owned()))
    })
    .await
}

async fn metrics(plane: &DataPlane, ip: &str) -> String {
    let (status, body) = get(plane, &format!("http://{ip}:9998/metrics?type=paths"))
        .await
        .expect("an answer");
    assert_eq!(status, 200, "{body}");
    body
}

/// The sum of the series of a metric whose labels contain all of `labels`, as a scraper sees it.
fn sum(text: &str, metric: &str, labels: &[&str]) -> f64 {
    let series = text
        .lines()
        .filter(|line| line.starts_with(&format!("{metric}{{")));
    let series = series.filter(|line| labels.iter().all(|label| line.contains(label)));
    let values: Vec<f64> = series
        .map(|line| {
            line.rsplit(' ')
                .next()
                .expect("a value")
                .parse()
                .expect("a number")
        })
        .collect();
    assert!(!values.is_empty(), "no {metric} with {labels:?} in {text}");
    values.iter().sum()
}

/// Every series has its TYPE before it, and every line is one that Prometheus reads.
fn is_exposition(text: &str) {
    let mut typed = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a kind");
            assert!(
                ["gauge", "counter"].contains(&kind) && typed.insert(name),
                "{line}"
            );
        } else if !line.starts_with("# HELP ") {
            let (name, rest) = line.split_once('{').expect("labels");
            assert!(typed.contains(name), "{line} has no type");
            let (labels, value) = rest.split_once("} ").expect("a value");
            assert!(
                labels
                    .split(',')
                    .all(|label| label.ends_with('"') && label.contains("=\"")),
                "{line}"
            );
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(text.ends_with('\n') && !typed.is_empty());
}

#[tokio::test]
async fn mediamtx_counts_readers_by_kind() {
    let (plane, event, address) = served().await;
    let relay = metrics(&plane, &address("relay-1")).await;
    let viewers = event.detail().slot("relay-1").expect("it runs").viewers as f64;
    assert!(viewers > 0.0);
    let web = [
        "name=\"stage\"",
        "state=\"ready\"",
        "readerType=\"webRTCSession\"",
    ];
    assert_eq!(sum(&relay, "paths_readers", &web), viewers);
    let stage = ["name=\"stage\""];
    assert!(sum(&relay, "paths_inbound_bytes", &stage) > 25_000_000.0);
    assert!(sum(&relay, "paths_outbound_bytes", &stage) > viewers * 20_000_000.0);

    let sfu = metrics(&plane, &address("sfu-0")).await;
    let children = ["name=\"stage\"", "readerType=\"rtspSession\""];
    assert_eq!(sum(&sfu, "paths_readers", &children), 2.0);
    assert!(!sfu.contains("webRTCSession"), "{sfu}");
    assert!(!relay.contains("rtspSession"), "{relay}");
    let standby = metrics(&plane, &address("sfu-2")).await;
    assert_eq!(sum(&standby, "paths_readers", &["readerType=\"\""]), 0.0);
    assert_eq!(sum(&standby, "paths_inbound_bytes", &["state=\"notReady\""]), 0.0);
}

#[tokio::test]
async fn the_probe_flows_on_every_pod_and_the_kubelet_listens_to_it() {
    let (plane, _event, address) = served().await;
    let probe = "name=\"probe\",";
    let standby = metrics(&plane, &address("sfu-2")).await;
    assert_eq!(sum(&standby, "paths_inbound_bytes", &[probe]), 45_000.0);
    assert_eq!(sum(&standby, "paths_readers", &[probe]), 0.0);
    for slot in ["mid-0", "relay-0"] {
        let text = metrics(&plane, &address(slot)).await;
        assert_eq!(sum(&text, "paths_inbound_bytes", &[probe]), 45_000.0, "{slot}");
        let asking = sum(&text, "paths_readers", &[probe, "readerType=\"hlsSession\""]);
        assert!((3.0..=7.0).contains(&asking), "{slot}: {asking}");
    }
}

#[tokio::test]
async fn a_viewer_who_vanished_is_counted_for_a_while() {
    let (plane, event, address) = served().await;
    let web = ["name=\"stage\"", "readerType=\"webRTCSession\""];
    let before = sum(&metrics(&plane, &address("relay-1")).await, "paths_readers", &web);
    event.vanish(1.0);
    let after = sum(&metrics(&plane, &address("relay-1")).await, "paths_readers", &web);
    assert_eq!((event.results().watching, after), (0, before));
}

#[tokio::test]
async fn other_dialects_tell_the_same() {
    let (plane, event, address) = served().await;
    let relay = address("relay-0");
    let truth = metrics(&plane, &relay).await;
    let viewers = event.detail().slot("relay-0").expect("it runs").viewers as f64;
    let inbound = sum(&truth, "paths_inbound_bytes", &["name=\"stage\""]);
    let outbound = sum(&truth, "paths_outbound_bytes", &["name=\"stage\""]);

    event.dialect(Dialect::LiveKit);
    let text = metrics(&plane, &relay).await;
    is_exposition(&text);
    assert_eq!(sum(&text, "livekit_participant_total", &[]), viewers);
    assert_eq!(
        sum(&text, "livekit_packet_bytes", &["direction=\"incoming\""]),
        inbound
    );
    assert_eq!(
        sum(&text, "livekit_packet_bytes", &["direction=\"outgoing\""]),
        outbound
    );

    event.dialect(Dialect::Moq);
    let text = metrics(&plane, &relay).await;
    is_exposition(&text);
    let count = |what: &str| sum(&text, &format!("moq_relay_viewers_{what}_total"), &["tier=\"\""]);
    assert_eq!(count("opened") - count("closed"), viewers);
    assert_eq!(
        sum(&text, "moq_relay_bytes_total", &["role=\"subscriber\""]),
        inbound
    );
    assert_eq!(
        sum(&text, "moq_relay_bytes_total", &["role=\"publisher\""]),
        outbound
    );
}

#[tokio::test]
async fn closed_sessions_stay_counted() {
    let (plane, event, address) = served().await;
    event.dialect(Dialect::Moq);
    event.leave(1.0);
    let text = metrics(&plane, &address("relay-0")).await;
    let count = |what: &str| sum(&text, &format!("moq_relay_viewers_{what}_total"), &["tier=\"\""]);
    assert!(count("opened") > 0.0);
    assert_eq!(count("opened"), count("closed"));
}

#[tokio::test]
async fn only_running_pods_answer() -> Result<()> {
    let (plane, _event, address) = served().await;
    assert_eq!(get(&plane, "http://10.99.0.1:9998/metrics").await?.0, 502);
    assert_eq!(
        get(&plane, &format!("http://{}:9998/", address("sfu-0")))
            .await?
            .0,
        404
    );
    assert_eq!(get(&plane, "http://localhost:9998/metrics").await?.0, 400);
    assert_eq!(get(&plane, "/metrics").await?.0, 400);
    Ok(())
}

#[tokio::test]
async fn metrics_lie_by_slot_and_role() -> Result<()> {
    let (plane, event, address) = served().await;
    let url = |slot: &str| format!("http://{}:9998/metrics", address(slot));
    event.lie(Target::Role(Role::Relay), Lie::NoViewers);
    event.lie(Target::Slot("relay-2".to_owned()), Lie::Unavailable);
    let viewers = |text: &str| sum(text, "paths_readers", &["webRTCSession"]);
    let empty = metrics(&plane, &address("relay-0")).await;
    assert_eq!(sum(&empty, "paths_readers", &["name=\"stage\""]), 0.0);
    assert!(
        sum(&empty, "paths_outbound_bytes", &["name=\"stage\""]) > 0.0,
        "only viewers are denied"
    );
    assert_eq!(get(&plane, &url("relay-2")).await?.0, 503);
    assert!(
        sum(
            &metrics(&plane, &address("mid-0")).await,
            "paths_inbound_bytes",
            &["name=\"stage\""]
        ) > 0.0
    );

    event.lie(Target::All, Lie::Negative);
    assert!(
        viewers(&metrics(&plane, &address("relay-2")).await) < 0.0,
        "the last lie counts"
    );
    event.lie(Target::All, Lie::NotANumber);
    assert!(viewers(&metrics(&plane, &address("relay-0")).await).is_nan());
    event.lie(Target::All, Lie::Huge);
    assert!(viewers(&metrics(&plane, &address("relay-0")).await) > 1e299);
    event.lie(Target::All, Lie::Close);
    let error = get(&plane, &url("relay-0")).await.expect_err("closed");
    assert!(format!("{error:#}").contains("no answer"), "{error:#}");
    event.lie(Target::All, Lie::Garbage);
    assert!(get(&plane, &url("relay-0")).await?.1.contains('\u{fffd}'));

    event.tell_the_truth();
    assert!(viewers(&metrics(&plane, &address("relay-2")).await) > 0.0);
    Ok(())
}

#[tokio::test]
async fn stale_metrics_stand_still() {
    let (plane, event, address) = served().await;
    event.lie(Target::All, Lie::Stale);
    let first = metrics(&plane, &address("relay-0")).await;
    event.leave(1.0);
    assert_eq!(metrics(&plane, &address("relay-0")).await, first);
    event.tell_the_truth();
    assert_ne!(metrics(&plane, &address("relay-0")).await, first);
}

#[tokio::test]
async fn many_series_and_endless_bodies_are_made_as_they_are_read() -> Result<()> {
    let (plane, event, address) = served().await;
    event.lie(Target::All, Lie::ManySeries);
    let text = metrics(&plane, &address("relay-0")).await;
    assert_eq!(
        text.lines()
            .filter(|line| line.starts_with("paths_readers{"))
            .count(),
        300_000
    );

    event.lie(Target::All, Lie::Endless);
    within("100 MB", Duration::from_secs(60), async {
        let mut stream = ask(&plane, &format!("http://{}:9998/metrics", address("relay-0"))).await?;
        let mut part = vec![0; 1 << 20];
        let mut read = 0;
        while read < 100_000_000 {
            let count = stream.read(&mut part).await?;
            ensure!(count > 0, "it ended after {read} bytes");
            read += count;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_server_that_hangs_answers_no_scrape() -> Result<()> {
    let (plane, event, address) = served().await;
    event.freeze("relay-0")?;
    let mut hung = ask(&plane, &format!("http://{}:9998/metrics", address("relay-0"))).await?;
    let mut byte = [0; 1];
    let silence = tokio::time::timeout(Duration::from_secs(2), hung.read(&mut byte)).await;
    assert!(silence.is_err(), "{silence:?}");
    Ok(())
}

#[tokio::test]
async fn slow_and_silent_answers_do_not_hold_others_up() -> Result<()> {
    let (plane, event, address) = served().await;
    event.lie(Target::Slot("relay-0".to_owned()), Lie::Hang);
    event.lie(Target::Slot("relay-1".to_owned()), Lie::Drip);
    let mut hung = ask(&plane, &format!("http://{}:9998/metrics", address("relay-0"))).await?;
    let mut slow = ask(&plane, &format!("http://{}:9998/metrics", address("relay-1"))).await?;
    assert!(metrics(&plane, &address("relay-2")).await.contains("paths"));
    let mut byte = [0; 1];
    let silence = tokio::time::timeout(Duration::from_secs(2), hung.read(&mut byte)).await;
    assert!(silence.is_err(), "it hangs: {silence:?}");

    let mut heard = Vec::new();
    let all = tokio::time::timeout(Duration::from_secs(2), slow.read_to_end(&mut heard)).await;
    assert!(all.is_err(), "it drips");
    let heard = String::from_utf8(heard)?;
    let (_, body) = heard.split_once("\r\n\r\n").context("no head")?;
    assert!(!body.is_empty() && body.len() < 100, "{body:?}");
    Ok(())
}
