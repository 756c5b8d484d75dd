//! Faults of single requests.

use std::time::Duration;

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::json;

use super::super::{Answer, Fault, Pattern, Rule, Snapshot, Verb};
use super::stage::{A_WHILE, PODS, SOON, Stage};
use crate::wait::{Stopwatch, within};

fn pods(fault: Fault) -> Rule {
    Rule::new(Pattern::resource("pods"), fault)
}

#[tokio::test]
async fn without_a_script_nothing_changes() -> Result<()> {
    let stage = Stage::set().await?;
    let mut link = None;
    for (method, status) in [(Method::POST, 201), (Method::PATCH, 200), (Method::GET, 200)] {
        let url = format!("{PODS}?fieldManager=m%20m");
        let answered = stage.call_over(&mut link, method, &url, "a").await?;
        assert_eq!(answered.status, status);
        assert_eq!(answered.headers["x-said"], "by the server");
        assert_eq!(answered.body["token"], "Bearer secret");
        assert_eq!(
            answered.body["host"],
            stage.address.trim_start_matches("https://")
        );
        assert_eq!(answered.body["body"], json!({"metadata": {"name": "a"}}));
    }
    let url = "/api/v1/namespaces/events/pods?fieldManager=m%20m a";
    assert_eq!(
        stage.server.seen(),
        ["POST", "PATCH", "GET"].map(|method| format!("{method} {url}"))
    );
    assert_eq!(stage.proxy.injected(), []);
    // One to the proxy is one to the server.
    stage.connections(1).await?;
    stage.proxy.check()
}

#[tokio::test]
async fn an_answer_is_a_status_of_the_api() -> Result<()> {
    let stage = Stage::set().await?;
    for (status, reason) in [
        (409, "Conflict"),
        (410, "Expired"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
        (504, "Timeout"),
    ] {
        let answer = Answer::new(StatusCode::from_u16(status)?).retry_after(7);
        stage.proxy.script([pods(Fault::Answer(answer))]);
        let answered = stage.create("a").await?;
        assert_eq!(answered.status, status);
        assert_eq!(answered.headers["retry-after"], "7");
        let wanted = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": "scripted by the fault proxy",
            "reason": reason,
            "details": {"name": "a", "group": "", "kind": "pods"},
            "code": status,
        });
        assert_eq!(answered.body, wanted);
    }
    let answer = Answer::new(StatusCode::CONFLICT)
        .reason("AlreadyExists")
        .message("pods \"a\" already exists");
    stage.proxy.script([pods(Fault::Answer(answer))]);
    let answered = stage.create("a").await?;
    assert_eq!(answered.headers.get("retry-after"), None);
    assert_eq!(answered.body["reason"], "AlreadyExists");
    assert_eq!(answered.body["message"], "pods \"a\" already exists");

    assert_eq!(stage.server.seen(), [""; 0]);
    let writes = stage.proxy.writes();
    assert_eq!(writes.len(), 7);
    assert!(writes.iter().all(|write| write.status.is_none()), "{writes:?}");
    Ok(())
}

#[tokio::test]
async fn what_is_applied_before_a_reset_is_applied() -> Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.script([pods(Fault::ApplyThenReset).times(1)]);
    let error = stage.create("a").await.expect_err("no answer");
    assert!(format!("{error:#}").contains("a request"), "{error:#}");
    assert_eq!(stage.server.seen(), [format!("POST {PODS} a")]);
    assert_eq!(stage.proxy.writes()[0].status, Some(201));
    assert_eq!(stage.create("b").await?.status, 201);
    Ok(())
}

#[tokio::test]
async fn what_is_applied_before_another_answer_is_applied() -> Result<()> {
    let stage = Stage::set().await?;
    let timeout = Answer::new(StatusCode::GATEWAY_TIMEOUT);
    stage.proxy.script([pods(Fault::ApplyThenAnswer(timeout))]);
    assert_eq!(stage.create("a").await?.status, 504);
    assert_eq!(stage.server.seen(), [format!("POST {PODS} a")]);
    Ok(())
}

#[tokio::test]
async fn what_is_dropped_never_arrives() -> Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.script([pods(Fault::Drop)]);
    stage.create("a").await.expect_err("no answer");
    assert_eq!(stage.server.seen(), [""; 0]);
    assert_eq!(stage.call(Method::GET, "/readyz", "").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn a_delay_comes_before_the_server() -> Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.script([pods(Fault::Delay(A_WHILE))]);
    let stopwatch = Stopwatch::start();
    assert_eq!(stage.create("a").await?.status, 201);
    assert!(stopwatch.elapsed() >= A_WHILE);

    stage
        .proxy
        .script([pods(Fault::Delay(Duration::from_secs(3600)))]);
    let (answered, delayed) = futures::join!(stage.create("b"), async {
        stage.injected(2).await?;
        tokio::time::sleep(A_WHILE).await;
        assert_eq!(stage.server.seen().len(), 1);
        stage.proxy.lift();
        anyhow::Ok(())
    });
    delayed?;
    assert_eq!(answered?.status, 201);
    Ok(())
}

#[tokio::test]
async fn what_hangs_arrives_when_lifted() -> Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.script([pods(Fault::Hang)]);
    let (created, watched, hung) = futures::join!(
        stage.create("a"),
        // A watch that hangs before its headers.
        stage.watch(),
        async {
            stage.injected(2).await?;
            tokio::time::sleep(A_WHILE).await;
            assert_eq!(stage.server.seen(), [""; 0]);
            stage.proxy.lift();
            anyhow::Ok(())
        }
    );
    hung?;
    assert_eq!(created?.status, 201);
    watched?;
    Ok(())
}

#[tokio::test]
async fn what_is_applied_before_it_hangs_is_never_answered() -> Result<()> {
    let stage = Stage::set().await?;
    stage.proxy.script([pods(Fault::ApplyThenHang)]);
    let applied = [format!("POST {PODS} a")];
    let mut creating = Box::pin(stage.create("a"));
    tokio::select! {
        answered = &mut creating => panic!("{answered:?}"),
        outcome = async {
            stage.seen(&applied).await?;
            tokio::time::sleep(A_WHILE).await;
            anyhow::Ok(())
        } => outcome?,
    }
    stage.proxy.lift();
    creating.await.expect_err("no answer");
    stage.seen(&applied).await
}

#[tokio::test]
async fn counts_and_order_are_told() -> Result<()> {
    let stage = Stage::set().await?;
    let creates = Pattern::resource("pods").verbs([Verb::Create]);
    stage.proxy.script([
        Rule::new(creates.clone(), Fault::ApplyThenReset).every(5),
        Rule::new(creates.name_prefix("pod-7"), Fault::Drop),
    ]);
    for number in 1..=12 {
        // Reads and other writes are not counted.
        stage.call(Method::GET, PODS, "").await?;
        stage.call(Method::DELETE, &format!("{PODS}/old"), "").await?;
        let answered = stage.create(&format!("pod-{number}")).await;
        assert_eq!(answered.is_ok(), ![5, 7, 10].contains(&number), "{number}");
    }
    let injected = stage.proxy.injected();
    let told: Vec<_> = injected
        .iter()
        .map(|fault| {
            (
                fault.rule,
                fault.fault.as_str(),
                fault.request.name.as_str(),
                fault.position,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (0, "apply, then reset", "pod-5", Some(10)),
            (1, "drop", "pod-7", Some(14)),
            (0, "apply, then reset", "pod-10", Some(20)),
        ]
    );
    assert!(injected.is_sorted_by_key(|fault| fault.time));

    let writes = stage.proxy.writes();
    assert_eq!(writes.len(), 24);
    for (write, number) in writes.iter().zip(1..) {
        assert_eq!(write.position, number);
        let (said, status) = match number {
            14 => ("create pods events/pod-7".to_owned(), None),
            even if even % 2 == 0 => (format!("create pods events/pod-{}", even / 2), Some(201)),
            _ => ("delete pods events/old".to_owned(), Some(200)),
        };
        assert_eq!((write.request.to_string(), write.status), (said, status));
    }
    Ok(())
}

#[tokio::test]
async fn reads_are_answered_from_the_past() -> Result<()> {
    let stage = Stage::set().await?;
    let past = Snapshot::new();
    stage.proxy.script([pods(Fault::Record(past.clone()))]);
    let before = stage.call(Method::GET, PODS, "").await?;
    assert_eq!(before.body["count"], 1);
    assert_eq!(past.urls(), [PODS]);

    stage.proxy.script([pods(Fault::Replay(past))]);
    stage.create("a").await?;
    let stale = stage.call(Method::GET, PODS, "").await?;
    assert_eq!(
        (stale.status, &stale.headers["x-said"], stale.body),
        (before.status, &before.headers["x-said"], before.body)
    );
    let unknown = format!("{PODS}/a");
    assert_eq!(stage.call(Method::GET, &unknown, "").await?.body["count"], 3);

    stage.proxy.lift();
    assert_eq!(stage.call(Method::GET, PODS, "").await?.body["count"], 4);
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_away_is_away_for_clients_too() -> Result<()> {
    let mut stage = Stage::set().await?;
    let mut link = None;
    stage.call_over(&mut link, Method::GET, PODS, "").await?;
    stage.serving = None;
    let error = within("an error", SOON, stage.create("a")).await;
    error.expect_err("nobody is there");
    // Nothing that the proxy did wrong.
    stage.proxy.check()
}
