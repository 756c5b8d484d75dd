//! Servers that answer as they like, and the scraper before them.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use webinar_api as api;
use webinar_plan::{Reading, Role, Stall};

use super::assignment::{Followed, Source};
use super::*;

/// The figures that a class has by default.
pub(in crate::scrape) fn stall() -> Stall {
    Stall {
        floor: 2_000,
        after: SignedDuration::from_secs(8),
        no_signal_after: SignedDuration::from_secs(20),
        standby_after: SignedDuration::from_secs(10),
    }
}

/// A Webinar of this UID.
pub(in crate::scrape) fn owner(uid: &str) -> Owner {
    Owner {
        namespace: "events".to_owned(),
        name: format!("webinar-{uid}"),
        uid: uid.to_owned(),
        generation: Some(1),
    }
}

/// Viewers and bytes of one metric each, at `port`.
pub(in crate::scrape) fn metrics(port: u16) -> api::PodMetrics {
    serde_json::from_value(serde_json::json!({
        "port": port, "path": "/metrics?type=paths",
        "viewers": {"sum": [{"metric": "readers"}]},
        "bytesIn": {"sum": [{"metric": "bytes_in"}]},
    }))
    .expect("a mapping")
}

/// Pods by UID, role and address.
pub(in crate::scrape) fn assignment(port: u16, pods: &[(&str, Role, &str)]) -> Assignment {
    let followed = |(uid, role, ip): &(&str, Role, &str)| {
        let pod = Followed {
            name: format!("pod-{uid}"),
            role: *role,
            address: Some(ip.parse().expect("an address")),
        };
        ((*uid).to_owned(), pod)
    };
    Assignment {
        source: Source::Pods(metrics(port)),
        stall: stall(),
        pods: pods.iter().map(followed).collect(),
    }
}

/// A good answer.
pub(in crate::scrape) fn good(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one request. Nothing: the connection has ended.
pub(in crate::scrape) async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(text).ok()
}

/// A server that gives the same answer to everyone, and the requests that it had. The connection stays open.
pub(in crate::scrape) async fn server(answer: String) -> (u16, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (told, requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answer, told) = (answer.clone(), told.clone());
            tokio::spawn(async move {
                while let Some(text) = request(&mut stream).await {
                    let _ = told.send(text);
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    (port, requests)
}

fn scraper(leadership: &Leadership) -> (Arc<Scraper>, CancellationToken) {
    let scraper = Arc::new(Scraper::new(
        None,
        Clock::default(),
        leadership.clone(),
        Metrics::default(),
    ));
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&scraper).run(Pulse::default(), stop.clone()));
    (scraper, stop)
}

/// Waits until `done` says so, five seconds at most.
async fn until(what: &str, done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within five seconds: {what}");
}

#[tokio::test]
async fn pods_are_asked_while_this_replica_leads_and_forgotten_after() {
    let (port, mut requests) = server(good("readers 7\nbytes_in 100\n")).await;
    let leadership = Leadership::default();
    let (scraper, stop) = scraper(&leadership);
    let (wake, mut woken) = mpsc::channel(8);
    let owner = owner("w");
    let pods = [("a", Role::Sfu, "127.0.0.1"), ("b", Role::Relay, "127.0.0.2")];

    scraper.follow(&owner, Some(assignment(port, &pods[..1])), &wake);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(requests.try_recv().is_err(), "asked without leading");

    leadership.begin(Instant::now() + Duration::from_secs(60));
    scraper.follow(&owner, Some(assignment(port, &pods[..1])), &wake);
    until("a signal", || scraper.signals("w").contains_key("a")).await;
    let signal = scraper.signals("w").remove("a").expect("a signal");
    assert_eq!(signal.viewers, Reading::Value(7));
    let text = requests.recv().await.expect("a request");
    assert!(text.starts_with("GET /metrics?type=paths HTTP/1.1\r\n"), "{text}");
    assert!(text.contains(&format!("host: 127.0.0.1:{port}\r\n")), "{text}");
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(1), woken.recv()).await,
        Ok(Some(Touched::Webinar {
            namespace: "events".to_owned(),
            name: "webinar-w".to_owned(),
        }))
    );

    leadership.end();
    until("nothing is known any more", || scraper.signals("w").is_empty()).await;
    stop.cancel();
}

#[tokio::test]
async fn a_webinar_that_is_not_followed_any_more_is_not_asked() {
    let (port, mut requests) = server(good("readers 7\n")).await;
    let leadership = Leadership::default();
    leadership.begin(Instant::now() + Duration::from_secs(60));
    let (scraper, stop) = scraper(&leadership);
    let (wake, _woken) = mpsc::channel(8);
    let pods = [("a", Role::Sfu, "127.0.0.1")];
    scraper.follow(&owner("w"), Some(assignment(port, &pods)), &wake);
    until("a signal", || scraper.signals("w").contains_key("a")).await;
    scraper.follow(&owner("w"), None, &wake);
    assert!(scraper.signals("w").is_empty());
    while requests.try_recv().is_ok() {}
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert!(requests.try_recv().is_err());
    stop.cancel();
}

#[tokio::test]
async fn a_pod_that_stops_answering_keeps_its_last_figures_and_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let answers = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&answers);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let n = counted.fetch_add(1, Ordering::Relaxed);
            let _ = request(&mut stream).await;
            let answer = if n == 0 {
                good("readers 7\n")
            } else {
                good("readers{ 7\n")
            };
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let leadership = Leadership::default();
    leadership.begin(Instant::now() + Duration::from_secs(60));
    let (metrics, registry) = Metrics::new();
    let scraper = Arc::new(Scraper::new(None, Clock::default(), leadership, metrics));
    let stop = CancellationToken::new();
    tokio::spawn(Arc::clone(&scraper).run(Pulse::default(), stop.clone()));
    let (wake, _woken) = mpsc::channel(8);
    scraper.follow(
        &owner("w"),
        Some(assignment(port, &[("a", Role::Sfu, "127.0.0.1")])),
        &wake,
    );
    until("a signal", || scraper.signals("w").contains_key("a")).await;
    let first = scraper.signals("w");
    let shown = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("metrics");
        text
    };
    let error = "webinar_operator_scrape_errors_total{error=\"malformed\"} 1";
    until("a failure", || shown().contains(error)).await;
    assert!(shown().contains("webinar_operator_scrapes_total 2"));
    assert_eq!(scraper.signals("w"), first, "unknown, never zero");
    stop.cancel();
}

#[tokio::test]
async fn a_prometheus_server_is_asked_instead_of_the_pods() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let at = Clock::default().now().as_second();
    let body = format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[
        {{"metric":{{"pod":"pod-a"}},"value":[{at},"12"]}},{{"metric":{{"pod":"other"}},"value":[{at},"9"]}}]}}}}"#
    );
    let (port, mut requests) = server(good(&body)).await;
    let source =
        serde_json::json!({"url": format!("http://127.0.0.1:{port}"), "queries": {"viewers": "readers"}});
    let assignment = Assignment {
        source: Source::Server(serde_json::from_value(source).expect("a server")),
        ..assignment(
            port,
            &[("a", Role::Sfu, "127.0.0.1"), ("b", Role::Relay, "127.0.0.2")],
        )
    };
    let leadership = Leadership::default();
    leadership.begin(Instant::now() + Duration::from_secs(60));
    let (scraper, stop) = scraper(&leadership);
    let (wake, _woken) = mpsc::channel(8);
    scraper.follow(&owner("w"), Some(assignment), &wake);
    until("a signal", || scraper.signals("w").contains_key("a")).await;
    let known = scraper.signals("w");
    assert_eq!(
        known.keys().collect::<Vec<_>>(),
        ["a"],
        "nothing was said of the other"
    );
    assert_eq!(known["a"].viewers, Reading::Value(12));
    assert_eq!(known["a"].answered.as_second(), at);
    let request = requests.recv().await.expect("a request");
    assert!(request.starts_with("POST /api/v1/query "), "{request}");
    stop.cancel();
}
