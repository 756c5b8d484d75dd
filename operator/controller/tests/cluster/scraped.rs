//! Pods are asked who is connected and whether media flows, through a proxy that keeps a record.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use webinar_api::labels;
use webinar_testbed::http_get;
use webinar_testbed::wait::eventually;

use crate::support::manifests::{class, tiny, webinar};
use crate::support::scene::{SOON, Scene, Setting, story};
use crate::support::world::Fleet;

/// What is asked of the class's pods.
const ATTENDANCE: &str = "  attendance:
    podMetrics:
      port: 9998
      path: /metrics?type=paths
      viewers: {sum: [{metric: paths_readers}]}
      bytesIn: {sum: [{metric: paths_inbound_bytes}]}
";

/// How often each address was asked for.
type Asked = Arc<Mutex<BTreeMap<String, u32>>>;

#[test]
fn every_pod_is_asked_at_its_own_address_as_long_as_the_class_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = listener.local_addr().expect("an address");
    let setting = Setting {
        operator_args: vec![format!("--scrape-proxy=http://{proxy}")],
        ..Setting::default()
    };
    story(setting, async |scene| {
        let asked = Asked::default();
        tokio::spawn(answer(listener, Arc::clone(&asked)));
        scene.namespace("events").await?;
        scene
            .apply(&class("told", &format!("{}{ATTENDANCE}", tiny())))
            .await?;
        scene.start_operator().await?;
        scene
            .apply(&webinar("events", "watched", "tier: 10k, className: told"))
            .await?;
        let fleet = Fleet::complete(scene, "events", "watched", [2, 3, 15], SOON).await?;
        let (mut stage, mut relays) = (Vec::new(), Vec::new());
        for pod in fleet.0.values() {
            let ip = pod.status.as_ref().and_then(|s| s.pod_ip.as_deref());
            let url = format!("http://{}:9998/metrics?type=paths", ip.context("no address")?);
            let slot = pod.metadata.labels.as_ref().and_then(|l| l.get(labels::SLOT));
            let relay = slot.is_some_and(|slot| slot.starts_with("relay"));
            (if relay { &mut relays } else { &mut stage }).push(url);
        }
        let pods: BTreeSet<&String> = stage.iter().chain(&relays).collect();
        ensure!(pods.len() == 20, "addresses are shared: {pods:?}");
        eventually("every pod was asked", SOON, async || {
            let asked = taken(&asked, false);
            let missing: Vec<_> = pods.iter().filter(|url| !asked.contains_key(**url)).collect();
            ensure!(missing.is_empty(), "{missing:?}");
            Ok(())
        })
        .await?;

        taken(&asked, true);
        tokio::time::sleep(Duration::from_secs(20)).await;
        let times = taken(&asked, true);
        let strangers: Vec<_> = times.keys().filter(|url| !pods.contains(url)).collect();
        ensure!(strangers.is_empty(), "asked for {strangers:?}");
        for (urls, most) in [(&stage, 11), (&relays, 5)] {
            for url in urls {
                let n = times.get(url).copied().unwrap_or(0);
                // A slow machine asks late, but nobody is asked too often.
                ensure!(
                    (most / 2..=most).contains(&n),
                    "{url} was asked {n} times in 20 s"
                );
            }
        }
        let metrics = http_get(&scene.url("/metrics"), SOON).await?;
        let errors = metrics.lines().filter(|l| l.contains("scrape_errors_total{"));
        let wrong: Vec<&str> = errors.filter(|l| !l.ends_with(" 0")).collect();
        ensure!(
            metrics.contains("scrape_errors_total{") && wrong.is_empty(),
            "{wrong:?}"
        );

        // What the class says of attendance holds at once.
        drop_attendance(scene).await?;
        eventually("nobody is asked any more", SOON, async || {
            taken(&asked, true);
            tokio::time::sleep(Duration::from_secs(6)).await;
            let late = taken(&asked, true);
            ensure!(late.is_empty(), "{late:?}");
            Ok(())
        })
        .await
    });
}

async fn drop_attendance(scene: &Scene) -> Result<()> {
    let patch = r#"{"spec":{"attendance":null}}"#;
    scene
        .control_plane
        .kubectl(["patch", "webinarclass", "told", "--type=merge", "-p", patch])
        .await
        .map(|_| ())
}

fn taken(asked: &Asked, anew: bool) -> BTreeMap<String, u32> {
    let mut asked = asked.lock().expect("nobody panics with it");
    if anew {
        std::mem::take(&mut *asked)
    } else {
        asked.clone()
    }
}

/// Answers for every pod alike, and counts who was asked for.
async fn answer(listener: TcpListener, asked: Asked) -> Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let body = "paths_readers{readerType=\"webRTCSession\"} 3\npaths_inbound_bytes 1000\n";
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    loop {
        let (stream, _) = listener.accept().await?;
        let (asked, answer) = (Arc::clone(&asked), answer.clone());
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|n| n > 0) {
                let mut words = line.split_whitespace();
                if words.next() == Some("GET") {
                    let url = words.next().unwrap_or_default().to_owned();
                    *asked
                        .lock()
                        .expect("nobody panics with it")
                        .entry(url)
                        .or_default() += 1;
                }
                if line == "\r\n" && stream.write_all(answer.as_bytes()).await.is_err() {
                    return;
                }
                line.clear();
            }
        });
    }
}
