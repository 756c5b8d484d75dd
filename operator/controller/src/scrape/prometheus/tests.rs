use proptest::prelude::*;

use super::super::tests::server;
use super::*;

fn pods(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

fn question(url: &str, queries: &serde_json::Value) -> Question {
    let server: api::Prometheus =
        serde_json::from_value(serde_json::json!({"url": url, "scrapeInterval": "10s", "queries": queries}))
            .expect("a server");
    Question::of(&server, "events", "keynote")
}

fn answer(result: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#)
}

fn http(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn queries_name_the_webinar() {
    let queries = serde_json::json!({
        "viewers": r#"sum by (pod) (readers{namespace="$namespace",pod=~"$webinar-.*"})"#,
        "bytesIn": "$webinar$namespace$$other $",
    });
    let question = question("https://prometheus:9090/prefix/", &queries);
    assert_eq!(question.url, "https://prometheus:9090/prefix/api/v1/query");
    let [viewers, bytes_in, bytes_out] = question.queries.clone();
    assert_eq!(
        viewers.as_deref(),
        Some(r#"sum by (pod) (readers{namespace="events",pod=~"keynote-.*"})"#)
    );
    assert_eq!(bytes_in.as_deref(), Some("keynoteevents$$other $"));
    assert_eq!(bytes_out, None);
    assert_eq!(question.lane().interval(), LEAST);
    let seldom = Question {
        every: Duration::from_secs(60),
        ..question
    };
    assert_eq!(seldom.lane().interval(), Duration::from_secs(15));
}

#[test]
fn what_is_said_again_is_no_news_until_the_pod_must_have_been_asked_since() {
    let question = question("http://prometheus", &serde_json::json!({"viewers": "v"}));
    let mut repeats = Repeats::default();
    let mut told = |second, viewers| {
        let sample = Sample {
            at: Timestamp::from_second(second).expect("an instant"),
            viewers: Reading::Value(viewers),
            bytes_in: Reading::Value(1_000),
            bytes_out: Reading::Missing,
        };
        repeats.is_news(&question, "a", &sample)
    };
    // A server that asks every 10 s, asked every 5 s: it has new figures every other time.
    assert_eq!(
        [told(0, 1), told(5, 1), told(10, 2), told(15, 2)],
        [true, false, true, false]
    );
    // From here on nothing changes: that becomes news once a scrape must have seen it, and stays so.
    assert_eq!([told(20, 2), told(25, 2), told(30, 2)], [false, true, true]);
    assert!(told(31, 3));
    assert!(told(29, 3), "a clock that was set back");
    assert!(!told(32, 3));
}

#[test]
fn values_belong_to_the_pods_that_are_known() {
    let body = answer(
        r#"[{"metric":{"pod":"a","instance":"10.0.0.1:9998"},"value":[1700000000.123,"42"]},
            {"metric":{"pod":"stranger"},"value":[1,"7"]},
            {"metric":{},"value":[1,"7"]},
            {"metric":{"pod":"b"},"value":[1700000000.123,"NaN"]},
            {"metric":{"pod":"twice"},"value":[1700000000.123,"1"]},
            {"metric":{"pod":"twice"},"value":[1700000000.123,"1"]},
            {"metric":{"pod":"text"},"value":[1700000000.123,"many"]}]"#,
    );
    let (told, at) = values(body.as_bytes(), &pods(&["a", "b", "silent", "text", "twice"])).expect("values");
    assert_eq!(at, Some(1_700_000_000.123));
    let figures: Vec<_> = told
        .iter()
        .map(|(pod, value)| (pod.as_str(), reading(*value, MOST_BYTES)))
        .collect();
    let absurd = Reading::Absurd;
    assert_eq!(
        figures,
        [
            ("a", Reading::Value(42)),
            ("b", absurd),
            ("text", absurd),
            ("twice", absurd)
        ]
    );
}

#[test]
fn answers_of_another_shape_are_refused() {
    let deep = "[".repeat(100_000);
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "<html>",
        &deep,
        &answer(&deep),
        &answer("null"),
        &answer("{}"),
        &answer(r#"[{"metric":{"pod":7},"value":[1,"1"]}]"#),
        &answer(r#"[{"metric":{"pod":"a"},"value":[1,1]}]"#),
        &answer(r#"[{"metric":{"pod":"a"},"value":["1","1"]}]"#),
        &answer(r#"[{"metric":{"pod":"a"},"value":[1]}]"#),
        &answer(r#"[{"metric":{"pod":"a"},"values":[[1,"1"]]}]"#),
        r#"{"status":"error","errorType":"bad_data","error":"no"}"#,
        r#"{"status":"error","data":{"resultType":"vector","result":[]}}"#,
        r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
        r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#,
    ] {
        assert_eq!(
            values(body.as_bytes(), &pods(&["a"])),
            Err(Failure::Malformed),
            "{body:.80}"
        );
    }
}

#[test]
fn instants_that_cannot_be_are_refused() {
    let now = Timestamp::from_second(1_700_000_000).expect("an instant");
    let at = |seconds| instant(seconds, now).map(Timestamp::as_millisecond);
    assert_eq!(at(1_699_999_990.25), Ok(1_699_999_990_250));
    assert_eq!(at(1_700_000_030.0), Ok(1_700_000_030_000));
    for seconds in [1_700_000_031.0, 1e300, -1e300, f64::INFINITY] {
        assert_eq!(at(seconds), Err(Failure::Malformed), "{seconds}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_sent_can_break_it(body in prop::collection::vec(any::<u8>(), 0..500)) {
        let _ = values(&body, &pods(&["a"]));
    }

    #[test]
    fn no_instant_can_break_it(seconds in any::<f64>()) {
        let _ = instant(seconds, Timestamp::UNIX_EPOCH);
    }
}

async fn ask(question: &Question, names: &[&str]) -> Result<BTreeMap<String, Sample>, Failure> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let now = || Timestamp::from_second(1_700_000_000).expect("an instant");
    let deadline = Duration::from_millis(500);
    Servers::new().ask(question, &pods(names), deadline, now).await
}

#[tokio::test]
async fn a_server_tells_of_each_pod_at_its_own_instant() {
    let body = answer(r#"[{"metric":{"pod":"a"},"value":[1699999995.5,"42"]}]"#);
    let (port, mut requests) = server(http(&body)).await;
    let queries = serde_json::json!({"viewers": "v", "bytesIn": "in > 0"});
    let told = ask(
        &question(&format!("http://127.0.0.1:{port}"), &queries),
        &["a", "b"],
    )
    .await;
    let sample = Sample {
        at: Timestamp::from_millisecond(1_699_999_995_500).expect("an instant"),
        viewers: Reading::Value(42),
        bytes_in: Reading::Value(42),
        bytes_out: Reading::Missing,
    };
    assert_eq!(told, Ok(BTreeMap::from([("a".to_owned(), sample)])));
    let first = requests.recv().await.expect("a request");
    assert!(first.starts_with("POST /api/v1/query HTTP/1.1\r\n"), "{first}");
    assert_eq!(form("in > 0", None), "query=in+%3E+0");
    assert_eq!(form("v", Some(1_699_999_995.5)), "query=v&time=1699999995.5");
}

#[test]
fn nobody_watches_a_pod_that_only_its_bytes_are_told_of() {
    let told = [
        BTreeMap::from([("a".to_owned(), 3.0)]),
        BTreeMap::from([("b".to_owned(), 9.0)]),
        BTreeMap::new(),
    ];
    let told = samples(&told, Timestamp::UNIX_EPOCH);
    let figures: Vec<_> = told
        .values()
        .map(|s| (s.viewers, s.bytes_in, s.bytes_out))
        .collect();
    let (value, missing) = (Reading::Value, Reading::Missing);
    assert_eq!(
        figures,
        [(value(3), missing, missing), (value(0), value(9), missing)]
    );
}

#[tokio::test]
async fn hostile_servers_are_cut_off() {
    let with = |head: &str| format!("HTTP/1.1 {head}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let large = http(&answer(&format!("[{}]", " ".repeat(MAX_BODY as usize))));
    let chunks = "10000\r\n".to_owned() + &"x".repeat(0x10000) + "\r\n";
    let endless = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        chunks.repeat(130)
    );
    let cases = [
        (
            with("302 Found\r\nlocation: http://127.0.0.1/"),
            Failure::Redirect,
        ),
        (with("503 Service Unavailable"), Failure::Status),
        (with("200 OK\r\ncontent-encoding: gzip"), Failure::Malformed),
        (with("200 OK"), Failure::Malformed),
        (large, Failure::TooLarge),
        (endless, Failure::TooLarge),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{".to_owned(),
            Failure::Timeout,
        ),
    ];
    for (answer, failure) in cases {
        let (port, _requests) = server(answer.clone()).await;
        let question = question(
            &format!("http://127.0.0.1:{port}"),
            &serde_json::json!({"viewers": "v"}),
        );
        assert_eq!(ask(&question, &["a"]).await, Err(failure), "{answer:.60}");
    }
    let nobody = question("http://127.0.0.1:1", &serde_json::json!({"viewers": "v"}));
    assert_eq!(ask(&nobody, &["a"]).await, Err(Failure::Connect));
}
