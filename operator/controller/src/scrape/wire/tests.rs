use std::net::{IpAddr, Ipv4Addr};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::super::tests::{good, request as receive, server};
use super::*;

const DEADLINE: Duration = Duration::from_millis(500);

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

/// What was read of an answer, and how it ended.
async fn get(wire: &Wire, port: u16) -> (Vec<u8>, Result<(), Failure>) {
    let mut read = Vec::new();
    let take = |part: &[u8]| {
        read.extend_from_slice(part);
        Ok(())
    };
    let done = wire.get(local(port), "/metrics", DEADLINE, take).await;
    (read, done)
}

/// How asking a server ends that gives this answer.
async fn asked(answer: &str) -> Result<(), Failure> {
    let (port, _requests) = server(answer.to_owned()).await;
    get(&Wire::default(), port).await.1
}

/// A server that writes `part` again and again, with a pause between. Says how much it could write.
async fn endless(
    head: &'static str,
    part: Vec<u8>,
    pause: Duration,
) -> (u16, tokio::sync::oneshot::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (told, written) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = receive(&mut stream).await;
        let mut size = 0;
        stream.write_all(head.as_bytes()).await.unwrap();
        while stream.write_all(&part).await.is_ok() {
            size += part.len();
            tokio::time::sleep(pause).await;
        }
        let _ = told.send(size);
    });
    (port, written)
}

#[tokio::test]
async fn a_good_answer_is_read_to_its_end() {
    let (port, mut requests) = server(good("up 1\n")).await;
    let (read, done) = get(&Wire::default(), port).await;
    assert_eq!((read.as_slice(), done), (&b"up 1\n"[..], Ok(())));
    let request = requests.recv().await.unwrap();
    assert!(request.starts_with("GET /metrics HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("accept: text/plain;version=0.0.4"), "{request}");
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nup \r\n2\r\n1\n\r\n0\r\n\r\n";
    let (port, _requests) = server(chunked.to_owned()).await;
    assert_eq!(get(&Wire::default(), port).await, (b"up 1\n".to_vec(), Ok(())));
}

#[tokio::test]
async fn answers_that_are_no_metrics_are_refused() {
    let with = |head: &str| format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n");
    let cases = [
        (
            with("302 Found\r\nlocation: http://169.254.169.254/"),
            Failure::Redirect,
        ),
        (
            with("308 Permanent Redirect\r\nlocation: /other"),
            Failure::Redirect,
        ),
        (with("404 Not Found"), Failure::Status),
        (with("500 Internal Server Error"), Failure::Status),
        (with("204 No Content"), Failure::Status),
        (with("200 OK\r\ncontent-type: text/html"), Failure::Malformed),
        (
            with("200 OK\r\ncontent-type: application/json"),
            Failure::Malformed,
        ),
        (with("200 OK\r\ncontent-encoding: gzip"), Failure::Malformed),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(), Failure::Broken),
        ("\0\0\0\0\r\n\r\n".to_owned(), Failure::Broken),
        (
            format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1_000_000)),
            Failure::Broken,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n".to_owned(),
            Failure::TooLarge,
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nshort".to_owned(),
            Failure::Timeout,
        ),
    ];
    for (answer, failure) in cases {
        assert_eq!(asked(&answer).await, Err(failure), "{answer:.60}");
    }
}

#[tokio::test]
async fn redirects_are_followed_nowhere() {
    let (elsewhere, mut requests) = server(good("up 1\n")).await;
    let answer =
        format!("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:{elsewhere}/\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(asked(&answer).await, Err(Failure::Redirect));
    assert!(requests.try_recv().is_err());
}

#[tokio::test]
async fn an_endless_body_is_cut_off_at_a_mebibyte() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let (port, written) = endless(head, vec![b'x'; 64 * 1024], Duration::ZERO).await;
    let (read, done) = get(&Wire::default(), port).await;
    assert_eq!(done, Err(Failure::TooLarge));
    assert!(read.len() as u64 <= MAX_BODY, "{} bytes were read", read.len());
    // The connection is closed, and not drained: the server runs against it.
    let written = tokio::time::timeout(Duration::from_secs(5), written).await;
    let written = written.expect("the connection is closed").unwrap();
    assert!(written < 32 * 1024 * 1024, "{written} bytes were taken");
}

#[tokio::test]
async fn a_slow_drip_ends_at_the_deadline() {
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    let (port, written) = endless(head, b"a".to_vec(), Duration::from_millis(20)).await;
    let begun = Instant::now();
    assert_eq!(get(&Wire::default(), port).await.1, Err(Failure::Timeout));
    assert!(begun.elapsed() < 2 * DEADLINE, "{:?}", begun.elapsed());
    let written = tokio::time::timeout(Duration::from_secs(5), written).await;
    assert!(written.expect("the connection is closed").unwrap() < 100);
}

#[tokio::test]
async fn nobody_there_and_nobody_who_speaks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(
        get(&Wire::default(), port).await.1,
        Err(Failure::Timeout),
        "it never accepts"
    );
    drop(listener);
    assert_eq!(get(&Wire::default(), port).await.1, Err(Failure::Connect));
}

#[tokio::test]
async fn what_is_done_with_the_body_can_end_it() {
    let (port, _requests) = server(good("up 1\n")).await;
    let done = Wire::default()
        .get(local(port), "/", DEADLINE, |_| Err(Failure::Malformed))
        .await;
    assert_eq!(done, Err(Failure::Malformed));
}

#[tokio::test]
async fn a_proxy_is_told_the_whole_address_on_connections_that_are_kept() {
    let (port, mut requests) = server(good("up 1\n")).await;
    let uri: Uri = format!("http://localhost:{port}").parse().unwrap();
    let wire = Wire::new(Some(&uri));
    for pod in ["10.0.0.7:9998", "[fd00::1]:9998"] {
        let done = wire
            .get(pod.parse().unwrap(), "/metrics?type=paths", DEADLINE, |_| Ok(()))
            .await;
        assert_eq!(done, Ok(()));
        let request = requests.recv().await.unwrap();
        let line = format!("GET http://{pod}/metrics?type=paths HTTP/1.1\r\n");
        assert!(request.starts_with(&line), "{request}");
        assert!(request.contains(&format!("host: {pod}\r\n")), "{request}");
        assert_eq!(wire.proxy.as_ref().unwrap().kept.lock().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_proxy_has_closed_is_made_anew() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        // One answer for each connection, however politely it promises more.
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = receive(&mut stream).await;
            let _ = stream.write_all(good("up 1\n").as_bytes()).await;
        }
    });
    let uri: Uri = format!("http://127.0.0.1:{port}").parse().unwrap();
    let wire = Wire::new(Some(&uri));
    for _ in 0..5 {
        assert_eq!(get(&wire, 9998).await, (b"up 1\n".to_vec(), Ok(())));
    }
}

#[test]
fn addresses_of_proxies() {
    for good in [
        "http://127.0.0.1:3128",
        "http://proxy.example/",
        "http://[::1]:80",
    ] {
        assert!(proxy(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "127.0.0.1:3128",
        "https://proxy:3128",
        "http://proxy:3128/path",
        "http://proxy:3128?query",
        "http://user:secret@proxy:3128",
        "socks5://proxy",
        "http://",
    ] {
        assert!(proxy(bad).is_err(), "{bad}");
    }
}
